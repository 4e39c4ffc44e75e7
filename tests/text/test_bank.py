"""The embedding bank: a file named by all that decides it, read without a language model."""

import subprocess
import sys

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.text.bank import EmbeddingBank
from rmlr_lightning.text.encoder import TextEncoder
from rmlr_lightning.text.prompts import detailed_phrase, plain_phrase
from rmlr_lightning.vocabulary import hicodet
from tests.text.conftest import write_bert

SMALL = hicodet()._replace(hois=hicodet().hois[:30])
TWO = ["a photo of a person {interaction}", "someone {interaction} outdoors"]


def test_rows_follow_the_hois_and_padding_is_zero(bert):
    embeddings = EmbeddingBank(TextEncoder.from_hub(bert))(SMALL)
    backwards = EmbeddingBank(TextEncoder.from_hub(bert))(SMALL._replace(hois=SMALL.hois[::-1]))
    torch.testing.assert_close(
        embeddings.sentences, backwards.sentences.flip(0), atol=1e-5, rtol=1e-5
    )
    assert not embeddings.words[~embeddings.words_mask].any()
    assert not (embeddings.content & ~embeddings.words_mask).any()


def test_several_templates_are_averaged_and_their_words_follow_one_another(bert):
    both = EmbeddingBank(TextEncoder.from_hub(bert), TWO)(SMALL)
    first, second = (
        EmbeddingBank(TextEncoder.from_hub(bert), [template])(SMALL) for template in TWO
    )
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
    made, read = (
        EmbeddingBank(TextEncoder.from_hub(bert), folder=tmp_path)(SMALL) for _ in range(2)
    )
    assert all(torch.equal(a, b) for a, b in zip(made, read, strict=True))
    assert [path.suffix for path in tmp_path.iterdir()] == [".safetensors"]  # and no scratch file


def test_a_second_use_loads_no_language_model(bert, tmp_path):
    """In a new process, where importing transformers is an error."""
    EmbeddingBank(TextEncoder.from_hub(bert), folder=tmp_path)(SMALL)
    code = f"""
import sys
sys.modules["transformers"] = None  # any import of it fails now
from rmlr_lightning.text.bank import EmbeddingBank
from rmlr_lightning.text.encoder import TextEncoder
from rmlr_lightning.vocabulary import hicodet
small = hicodet()._replace(hois=hicodet().hois[:30])
bank = EmbeddingBank(TextEncoder.from_hub({bert!r}), folder={str(tmp_path)!r})
embeddings = bank(small)
print(len(embeddings.sentences))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "30", done.stderr[-2000:]


def test_the_name_changes_with_all_that_decides_the_bank(bert, tmp_path):
    other = str(write_bert(tmp_path / "other", seed=1))
    files = {
        EmbeddingBank(TextEncoder.from_hub(bert), folder=tmp_path).path(SMALL),
        EmbeddingBank(TextEncoder.from_hub(other), folder=tmp_path).path(SMALL),
        EmbeddingBank(TextEncoder.from_hub(bert, pooling="cls"), folder=tmp_path).path(SMALL),
        EmbeddingBank(TextEncoder.from_hub(bert), TWO, folder=tmp_path).path(SMALL),
        EmbeddingBank(TextEncoder.from_hub(bert), phrase=detailed_phrase, folder=tmp_path).path(
            SMALL
        ),
        EmbeddingBank(TextEncoder.from_hub(bert), folder=tmp_path).path(hicodet()),
        EmbeddingBank(TextEncoder.from_hub(bert), folder=tmp_path).path(
            SMALL._replace(hois=SMALL.hois[::-1])
        ),
    }
    assert len(files) == 7


def test_the_name_does_not_change_with_what_decides_nothing(bert, tmp_path):
    same = str(write_bert(tmp_path / "same", seed=0))
    names = {
        EmbeddingBank(TextEncoder.from_hub(f, batch_size=b), folder=tmp_path).path(SMALL)
        for f in (bert, same)
        for b in (1, 9)
    }
    assert len(names) == 1


def test_a_hub_model_is_named_by_id_and_revision():
    def name(*args):
        return EmbeddingBank(TextEncoder.from_hub(*args), folder="f").path(SMALL)

    assert len({name("some/model"), name("some/model", "abc"), name("other/model")}) == 3


def test_a_damaged_file_is_one_clear_line(bert, tmp_path):
    bank = EmbeddingBank(TextEncoder.from_hub(bert), folder=tmp_path)
    bank.path(SMALL).write_bytes(b"not a bank")
    with pytest.raises(UserError, match="delete it"):
        bank(SMALL)


def test_a_folder_that_cannot_be_written_is_one_clear_line(bert, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"text\.folder"):
        EmbeddingBank(TextEncoder.from_hub(bert), folder=tmp_path / "file")(SMALL)


@pytest.mark.parametrize(
    ("name", "phrase"), [("minilm", plain_phrase), ("detailed", detailed_phrase)]
)
def test_configurations_have_the_phrases_of_their_name(name, phrase, tmp_path):
    cfg = OmegaConf.load(f"{conf_dir()}/text/minilm.yaml")
    cfg = OmegaConf.merge(cfg, OmegaConf.load(f"{conf_dir()}/text/{name}.yaml"))
    cfg.pop("defaults", None)
    bank = instantiate(OmegaConf.merge(cfg, {"folder": str(tmp_path)}))
    assert bank.phrases(SMALL)[7][0].text.endswith(phrase("sit_on", "airplane").text)
