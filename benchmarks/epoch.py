"""What the scene cache saves: an epoch read from it against the same epoch with the detector on every picture.

    python benchmarks/epoch.py                     # 200 training images of the embedded world, 8 CPU-minutes
    python benchmarks/epoch.py --train 1000 --test 1200 --repetitions 3
    python benchmarks/epoch.py --rows upt rmlr --quick
    python benchmarks/epoch.py --detector detr --rows detector_tokens upt rmlr --train 16 --test 8 --repetitions 1

Lightning's own Trainer runs the DataModule and the HOITask of each row's configuration, as rmlr-train does, without
loggers, callbacks and validation; loading happens in the process (num_workers=0), so its CPU time is all there is. An
epoch is what lies between the Trainer's hooks at its start and end. Testing includes the metric. Cached and uncached
epochs take turns; the first of each warms up and is not counted. `unlike` is the cached epoch without `data.group_by_size`,
which batches images of similar cost together. "pays after" is how many training epochs repay a cache of one view.

`--detector detr` puts a network of DETR R50's shape with random weights in place of the shipped detector and gives it
the pictures at 800 x 1066. It says the same of each: 8 people and 10 things, side by side. So the detector's and the
head's time are real; next to nothing overlaps with the truth, so language costs less than it would.

The world and its cache are made below --data, a temporary folder unless one is named.
Prints a table on standard error and a line of JSON on standard output.
"""

import logging
import sys
import tempfile
import time
import warnings
from contextlib import redirect_stdout
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback, Trainer
from rich.console import Console
from rich.table import Table
from setting import PICTURE, best, composed, cpu_seconds, machine, parser, report

from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.runs.features import open_features
from rmlr_lightning.runs.library_messages import silence_library_messages
from rmlr_lightning.runs.load_task import new_task
from rmlr_lightning.tasks.hoi import HOITask

ROWS = {
    "detector_tokens": ["experiment=detector_tokens"],
    "upt": ["experiment=upt"],
    "rmlr": [],
    "remine_backbone": ["experiment=remine_backbone"],
}
BAR = 15  # times a cached training epoch should be cheaper


class Clock(Callback):
    """CPU and wall seconds of the epoch that a Trainer runs."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def start(self, *_: object) -> None:
        self.began = time.process_time(), time.perf_counter()

    def stop(self, *_: object) -> None:
        self.seconds = {
            "cpu": time.process_time() - self.began[0],
            "wall": time.perf_counter() - self.began[1],
        }

    on_train_epoch_start = on_test_epoch_start = start
    on_train_epoch_end = on_test_end = (
        stop  # on_test_epoch_end would come before the metric is computed
    )


class Row:
    """One row of the table: a task, and its data read in several ways; by a DETR R50 if it has a size of `picture`."""

    def __init__(
        self, name: str, folder: Path, train: int, test: int, picture: tuple[int, int] | None
    ) -> None:
        self.name, self.folder, self.picture = name, folder, picture
        self.options = [
            *ROWS[name],
            f"paths.data={folder}",
            f"data.prepare.config.train={train}",
            "+data.prepare.config.val=2",
            f"+data.prepare.config.test={test}",
            "data.num_workers=0",
            "features.views=1",
            "trainer.max_epochs=1",
        ]
        if picture:
            self.options += [
                f"data.test.resize.height={picture[0]}",
                f"data.test.resize.width={picture[1]}",
            ]
            self.options += ["data.batch_size=8", "data.eval_batch_size=8"]
        torch.manual_seed(0)
        cfg = self.configuration("auto", True)
        datamodule: DataModule = instantiate(cfg.data)
        datamodule.prepare_data()
        self.task: HOITask = new_task(cfg, datamodule)
        self.extraction = cpu_seconds(
            lambda: open_features(cfg.features, datamodule, self.task.model, ["train", "test"])
        )
        unlike, pixels = self.reading("auto", False), self.reading("online", True)
        self.data = {"cached": datamodule, "unlike": unlike, "pixels": pixels}

    def configuration(self, source: str, alike: bool) -> DictConfig:
        cfg = composed(
            [
                *self.options,
                "features=auto",
                f"features.mode={source}",
                f"++data.group_by_size={alike}",
            ],
            self.folder,
        )
        if self.picture:
            OmegaConf.set_struct(cfg, False)
            cfg.model.detector = {"_target_": "setting.FindsAGrid.fresh_detr"}
        return cfg

    def reading(self, source: str, alike: bool) -> DataModule:
        cfg = self.configuration(source, alike)
        datamodule = instantiate(cfg.data)
        open_features(cfg.features, datamodule, self.task.model, ["train", "test"])
        return datamodule

    def epoch(self, what: str, how: str) -> dict[str, float]:
        """CPU and wall seconds of an epoch of training or testing."""
        clock = Clock()
        torch.manual_seed(1)  # the same batches for every way of reading
        options = {
            "logger": False,
            "callbacks": [clock],
            "enable_progress_bar": False,
            "enable_model_summary": False,
        }
        options |= {"enable_checkpointing": False, "limit_val_batches": 0}
        trainer: Trainer = instantiate(self.configuration("online", True).trainer, **options)
        if what == "training":
            trainer.fit(self.task, self.data[how])
        else:
            trainer.test(self.task, self.data[how], verbose=False)
        return clock.seconds


def measured(rows: list[Row], repetitions: int) -> dict:
    """For each row: seconds an image of training and testing, by how it is read."""
    times: dict = {}
    for repetition in range(repetitions + 1):
        for row in rows:
            for what in ("training", "testing"):
                for how, data in row.data.items():
                    if how == "unlike" and what == "testing":
                        continue
                    seconds = row.epoch(what, how)
                    if repetition == 0:
                        continue
                    images = len(data.dataset("train" if what == "training" else "test"))
                    if what == "training":
                        images -= images % data.batch_size  # the last batch is dropped
                    cell = times.setdefault(row.name, {}).setdefault(what, {}).setdefault(how, {})
                    for clock, value in seconds.items():
                        cell.setdefault(clock, []).append(value / images)
    return {
        name: {
            w: {h: {c: best(v) for c, v in cell.items()} for h, cell in ways.items()}
            for w, ways in row.items()
        }
        for name, row in times.items()
    }


def show(times: dict, extraction: float) -> None:
    table = Table(title=f"CPU ms an image, best (median), and wall images/s; {machine()}")
    for column in (
        "row",
        "epoch",
        "pixels",
        "cached",
        "times",
        "unlike",
        "images/s: pixels",
        "cached",
        "pays after",
    ):
        table.add_column(column, justify="left" if column in ("row", "epoch") else "right")
    for name, row in times.items():
        for what, ways in row.items():
            cells = {how: cell["cpu"] for how, cell in ways.items()}
            said = {
                how: f"{1e3 * cell['best']:.1f} ({1e3 * cell['median']:.1f})"
                for how, cell in cells.items()
            }
            pace = [f"{1 / ways[how]['wall']['best']:.0f}" for how in ("pixels", "cached")]
            saved = cells["pixels"]["best"] - cells["cached"]["best"]
            pays = f"{extraction / saved:.1f}" if what == "training" and saved > 0 else ""
            times_cheaper = f"{cells['pixels']['best'] / cells['cached']['best']:.1f}"
            columns = (
                said["pixels"],
                said["cached"],
                times_cheaper,
                said.get("unlike", ""),
                *pace,
                pays,
            )
            table.add_row(name, what, *columns)
    console = Console(width=132, stderr=True)
    console.print(table)
    console.print(f"making the cache: {1e3 * extraction:.1f} CPU-ms an image and view")
    for name, row in times.items():
        ratio = row["training"]["pixels"]["cpu"]["best"] / row["training"]["cached"]["cpu"]["best"]
        verdict = "met   " if ratio >= BAR else "MISSED"
        console.print(
            f"{verdict} {name}: a cached training epoch is {ratio:.1f} times cheaper, at least {BAR}"
        )


def main() -> None:
    """Entry point."""
    options = parser(__doc__)
    options.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    options.add_argument("--detector", choices=["shipped", "detr"], default="shipped")
    options.add_argument("--train", type=int, default=200, help="images")
    options.add_argument("--test", type=int, default=100, help="images")
    options.add_argument("--repetitions", type=int, default=3)
    options.add_argument("--data", type=Path, help="folder to make the world and the cache in")
    args = options.parse_args()
    if args.quick:
        args.rows, args.train, args.test, args.repetitions = ["detector_tokens"], 16, 8, 1
    picture = None if args.detector == "shipped" else (160, 224) if args.quick else PICTURE
    torch.set_num_threads(args.threads)
    silence_library_messages()
    warnings.filterwarnings("ignore", ".*LeafSpec.*")  # Lightning 2.6 on torch 2.15
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as scratch, redirect_stdout(sys.stderr):
        folder = args.data or Path(scratch)
        rows = [Row(name, folder, args.train, args.test, picture) for name in args.rows]
        images = sum(len(rows[0].data["cached"].dataset(split)) for split in ("train", "test"))
        extraction = rows[0].extraction / images  # the other rows find it made
        times = measured(rows, args.repetitions)
    show(times, extraction)
    numbers = {
        "machine": machine(),
        "detector": args.detector,
        "train": args.train,
        "test": args.test,
        "repetitions": args.repetitions,
    }
    report(
        numbers | {"extraction_s_an_image": extraction, "seconds_an_image": times}, args.json_out
    )


if __name__ == "__main__":
    main()
