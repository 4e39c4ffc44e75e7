"""Making scene caches: which folders belong to a data set, and the loop that asks the detector."""

import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rmlr_lightning.cache.fingerprint import fingerprint
from rmlr_lightning.cache.options import CacheOptions
from rmlr_lightning.cache.store import SceneStore
from rmlr_lightning.cache.views import View, view_of
from rmlr_lightning.data.collate import collate_images, single_scenes
from rmlr_lightning.data.hoi_dataset import HOIDataset
from rmlr_lightning.detectors.base import Detector
from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.device import device_of
from rmlr_lightning.types import Entities, Images, Scene

COMMON_PICTURE = (480, 640)  # where an annotation file does not say how large its pictures are


class Work(NamedTuple):
    """Shards to make: a cache, and the data set whose pictures it covers."""

    split: str
    data: HOIDataset
    folder: SceneStore


def folders_of(
    data: HOIDataset,
    detector: Detector,
    storage: CacheOptions,
    root: Path,
    views: int = 1,
    shard: int = 128,
) -> list[SceneStore]:
    """The caches of a data set, one a view, whether they are there or not."""
    if not isinstance(views, int) or views < 1:
        raise UserError(
            f"features.views={views}: expected a number from 1 (1 is the plain picture alone)"
        )
    if not isinstance(shard, int) or shard < 1:
        raise UserError(f"features.shard={shard}: expected a number of images from 1")
    names = [target.file_name for target in data.targets]
    facts = {
        "detector": detector.fingerprint(),
        "preprocessing": {"resize": type(data.resize).__name__, **vars(data.resize)},
        "data": {
            "images": len(names),
            "fingerprint": fingerprint(data.images, names, root / "fingerprints"),
        },
        "storage": storage.facts(),
    }
    return [SceneStore(root, facts, view_of(number), names, shard) for number in range(views)]


def size_of(work: Sequence[Work], detector: Detector, storage: CacheOptions) -> int:
    """Bytes that are still to be written, about."""
    queries = detector.num_queries
    total = 0
    for _, data, folder in work:
        resize = folder.view.resize(data.resize)
        for number in folder.missing():
            for index in folder.images(number):
                height, width = data.targets[index].size.tolist()
                canvas = (
                    resize.canvas(height, width)
                    if height and width
                    else resize.canvas(*COMMON_PICTURE)
                )
                cells = tuple(-(-side // detector.stride) for side in canvas)
                total += storage.image_bytes(
                    queries, detector.token_dim, detector.memory_dim, cells
                )
    return total


def readable(size: float) -> str:
    """Bytes for people."""
    for unit in ("bytes", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def check_room(root: Path, size: int) -> None:
    """Raises a UserError where the disk has less than `size` bytes left."""
    place = root
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if size > free:
        raise UserError(
            f"{root}: the scenes need about {readable(size)}, but only {readable(free)} are free; choose another "
            "folder with features.path=FOLDER, or store less (features.memory=[3,4] features.entities=28)"
        )


def fill(
    work: Sequence[Work],
    detector: Detector,
    storage: CacheOptions,
    batch_size: int = 16,
    num_workers: int = 2,
    device: str = "auto",
) -> None:
    """Make all shards that are missing, with a progress bar on standard error.

    Any number of processes may do this at once; they share the shards out.

    Raises:
        UserError: a broken picture, or no room.
    """
    for name, value, least in (("batch_size", batch_size, 1), ("num_workers", num_workers, 0)):
        if not isinstance(value, int) or value < least:
            raise UserError(f"features.{name}={value}: expected a whole number from {least}")
    check_room(work[0].folder.path.parent, size_of(work, detector, storage))
    before = next(detector.parameters()).device
    local = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"
    try:
        detector.to(local if device == "auto" else device_of(device, "features.device")).eval()
        _fill(work, detector, storage, batch_size, num_workers)
    finally:
        detector.to(before)


def _fill(
    work: Sequence[Work],
    detector: Detector,
    storage: CacheOptions,
    batch_size: int,
    num_workers: int,
) -> None:
    device = next(detector.parameters()).device
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with (
        Progress(*columns, console=Console(stderr=True), disable=rank > 0) as bar,
        ThreadPoolExecutor(max(1, num_workers)) as pool,
    ):
        for split, data, folder in work:
            missing = [len(folder.images(number)) for number in folder.missing()]
            task = bar.add_task(f"scenes of {split}, view {folder.view.number}", total=sum(missing))

            def scenes(
                images: range, data: HOIDataset = data, view: View = folder.view
            ) -> list[Scene]:
                return detect(data, view, images, detector, storage, device, batch_size, pool)

            def done(number: int, task=task, folder: SceneStore = folder) -> None:
                bar.advance(task, len(folder.images(number)))

            folder.write(scenes, rank, world, done)


def detect(
    data: HOIDataset,
    view: View,
    images: range,
    detector: Detector,
    storage: CacheOptions,
    device: torch.device,
    batch_size: int,
    pool: ThreadPoolExecutor,
) -> list[Scene]:
    """Packed Scenes of these images, on the CPU, without batch dimension.

    A batch holds pictures of one canvas, so nothing is padded and no image's Scene depends on its neighbours' sizes.
    """
    found: dict[int, Scene] = {}
    loaded = _ahead(lambda index: (index, *data.pixels(index, view)), images, pool, 2 * batch_size)
    for batch in _batches(loaded, batch_size):
        indices, pixels, sizes = zip(*batch, strict=True)
        seen = Images(*(field.to(device) for field in collate_images(list(pixels), list(sizes))))
        with torch.inference_mode(), torch.autocast(device.type, enabled=False):
            scene = detector(seen)
            for index, single in zip(indices, single_scenes(scene), strict=True):
                found[index] = _first(storage.pack(single))
    return [found[index] for index in images]


def _ahead(
    load: Callable[[int], tuple], images: range, pool: ThreadPoolExecutor, most: int
) -> Iterator[tuple]:
    """Loaded pictures in order; no more than `most` wait in memory."""
    waiting: deque[Future] = deque()
    for index in images:
        waiting.append(pool.submit(load, index))
        if len(waiting) > most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _batches(loaded: Iterator[tuple], size: int) -> Iterator[list[tuple]]:
    """Batches of one canvas each, whole ones first."""
    waiting: dict[tuple[int, ...], list[tuple]] = {}
    for item in loaded:
        canvas = tuple(item[1].shape[1:])
        waiting.setdefault(canvas, []).append(item)
        if len(waiting[canvas]) == size:
            yield waiting.pop(canvas)
    yield from waiting.values()


def _first(scene: Scene) -> Scene:
    """The only image of a batch, on the CPU."""
    entities = Entities(*(field[0].cpu() for field in scene.entities))
    return Scene(entities, *(field[0].cpu() for field in scene[1:]))
