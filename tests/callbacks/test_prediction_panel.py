"""The panel is drawn from image ids: images and annotations come from the data set."""

import errno
import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from rmlr_lightning import files
from rmlr_lightning.callbacks import prediction_panel
from rmlr_lightning.callbacks.prediction_panel import PredictionPanel
from rmlr_lightning.types import Batch, Detections, Inputs
from rmlr_lightning.vocabulary import hicodet
from tests.scenes import target_of

VOCABULARY = hicodet()
COLOURS = {7: "red", 3: "green", 5: "blue"}


class Annotated:
    """A data set whose images have one colour each."""

    def target(self, image_id):
        target = target_of([[5, 5, 20, 35]], [[15, 10, 35, 30]], [1], [0], image_id=image_id)
        return target._replace(hois=torch.tensor([image_id]))

    def image(self, file_name):
        return Image.new("RGB", (40, 40), COLOURS[int(file_name.removesuffix(".jpg"))])


def detections() -> Detections:
    return Detections(
        torch.tensor([[5.0, 5, 20, 35]]),
        torch.tensor([[15.0, 10, 35, 30]]),
        torch.tensor([1]),
        torch.tensor([0]),
        torch.tensor([0.9]),
    )


class Task:
    vocabulary = VOCABULARY

    def __call__(self, inputs):
        return inputs

    def detect(self, prediction):
        return [detections() for _ in range(3)]


class Trainer(SimpleNamespace):
    is_global_zero = True
    sanity_checking = False
    loggers = ()
    current_epoch = 4
    max_epochs = 8
    datamodule = SimpleNamespace(dataset=lambda split: Annotated())


BATCH = Batch(Inputs(None), None, [7, 3, 5])  # no pixels: as from a feature cache


def drawn(callback, monkeypatch, split="test", trainer=None):
    """The tiles of the sheet, and their captions."""
    captions, tiles = [], []
    draw, sheet = prediction_panel.draw_triplets, prediction_panel.contact_sheet

    def keep_caption(*args, caption, **options):
        captions.append(caption)
        return draw(*args, caption=caption, **options)

    def keep_tiles(images, columns):
        tiles.extend(images)
        return sheet(images, columns)

    monkeypatch.setattr(prediction_panel, "draw_triplets", keep_caption)
    monkeypatch.setattr(prediction_panel, "contact_sheet", keep_tiles)
    hook = getattr(callback, {"test": "on_test", "val": "on_validation"}[split] + "_batch_end")
    hook(trainer or Trainer(), Task(), None, BATCH, 0)
    return tiles, captions


def test_images_and_annotations_follow_the_image_ids(tmp_path, monkeypatch):
    tiles, captions = drawn(PredictionPanel(str(tmp_path), max_images=2), monkeypatch)
    assert captions == [f"true: {VOCABULARY.hoi_name(hoi)}" for hoi in (7, 3)]
    red, green = (np.asarray(tile)[5, 5] for tile in tiles)
    assert red.tolist() == [255, 0, 0] and green.tolist() == [0, 128, 0]
    with Image.open(tmp_path / "test.png") as image:
        assert image.width == 2 * 640


def test_a_line_below_the_images_explains_the_colours(tmp_path, monkeypatch):
    lines = []
    caption = prediction_panel.add_caption

    def keep_line(image, text, font):
        lines.append((image.height, text))
        return caption(image, text, font)

    monkeypatch.setattr(prediction_panel, "add_caption", keep_line)
    drawn(PredictionPanel(str(tmp_path)), monkeypatch)
    ((height, text),) = lines
    assert text.startswith("blue box: person; other colours: object of a pair")
    with Image.open(tmp_path / "test.png") as image:
        strip = np.asarray(image)[height:]
    # dark text from left to right on one line, with a margin on both sides
    ink = np.flatnonzero((strip < 128).any((0, 2)))
    assert 0 < len(ink) and 0 < ink[0] < 20 and ink[-1] < strip.shape[1] - 6


@pytest.mark.parametrize(("epoch", "due"), [(0, False), (4, True), (5, False), (7, True)])
def test_validation_is_drawn_every_so_many_epochs_and_in_the_last(
    epoch, due, tmp_path, monkeypatch
):
    trainer = Trainer(current_epoch=epoch)
    drawn(PredictionPanel(str(tmp_path), every_n_epochs=5), monkeypatch, "val", trainer)
    assert (tmp_path / f"val_epoch_{epoch + 1:03d}.png").exists() == due


def test_only_the_first_process_draws(tmp_path, monkeypatch):
    drawn(PredictionPanel(str(tmp_path)), monkeypatch, trainer=Trainer(is_global_zero=False))
    assert not list(tmp_path.iterdir())


@pytest.mark.fault
def test_a_full_disk_costs_the_panel_and_not_the_run(tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "_write_and_rename", full)
    drawn(PredictionPanel(str(tmp_path)), monkeypatch, "val")
    assert not list(tmp_path.iterdir())
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"warning: {tmp_path / 'val_epoch_005.png'}: the disk is full")
    assert line.endswith("(the run continues without this image)")


@pytest.mark.fault
def test_a_folder_that_cannot_be_made_costs_the_panel_and_not_the_run(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "panels").touch()
    drawn(PredictionPanel(str(tmp_path / "panels")), monkeypatch, "val")
    assert "the run continues" in capsys.readouterr().out
