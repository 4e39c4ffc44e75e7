"""Runs that failed are named with their reason, in the terminal and below the verdict of a page."""

import pytest

from rmlr_lightning.cli.report import main
from rmlr_lightning.report import failed_runs as module
from rmlr_lightning.report.failed_runs import failed_runs
from rmlr_lightning.runs.sweep_members import ERROR
from tests.report.made_up import HOSTILE, make_run, record_of, results
from tests.report.test_html import page_of

pytestmark = pytest.mark.fault


def fail(folder, text, mark=".lock"):
    """A run that failed before its configuration was written."""
    folder.mkdir(parents=True)
    (folder / mark).touch()
    (folder / module.FILE).write_text(text)
    return folder


@pytest.fixture
def sweep(tmp_path):
    """Two finished runs, one that failed early and one in training."""
    for name in ("a", "b"):
        make_run(tmp_path / "sweep" / name, name, 0, record_of(results()))
    diverged = make_run(tmp_path / "sweep" / "nan", "nan", 0)
    (diverged / "metrics.json").unlink()
    (diverged / module.FILE).write_text("training diverged\n")
    fail(tmp_path / "sweep" / "early", f"Traceback\n  line 3\nValueError: {HOSTILE}\n")
    return tmp_path / "sweep"


def test_the_file_is_the_one_that_a_sweep_writes():
    assert module.FILE == ERROR


def test_a_failed_run_is_a_note_with_the_last_line_of_its_error(sweep, capsys):
    main([str(sweep)])
    notes = capsys.readouterr().err.splitlines()
    assert notes == [
        f"note: Not counted, failed: {sweep / 'early'} (ValueError: {HOSTILE})",
        f"note: Not counted, failed: {sweep / 'nan'} (training diverged)",
    ]


@pytest.mark.parametrize("names", [("a",), ("a", "b"), ("a", "b", "c")])
def test_every_page_has_what_is_not_counted_below_its_verdict(names, sweep, tmp_path):
    make_run(sweep / "c", "c", 0, record_of(results()))
    for name in {"a", "b", "c"} - set(names):
        (sweep / name / "metrics.json").unlink()
    page = page_of(tmp_path, sweep)
    boxes = [
        a.get("class", "").split()[:1] for tag, a in page.elements if tag in ("div", "section")
    ]
    # the next element after that of the verdict, before any table
    assert boxes[boxes.index(["verdict"]) + 1] == ["left-out"]
    assert f"(ValueError: {HOSTILE})" in page.text
    assert "<script>alert" not in (tmp_path / "page.html").read_text()


def test_runs_that_failed_alike_are_one_sentence(tmp_path, capsys):
    make_run(tmp_path / "s" / "a", "a")
    folders = [fail(tmp_path / "s" / name, "optim.lr=-1: expected a number\n") for name in "bc"]
    main([str(tmp_path / "s")])
    names = ", ".join(map(str, folders))
    note = f"note: Not counted, failed: {names} (optim.lr=-1: expected a number)\n"
    assert capsys.readouterr().err == note


def test_a_run_that_was_repeated_with_success_did_not_fail(tmp_path, capsys):
    (make_run(tmp_path / "a") / module.FILE).write_text("an error of before\n")
    main([str(tmp_path / "a")])
    assert not capsys.readouterr().err


def test_where_all_runs_failed_the_error_counts_them(tmp_path, capsys):
    fail(tmp_path / "s" / "a", "x")
    with pytest.raises(SystemExit):
        main([str(tmp_path / "s")])
    assert "no finished run here (1 failed)" in capsys.readouterr().err


def test_an_error_file_of_another_program_is_no_run(tmp_path):
    (tmp_path / "error.txt").write_text("srun: error\n")
    assert failed_runs(tmp_path) == {}
    (tmp_path / "multirun.yaml").touch()  # in the folder of a sweep any folder is a run's
    fail(tmp_path / "run", "x", mark="job.log")
    assert failed_runs(tmp_path) == {tmp_path / "run": "x"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "error.txt is empty"),
        (b"\xff \x1b[2J\n", "\ufffd \\x1b[2J"),
        (b"a\n" * 20_000 + b"last\n\n", "last"),
        (b"y" * 50_000, "y" * 400 + "..."),
    ],
)
def test_any_content_is_one_short_line(content, reason, tmp_path):
    (fail(tmp_path / "a", "") / module.FILE).write_bytes(content)
    assert failed_runs(tmp_path) == {tmp_path / "a": reason}
