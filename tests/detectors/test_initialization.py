"""Networks of the DETR family at their first step."""

import pytest
import torch
from torch import nn

from rmlr_lightning.detectors.weights import fresh_network
from tests.models.conftest import FAMILY

PIXELS = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


def network(model_type: str, **more) -> nn.Module:
    torch.manual_seed(0)
    config, _, _ = FAMILY[model_type]
    return fresh_network(model_type, num_labels=7, **config | more)


def deformable() -> nn.Module:
    return network(
        "deformable_detr", two_stage=True, two_stage_num_proposals=12, with_box_refine=True
    )


@torch.no_grad()
def read(one: nn.Module):
    return one.eval()(PIXELS)


@pytest.mark.parametrize(
    "make", [lambda: network("conditional_detr"), deformable], ids=["conditional", "deformable"]
)
def test_every_class_is_rare_at_first(make):
    assert 0.005 < read(make()).logits.sigmoid().mean() < 0.03


def test_boxes_of_conditional_detr_start_with_half_the_sides_of_the_picture():
    assert torch.equal(
        read(network("conditional_detr")).pred_boxes[..., 2:], torch.full((2, 12, 2), 0.5)
    )


def test_boxes_of_deformable_detr_start_where_the_encoder_proposed_them():
    found = read(deformable())
    proposed = found.init_reference_points
    torch.testing.assert_close(found.pred_boxes, proposed, atol=1e-4, rtol=0)


def test_projections_of_a_plain_detr_start_by_xaviers_rule():
    weight = network("detr").model.encoder.layers[0].mlp.fc1.weight
    assert weight.std().item() == pytest.approx((2 / (16 + 32)) ** 0.5, rel=0.2)


def test_batch_normalisation_starts_as_the_identity():
    gains = [part.weight for part in network("detr").modules() if isinstance(part, nn.BatchNorm2d)]
    assert all(torch.equal(gain, torch.ones_like(gain)) for gain in gains)
