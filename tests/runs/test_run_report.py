"""The page of a run that has ended."""

import pytest

from rmlr_lightning.cli.report import main
from rmlr_lightning.runs.run_report import write_run_report
from tests.report.made_up import make_run, record_of, results


def test_the_page_is_that_of_its_command(tmp_path, capsys):
    folder = make_run(tmp_path / "a run", record=record_of(results()))
    write_run_report(folder)
    page = folder / "report.html"
    assert capsys.readouterr().out == f"report: {page}\n"
    made = page.read_bytes()
    main([str(folder), "--html", str(page), "--overwrite"])
    # the command on the page is that of the second one
    assert made == page.read_bytes().replace(b" --overwrite", b"")


def test_a_run_without_a_record_has_no_page(tmp_path, capsys):
    folder = make_run(tmp_path / "run")
    write_run_report(folder)
    assert capsys.readouterr().out == ""
    assert not (folder / "report.html").exists()


@pytest.mark.fault
def test_a_page_that_cannot_be_made_is_a_note_with_its_command(tmp_path, capsys):
    folder = make_run(tmp_path / "a run", record=record_of(results()))
    record = folder / "test_record.npz"
    record.write_bytes(record.read_bytes()[:100])
    write_run_report(folder)
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1
    assert err.startswith(f"note: no report was made ({record}: ")
    assert err.endswith(f"; later: rmlr-report '{folder}' --html '{folder / 'report.html'}'\n")
