"""Initial weights of the DETR family, before training."""

import pytest
import torch
from torch import nn

from rmlr_lightning.detectors.weights import network_from_config
from tests.tiny_detectors import FAMILY

PIXELS = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


def network(model_type: str, **options) -> nn.Module:
    torch.manual_seed(0)
    config, _ = FAMILY[model_type]
    return network_from_config(model_type, num_labels=7, **config | options)


def deformable() -> nn.Module:
    return network(
        "deformable_detr", two_stage=True, two_stage_num_proposals=12, with_box_refine=True
    )


@torch.no_grad()
def outputs(detector: nn.Module):
    return detector.eval()(PIXELS)


@pytest.mark.parametrize(
    "make", [lambda: network("conditional_detr"), deformable], ids=["conditional", "deformable"]
)
def test_initial_class_probabilities_are_low(make):
    assert 0.005 < outputs(make()).logits.sigmoid().mean() < 0.03


def test_initial_boxes_of_conditional_detr_span_half_the_image():
    boxes = outputs(network("conditional_detr")).pred_boxes
    assert torch.equal(boxes[..., 2:], torch.full((2, 12, 2), 0.5))


def test_initial_boxes_of_deformable_detr_are_the_encoders_proposals():
    result = outputs(deformable())
    proposals = result.init_reference_points
    torch.testing.assert_close(result.pred_boxes, proposals, atol=1e-4, rtol=0)


def test_projections_of_detr_are_initialised_by_xaviers_rule():
    weight = network("detr").model.encoder.layers[0].mlp.fc1.weight
    assert weight.std().item() == pytest.approx((2 / (16 + 32)) ** 0.5, rel=0.2)


def test_gains_of_batch_normalisation_are_one():
    # RT-DETRv2 learns them here; the DETR line freezes its batch normalisation.
    modules = network("rt_detr_v2").modules()
    gains = [part.weight for part in modules if isinstance(part, nn.BatchNorm2d)]
    assert gains
    assert all(torch.equal(gain, torch.ones_like(gain)) for gain in gains)
