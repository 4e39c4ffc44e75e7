from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from rmlr_lightning.detectors.set_loss import run_with_loss, set_loss
from rmlr_lightning.detectors.transformers import TransformersDetector
from rmlr_lightning.detectors.weights import network_from_config, network_from_hub
from rmlr_lightning.errors import UserError
from tests.tiny_detectors import FAMILY, tiny_detector

RECORDED = Path(__file__).parents[1] / "data" / "detr_set_loss.npz"
LABELS = [
    {"class_labels": torch.tensor([1, 2]), "boxes": torch.rand(2, 4) * 0.3 + 0.3},
    {"class_labels": torch.tensor([0]), "boxes": torch.rand(1, 4) * 0.3 + 0.3},
]


def detr(num_labels=4, **config):
    return network_from_config("detr", num_labels=num_labels, **FAMILY["detr"][0] | config)


def batch():
    torch.manual_seed(3)
    return torch.randn(2, 3, 64, 96), torch.ones(2, 64, 96, dtype=torch.long)


def test_the_loss_of_fixed_outputs_is_that_of_the_original_detr():
    """Recorded from SetCriterion of facebookresearch/detr: three layers, three images of 4, 0 and
    2 objects; costs and weights 1, 5, 2, "no object" .1."""
    data = np.load(RECORDED)
    counts = data["counts"].tolist()
    classes = torch.from_numpy(data["labels"]).split(counts)
    true_boxes = torch.from_numpy(data["true_boxes"]).split(counts)
    labels = [{"class_labels": c, "boxes": b} for c, b in zip(classes, true_boxes, strict=True)]
    logits, boxes = torch.from_numpy(data["logits"]), torch.from_numpy(data["boxes"])
    loss = set_loss(detr(num_labels=5, decoder_layers=3), logits, boxes, labels)
    assert loss.item() == pytest.approx(float(data["loss"]), abs=1e-5)


def trained_like(model_type: str) -> nn.Module:
    """A random network whose decoder norm and box head are not those of initialisation."""
    network = tiny_detector(model_type, frozen=False).network.eval()
    torch.manual_seed(1)
    with torch.no_grad():
        for part in (network.model.decoder.layernorm, network.bbox_predictor):
            for parameter in part.parameters():
                parameter.copy_(torch.rand_like(parameter) + 0.3)
    return network


@pytest.mark.parametrize("model_type", ["detr", "conditional_detr"])
def test_the_loss_is_the_sum_over_networks_that_end_at_each_layer(model_type):
    network = trained_like(model_type)
    pixels, mask = batch()
    outputs = run_with_loss(network, pixels, mask, LABELS)

    layers, expected = network.model.decoder.layers, 0.0
    for end in range(1, len(layers) + 1):
        network.model.decoder.layers = layers[:end]
        expected += network(pixels, mask, labels=LABELS).loss.item()
    assert outputs.loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("model_type", ["detr", "conditional_detr"])
def test_the_outputs_of_a_network_are_the_same_with_and_without_loss(model_type):
    network = trained_like(model_type)
    pixels, mask = batch()
    with_loss = run_with_loss(network, pixels, mask, LABELS)
    alone = network(pixels, mask)
    assert torch.equal(with_loss.pred_boxes, alone.pred_boxes)
    assert torch.equal(with_loss.logits, alone.logits)


def test_the_option_that_changes_the_outputs_is_refused(tmp_path):
    with pytest.raises(UserError, match="auxiliary_loss=true changes its outputs"):
        detr(auxiliary_loss=True)
    detr().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="auxiliary_loss=true changes its outputs"):
        network_from_hub(str(tmp_path), auxiliary_loss=True)


@pytest.mark.parametrize("model_type", ["detr", "conditional_detr"])
def test_processes_divide_their_sums_by_the_mean_number_of_boxes(model_type, monkeypatch):
    network = trained_like(model_type)
    alone = run_with_loss(network, *batch(), LABELS).loss.item()
    class_loss = 0.0
    if model_type == "detr":  # its cross-entropy is a mean over queries
        without_boxes = {"bbox_loss_coefficient": 0, "giou_loss_coefficient": 0}
        for name, value in without_boxes.items():
            monkeypatch.setattr(network.config, name, value)
        class_loss = run_with_loss(network, *batch(), LABELS).loss.item()
        monkeypatch.undo()

    # the other process has 9 boxes, this one 3: the mean is 6
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda count: count.add_(9))
    shared = run_with_loss(network, *batch(), LABELS).loss.item()
    assert shared == pytest.approx(class_loss + (alone - class_loss) * 3 / 6, rel=1e-5)


def test_other_networks_of_the_family_have_their_own_loss():
    detector: TransformersDetector = tiny_detector("rt_detr_v2", frozen=False)
    outputs = run_with_loss(detector.network.eval(), *batch(), LABELS)
    assert torch.isfinite(outputs.loss)
