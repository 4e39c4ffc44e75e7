"""The bank on disk: named by all that decides it, and read without a language model."""

import subprocess
import sys

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.text.bank import Source
from rmlr_lightning.text.encoder import TextEncoder
from rmlr_lightning.text.prompts import detailed, plain
from rmlr_lightning.vocabulary import hicodet
from tests.text.conftest import write_bert

SMALL = hicodet()._replace(hois=hicodet().hois[:30])
TWO = ["a photo of a person {interaction}", "someone {interaction} outdoors"]


def test_rows_follow_the_hois_and_padding_is_zero(bert):
    bank = Source(TextEncoder.from_hub(bert))(SMALL)
    backwards = Source(TextEncoder.from_hub(bert))(SMALL._replace(hois=SMALL.hois[::-1]))
    torch.testing.assert_close(bank.sentences, backwards.sentences.flip(0), atol=1e-5, rtol=1e-5)
    assert not bank.words[~bank.words_mask].any()
    assert not (bank.content & ~bank.words_mask).any()


def test_several_templates_are_averaged_and_their_words_follow_one_another(bert):
    both = Source(TextEncoder.from_hub(bert), TWO)(SMALL)
    first, second = (Source(TextEncoder.from_hub(bert), [template])(SMALL) for template in TWO)
    torch.testing.assert_close(
        both.sentences, (first.sentences + second.sentences) / 2, atol=1e-5, rtol=1e-5
    )
    for row in range(len(SMALL.hois)):
        expected = torch.cat([one.words[row][one.words_mask[row]] for one in (first, second)])
        torch.testing.assert_close(
            both.words[row][both.words_mask[row]], expected, atol=1e-5, rtol=1e-5
        )
        content = torch.cat([one.content[row][one.words_mask[row]] for one in (first, second)])
        assert (both.content[row][both.words_mask[row]] == content).all()


def test_what_comes_back_from_disk_is_what_was_made(bert, tmp_path):
    made, read = (Source(TextEncoder.from_hub(bert), folder=tmp_path)(SMALL) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(made, read, strict=True))
    assert [path.suffix for path in tmp_path.iterdir()] == [".safetensors"]  # and no scratch file


def test_a_second_use_loads_no_language_model(bert, tmp_path):
    """In a new process, where importing transformers is an error."""
    Source(TextEncoder.from_hub(bert), folder=tmp_path)(SMALL)
    code = f"""
import sys
sys.modules["transformers"] = None  # any import of it fails now
from rmlr_lightning.text.bank import Source
from rmlr_lightning.text.encoder import TextEncoder
from rmlr_lightning.vocabulary import hicodet
bank = Source(TextEncoder.from_hub({bert!r}), folder={str(tmp_path)!r})(hicodet()._replace(hois=hicodet().hois[:30]))
print(len(bank.sentences))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "30", done.stderr[-2000:]


def test_the_name_changes_with_all_that_decides_the_bank(bert, tmp_path):
    other = str(write_bert(tmp_path / "other", seed=1))
    files = {
        Source(TextEncoder.from_hub(bert), folder=tmp_path).file(SMALL),
        Source(TextEncoder.from_hub(other), folder=tmp_path).file(SMALL),
        Source(TextEncoder.from_hub(bert, pooling="cls"), folder=tmp_path).file(SMALL),
        Source(TextEncoder.from_hub(bert), TWO, folder=tmp_path).file(SMALL),
        Source(TextEncoder.from_hub(bert), say=detailed, folder=tmp_path).file(SMALL),
        Source(TextEncoder.from_hub(bert), folder=tmp_path).file(hicodet()),
        Source(TextEncoder.from_hub(bert), folder=tmp_path).file(
            SMALL._replace(hois=SMALL.hois[::-1])
        ),
    }
    assert len(files) == 7


def test_the_name_does_not_change_with_what_decides_nothing(bert, tmp_path):
    same = str(write_bert(tmp_path / "same", seed=0))
    names = {
        Source(TextEncoder.from_hub(f, batch_size=b), folder=tmp_path).file(SMALL)
        for f in (bert, same)
        for b in (1, 9)
    }
    assert len(names) == 1


def test_a_hub_model_is_named_by_id_and_revision():
    def name(*args):
        return Source(TextEncoder.from_hub(*args), folder="f").file(SMALL)

    assert len({name("some/model"), name("some/model", "abc"), name("other/model")}) == 3


def test_a_damaged_file_is_one_clear_line(bert, tmp_path):
    source = Source(TextEncoder.from_hub(bert), folder=tmp_path)
    source.file(SMALL).write_bytes(b"not a bank")
    with pytest.raises(UserError, match="delete it"):
        source(SMALL)


def test_a_folder_that_cannot_be_written_is_one_clear_line(bert, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"text\.folder"):
        Source(TextEncoder.from_hub(bert), folder=tmp_path / "file")(SMALL)


@pytest.mark.parametrize("how", [plain, detailed])
def test_configurations_say_it_as_they_are_named(how, tmp_path):
    name = {plain: "minilm", detailed: "detailed"}[how]
    cfg = OmegaConf.load(f"{conf_dir()}/text/minilm.yaml")
    cfg = OmegaConf.merge(cfg, OmegaConf.load(f"{conf_dir()}/text/{name}.yaml"))
    cfg.pop("defaults", None)
    source = instantiate(OmegaConf.merge(cfg, {"folder": str(tmp_path)}))
    assert source.phrases(SMALL)[7][0].text.endswith(how("sit_on", "airplane").text)
