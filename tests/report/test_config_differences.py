"""What differs between two runs: the configurations, not what was typed."""

import copy

import pytest
import yaml

from rmlr_lightning.report.config_differences import MAX_ROWS, config_differences
from rmlr_lightning.report.relevant_config import IRRELEVANT_KEYS
from tests.report.made_up import HOSTILE, make_run, record_of, results
from tests.report.test_html import page_of

IRE = {"_target_": "models.ire.IRE", "heads": 2, "layers": 1}
CONFIG = {
    "name": "rmlr",
    "seed": 0,
    "label": None,
    "paths": {"output": "outputs/a", "data": "data"},
    "model": {"ire": IRE, "power": 2.8, "maps": ["c4", "c5"]},
    "loss": {"focal": {"_target_": "losses.Focal", "weight": 1.0}},
    "optim": {"lr": 0.002},
    "trainer": {"max_epochs": 8, "default_root_dir": "outputs/a"},
    "data": {"num_workers": 2, "train": {"augment": [{"_target_": "Flip"}, {"hue": 0.1}]}},
}


def write(folder, changes=None, source=None):
    """A configuration with other values; `None` removes a key."""
    config = copy.deepcopy(CONFIG)
    for key, value in (changes or {}).items():
        *parents, name = key.split(".")
        group = config
        for parent in parents:
            group = group.setdefault(parent, {})
        group[name] = value
        if value is None:
            del group[name]
    (folder / ".hydra").mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.dump(config, Dumper=WithoutAliases))
    if source is not None:
        (folder / ".hydra" / "config.yaml").write_text(yaml.safe_dump(source))
    return folder


class WithoutAliases(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


def found(tmp_path, changes, source=None, other_source=None):
    a = write(tmp_path / "a", source=source)
    b = write(tmp_path / "b", changes, other_source if other_source is not None else source)
    return [tuple(row) for row in config_differences(a, b)]


def test_values_are_compared_whoever_set_them(tmp_path):
    changes = {"trainer.max_epochs": 4, "seed": 1, "model.maps": ["c5"]}
    assert found(tmp_path, changes) == [
        ("seed", "0", "1"),
        ("trainer.max_epochs", "8", "4"),
        ("model.maps", "[c4, c5]", "[c5]"),
    ]


def test_equal_configurations_have_no_difference(tmp_path):
    assert found(tmp_path, {}) == []


@pytest.mark.parametrize("key", [*IRRELEVANT_KEYS, "name"])
def test_what_changes_no_result_is_left_out(key, tmp_path):
    value = {"output": "outputs/a", "vcoco": "v", "data": "d"} if key == "paths" else "other"
    assert found(tmp_path, {key: value, "optim.lr": 0.1}) == [("optim.lr", "0.002", "0.1")]


def test_the_output_folder_is_no_difference(tmp_path):
    changes = {"paths": {"output": "o/b", "data": "d"}, "trainer.default_root_dir": "o/b"}
    assert found(tmp_path, changes) == []


def test_a_part_of_one_run_is_one_line_with_its_class(tmp_path):
    changes = {"loss.word": {"_target_": "losses.Word", "weight": 0.1}, "loss.focal": None}
    assert found(tmp_path, changes) == [
        ("loss.focal", "losses.Focal", "-"),
        ("loss.word", "-", "losses.Word"),
    ]


def test_of_two_classes_only_common_options_are_compared(tmp_path):
    changes = {"model.ire": {"_target_": "models.upt.UPT", "heads": 8, "width": 4}}
    assert found(tmp_path, changes) == [
        ("model.ire._target_", "models.ire.IRE", "models.upt.UPT"),
        ("model.ire.heads", "2", "8"),
    ]


def test_members_of_lists_are_named_by_their_place(tmp_path):
    changes = {"data.train.augment": [{"_target_": "Flip"}, {"hue": 0.2}]}
    assert found(tmp_path, changes) == [("data.train.augment.1.hue", "0.1", "0.2")]


def test_what_follows_from_another_key_is_left_out(tmp_path):
    source = {"task": {"optim": "${optim}", "rate": "${oc.env:LR}"}}
    a = write(tmp_path / "a", {"task": {"optim": {"lr": 0.002}, "rate": 1}}, source)
    b = write(tmp_path / "b", {"task": {"optim": {"lr": 0.1}, "rate": 2}, "optim.lr": 0.1}, source)
    # nothing else shows what the environment set
    assert [row.key for row in config_differences(a, b)] == ["optim.lr", "task.rate"]


def test_a_reference_in_one_run_and_a_value_in_the_other_differ(tmp_path):
    source, other = {"trainer": {"max_epochs": "${epochs}"}}, {"trainer": {"max_epochs": 4}}
    assert found(tmp_path, {"trainer.max_epochs": 4}, source, other) == [
        ("trainer.max_epochs", "8", "4")
    ]


def test_the_first_rows_are_shown_and_the_others_counted(tmp_path):
    runs = [make_run(tmp_path / name, name, 0, record_of(results())) for name in "ab"]
    values = {f"option_{place:02}": place for place in range(MAX_ROWS + 12)}
    config = {"name": "b", "seed": 0, "trainer": {"max_epochs": 4}, HOSTILE: HOSTILE, **values}
    (runs[1] / "config.yaml").write_text(yaml.safe_dump(config))
    page = page_of(tmp_path, *runs)
    assert "and 14 more" in page.text  # with `trainer` and the hostile one
    assert 0 < page.text.index("{max_epochs: 4}") < page.text.index("option_00")
    assert "<script>alert" not in (tmp_path / "page.html").read_text()


def test_two_runs_of_one_configuration_have_a_sentence(tmp_path):
    runs = [make_run(tmp_path / name, name, 0, record_of(results())) for name in "ab"]
    assert "Nothing in their configurations." in page_of(tmp_path, *runs).text


@pytest.mark.fault
@pytest.mark.parametrize(
    "content",
    [
        "[1]",
        "{",
        "a: &a [1]\nb: [*a, *a]\n",
        "a: " + "[" * 20_000,
        "a: 0x" + "f" * 5000,
        b"\xff",
        None,
    ],
)
def test_a_damaged_configuration_is_not_known(content, tmp_path):
    a, b = write(tmp_path / "a"), write(tmp_path / "b")
    (b / "config.yaml").unlink()
    if content is not None:
        raw = content if isinstance(content, bytes) else content.encode()
        (b / "config.yaml").write_bytes(raw)
    assert config_differences(a, b) is None


@pytest.mark.fault
def test_long_values_and_control_characters_are_one_short_line(tmp_path):
    ((_, _, text), (_, _, other)) = found(tmp_path, {"x": "y" * 5000, "z": "\x1b[2J\n"})
    assert text == "y" * 100 + "..." and other == r"\x1b[2J"
