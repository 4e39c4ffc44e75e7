import pytest
import torch
from torch.nn.functional import cosine_similarity

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.irm_text import TextIRM
from rmlr_lightning.types import Pairs
from tests.losses.conftest import VOCABULARY, WIDTH, bank
from tests.scenes import random_scene


def made(embeddings=bank, seed=0):
    """A classifier with other than the initial scale and bias."""
    torch.manual_seed(seed)
    irm = TextIRM(16, VOCABULARY, embeddings, heads=2, hidden=16, text_dim=WIDTH, scale=7.0).eval()
    torch.nn.init.constant_(irm.bias, -1.5)
    return irm


def some_pairs(images=2, count=6):
    g = torch.Generator().manual_seed(1)
    human, object_ = torch.randint(0, 5, (2, images, count), generator=g)
    mask = torch.ones(images, count, dtype=torch.bool)
    mask[:, -2:] = False
    scene = random_scene(images, 5)
    object_class = torch.gather(scene.entities.labels, 1, object_)
    tokens = torch.randn(images, count, 16, generator=g)
    return tokens, scene, Pairs(human, object_, object_class, mask)


def test_logits_are_scaled_cosines_with_the_phrase_of_verb_and_object():
    irm, (inputs, scene, pairs) = made(), some_pairs()
    tokens, logits = irm(inputs, scene, pairs)
    phrases = bank().sentences - bank().sentences.mean(0)
    checked = 0
    for image in range(2):
        for pair in range(6):
            object_class = int(pairs.object_class[image, pair])
            for hoi, (verb, other) in enumerate(VOCABULARY.hois):
                if other == object_class:
                    cosine = cosine_similarity(
                        irm.project(tokens[image, pair]), phrases[hoi], dim=0
                    )
                    torch.testing.assert_close(
                        logits[image, pair, verb], 7 * cosine - 1.5, atol=1e-5, rtol=1e-5
                    )
                    checked += 1
    assert checked > 20


def test_invalid_verbs_have_no_phrase():
    irm, (inputs, scene, pairs) = made(), some_pairs()
    valid = VOCABULARY.valid_pairs()[pairs.object_class]
    logits = irm(inputs, scene, pairs)[1]
    torch.testing.assert_close(logits[~valid], torch.full_like(logits[~valid], -1.5))


def test_a_checkpoint_fills_the_phrases_where_there_is_no_text():
    trained, restored = made(), made(embeddings=None, seed=1)
    restored.load_state_dict(trained.state_dict())
    for ours, theirs in zip(restored(*some_pairs()), trained(*some_pairs()), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_the_width_is_that_of_the_text_encoder_unless_given():
    assert TextIRM(16, VOCABULARY, bank).text_dim == WIDTH
    with pytest.raises(UserError, match="text_dim: give the text encoder's width, or text="):
        TextIRM(16, VOCABULARY)


def test_another_width_of_the_text_encoder_is_refused_in_one_line():
    with pytest.raises(UserError, match=f"text_dim=384.*{WIDTH}") as caught:
        TextIRM(16, VOCABULARY, bank, text_dim=384)
    assert "\n" not in str(caught.value)


def test_phrases_are_fixed_and_scale_and_bias_are_trained():
    irm = made()
    irm(*some_pairs())[1].square().sum().backward()
    assert not irm.phrases.requires_grad
    assert irm.log_scale.grad.abs() > 0 and irm.bias.grad.abs() > 0


def test_pairs_that_are_not_real_change_nothing():
    irm, (inputs, scene, pairs) = made(), some_pairs()
    other = torch.where(pairs.mask[..., None], inputs, 100.0)
    real = pairs.mask
    torch.testing.assert_close(
        irm(other, scene, pairs)[1][real], irm(inputs, scene, pairs)[1][real]
    )


def test_scores_start_at_the_initial_probability():
    irm = TextIRM(16, VOCABULARY, bank, text_dim=WIDTH)
    torch.testing.assert_close(irm.bias.sigmoid(), torch.tensor(0.01))
