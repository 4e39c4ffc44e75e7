"""A backbone in bfloat16: other features, almost the same boxes, all in float32."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from rmlr_lightning.detectors.half_backbone import half_backbone
from rmlr_lightning.errors import UserError
from rmlr_lightning.types import Images
from tests.tiny_detectors import FAMILY, tiny_detector


@pytest.mark.parametrize("family", FAMILY)
def test_boxes_stay_float32_and_close(family):
    detector = tiny_detector(family)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(2, 3, 64, 96, generator=generator)
    images = Images(pixels, torch.ones(2, 64, 96).bool(), torch.tensor([[64, 96]] * 2))
    with torch.inference_mode():
        exact = detector(images)
        with half_backbone(detector):
            half = detector(images)
        again = detector(images)

    floating = [t for t in tree_leaves(half) if isinstance(t, Tensor) and t.is_floating_point()]
    assert {tensor.dtype for tensor in floating} == {torch.float32}
    assert not torch.equal(half.memory, exact.memory)
    # bfloat16 keeps 8 bits; a head in bfloat16 would give multiples of 1/256
    assert not torch.equal(half.entities.boxes, half.entities.boxes.bfloat16().float())
    if family not in ("rt_detr", "rt_detr_v2", "d_fine", "deformable_detr", "rf_detr"):
        # the others choose queries by scores, and random weights score all alike
        assert (half.entities.boxes - exact.entities.boxes).abs().max() < 0.01
    assert torch.equal(again.memory, exact.memory)


@pytest.mark.fault
def test_a_detector_without_a_backbone_is_refused():
    with pytest.raises(UserError, match="has no backbone"), half_backbone(nn.Linear(2, 2)):
        pass
