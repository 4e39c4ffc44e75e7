import pytest
import torch

from rmlr_lightning.data.collate import collate_images
from rmlr_lightning.detectors.open import open_detector
from rmlr_lightning.detectors.weights import network_from_config
from rmlr_lightning.errors import SharedError, UserError
from rmlr_lightning.losses.dense import DenseSupervision
from rmlr_lightning.models.checkpoint import load_checkpoint
from rmlr_lightning.tasks import detection
from rmlr_lightning.tasks.detection import DetectionTask
from rmlr_lightning.tasks.optim import ScheduledAdamW
from rmlr_lightning.types import Batch, BoxTarget, Inputs
from rmlr_lightning.vocabulary import COCO_INDEX_OF_CATEGORY, COCO_OBJECTS
from tests.detectors.test_fine_tuning import BACKBONES
from tests.tiny_detectors import DETR, FAMILY, OBJECTS, tiny_detector


def detection_task(detector, objects=OBJECTS, **options) -> DetectionTask:
    return DetectionTask(detector, ScheduledAdamW(), objects, **options)


def test_a_detector_checkpoint_is_of_the_version_that_resume_accepts(tmp_path):
    checkpoint = {"state_dict": {}}
    task = detection_task(tiny_detector(frozen=False))
    task.run_config = {"seed": 1}
    task.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, tmp_path / "last.ckpt")
    assert load_checkpoint(tmp_path / "last.ckpt")["config"] == {"seed": 1}


@pytest.fixture
def folder(tmp_path):
    """A DETR in the layout of the hub: a timm ResNet, COCO's 91 category ids."""
    backbone, _ = BACKBONES["timm"]
    index = [COCO_INDEX_OF_CATEGORY.get(category) for category in range(91)]
    names = {row: "N/A" if i is None else COCO_OBJECTS[i] for row, i in enumerate(index)}
    network = network_from_config("detr", id2label=names, **DETR | {"backbone_config": backbone})
    network.save_pretrained(tmp_path)
    return tmp_path


def test_fine_tuning_trains_what_detrs_authors_train(folder):
    task = detection_task(open_detector(folder, frozen=False), fine_tune=True, dropout=0.1)
    trained = {name for name, p in task.named_parameters() if p.requires_grad}
    of_backbone = {name for name in trained if ".backbone." in name}
    assert {name.split(".")[5] for name in of_backbone} == {"layer2", "layer3", "layer4"}
    behind = {name for name, _ in task.named_parameters() if ".backbone." not in name}
    assert behind <= trained
    assert all(module.training for module in task.modules())

    optimizer = ScheduledAdamW(1e-5, lr_overrides={"backbone.": 1e-6})
    rates = {id(p): g["lr"] for g in optimizer.groups(task) for p in g["params"]}
    for name, parameter in task.named_parameters():
        if name in trained:
            assert rates[id(parameter)] == (1e-6 if name in of_backbone else 1e-5)
    assert len(rates) == len(trained)


def test_the_head_follows_the_classes_of_the_data(folder, capsys):
    detector = open_detector(folder, frozen=False)
    row = detector.network.class_labels_classifier.weight[detector.classes.index("car")].clone()
    task = detection_task(detector, ("robot arm", "car", "person"), classes="data")
    assert "detector: 2 of 3 classes keep their weights, new: robot arm" in capsys.readouterr().out
    assert task.detector.objects == ("robot arm", "car", "person")
    assert torch.equal(task.detector.network.class_labels_classifier.weight[1], row)
    assert task.detector.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])


def test_equal_classes_need_no_new_head(capsys):
    detector = tiny_detector(frozen=False)
    assert detection_task(detector, classes="data").detector is detector
    assert capsys.readouterr().out == ""


def test_wrong_options_are_refused():
    with pytest.raises(UserError, match=r"model\.detector\.frozen=false"):
        detection_task(tiny_detector(frozen=True))
    with pytest.raises(UserError, match="choose data or detector"):
        detection_task(tiny_detector(frozen=False), classes="coco")


def target(boxes, labels, crowd=None, size=(30, 40)) -> BoxTarget:
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    crowd = torch.zeros(len(boxes), dtype=torch.bool) if crowd is None else torch.tensor(crowd)
    return BoxTarget("a.jpg", 1, torch.tensor(size), boxes, torch.tensor(labels).long(), crowd)


def test_training_labels_are_the_networks_classes_and_stay_in_the_image():
    """Objects of other classes, crowds and boxes outside are not learned."""
    task = detection_task(tiny_detector(frozen=False), ("kite", "car", "person"))
    boxes = [[0, 0, 20, 15], [0, 0, 10, 10], [30, 20, 60, 40], [0, 0, 9, 9], [50, 0, 60, 9]]
    (labels,) = task.network_labels(
        [target(boxes, [2, 0, 1, 2, 1], [False, False, False, True, False])]
    )
    assert labels["class_labels"].tolist() == [OBJECTS.index("person"), OBJECTS.index("car")]
    assert labels["boxes"].tolist() == [
        pytest.approx([0.25, 0.25, 0.5, 0.5]),
        pytest.approx([0.875, 5 / 6, 0.25, 1 / 3]),
    ]


def batch(targets) -> Batch:
    torch.manual_seed(2)
    pixels = [torch.rand(3, 64, 96), torch.rand(3, 96, 64)]
    images = collate_images(pixels, [one.size for one in targets])
    return Batch(Inputs(images), None, [1, 2], targets)


@pytest.mark.fault
@pytest.mark.parametrize("model_type", FAMILY)
def test_a_step_reaches_every_trained_weight_with_and_without_true_boxes(model_type):
    """Processes that train together wait for the gradient of each of them."""
    dense = DenseSupervision if model_type == "rt_detr_v2" else None
    task = detection_task(tiny_detector(model_type, frozen=False), dense=dense)
    task.log = lambda *_, **__: None
    trained = {name: p for name, p in task.named_parameters() if p.requires_grad}
    assert len(trained) > 50
    for boxes, labels in (([[2, 2, 30, 20]], [0]), ([], [])):
        task.zero_grad()
        loss = task.training_step(batch([target(boxes, labels), target([], [])]), 0)
        loss.backward()
        assert torch.isfinite(loss)
        assert [name for name, weight in trained.items() if weight.grad is None] == []


def test_an_export_opens_as_the_same_detector(tmp_path, folder):
    detector = open_detector(folder, frozen=False)
    task = detection_task(detector, ("car", "robot arm"), classes="data", dropout=0.1).eval()
    task.export(tmp_path / "new" / "detector.safetensors", {"seed": 0})

    opened = open_detector(tmp_path / "new" / "detector.safetensors")
    assert opened.objects == ("car", "robot arm") and opened.frozen
    images = batch([target([], []), target([], [])]).inputs.images
    with torch.no_grad():
        expected, found = task.detector(images), opened(images)
    for ours, theirs in zip(expected.entities, found.entities, strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(expected.memory, found.memory)


def test_an_export_that_cannot_be_written_is_found_before_the_training(tmp_path):
    task = detection_task(tiny_detector(frozen=False))
    task.check_export(tmp_path / "new" / "a.safetensors", {"seed": 0})
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/a\.safetensors: cannot be written"):
        task.check_export(tmp_path / "file" / "a.safetensors", {})
    with pytest.raises(UserError, match="cannot be written"):
        task.check_export(tmp_path, {})


@pytest.mark.fault
def test_an_export_replaces_only_a_detector_of_the_same_run(tmp_path):
    task, path = detection_task(tiny_detector(frozen=False)), tmp_path / "a.safetensors"
    path.write_bytes(b"the user's")
    for replace in (True, False):
        with pytest.raises(UserError, match=r"export=.*a\.safetensors: exists; name another"):
            task.check_export(path, {}, replace)
    task.export(path, {})
    task.check_export(path, {}, replace=True)
    with pytest.raises(UserError, match="exists"):
        task.check_export(path, {})


@pytest.mark.fault
def test_classes_that_the_detector_lacks_are_named(capsys):
    detection_task(tiny_detector(frozen=False), (*OBJECTS[:3], "robot arm"))
    line = capsys.readouterr().out
    assert line.startswith("note: the detector has no class for 1 of the data set's 4 object")
    assert "(robot arm)" in line and "task.module.classes=data" in line
    with pytest.raises(UserError, match=r"no class for 2 of .* 2 .*nothing to learn"):
        detection_task(tiny_detector(frozen=False), ("robot arm", "crate"))


@pytest.mark.fault
def test_nan_at_validation_in_one_process_ends_all_of_them(monkeypatch):
    """They are told of at the end of the epoch, after an exchange in which all take part."""
    task = detection_task(tiny_detector(frozen=False))
    monkeypatch.setattr(detection, "over_processes", lambda lists: (["b.jpg", "a.jpg", *lists[0]],))
    with pytest.raises(SharedError, match=r"^a\.jpg and 1 more: the detector's outputs are NaN"):
        task.on_validation_epoch_end()
    assert task.not_finite == []
