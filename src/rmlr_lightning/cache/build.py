"""Makes stores: which stores a data set has, whether the disk has room, and writing them."""

import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn

from rmlr_lightning.cache.detect import detect
from rmlr_lightning.cache.fingerprint import fingerprint
from rmlr_lightning.cache.options import CacheOptions
from rmlr_lightning.cache.pack import MapSize, stored_bytes
from rmlr_lightning.cache.store import SceneStore
from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.data.hoi_dataset import HOIDataset
from rmlr_lightning.data.views import view_of
from rmlr_lightning.errors import UserError
from rmlr_lightning.types import Scene

COMMON_SIZE = (480, 640)  # assumed of images whose annotation file holds no sizes
BAR = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


class StoreJob(NamedTuple):
    """A store, and the data set whose images it covers."""

    split: str
    data: HOIDataset
    store: SceneStore


def store_jobs(
    datamodule: DataModule, detector: nn.Module, options: CacheOptions, splits: Sequence[str]
) -> list[StoreJob]:
    """All stores of these splits, whether they exist or not.

    Training reads every view, evaluation the first one only.

    Raises:
        UserError: a split without interactions, or an image that cannot be read.
    """
    # Once for all splits, because it hashes all weights.
    detector_facts = detector.fingerprint()
    jobs = []
    for split in splits:
        data = datamodule.uncached_dataset(split)
        if not isinstance(data, HOIDataset):
            raise UserError(
                "features: only data sets of interactions (task=hoi) can be cached; "
                "choose features=online"
            )
        names = [target.file_name for target in data.targets]
        images = fingerprint(data.images, names, Path(options.path, "fingerprints"))
        facts = {
            "detector": detector_facts,
            "preprocessing": {"resize": type(data.resize).__name__, **vars(data.resize)},
            "data": {"images": len(names), "fingerprint": images},
        }
        views = options.views if split == "train" else 1
        for number in range(views):
            store = SceneStore(facts, options, view_of(number), names)
            jobs.append(StoreJob(split, data, store))
    return jobs


def missing_bytes(jobs: Sequence[StoreJob], detector: nn.Module, options: CacheOptions) -> int:
    """Estimated bytes of all shards that are missing."""
    total = 0
    for _, data, store in jobs:
        resize = store.view.resize(data.resize)
        for number in store.missing():
            for index in store.images(number):
                size = data.targets[index].size.tolist()
                canvas = resize.canvas(*(size if all(size) else COMMON_SIZE))
                total += stored_bytes(
                    options,
                    detector.num_queries,
                    detector.token_dim,
                    _map_size(canvas, detector.memory_dim, detector.stride),
                    [
                        _map_size(canvas, detector.map_dims[name], detector.map_strides[name])
                        for name in getattr(detector, "maps", ())
                    ],
                )
    return total


def _map_size(canvas: tuple[int, int], dim: int, stride: int) -> MapSize:
    # Convolutions round the number of cells up.
    height, width = (-(-side // stride) for side in canvas)
    return MapSize(dim, (height, width))


def readable_bytes(size: float) -> str:
    """A number of bytes with its unit: "12 KB"."""
    for unit in ("bytes", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def write_stores(jobs: Sequence[StoreJob], detector: nn.Module, options: CacheOptions) -> None:
    """Write all shards that are missing, with a progress bar on standard error.

    Any number of processes may do this at once; each shard is written by one of them.

    Raises:
        UserError: an image that cannot be read, or too little space on the disk.
    """
    _check_space(Path(options.path), missing_bytes(jobs, detector, options))
    device = options.device or _local_device()
    # With several processes only the first one shows a bar.
    with (
        _moved(detector, device),
        Progress(*BAR, console=Console(stderr=True), disable=process_rank() > 0) as bar,
        ThreadPoolExecutor(max(1, options.num_workers)) as pool,
    ):
        for job in jobs:
            _write_store(job, detector, options, device, bar, pool)


def _write_store(
    job: StoreJob,
    detector: nn.Module,
    options: CacheOptions,
    device: torch.device,
    bar: Progress,
    pool: ThreadPoolExecutor,
) -> None:
    split, data, store = job
    total = sum(len(store.images(number)) for number in store.missing())
    task = bar.add_task(f"features of {split}, view {store.view.number}", total=total)

    def make_scenes(images: range) -> list[Scene]:
        return detect(data, store.view, images, detector, options, device, pool)

    def on_shard(number: int) -> None:
        bar.advance(task, len(store.images(number)))

    # Each process goes through all shards; the rank only determines where it starts.
    world = int(os.environ.get("WORLD_SIZE", 1))
    store.write(make_scenes, process_rank(), world, on_shard)


def _check_space(folder: Path, needed: int) -> None:
    # A folder that does not exist yet will lie on the disk of its nearest existing parent.
    existing = folder
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise UserError(
            f"{folder}: the features need about {readable_bytes(needed)}, but only "
            f"{readable_bytes(free)} are free; choose another folder with features.path=FOLDER, or "
            "store less (features.memory=[3,4] features.maps=2 features.entities=28)"
        )


@contextmanager
def _moved(detector: nn.Module, device: torch.device) -> Iterator[None]:
    """The detector on a device, in evaluation mode; it goes back to its own device."""
    # The detector is part of a model that Lightning moves later, as a whole.
    parameter = next(detector.parameters(), None)
    before = device if parameter is None else parameter.device
    try:
        detector.to(device).eval()
        yield
    finally:
        detector.to(before)


def _local_device() -> torch.device:
    """The GPU of this process (torchrun and Lightning number them), else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))


def process_rank() -> int:
    """Number of this process among those of a run: torchrun sets RANK, Lightning LOCAL_RANK."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", 0)))
