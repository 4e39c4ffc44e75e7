import pytest
import torch

from rmlr_lightning.errors import UserError
from rmlr_lightning.losses.auxiliary import AuxiliaryVerbs
from rmlr_lightning.losses.focal import FocalLoss
from tests.losses.conftest import DIM, VOCABULARY, random_batch


@pytest.mark.parametrize("site", ["ire", "irm"])
def test_it_is_the_focal_loss_of_logits_of_its_own(site):
    auxiliary = AuxiliaryVerbs(DIM, VOCABULARY, site=site, weight=0.3, alpha=0.4, gamma=1.5)
    prediction, labels = random_batch()
    tokens = prediction.ire_tokens if site == "ire" else prediction.irm_tokens
    own = prediction._replace(logits=auxiliary.classify(tokens))
    torch.testing.assert_close(
        auxiliary(prediction, labels), 0.3 * FocalLoss(1.0, 0.4, 1.5)(own, labels)
    )


def test_only_its_site_gets_gradients():
    prediction, labels = random_batch()
    prediction = prediction._replace(logits=prediction.logits.requires_grad_())
    AuxiliaryVerbs(DIM, VOCABULARY, site="ire")(prediction, labels).backward()
    assert prediction.ire_tokens.grad.abs().sum() > 0
    assert prediction.irm_tokens.grad is None and prediction.logits.grad is None


def test_an_unknown_site_is_named():
    with pytest.raises(UserError, match="site=detector"):
        AuxiliaryVerbs(DIM, VOCABULARY, site="detector")
