import pytest
import torch

from rmlr_lightning.detectors.class_head import replace_classes
from rmlr_lightning.detectors.weights import network_from_config
from tests.tiny_detectors import FAMILY

CLASSES = [None, "person", "bicycle", "car"]
OBJECTS = ["robot arm", "car", "person", "weld gun", "bicycle"]
PIXELS = torch.rand(2, 3, 64, 96)


def network(model_type: str):
    torch.manual_seed(0)
    return network_from_config(model_type, num_labels=len(CLASSES), **FAMILY[model_type][0]).eval()


@pytest.mark.parametrize("model_type", FAMILY)
def test_classes_of_the_same_name_keep_their_scores(model_type):
    before = network(model_type)
    after = network(model_type)
    assert replace_classes(after, CLASSES, OBJECTS) == 3

    with torch.no_grad():
        old, new = before(PIXELS), after(PIXELS)
    if model_type in ("detr", "conditional_detr", "deformable_detr"):  # queries are not selected
        assert torch.equal(old.pred_boxes, new.pred_boxes)
        for name in ("car", "person", "bicycle"):
            row, old_row = OBJECTS.index(name), CLASSES.index(name)
            assert torch.allclose(new.logits[..., row], old.logits[..., old_row], atol=1e-6)
    extra = 1 if model_type == "detr" else 0  # its softmax has a last "no object" class
    assert new.logits.shape[-1] == len(OBJECTS) + extra
    if extra:
        assert torch.allclose(new.logits[..., -1], old.logits[..., -1], atol=1e-6)


@pytest.mark.parametrize("model_type", ["detr", "deformable_detr", "rt_detr_v2"])
def test_a_network_trains_on_its_new_classes(model_type):
    changed = network(model_type)
    replace_classes(changed, CLASSES, OBJECTS)
    changed.train()
    labels = [
        {"class_labels": torch.tensor([4, 0]), "boxes": torch.rand(2, 4) * 0.2 + 0.4},
        {"class_labels": torch.tensor([3]), "boxes": torch.rand(1, 4) * 0.2 + 0.4},
    ]
    loss = changed(PIXELS, labels=labels).loss
    loss.backward()
    assert torch.isfinite(loss)
    assert changed.config.num_labels == len(OBJECTS)


def test_new_rows_are_like_the_old_ones_in_size():
    torch.manual_seed(0)
    changed = network_from_config(
        "detr", num_labels=len(CLASSES), **FAMILY["detr"][0] | {"d_model": 256}
    )
    head = changed.class_labels_classifier
    with torch.no_grad():
        head.weight.mul_(3)
        head.bias.copy_(torch.tensor([-8.0, 1.0, 2.0, 3.0, 9.0]))
    std = head.weight[1 : len(CLASSES)].std().item()
    replace_classes(changed, CLASSES, OBJECTS)
    head = changed.class_labels_classifier
    assert head.weight[0].std().item() == pytest.approx(std, rel=0.2)
    assert head.bias.tolist() == [2.0, 3.0, 1.0, 2.0, 2.0, 9.0]


def test_the_same_classes_in_another_order_are_permuted():
    changed = network("detr")
    before = changed.class_labels_classifier.weight.clone()
    order = ["car", "person", "bicycle"]
    replace_classes(changed, CLASSES, order)
    assert torch.equal(changed.class_labels_classifier.weight, before[[3, 1, 2, 4]])
