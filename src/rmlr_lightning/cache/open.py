"""The feature cache behind three functions: `open_or_build`, `build` and `verify`."""

from collections.abc import Sequence

from torch import nn
from torch.utils.data import Dataset

from rmlr_lightning.cache.build import (
    StoreJob,
    missing_bytes,
    process_rank,
    readable_bytes,
    store_jobs,
    write_stores,
)
from rmlr_lightning.cache.dataset import CachedHOIDataset
from rmlr_lightning.cache.options import CacheOptions
from rmlr_lightning.cache.pack import subject_label
from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.errors import UserError, counted
from rmlr_lightning.files import remove_leftovers

MODES = ("auto", "cached", "online")


def open_or_build(
    datamodule: DataModule,
    detector: nn.Module,
    options: CacheOptions,
    splits: Sequence[str],
    mode: str = "auto",
    pixels: bool = False,
    rebuild_command: str = "rmlr-extract",
) -> dict[str, list[str]]:
    """Let a DataModule read cached detector outputs in place of images.

    Args:
        detector: frozen; see `detectors.base.Detector`.
        splits: those that will be read: "train", "val", "test".
        mode: "online" changes nothing; "cached" reads a cache that must exist; "auto" makes what is
            missing first.
        pixels: load the images beside the cached outputs.
        rebuild_command: what makes a missing cache, for the message.

    Returns:
        For each split the keys of its caches, one per view: hashes of detector, images and options.

    Raises:
        UserError: a missing cache (mode="cached"), or one that cannot be made.
    """
    if mode not in MODES:
        raise UserError(f"features.mode={mode}: choose one of {', '.join(MODES)}")
    if mode == "online":
        return {}

    jobs = store_jobs(datamodule, detector, options, splits)
    missing = [job for job in jobs if job.store.missing()]
    if missing and mode == "cached":
        split, _, store = missing[0]
        raise UserError(
            f"{store.path}: no complete cache of the {split} split, view {store.view.number}; make "
            f"it with `{rebuild_command}`, or choose features=auto"
        )
    if missing:
        write_stores(missing, detector, options)

    # The DataModule makes its data sets when they are first read, so it gets a function.
    stores = {split: [job.store for job in jobs if job.split == split] for split in splits}
    subject = subject_label(detector.objects, options.subject)

    def wrap(split: str, data: Dataset) -> Dataset:
        if split not in stores:
            raise UserError(f"features: the {split} split is not among {', '.join(stores)}")
        return CachedHOIDataset(data, stores[split], subject, pixels)

    datamodule.wrap_datasets(wrap)
    # Once per run, not once per process.
    if process_rank() == 0:
        _print_state(datamodule, splits)
    return {split: [store.key for store in found] for split, found in stores.items()}


def build(
    datamodule: DataModule, detector: nn.Module, options: CacheOptions, splits: Sequence[str]
) -> None:
    """Make the cache of these splits where it is missing, and print what there is.

    Raises:
        UserError: it cannot be made.
    """
    jobs = store_jobs(datamodule, detector, options, splits)
    # Complete stores are not written again, so their leftovers are removed here.
    for job in jobs:
        remove_leftovers(job.store.path)
    missing = [job for job in jobs if job.store.missing()]
    is_first = process_rank() == 0  # of those that torchrun starts
    if missing:
        if is_first:
            size = missing_bytes(missing, detector, options)
            print(f"about {readable_bytes(size)} to write below {options.path}")
        write_stores(missing, detector, options)
    if is_first:
        print("".join(f"{_description(job, options)}\n" for job in jobs), end="")


def verify(
    datamodule: DataModule, detector: nn.Module, options: CacheOptions, splits: Sequence[str]
) -> list[str]:
    """One line for each missing or damaged file or image of these splits. Reads every byte."""
    jobs = store_jobs(datamodule, detector, options, splits)
    return [line for job in jobs for line in job.store.damages()]


def _description(job: StoreJob, options: CacheOptions) -> str:
    store = job.store
    view = f", view {store.view.number}" if job.split == "train" and options.views > 1 else ""
    size = readable_bytes(store.size())
    return f"{job.split}{view}: {counted(len(store.names), 'image')}, {size} in {store.path}"


def _print_state(datamodule: DataModule, splits: Sequence[str]) -> None:
    """What is read, and which augmentations training has to do without."""
    line = "features: cached"
    if "train" in splits:
        data = datamodule.dataset("train")
        views = len(data.stores)
        line += f", {counted(views, 'stored view')} of each training image"
        missing = data.missing_augmentations()
        line += f"; without {', '.join(missing)}" if missing else "; with all augmentations"
    print(line)
