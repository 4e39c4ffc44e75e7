"""LightningDataModules: which data set is read from where, and how it is fed to the processes."""

from collections.abc import Callable

from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from rmlr_lightning.data.collate import collate
from rmlr_lightning.data.sampler import EveryItemOnce, GroupBySize
from rmlr_lightning.errors import UserError


class DataModule(LightningDataModule):
    """Loaders over three data sets.

    Training items are shuffled and shared out over the processes; evaluation items are seen exactly once, whatever the
    number of processes. Use with `Trainer(use_distributed_sampler=False)`.

    Args:
        train, val, test: make the data sets when they are needed.
        batch_size, eval_batch_size: images a process and step.
        num_workers: loading processes a loader.
        group_by_size: in training, put images of similar cost (canvas, pairs) into one batch, so that little is padded.
        prepare: makes or checks the files on disk, once a machine, before anything is read.
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
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("batch_size", batch_size, 1), ("eval_batch_size", eval_batch_size, 1), ("num_workers", num_workers, 0)
        ):  # fmt: skip
            if not isinstance(value, int) or value < least:
                raise UserError(f"data.{name}={value}: expected a whole number from {least}")
        self.make = {"train": train, "val": val, "test": test}
        self.batch_size, self.eval_batch_size, self.num_workers = (
            batch_size,
            eval_batch_size,
            num_workers,
        )
        self.group_by_size = group_by_size
        self.prepare = prepare
        self.source: Callable[[str, Dataset], Dataset] | None = None
        self.plain: dict[str, Dataset] = {}
        self.datasets: dict[str, Dataset] = {}

    def prepare_data(self) -> None:
        if self.prepare is not None:
            self.prepare()

    def dataset(self, split: str) -> Dataset:
        """The data set of a split, read at its first use."""
        if split not in self.datasets:
            plain = self.without_source(split)
            self.datasets[split] = plain if self.source is None else self.source(split, plain)
        return self.datasets[split]

    def without_source(self, split: str) -> Dataset:
        """The data set of a split as it reads its pictures."""
        if split not in self.plain:
            self.plain[split] = self.make[split]()
        return self.plain[split]

    def read_from(self, source: Callable[[str, Dataset], Dataset] | None) -> None:
        """From now on data sets come as `source(split, data set)`; None takes that back."""
        self.source = source
        self.datasets = {}

    @property
    def vocabulary(self):
        """What the training annotations can say."""
        return getattr(self.without_source("train"), "vocabulary", None)

    def train_dataloader(self) -> DataLoader:
        dataset = self.dataset("train")
        sampler = None
        if self.group_by_size:
            sampler = GroupBySize(dataset.costs(), self.batch_size, self._rank, self._world)
        elif self._world > 1:
            sampler = DistributedSampler(dataset, self._world, self._rank, shuffle=True)
        return self._loader(
            dataset,
            self.batch_size,
            sampler=sampler,
            shuffle=sampler is None,
            drop_last=len(dataset) >= self.batch_size,
        )

    def val_dataloader(self) -> DataLoader:
        return self._evaluation("val")

    def test_dataloader(self) -> DataLoader:
        return self._evaluation("test")

    def _evaluation(self, split: str) -> DataLoader:
        dataset = self.dataset(split)
        if len(dataset) < self._world:
            raise UserError(
                f"trainer.devices: {self._world} processes for the {len(dataset)} images of the {split} split; "
                "a process without an image cannot take part, use fewer"
            )
        return self._loader(
            dataset,
            self.eval_batch_size,
            sampler=EveryItemOnce(len(dataset), self._rank, self._world),
        )

    def _loader(self, dataset: Dataset, batch_size: int, **options: object) -> DataLoader:
        return DataLoader(
            dataset,
            batch_size,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            collate_fn=collate,
            pin_memory=self.trainer is not None
            and self.trainer.strategy.root_device.type == "cuda",
            **options,
        )

    @property
    def _world(self) -> int:
        return self.trainer.world_size if self.trainer is not None else 1

    @property
    def _rank(self) -> int:
        return self.trainer.global_rank if self.trainer is not None else 0
