"""Properties of both levels in all forms: order, padding, empty batches, precision, weights."""

import pytest
import torch

from rmlr_lightning.losses.sentence import SentenceAlignment
from rmlr_lightning.losses.word import WordAlignment
from tests.losses import slow
from tests.losses.conftest import DIM, VOCABULARY, bank, labels_of, padded, random_batch, reordered

ALIGNMENTS = {
    **{
        f"sentence_{form}": (SentenceAlignment, form)
        for form in ("infonce", "soft", "cosine", "l1")
    },
    **{f"word_{form}": (WordAlignment, form) for form in ("cosine", "l1", "infonce")},
}


@pytest.fixture(params=ALIGNMENTS)
def make(request):
    """Makes one of the alignments."""
    level, form = ALIGNMENTS[request.param]

    def make(**options):
        torch.manual_seed(0)
        return level(DIM, VOCABULARY, bank, form=form, **options)

    return make


def with_verbs(batch, verbs):
    """The batch with other true verbs."""
    prediction, labels = batch
    return prediction, labels_of(prediction.pairs, verbs, labels.log_prior)


def test_the_order_of_pairs_and_of_images_does_not_matter(make):
    loss, batch = make(), random_batch()
    expected = loss(*batch)
    torch.testing.assert_close(
        loss(*reordered(batch, pairs=torch.tensor([5, 2, 0, 1, 4, 3]))), expected
    )
    torch.testing.assert_close(loss(*reordered(batch, images=torch.tensor([2, 0, 1]))), expected)


@pytest.mark.parametrize("more", [{"pairs": 4}, {"images": 2}, {"pairs": 30, "images": 1}])
def test_padding_changes_neither_loss_nor_gradient(make, more):
    loss, batch = make(), random_batch()
    tokens = batch[0].ire_tokens
    values = [loss(*batch), loss(*padded(batch, **more))]
    torch.testing.assert_close(values[1], values[0])
    gradients = [torch.autograd.grad(value, tokens)[0] for value in values]
    torch.testing.assert_close(gradients[1], gradients[0])


@pytest.mark.parametrize("images", [1, 3])
def test_without_a_positive_pair_loss_and_gradients_are_zero(make, images):
    loss, batch = make(balance=0.5), random_batch(images)
    value = loss(*with_verbs(batch, torch.zeros_like(batch[1].verbs)))
    gradients = torch.autograd.grad(value, (batch[0].ire_tokens, *loss.project.parameters()))
    assert value == 0
    assert all((gradient == 0).all() for gradient in gradients)


def test_a_single_positive_pair_is_finite(make):
    loss, batch = make(), random_batch(1)
    verbs = batch[1].verbs
    pair = int(verbs[0].any(-1).nonzero()[0])
    only = torch.zeros_like(verbs)
    only[0, pair] = verbs[0, pair]
    value = loss(*with_verbs(batch, only))
    (gradient,) = torch.autograd.grad(value, batch[0].ire_tokens)
    assert torch.isfinite(value) and torch.isfinite(gradient).all()
    assert (gradient[0, torch.arange(6) != pair] == 0).all()


def test_under_autocast_cosines_keep_their_precision(make):
    loss, (prediction, labels) = make(), random_batch()
    tokens = prediction.ire_tokens.detach().bfloat16().requires_grad_()
    expected = loss(prediction._replace(ire_tokens=tokens.float()), labels)
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(prediction._replace(ire_tokens=tokens), labels)
    value.backward()
    torch.testing.assert_close(value, expected)
    assert torch.isfinite(tokens.grad).all()


@pytest.mark.parametrize("max_positives", [1, 2, 100])
@pytest.mark.parametrize("level", ["sentence", "word"])
def test_the_mean_is_over_the_pairs_that_are_kept(level, max_positives):
    prediction, labels = random_batch(seed=4, max_positives=max_positives)
    loss = {"sentence": SentenceAlignment, "word": WordAlignment}[level](
        DIM, VOCABULARY, bank, form="cosine", weight=1.0
    )
    rows = slow.rows_of(prediction, labels, loss.project, max_rows=max_positives)
    expected = slow.mean(getattr(slow, level)(rows, bank(), form="cosine"), rows)
    torch.testing.assert_close(loss(prediction, labels).double(), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("balance", [0.5, 1.0])
@pytest.mark.parametrize("level", ["sentence", "word"])
def test_balance_weighs_pairs_by_their_rarest_phrase(level, balance):
    prediction, labels = random_batch(4, 8, seed=6)
    loss = {"sentence": SentenceAlignment, "word": WordAlignment}[level](
        DIM, VOCABULARY, bank, form="cosine", weight=1.0, balance=balance
    )
    rows = slow.rows_of(prediction, labels, loss.project)
    losses = getattr(slow, level)(rows, bank(), form="cosine")
    expected = slow.mean(losses, rows, balance)
    assert (expected - slow.mean(losses, rows)).abs() > 1e-3
    torch.testing.assert_close(loss(prediction, labels).double(), expected, atol=1e-5, rtol=1e-5)


def test_counts_for_balance_grow_in_training_and_stay_in_evaluation():
    loss, batch = WordAlignment(DIM, VOCABULARY, bank, balance=0.5), random_batch()
    phrases = batch[1].positives.phrases.sum(0)
    loss(*batch)
    loss(*batch)
    loss.eval()(*batch)
    torch.testing.assert_close(loss.phrase_counts, 2.0 * phrases)


def test_the_weight_is_a_factor(make):
    batch = random_batch()
    torch.testing.assert_close(make(weight=0.3)(*batch), 3 * make(weight=0.1)(*batch))


def test_both_sites_of_dual_distillation_read_their_own_tokens(make):
    prediction, labels = random_batch()
    swapped = prediction._replace(
        ire_tokens=prediction.irm_tokens, irm_tokens=prediction.ire_tokens
    )
    torch.testing.assert_close(
        make(site="ire")(prediction, labels), make(site="irm")(swapped, labels)
    )


def test_no_text_goes_into_the_checkpoint(make):
    assert set(make().state_dict()) - {"log_temperature"} == {
        "project.weight",
        "project.bias",
        "phrase_counts",
    }


def test_decay_lowers_the_weight_along_half_a_cosine(make):
    loss, batch = make(decay=0.5), random_batch()
    expected = make()(*batch)
    for progress, left in ((0.0, 1.0), (0.25, 0.5), (0.5, 0.0), (1.0, 0.0)):
        loss.set_progress(progress)
        torch.testing.assert_close(loss(*batch), expected * left, atol=1e-6, rtol=1e-5)


def test_checkpoints_hold_no_text(make):
    state = set(make().state_dict())
    assert state <= {"project.weight", "project.bias", "phrase_counts", "log_temperature"}
