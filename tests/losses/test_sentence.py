"""Against loops over pairs. What all alignments share is in test_alignment.py."""

import pytest
import torch

from rmlr_lightning.errors import UserError
from rmlr_lightning.losses.sentence import SentenceAlignment
from tests.losses import slow
from tests.losses.conftest import DIM, VOCABULARY, bank, labels_of, random_batch

FORMS = [
    ("infonce", "batch"),
    ("infonce", "object"),
    ("infonce", "all"),
    ("soft", "batch"),
    ("soft", "object"),
]
FORMS += [("soft", "all"), ("cosine", "all"), ("l1", "all")]


@pytest.mark.parametrize("site", ["ire", "irm"])
@pytest.mark.parametrize(("form", "negatives"), FORMS)
def test_loss_and_gradients_are_those_of_the_loops(form, negatives, site):
    options = {"form": form, "negatives": negatives, "temperature": 0.2, "softness": 0.3}
    loss = SentenceAlignment(DIM, VOCABULARY, bank, site=site, weight=0.7, **options)
    prediction, labels = random_batch(seed=1)
    rows = slow.rows_of(prediction, labels, loss.project, site)
    expected = 0.7 * slow.mean(slow.sentence(rows, bank(), **options), rows)
    actual = loss(prediction, labels)
    assert max(len(row.phrases) for row in rows) > 1
    torch.testing.assert_close(actual.double(), expected, atol=1e-5, rtol=1e-5)
    learned = (
        prediction.ire_tokens if site == "ire" else prediction.irm_tokens,
        *loss.project.parameters(),
    )
    for ours, theirs in zip(
        torch.autograd.grad(actual, learned), torch.autograd.grad(expected, learned), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("form", ["infonce", "soft"])
def test_gradients_are_finite_differences(form):
    loss = SentenceAlignment(
        DIM, VOCABULARY, bank, form=form, negatives="batch", learned=True
    ).double()
    _, labels = random_batch(seed=2)
    positives = labels.positives
    projected = torch.randn(len(positives.mask), 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, _: loss.row_losses(positives, x)[positives.mask],
        (projected, loss.log_temperature),
    )


def test_other_phrases_of_a_pair_are_no_negatives():
    # without another phrase in the batch there are no negatives
    loss = SentenceAlignment(DIM, VOCABULARY, bank, negatives="batch")
    prediction, _ = random_batch(1, 1)
    pairs = prediction.pairs._replace(
        object_class=torch.ones(1, 1, dtype=torch.long), mask=torch.ones(1, 1, dtype=torch.bool)
    )
    verbs = torch.tensor([[[True, True, True, False, False]]])
    labels = labels_of(pairs, verbs, torch.zeros(1, 1, 5))
    value = loss(prediction._replace(pairs=pairs), labels)
    (gradient,) = torch.autograd.grad(value, prediction.ire_tokens)
    assert value.abs() < 1e-6 and gradient.abs().max() < 1e-6


@pytest.mark.parametrize("option", [{"form": "hinge"}, {"negatives": "none"}, {"site": "detector"}])
def test_unknown_choices_are_named_in_one_line(option):
    with pytest.raises(UserError, match=next(iter(option.values()))) as caught:
        SentenceAlignment(DIM, VOCABULARY, bank, **option)
    assert "\n" not in str(caught.value) and next(iter(option)) in str(caught.value)


@pytest.mark.parametrize("learned", [True, False])
def test_the_temperature_is_trained_where_configured(learned):
    loss = SentenceAlignment(DIM, VOCABULARY, bank, learned=learned)
    loss(*random_batch()).backward()
    assert (loss.log_temperature.grad is not None) is learned


def test_defaults_of_the_options():
    loss = SentenceAlignment(DIM, VOCABULARY, bank)
    assert loss.log_temperature.exp().item() == pytest.approx(0.1)
    assert not loss.log_temperature.requires_grad
    assert (loss.softness, loss.negatives, loss.form) == (0.1, "object", loss.infonce)
    assert (loss.weight, loss.balance, loss.decay) == (0.1, 0.0, 0.0)


def test_a_learned_temperature_stays_above_a_hundredth():
    loss = SentenceAlignment(DIM, VOCABULARY, bank, temperature=0.001)
    other = SentenceAlignment(DIM, VOCABULARY, bank, temperature=0.01)
    other.load_state_dict(loss.state_dict() | {"log_temperature": other.log_temperature})
    batch = random_batch()
    torch.testing.assert_close(loss(*batch), other(*batch))
