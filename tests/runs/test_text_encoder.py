"""The weights of the text encoder that a configuration names, for the record of a run."""

import hashlib

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.runs.load_task import text_encoder_weights
from rmlr_lightning.text.model_files import MINILM_SHA256

MINILM = MINILM_SHA256["model.safetensors"]


def weights_of(*overrides: str) -> str | None:
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        return text_encoder_weights(compose("train", ["paths.output=out", *overrides]))


@pytest.mark.parametrize(
    "text", ["minilm", "detailed", "shuffled", "random", "compositional", "permuted_verbs"]
)
def test_a_bank_and_every_control_with_a_bank_have_a_text_encoder(text):
    assert weights_of(f"text={text}") == MINILM


def test_a_model_of_the_hub_is_identified_by_id_and_revision():
    options = ["text=hub", "text.encoder.name=some/model", "text.encoder.revision=abc"]
    assert weights_of(*options) == "some/model@abc"


def test_a_local_model_is_identified_by_its_files(tmp_path):
    (tmp_path / "config.json").write_bytes(b"{}")
    line = f"config.json {hashlib.sha256(b'{}').hexdigest()}\n"
    expected = hashlib.sha256(line.encode()).hexdigest()
    assert weights_of("text=hub", f"text.encoder.name={tmp_path}") == expected


@pytest.mark.parametrize("text", [None, {}, {"encoder": "mine"}, {"bank": {"encoder": None}}])
def test_without_a_text_encoder_of_the_package_there_is_none(text):
    assert text_encoder_weights(OmegaConf.create({"text": text})) is None
