"""Runs as large as they get: all classes of HICO-DET, and images that cost as much as photographs.

Sizes of images and their numbers are those of `KeepTestRecord` and `attended_words`.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from rmlr_lightning.callbacks.word_attention import MAX_PAIRS
from rmlr_lightning.drawing.thumbnail import thumbnail
from rmlr_lightning.report.image_cards import ROWS, SHOWN
from rmlr_lightning.scoring.record import TestRecord, extremes, make_record
from rmlr_lightning.scoring.record_file import FILE, write_record
from rmlr_lightning.types import Target
from rmlr_lightning.vocabulary import hicodet
from tests.metrics import tiny_worlds as worlds
from tests.report.made_up import make_run

WIDTH, SIDE = 420, 640  # of a copy and of an image, in pixels
EPOCHS = 60
ANNOTATED = 4  # pairs of an image


def photo(seed: int) -> Image.Image:
    """Noise with the spectrum of natural images, amplitude ~ 1 / frequency, and some grain."""
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.rfftfreq(SIDE), indexing="ij")
    spectrum = np.fft.rfft2(rng.normal(size=(3, SIDE, SIDE))) / np.maximum(np.hypot(x, y), 1 / SIDE)
    smooth = np.fft.irfft2(spectrum)
    pixels = 128 + 60 * smooth / smooth.std() + rng.normal(scale=6, size=smooth.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8).transpose(1, 2, 0))


def large_record(seed: int, images: int = 600) -> TestRecord:
    """Each class has annotations; with each of them is a detection, and as many are wrong."""
    vocabulary, rng, out = hicodet(), np.random.default_rng(seed), []
    classes = len(vocabulary.hois)
    for i in range(images):
        corners = np.random.default_rng(i).uniform(0, 400, (2 * ROWS, 2, 2))
        boxes = np.concatenate((corners, corners + 150), -1).tolist()
        hois = [(i + 150 * k) % classes for k in range(ANNOTATED)]
        found = hois + rng.integers(classes, size=2 * ROWS - ANNOTATED).tolist()
        rows = [
            (*vocabulary.hois[hoi], human, obj, float(rng.uniform()))
            for hoi, (human, obj) in zip(found, boxes, strict=True)
        ]
        true = [vocabulary.hois[hoi] for hoi in hois]
        target = Target(
            file_name=f"HICO_test2015_{i:08d}.jpg",
            image_id=i,
            size=torch.tensor([SIDE, SIDE]),
            boxes_h=worlds.boxes([human for human, _ in boxes[:ANNOTATED]]),
            boxes_o=worlds.boxes([obj for _, obj in boxes[:ANNOTATED]]),
            objects=worlds.integers([obj for _, obj in true]),
            verbs=worlds.integers([verb for verb, _ in true]),
            hois=worlds.integers(hois),
        )
        out.append((target, worlds.detections(rows)))
    attention = [
        {
            "image": f"HICO_test2015_{i + 100 * (seed + 1):08d}.jpg",
            "hois": [0],
            "box_h": [0.1, 0.1, 0.5, 0.9],
            "box_o": [0.4, 0.4, 0.8, 0.8],
            "phrases": ["a photo of a person holding a cup"] * 3,
            "words": {name: [("holding", 0.1)] * 9 for name in ("word_ire", "word_irm")},
        }
        for i in range(MAX_PAIRS)
    ]
    bins = {name: [[9.0, 2.0, 3.0]] * 15 for name in ("ece_score", "ece")}
    facts = {"twins": [], "attention": attention, "reliability": bins}
    return make_record(out, vocabulary, facts=facts)


def make_large_run(folder: Path, name: str, record: TestRecord, more: Iterable[int] = ()) -> Path:
    """A run with a log of many epochs, and with copies of `more` images."""
    run = make_run(folder, name, 0, record)
    names = ("train/loss", "train/loss_interaction", "train/loss_word_ire", "val/map_full")
    lines = [
        f"{epoch},{','.join(f'{1 / (epoch + k + 1):.6f}' for k in range(len(names)))}"
        for epoch in range(EPOCHS)
    ]
    log = run / "log" / "version_0" / "metrics.csv"
    log.write_text("\n".join([f"epoch,{','.join(names)}", *lines]))
    best, worst = extremes(record.image_ap, record.truth.images, SHOWN)
    shown = [record.file_names[image] for image in (*best, *worst, *more)]
    shown += [row["image"] for row in record.facts["attention"]]
    copies = {name: thumbnail(photo(number), WIDTH) for number, name in enumerate(shown)}
    write_record(run / FILE, record, copies)
    return run
