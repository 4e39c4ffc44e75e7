"""Paths of any name reach the configuration as they were typed."""

import os

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.runs.typed_paths import quoted_paths

NAMES = [
    "a=b.ckpt",
    "seed=1,name=x/checkpoints/best.ckpt",
    "with space.ckpt",
    " leading and trailing ",
    "[a].ckpt",
    "{a}.ckpt",
    "(a).ckpt",
    "it's.ckpt",
    'say "x".ckpt',
    "'quoted'",
    "back\\slash.ckpt",
    "ends in \\",
    "a\\'b",
    "#1.ckpt",
    "$HOME.ckpt",
    "${seed}.ckpt",
    "müll/größe.ckpt",
    "模型.ckpt",
    "-dash.ckpt",
    "--out.ckpt",
    "~tilde",
    "123",
    "1e-5",
    "null",
    "true",
    "a,b",
    "a:b",
    "a&b;c|d<e>.ckpt",
    "%20?*.ckpt",
    "x" * 200 + "=.ckpt",
]


def read(argument: str) -> str:
    """The value as a run gets it: by Hydra's grammar, then OmegaConf's interpolations."""
    (quoted,) = quoted_paths([argument])
    override = OverridesParser.create().parse_override(quoted)
    return OmegaConf.create({"value": override.value()}).value


@pytest.mark.fault
@pytest.mark.parametrize("name", NAMES)
def test_an_existing_path_is_read_as_it_is_typed(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    open(name, "w").close()
    assert read(f"checkpoint={name}") == name
    assert read(f"checkpoint={tmp_path}/{name}") == f"{tmp_path}/{name}"


@pytest.mark.fault
@pytest.mark.parametrize("name", ["a=b.json", "out [1]/m.json", "größe.json", "it's"])
def test_an_output_that_does_not_exist_yet_is_read_as_it_is_typed(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read(f"out={name}") == name
    assert read(f"paths.data={name}") == name
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = compose("evaluate", quoted_paths([f"out={name}", f"hydra.run.dir={name}"]))
    assert cfg.out == name


@pytest.mark.parametrize(
    "argument",
    [
        "seed=1",
        "optim.lr=1e-3",
        "experiment=visual,rmlr",
        "model.remine.maps=[memory,c4]",
        "hydra.run.dir=outputs/${name}",
        "checkpoint='a=b.ckpt'",
        "checkpoint=null",
        "~logger",
        "-m",
        "--config-name=train",
        "seed=range(0,5)",
        "optim.lr=",
        "name=a=b",
    ],
)
def test_what_is_no_path_stays_as_it_is(argument, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "1").touch()  # a file that happens to have the name of a value
    (tmp_path / "visual").touch()
    assert quoted_paths([argument]) == [argument]
    assert quoted_paths(quoted_paths([argument])) == [argument]


@pytest.mark.fault
def test_the_folder_of_an_option_stays_as_it_is(tmp_path):
    folder = tmp_path / "experiment=visual,seed=0"
    folder.mkdir()
    words = ["--config-path", str(folder), "seed=1"]
    assert quoted_paths(words) == words


@pytest.mark.fault
@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs", "Cc"])))
def test_any_name_of_a_file_that_exists_is_read_as_it_is_typed(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("names", numbered=True)
    path = f"{folder}/x{name}"
    try:
        open(path, "w").close()
    except OSError:  # too long
        return
    assert read(f"checkpoint={path}") == path
