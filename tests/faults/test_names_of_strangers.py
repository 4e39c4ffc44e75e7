"""Names of classes, runs and files are anybody's: what shows them may not be controlled by them."""

import json
from types import SimpleNamespace

import pytest
from rich.console import Console

from rmlr_lightning.errors import UserError
from rmlr_lightning.hub.model_card import model_card
from rmlr_lightning.hub.saved_model import SavedModel
from rmlr_lightning.metrics.base import TableRow
from rmlr_lightning.preparation.report import Report
from rmlr_lightning.report.page import page
from rmlr_lightning.report.rows import make_report
from rmlr_lightning.report.run_folders import run_folders
from rmlr_lightning.report.runs import find_runs
from rmlr_lightning.runs.results_table import print_classes, results_table
from rmlr_lightning.vocabulary import hicodet
from tests.tiny_detectors import tiny_detector

pytestmark = pytest.mark.fault

HOSTILE = "cut [/bold] [red]\x1b[2J\u202e"
SHOWN = r"cut [/bold] [red]\x1b[2J\u202e"


def test_a_table_of_metrics_shows_brackets_and_no_control_characters():
    table = results_table({"a": 0.5}, [TableRow(HOSTILE, {HOSTILE: "a"})], HOSTILE)
    console = Console(width=200)
    with console.capture() as shown:
        console.print(table)
    assert shown.get().count(SHOWN) == 3 and "\u202e" not in shown.get()


def test_a_table_of_classes_shows_brackets(capsys):
    print_classes({"a": 0.5}, [TableRow(HOSTILE, {"AP": "a"})], "title")
    assert SHOWN in capsys.readouterr().out


def test_a_check_prints_no_control_characters(capsys):
    Report().names("missing images", [HOSTILE])
    assert SHOWN in capsys.readouterr().out


def run_in(folder, config):
    folder.mkdir()
    (folder / "config.yaml").write_text(config)
    (folder / "metrics.json").write_text(json.dumps({"test/map_full": 0.5}))
    return folder


def test_a_page_has_no_html_and_no_links_from_names_of_runs(tmp_path):
    name = r"<script>alert(1)</script> [x](javascript:1) | `a` \e[2J"
    run = run_in(tmp_path / "a", f'name: "{name}"\nseed: 0\n')
    found = find_runs([run], "test/map_full", "abc1234")
    text = page(make_report(found.runs, "test"), "test", "Report", ["runs"])
    line = next(line for line in text.splitlines() if "script" in line)
    assert r"\<script>alert(1)\</script> [x]\(javascript:1) \| \`a\` \x1b[2J" in line


def test_a_model_card_has_no_html_links_tables_or_front_matter_from_names(monkeypatch):
    name = "<b>a</b> | [x](javascript:1) `rm`\n---\nlicense: mit"
    training = {
        "name": name,
        "seed": name,
        "commit": name,
        "data": {"train": [name], "test": [name]},
        "metrics": {f"test/{name}": 0.5},
    }
    detector = tiny_detector("detr")
    monkeypatch.setattr(detector, "fingerprint", lambda: {"network": name})
    model = SimpleNamespace(detector=detector)
    card = model_card(SavedModel(model, None, hicodet(), {}, {}, training))
    shown = r"\<b\>a\</b\> \| \[x\](javascript:1) \`rm\`\\n---\\nlicense: mit"
    assert card.text.count(shown) == 6
    assert f"| {shown} | 0.5000 |" in card.text
    assert "Configuration `<b>a</b> | [x](javascript:1) 'rm'\\n---" in card.text
    assert card.data.license is None
    assert card.text.count("\n---\n") == 0 and card.content.count("\n---\n") == 1


def test_yaml_makes_no_python_objects(tmp_path):
    config = f"name: !!python/object/apply:os.mkdir ['{tmp_path}/made']\nseed: 0\n"
    with pytest.raises(UserError, match="not a readable configuration"):
        list(run_folders(run_in(tmp_path / "a", config)))
    assert not (tmp_path / "made").exists()


def test_aliases_of_yaml_are_not_written_out(tmp_path):
    # thirty doublings: a name of a thousand million characters
    lines = ["a0: &a0 [x, x]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 30))]
    config = "\n".join([*lines, "name: *a29", "seed: 0"])
    with pytest.raises(UserError, match="name is not a name"):
        list(run_folders(run_in(tmp_path / "a", config)))
