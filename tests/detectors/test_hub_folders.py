"""Folders of transformers: classes by name, stride and scores by configuration, all weights."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForObjectDetection

from rmlr_lightning.detectors.class_names import COCO_91
from rmlr_lightning.detectors.open import open_detector
from rmlr_lightning.detectors.transformers import TransformersDetector
from rmlr_lightning.detectors.weights import network_from_config, save_network
from rmlr_lightning.errors import UserError
from rmlr_lightning.vocabulary import COCO_OBJECTS
from tests.scenes import random_images
from tests.tiny_detectors import FAMILY, OBJECTS, tiny_detector

# HICO-DET numbers COCO's objects by the alphabet.
HICO_ORDER = sorted(name.replace(" ", "_") for name in COCO_OBJECTS)


def save_folder(folder: Path, names: list[str], model_type: str = "detr", **options) -> Path:
    """A folder with a small random network whose classes have these names."""
    config = FAMILY[model_type][0] | options
    torch.manual_seed(0)
    labels = dict(enumerate(names))
    network = network_from_config(model_type, id2label=labels, label2id={}, **config)
    network.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("model_type", FAMILY)
def test_folders_of_every_family_open_with_their_own_outputs(model_type, tmp_path):
    detector = tiny_detector(model_type)
    # as on the hub: the names are in the configuration, not in our code
    detector.network.config.id2label = dict(enumerate(OBJECTS))
    detector.network.save_pretrained(tmp_path)
    opened = open_detector(tmp_path)
    assert opened.objects == tuple(OBJECTS)
    assert opened.softmax == (model_type == "detr")
    assert opened.stride == FAMILY[model_type][1]
    images = random_images(2, 64, 96)
    # folders get ImageNet's normalisation, detectors trained here have none
    images = images._replace(pixels=images.pixels * opened.std + opened.mean)
    ours, theirs = opened(images), detector(random_images(2, 64, 96))
    torch.testing.assert_close(ours.entities.scores, theirs.entities.scores)
    torch.testing.assert_close(ours.memory, theirs.memory, atol=5e-5, rtol=1e-4)


def test_a_head_in_hicos_order_names_the_same_objects_as_one_in_cocos(tmp_path):
    """Rows of the head follow the order of the names, so what is found does not depend on it."""
    coco = open_detector(save_folder(tmp_path / "coco", list(COCO_OBJECTS)))
    rows = torch.tensor([COCO_OBJECTS.index(name.replace("_", " ")) for name in HICO_ORDER] + [80])
    head = coco.network.class_labels_classifier
    head.weight.copy_(head.weight[rows])
    head.bias.copy_(head.bias[rows])
    coco.network.config.id2label = dict(enumerate(HICO_ORDER))
    coco.network.save_pretrained(tmp_path / "hico")
    hico, coco = open_detector(tmp_path / "hico"), open_detector(tmp_path / "coco")

    images = random_images(2, 64, 96)
    found = [
        [detector.objects[label] for label in detector(images).entities.labels.flatten().tolist()]
        for detector in (coco, hico)
    ]
    assert found[0] == found[1]
    assert hico.objects != coco.objects


def test_a_folder_of_81_classes_opens_without_its_unused_one(tmp_path):
    detector = open_detector(save_folder(tmp_path, [*COCO_OBJECTS, "N/A"]))
    assert detector.objects == COCO_OBJECTS


def test_gaps_of_cocos_ids_are_never_output_nor_exported(tmp_path):
    detector = open_detector(save_folder(tmp_path, [name or "N/A" for name in COCO_91]))
    with torch.no_grad():  # the unused classes score highest
        unused = torch.tensor([name is None for name in COCO_91] + [False])
        detector.network.class_labels_classifier.bias[unused] = 9.0
    labels = detector(random_images(2, 64, 96)).entities.labels
    assert {detector.objects[label] for label in labels.flatten()} <= set(COCO_OBJECTS)

    # an unused class stays unused in a weight file
    save_network(detector.network, tmp_path / "d.safetensors", detector.interpretation())
    exported = open_detector(tmp_path / "d.safetensors")
    assert exported.classes == COCO_91 and exported.objects == COCO_OBJECTS


def test_classes_without_names_get_them_from_the_configuration(tmp_path):
    network = network_from_config("detr", num_labels=3, **FAMILY["detr"][0])
    network.save_pretrained(tmp_path)
    with pytest.raises(UserError, match="the order of its 3 classes is unknown"):
        open_detector(tmp_path)
    detector = open_detector(tmp_path, objects=["person", None, "robot arm"])
    assert detector.objects == ("person", "robot arm")


def test_a_dilated_folder_has_stride_16(tmp_path):
    config = AutoConfig.for_model(
        "detr",
        backbone="resnet18",
        dilation=True,
        id2label=dict(enumerate(OBJECTS)),
        label2id={},
        **{key: value for key, value in FAMILY["detr"][0].items() if "backbone" not in key},
    )
    # stride and dilation are in the backbone's configuration, so no weight changes
    config.backbone_config.backbone = "resnet50"
    AutoModelForObjectDetection.from_config(config).save_pretrained(tmp_path)
    detector = open_detector(tmp_path, backbone="resnet50", dilation=True)
    scene = detector(random_images(1, 64, 96))
    assert detector.stride == 16 and scene.memory.shape[-2:] == (4, 6)
    with pytest.raises(UserError, match=r"has stride 16, but model\.detector\.dilation=false"):
        open_detector(tmp_path, dilation=False)


def change_weights(folder: Path, change) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("class_labels_classifier.weight"), "missing: class_labels_classifier.w"),
        (lambda w: w.update(extra=torch.zeros(1)), "unexpected: extra"),
        (
            lambda w: w.update({"class_labels_classifier.bias": torch.zeros(9)}),
            "of another shape: class_labels_classifier.bias",
        ),
        (lambda w: w.clear(), "missing: "),
    ],
)
def test_weights_that_do_not_fill_the_network_are_refused(change, message, tmp_path):
    change_weights(save_folder(tmp_path, OBJECTS), change)
    with pytest.raises(UserError, match=message) as caught:
        open_detector(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_without_weights_or_with_damaged_ones_is_refused(tmp_path):
    save_folder(tmp_path, OBJECTS)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match=str(tmp_path)):
        open_detector(tmp_path)
    weights.unlink()
    with pytest.raises(UserError, match=str(tmp_path)):
        open_detector(tmp_path)


def test_another_network_is_refused(tmp_path):
    save_folder(tmp_path, OBJECTS)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "yolos"}))
    with pytest.raises(UserError, match=str(tmp_path)):
        TransformersDetector.from_hub(str(tmp_path))
