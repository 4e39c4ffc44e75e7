"""The first stage as a user runs it, on the boxes of interactions and with words of its own."""

import json
import sys
from pathlib import Path

import pytest

from rmlr_lightning.cli import train
from rmlr_lightning.detectors.open import open_detector
from rmlr_lightning.detectors.weights import network_from_config
from rmlr_lightning.vocabulary import COCO_INDEX_OF_CATEGORY, COCO_OBJECTS
from tests.tiny_detectors import DETR


@pytest.fixture(scope="module")
def coco_detr(tmp_path_factory) -> Path:
    """A random DETR as a folder in the hub's layout, with COCO's 91 category ids."""
    folder = tmp_path_factory.mktemp("detr")
    index = [COCO_INDEX_OF_CATEGORY.get(category) for category in range(91)]
    names = {row: "N/A" if i is None else COCO_OBJECTS[i] for row, i in enumerate(index)}
    network_from_config("detr", id2label=names, **DETR).save_pretrained(folder)
    return folder


@pytest.fixture
def run(world, tmp_path, monkeypatch):
    """The console script in the folder of this test; the world stands in for HICO-DET."""

    def rmlr_train(*overrides: str) -> Path:
        root = world / "hico_20160224_det"
        argv = [
            "rmlr-train",
            "experiment=hicodet_detector",
            "model/detector=file",  # the default wants a ResNet-50
            f"hydra.run.dir={tmp_path}",
            "hydra.output_subdir=null",
            f"data.train.annotations={root}/instances_train2015.json",
            f"data.val.annotations={root}/instances_train2015.json",
            f"data.train.images={root}/images/train2015",
            f"data.val.images={root}/images/train2015",
            "+data.val.share=0.2",
            "+data.train.share=0.2",
            f"data.test.annotations={root}/instances_test2015.json",
            f"data.test.images={root}/images/test2015",
            "data.test.image_labels=null",
            "+data.test.limit=8",
            "data.test.resize.shortest=96",
            "data.num_workers=0",
            "data.batch_size=4",
            "trainer.max_epochs=1",
            "+trainer.limit_train_batches=3",
            "trainer.accelerator=cpu",
            "trainer.log_every_n_steps=1",
            *overrides,
        ]
        monkeypatch.setattr(sys, "argv", argv)
        train.main()
        return tmp_path

    return rmlr_train


@pytest.mark.slow
def test_a_detr_is_fine_tuned_exported_and_opened_by_its_path(coco_detr, run, capsys):
    out = run(f"model.detector.path={coco_detr}")
    printed = capsys.readouterr().out
    assert "80 of 80 classes keep their weights" in printed
    for column in ("AP50", "AP75", "medium", "person", "per class"):
        assert column in printed

    detector = open_detector(out / "detector.safetensors")
    assert detector.objects == COCO_OBJECTS and detector.frozen
    assert detector.metadata["resize"] == {
        "kind": "ResizeShortest",
        "shortest": 96,
        "longest": 1333,
    }
    metrics = json.loads((out / "metrics.json").read_text())
    tested = {name: value for name, value in metrics.items() if name.startswith("test/")}
    assert detector.metadata["test"] == pytest.approx(tested, nan_ok=True)


def test_a_mistake_at_the_export_stops_the_run_before_it_trains(coco_detr, run, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as caught:
        run(f"model.detector.path={coco_detr}", f"export={tmp_path}/file/detector.safetensors")
    assert caught.value.code == 2
    assert "file/detector.safetensors: cannot be written" in capsys.readouterr().err
    assert not (tmp_path / "checkpoints").exists()


def test_data_of_interactions_is_refused(coco_detr, run, capsys):
    with pytest.raises(SystemExit):
        run(f"model.detector.path={coco_detr}", "data=hicodet")
    assert "this task trains on boxes: data=*_boxes" in capsys.readouterr().err


def test_missing_weights_name_the_option(run, capsys):
    with pytest.raises(SystemExit):
        run()
    assert "error: model.detector.path is missing" in capsys.readouterr().err
