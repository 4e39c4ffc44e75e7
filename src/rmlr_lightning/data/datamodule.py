"""The LightningDataModule: makes the data set of each split and shares it among the processes."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from pytorch_lightning import LightningDataModule
from pytorch_lightning.utilities import rank_zero_only
from torch.utils.data import DataLoader, Dataset

from rmlr_lightning.data.batch_loader import BatchLoader
from rmlr_lightning.data.collate import collate
from rmlr_lightning.data.opening import check_files, unite_classes
from rmlr_lightning.data.packed_batch import packed
from rmlr_lightning.data.sampler import EveryItemOnce, GroupBySize, Shuffled
from rmlr_lightning.data.training_loader import SeededItems, TrainingLoader, TrainingOrder
from rmlr_lightning.errors import UserError, printable
from rmlr_lightning.ops.candidates import Rules
from rmlr_lightning.vocabulary import Vocabulary

Wrap = Callable[[str, Dataset], Dataset]


class DataModule(LightningDataModule):
    """Loaders over the data sets of three splits.

    Training images are shuffled and divided among the processes. Order and augmentation follow from
    torch's seed when the module is made (`data.training_loader`). Evaluation images are loaded
    exactly once, for any number of processes: use `Trainer(use_distributed_sampler=False)`.

    Args:
        train, val, test: make the data set of a split; called at its first use.
        batch_size, eval_batch_size: images per process and step.
        num_workers: loading processes per loader; at most one per core is started.
        group_by_size: put training images of similar cost (canvas, number of pairs) into one
            batch, which reduces padding. The data set must have `costs()`.
        prepare: makes or checks the files on disk, once per machine, before any data set is made.
        check: what is done where images are not those of the annotations: "error", "warn" or "off"
            (`data.opening.check_files`).
        checked: a folder that keeps what was found, so that unchanged images are not read again.

    Raises:
        UserError: a batch size below 1 or a negative number of workers.
    """

    def __init__(
        self,
        train: Callable[[], Dataset],
        val: Callable[[], Dataset],
        test: Callable[[], Dataset],
        batch_size: int = 16,
        eval_batch_size: int = 32,
        num_workers: int = 1,
        group_by_size: bool = False,
        prepare: Callable[[], object] | None = None,
        check: str = "error",
        checked: str | None = None,
    ) -> None:
        super().__init__()
        _check_number("batch_size", batch_size, 1)
        _check_number("eval_batch_size", eval_batch_size, 1)
        _check_number("num_workers", num_workers, 0)
        self.make = {"train": train, "val": val, "test": test}
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.num_workers = min(num_workers, _cores())
        self.group_by_size = group_by_size
        self.prepare = prepare
        self.seed = torch.initial_seed()
        self.worker_init: Callable[[int], None] | None = None  # runs first in loading processes
        self._train_loader: DataLoader | None = None
        self._position = {"epoch": 0, "batches": 0}
        self.check, self.checked = check, None if checked is None else Path(checked)
        self.rules: Rules | None = None  # of a model in training, see `collate`
        self._wrap: Wrap | None = None
        self._uncached: dict[str, Dataset] = {}
        self._datasets: dict[str, Dataset] = {}

    def prepare_data(self) -> None:
        if self.prepare is not None:
            self.prepare()
            self.prepare = None  # Lightning calls this in each stage

    def dataset(self, split: str) -> Dataset:
        """The data set that the loaders of a split read; made at its first use."""
        if split not in self._datasets:
            dataset = self.uncached_dataset(split)
            self._datasets[split] = dataset if self._wrap is None else self._wrap(split, dataset)
        return self._datasets[split]

    def uncached_dataset(self, split: str) -> Dataset:
        """The data set of a split as its constructor made it, which reads image files."""
        if split not in self._uncached:
            self._uncached[split] = self.make[split]()
        return self._uncached[split]

    def open(self, splits: Sequence[str], known: Vocabulary | None = None) -> None:
        """Make the data sets of these splits, with one order of classes, and check their images.

        Args:
            known: the classes of a trained model, which come first.

        Raises:
            UserError: splits of different data sets, or images that are not those of the
                annotations (`data.opening`).
        """
        datasets = {split: self.uncached_dataset(split) for split in splits}
        unite_classes(datasets, known)
        lines = check_files(datasets, self.check, self.checked)
        if rank_zero_only.rank == 0:  # once per run, not once per process
            print("".join(f"{printable(line)}\n" for line in lines), end="")

    def wrap_datasets(self, wrap: Wrap | None) -> None:
        """Let `dataset(split)` be `wrap(split, uncached data set)`; None undoes it."""
        self._wrap = wrap
        # wrapped again at the next use
        self._datasets = {}

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The classes of the data set; None for one without interactions."""
        return getattr(self._any_dataset(), "vocabulary", None)

    @property
    def objects(self) -> tuple[str, ...]:
        """The object classes of the data set."""
        vocabulary = self.vocabulary
        return self._any_dataset().objects if vocabulary is None else vocabulary.objects

    def _any_dataset(self) -> Dataset:
        # `open` gave all the same classes: an evaluation does not read training annotations
        opened = next(iter(self._uncached.values()), None)
        return self.uncached_dataset("train") if opened is None else opened

    def train_dataloader(self) -> DataLoader:
        dataset = self.dataset("train")
        self._check_processes(dataset, "train")
        place = {"rank": self._rank, "world": self._world, "seed": self.seed}
        accumulated = 1 if self.trainer is None else self.trainer.accumulate_grad_batches
        if self.group_by_size:
            costs = dataset.costs()
            order = GroupBySize(costs, self.batch_size, accumulated=accumulated, **place)
        else:
            order = Shuffled(len(dataset), **place)
        self._train_loader = self._loader(
            SeededItems(dataset, self.seed),
            self.batch_size,
            TrainingLoader,
            sampler=TrainingOrder(order, self.batch_size * accumulated),
            rules=self.rules,
            # of a data set with fewer images than a step has; a tiny one is one batch
            drop_last=len(order) >= self.batch_size,
        )
        self._train_loader.load_state_dict(self._position)
        return self._train_loader

    def state_dict(self) -> dict[str, int]:
        """The position in the training data, for checkpoints."""
        return self._train_loader.state_dict() if self._train_loader is not None else {}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        # Lightning makes the training loader, for the number of steps, before it restores the
        # states of loaders, and then leaves them out.
        self._position = state_dict or self._position

    def val_dataloader(self) -> DataLoader:
        return self._evaluation_loader("val")

    def test_dataloader(self) -> DataLoader:
        return self._evaluation_loader("test")

    def _evaluation_loader(self, split: str) -> DataLoader:
        dataset = self.dataset(split)
        self._check_processes(dataset, split)
        sampler = EveryItemOnce(len(dataset), self._rank, self._world)
        return self._loader(dataset, self.eval_batch_size, BatchLoader, sampler=sampler)

    def _check_processes(self, dataset: Dataset, split: str) -> None:
        # A process without a batch would not reach the collective calls the others wait in.
        if len(dataset) < self._world:
            raise UserError(
                f"trainer.devices: {self._world} processes for the {len(dataset)} images of the "
                f"{split} split; every process needs an image, use fewer processes"
            )

    def _loader(
        self,
        dataset: Dataset,
        batch_size: int,
        kind: type[BatchLoader],
        rules: Rules | None = None,
        **options: object,
    ) -> BatchLoader:
        device = None if self.trainer is None else self.trainer.strategy.root_device
        on_gpu = device is not None and device.type == "cuda"
        batches = partial(collate, rules=rules, half=on_gpu)
        # without a copy to another process or to a GPU there is nothing to pack for
        is_copied = on_gpu or self.num_workers > 0
        loader = kind(
            dataset,
            batch_size,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            collate_fn=partial(packed, collate=batches) if is_copied else batches,
            worker_init_fn=self.worker_init,
            pin_memory=on_gpu,
            **options,
        )
        loader.device = device if on_gpu else None
        return loader

    @property
    def _world(self) -> int:
        return self.trainer.world_size if self.trainer is not None else 1

    @property
    def _rank(self) -> int:
        return self.trainer.global_rank if self.trainer is not None else 0


def _check_number(name: str, value: object, minimum: int) -> None:
    if not isinstance(value, int) or value < minimum:
        raise UserError(f"data.{name}={value}: expected a whole number from {minimum}")


def _cores() -> int:
    """Cores that this process may use, for which torch's loader counts its processes, too."""
    # macOS has no affinities
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
