import pytest
import torch
from torch.nn.functional import cosine_similarity

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.irm_text import TextIRM
from rmlr_lightning.types import Pairs
from tests.losses.conftest import VOCABULARY, WIDTH, bank
from tests.scenes import random_scene


def made(given=bank, seed=0):
    """A classifier whose scale and bias are not those of the start."""
    torch.manual_seed(seed)
    irm = TextIRM(16, VOCABULARY, given, heads=2, hidden=16, text_dim=WIDTH, scale=7.0).eval()
    torch.nn.init.constant_(irm.bias, -1.5)
    return irm


def some_pairs(images=2, count=6):
    g = torch.Generator().manual_seed(1)
    human, thing = torch.randint(0, 5, (2, images, count), generator=g)
    mask = torch.ones(images, count, dtype=torch.bool)
    mask[:, -2:] = False
    return (
        torch.randn(images, count, 16, generator=g),
        random_scene(images, 5),
        Pairs(human, thing, mask),
    )


def test_logits_are_scaled_cosines_with_the_phrase_of_verb_and_object():
    irm, (given, scene, pairs) = made(), some_pairs()
    tokens, logits = irm(given, scene, pairs)
    phrases = bank().sentences - bank().sentences.mean(0)
    checked = 0
    for image in range(2):
        for pair in range(6):
            thing = int(scene.entities.labels[image, pairs.object[image, pair]])
            for hoi, (verb, other) in enumerate(VOCABULARY.hois):
                if other == thing:
                    near = cosine_similarity(irm.project(tokens[image, pair]), phrases[hoi], dim=0)
                    torch.testing.assert_close(
                        logits[image, pair, verb], 7 * near - 1.5, atol=1e-5, rtol=1e-5
                    )
                    checked += 1
    assert checked > 20


def test_impossible_verbs_know_no_phrase():
    irm, (given, scene, pairs) = made(), some_pairs()
    possible = VOCABULARY.valid_pairs()[torch.gather(scene.entities.labels, 1, pairs.object)]
    logits = irm(given, scene, pairs)[1]
    torch.testing.assert_close(logits[~possible], torch.full_like(logits[~possible], -1.5))


def test_a_checkpoint_fills_the_phrases_where_there_is_no_text():
    trained, restored = made(), made(given=None, seed=1)
    restored.load_state_dict(trained.state_dict())
    for ours, theirs in zip(restored(*some_pairs()), trained(*some_pairs()), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_another_width_of_the_language_model_is_refused_in_one_line():
    with pytest.raises(UserError, match=f"text_dim=384.*{WIDTH}") as caught:
        TextIRM(16, VOCABULARY, bank)
    assert "\n" not in str(caught.value)


def test_phrases_do_not_learn_and_scale_and_bias_do():
    irm = made()
    irm(*some_pairs())[1].square().sum().backward()
    assert not irm.phrases.requires_grad
    assert irm.log_scale.grad.abs() > 0 and irm.bias.grad.abs() > 0


def test_pairs_that_are_not_real_change_nothing():
    irm, (given, scene, pairs) = made(), some_pairs()
    other = torch.where(pairs.mask[..., None], given, 100.0)
    real = pairs.mask
    torch.testing.assert_close(irm(other, scene, pairs)[1][real], irm(given, scene, pairs)[1][real])


def test_scores_start_near_rarely():
    irm = TextIRM(16, VOCABULARY, bank, text_dim=WIDTH)
    torch.testing.assert_close(irm.bias.sigmoid(), torch.tensor(0.01))
