import torch

from rmlr_lightning.ops.pairing import pair
from rmlr_lightning.ops.prior import log_prior, verb_scores
from rmlr_lightning.vocabulary import hicodet
from tests.scenes import random_entities


def test_scores_are_sigmoid_times_powers_of_detection_scores():
    entities, valid_pairs = random_entities(2, 7), hicodet().valid_pairs()
    pairs = pair(entities, valid_pairs)
    logits = torch.randn(*pairs.mask.shape, 117)
    scores = verb_scores(logits, log_prior(entities, pairs, valid_pairs, power=2.8))
    for image in range(2):
        for p in range(pairs.mask.shape[1]):
            h, o = pairs.human[image, p], pairs.object[image, p]
            both = (entities.scores[image, h] * entities.scores[image, o]) ** 2.8
            expected = (
                torch.sigmoid(logits[image, p])
                * both
                * valid_pairs[entities.labels[image, o]]
                * pairs.mask[image, p]
            )
            torch.testing.assert_close(scores[image, p], expected)


def test_impossible_verbs_and_padding_score_nothing():
    entities, valid_pairs = random_entities(3, 7, seed=4), hicodet().valid_pairs()
    pairs = pair(entities, valid_pairs)
    scores = verb_scores(
        torch.full((*pairs.mask.shape, 117), 9.0),
        log_prior(entities, pairs, valid_pairs, power=1.0),
    )
    assert scores[~pairs.mask].sum() == 0
    assert scores[pairs.mask][:, 0].sum() == 0  # "adjust" goes with ski, snowboard and tie alone


def test_a_detection_score_of_zero_has_a_finite_prior():
    entities = random_entities(1, 2)._replace(
        scores=torch.zeros(1, 2),
        labels=torch.tensor([[0, 1]]),
        mask=torch.ones(1, 2, dtype=torch.bool),
    )
    valid_pairs = hicodet().valid_pairs()
    found = log_prior(entities, pair(entities, valid_pairs), valid_pairs, power=2.0)
    valid = found > -torch.inf
    assert valid.any()
    torch.testing.assert_close(
        found[valid].exp(), torch.full_like(found[valid], 1e-24), rtol=1e-3, atol=0
    )


def test_scores_below_the_normal_numbers_of_float32_are_zero():
    logits = torch.tensor([[[-86.4, -87.0, -200.0, -1e4]]])
    scores = verb_scores(logits, torch.zeros(1, 1, 4))
    torch.testing.assert_close(scores[0, 0, 0], logits[0, 0, 0].exp(), rtol=1e-3, atol=0)
    assert scores[0, 0, 1:].tolist() == [0, 0, 0]
