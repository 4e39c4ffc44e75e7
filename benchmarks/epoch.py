"""What the feature cache saves: a cached epoch against one with the detector on every image.

    python benchmarks/epoch.py                     # 200 training images, 8 CPU-minutes
    python benchmarks/epoch.py --train 1000 --test 1200 --repetitions 3
    python benchmarks/epoch.py --rows upt rmlr --quick

Lightning's Trainer runs the DataModule and the HOITask of each row's config as rmlr-train does,
without loggers, callbacks and validation. Loading happens in the process (num_workers=0), so its
CPU time is complete. An epoch is the time between the Trainer's hooks at its start and end;
testing includes the metric. The ways of reading alternate; the first epoch of each warms up and is
not counted. `ungrouped` is the cached epoch with data.group_by_size=false. `pays after` is the
number of training epochs after which a cache of one view has paid for itself.

`--detector detr` takes a network of DETR R50's shape with random weights in place of the shipped
detector, on images of 800 x 1066. Its detections are the same for each image: 8 people and 10
objects in a grid. Time of detector and head are real; hardly any pair overlaps an annotated one,
so language costs less than usual.

The data and its cache are made below --data, or in a temporary folder.
Prints a table on standard error and a line of JSON on standard output.
"""

import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback, Trainer
from rich.console import Console
from rich.table import Table
from setting import IMAGE_SIZE, best, compose_train, cpu_seconds, machine, parser, report

from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.runs.features import open_features
from rmlr_lightning.runs.framework_messages import silence_framework_messages
from rmlr_lightning.runs.load_task import new_task
from rmlr_lightning.tasks.hoi import HOITask

ROWS = {
    "detector_tokens": ["experiment=detector_tokens"],
    "upt": ["experiment=upt"],
    "rmlr": [],
    "remine_backbone": ["experiment=remine_backbone"],
}
SPLITS = {"training": "train", "testing": "test"}
TARGET = 15  # a cached training epoch should be so many times cheaper


class Clock(Callback):
    """CPU and wall seconds of the epoch that a Trainer runs."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def start(self, *_: object) -> None:
        self.began = time.process_time(), time.perf_counter()

    def stop(self, *_: object) -> None:
        cpu, wall = self.began
        self.seconds = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}

    on_train_epoch_start = on_test_epoch_start = start
    on_train_epoch_end = stop
    on_test_end = stop  # on_test_epoch_end comes before the metric is computed


class Row:
    """One row of the table: a task, and its data read in three ways.

    Args:
        name: of ROWS.
        folder: of the data and the cache.
        train, test: numbers of images.
        image_size: (height, width) for a detector of DETR R50's shape; None: the shipped detector.
    """

    def __init__(
        self, name: str, folder: Path, train: int, test: int, image_size: tuple[int, int] | None
    ) -> None:
        self.name, self.folder, self.image_size = name, folder, image_size
        self.overrides = [
            *ROWS[name],
            f"paths.data={folder}",
            f"data.prepare.config.train={train}",
            "+data.prepare.config.val=2",
            f"+data.prepare.config.test={test}",
            "data.num_workers=0",
            "features.views=1",
            "trainer.max_epochs=1",
        ]
        if image_size:
            height, width = image_size
            self.overrides += [
                f"data.test.resize.height={height}",
                f"data.test.resize.width={width}",
                "data.batch_size=8",
                "data.eval_batch_size=8",
            ]

        torch.manual_seed(0)
        cfg = self.config("auto")
        datamodule: DataModule = instantiate(cfg.data)
        datamodule.prepare_data()
        self.task: HOITask = new_task(cfg, datamodule)
        self.extraction = cpu_seconds(lambda: self.open(cfg, datamodule))
        self.data = {
            "cached": datamodule,
            "ungrouped": self.datamodule("auto", group_by_size=False),
            "online": self.datamodule("online"),
        }

    def config(self, mode: str, group_by_size: bool = True) -> DictConfig:
        cfg = compose_train(
            [
                *self.overrides,
                "features=auto",
                f"features.mode={mode}",
                f"data.group_by_size={group_by_size}",
            ],
            self.folder,
        )
        if self.image_size:
            OmegaConf.set_struct(cfg, False)
            cfg.model.detector = {"_target_": "setting.GridDetector.with_fixed_weights"}
        return cfg

    def datamodule(self, mode: str, group_by_size: bool = True) -> DataModule:
        cfg = self.config(mode, group_by_size)
        datamodule = instantiate(cfg.data)
        self.open(cfg, datamodule)
        return datamodule

    def open(self, cfg: DictConfig, datamodule: DataModule) -> None:
        open_features(cfg.features, datamodule, self.task.model, list(SPLITS.values()))

    def epoch(self, phase: str, reading: str) -> dict[str, float]:
        """CPU and wall seconds of an epoch."""
        clock = Clock()
        torch.manual_seed(1)  # the same batches for every way of reading
        trainer: Trainer = instantiate(
            self.config("online").trainer,
            logger=False,
            callbacks=[clock],
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            limit_val_batches=0,
        )
        if phase == "training":
            trainer.fit(self.task, self.data[reading])
        else:
            trainer.test(self.task, self.data[reading], verbose=False)
        return clock.seconds

    def images(self, phase: str, reading: str) -> int:
        """Images of an epoch; training drops the last, smaller batch."""
        data = self.data[reading]
        count = len(data.dataset(SPLITS[phase]))
        return count - count % data.batch_size if phase == "training" else count


def measure(rows: list[Row], repetitions: int) -> dict:
    """Seconds per image: row -> phase -> reading -> clock -> best and median."""
    times: dict = {}
    for repetition in range(repetitions + 1):
        for row in rows:
            for phase in SPLITS:
                for reading in row.data:
                    if reading == "ungrouped" and phase == "testing":
                        continue
                    seconds = row.epoch(phase, reading)
                    if repetition == 0:
                        continue
                    of_row = times.setdefault(row.name, {}).setdefault(phase, {})
                    for clock, value in seconds.items():
                        of_clock = of_row.setdefault(reading, {}).setdefault(clock, [])
                        of_clock.append(value / row.images(phase, reading))
    return _apply(best, times)


def _apply(function: Callable, tree: Any) -> Any:
    """The function of every list of a nested dictionary."""
    if isinstance(tree, dict):
        return {key: _apply(function, value) for key, value in tree.items()}
    return function(tree)


def show(times: dict, extraction: float) -> None:
    """The table, and the target of each row."""
    table = Table(title=f"CPU ms per image, best (median), and wall images/s; {machine()}")
    for heading in ("row", "epoch"):
        table.add_column(heading)
    for heading in ("online", "cached", "ratio", "ungrouped", "images/s: online", "cached"):
        table.add_column(heading, justify="right")
    table.add_column("pays after", justify="right")

    verdicts = []
    for name, phases in times.items():
        for phase, readings in phases.items():
            cpu = {reading: clocks["cpu"] for reading, clocks in readings.items()}
            cells = {
                reading: f"{1e3 * time['best']:.1f} ({1e3 * time['median']:.1f})"
                for reading, time in cpu.items()
            }
            pace = {
                reading: f"{1 / clocks['wall']['best']:.0f}" for reading, clocks in readings.items()
            }
            saved = cpu["online"]["best"] - cpu["cached"]["best"]
            ratio = cpu["online"]["best"] / cpu["cached"]["best"]
            table.add_row(
                name,
                phase,
                cells["online"],
                cells["cached"],
                f"{ratio:.1f}",
                cells.get("ungrouped", ""),
                pace["online"],
                pace["cached"],
                f"{extraction / saved:.1f}" if phase == "training" and saved > 0 else "",
            )
            if phase == "training":
                verdicts.append((name, ratio))

    console = Console(width=132, stderr=True)
    console.print(table)
    console.print(f"making the cache: {1e3 * extraction:.1f} CPU-ms per image and view")
    for name, ratio in verdicts:
        verdict = "met   " if ratio >= TARGET else "MISSED"
        console.print(
            f"{verdict} {name}: a cached training epoch is {ratio:.1f} times cheaper, "
            f"target {TARGET}"
        )


def main() -> None:
    """Entry point."""
    options = parser(__doc__)
    options.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    options.add_argument("--detector", choices=["shipped", "detr"], default="shipped")
    options.add_argument("--train", type=int, default=200, help="images")
    options.add_argument("--test", type=int, default=100, help="images")
    options.add_argument("--repetitions", type=int, default=3)
    options.add_argument("--data", type=Path, help="folder for the data and the cache")
    args = options.parse_args()
    if args.quick:
        args.rows, args.train, args.test, args.repetitions = ["detector_tokens"], 16, 8, 1
    image_size = None
    if args.detector == "detr":
        image_size = (160, 224) if args.quick else IMAGE_SIZE
    torch.set_num_threads(args.threads)
    silence_framework_messages()
    warnings.filterwarnings("ignore", ".*LeafSpec.*")  # Lightning 2.6 on torch 2.15
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)

    with tempfile.TemporaryDirectory() as scratch, redirect_stdout(sys.stderr):
        folder = args.data or Path(scratch)
        rows = [Row(name, folder, args.train, args.test, image_size) for name in args.rows]
        cached = rows[0].data["cached"]
        images = sum(len(cached.dataset(split)) for split in SPLITS.values())
        extraction = rows[0].extraction / images  # the other rows find the cache of the first
        times = measure(rows, args.repetitions)
    show(times, extraction)
    report(
        {
            "machine": machine(),
            "detector": args.detector,
            "train": args.train,
            "test": args.test,
            "repetitions": args.repetitions,
            "extraction_s_per_image": extraction,
            "seconds_per_image": times,
        },
        args.json_out,
    )


if __name__ == "__main__":
    main()
