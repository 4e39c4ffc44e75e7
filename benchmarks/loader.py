"""Images/s and GB/s of the loader of cached Scenes, by number of loading processes.

    python benchmarks/loader.py                       # DETR's sizes, 1 GB on disk, a few minutes
    python benchmarks/loader.py --cells 3 4           # a memory averaged to 3 x 4 cells
    python benchmarks/loader.py --folder /mnt/disk    # on another disk than the temporary folder
    python benchmarks/loader.py --quick               # as a test

Random Scenes of DETR R50's sizes (100 queries) are stored as `rmlr-extract` stores them, and read
by the training loader: views drawn, annotations padded, batches packed. With a GPU, batches arrive
there in float32. `cold`: the operating system has dropped the files from its memory; `warm`: the
epoch after that. The clock runs from the first batch on. GB/s counts bytes as they are stored.

Prints a table on standard error and a line of JSON on standard output.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import torch
from rich.console import Console
from rich.table import Table
from setting import IMAGE_SIZE, MEMORY_SIZE, WIDTH, machine, parser, report

from rmlr_lightning.cache.dataset import CachedHOIDataset
from rmlr_lightning.cache.options import CacheOptions
from rmlr_lightning.cache.store import SceneStore
from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.data.hoi_dataset import HOIDataset
from rmlr_lightning.data.transforms import ResizeExact
from rmlr_lightning.data.views import view_of
from rmlr_lightning.types import Entities, Scene, Target
from rmlr_lightning.vocabulary import PERSON, Vocabulary, hicodet

QUERIES = 100
ROWS_PER_IMAGE = 4  # annotated interactions


def target_of(number: int, vocabulary: Vocabulary) -> Target:
    """Random annotations of one image."""
    hois = torch.randint(0, len(vocabulary.hois), (ROWS_PER_IMAGE,))
    verbs, objects = torch.tensor(vocabulary.hois)[hois].unbind(1)
    corner = 300 * torch.rand(2, ROWS_PER_IMAGE, 2, dtype=torch.float64)
    boxes_h, boxes_o = torch.cat([corner, corner + 100], -1)
    size = torch.tensor(IMAGE_SIZE)
    return Target(f"{number}.jpg", number, size, boxes_h, boxes_o, objects, verbs, hois)


def scene_of(cells: tuple[int, int]) -> Scene:
    """A random Scene as it is stored."""
    corner = 0.5 * torch.rand(QUERIES, 2)
    entities = Entities(
        torch.cat([corner, corner + 0.3], 1),
        torch.rand(QUERIES),
        torch.randint(0, 80, (QUERIES,)),
        torch.randn(QUERIES, WIDTH).half(),
        torch.ones(QUERIES, dtype=torch.bool),
    )
    memory = torch.randn(WIDTH, *cells).half()
    mask = torch.ones(cells, dtype=torch.bool)
    return Scene(entities, memory, mask, torch.tensor(IMAGE_SIZE))


def stored(folder: Path, images: int, cells: tuple[int, int]) -> tuple[CachedHOIDataset, int]:
    """A data set with a store in this folder, and the bytes of the store."""
    torch.manual_seed(0)
    vocabulary = hicodet()
    targets = [target_of(number, vocabulary) for number in range(images)]
    annotations = SimpleNamespace(vocabulary=vocabulary, targets=targets)
    uncached = HOIDataset(annotations, folder, ResizeExact(*IMAGE_SIZE))
    names = [target.file_name for target in targets]
    store = SceneStore({}, CacheOptions(path=folder), view_of(0), names)
    store.write(lambda numbers: [scene_of(cells) for _ in numbers])
    return CachedHOIDataset(uncached, [store], PERSON), store.size()


def drop(folder: Path) -> None:
    """Let the operating system forget the contents of the files in this folder."""
    for path in folder.rglob("*.safetensors"):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)  # what is not on disk yet cannot be dropped
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def images_per_second(loader: torch.utils.data.DataLoader, device: torch.device) -> float:
    """Of one epoch, from its first batch on."""
    batches = iter(loader)
    next(batches)
    start, images = time.perf_counter(), 0
    for batch in batches:
        images += len(batch.image_ids)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return images / (time.perf_counter() - start)


def loader_of(
    data: CachedHOIDataset, batch: int, workers: int, device: torch.device
) -> torch.utils.data.DataLoader:
    """The training loader, as a trainer on this device gets it."""
    module = DataModule(*[lambda: data] * 3, batch_size=batch, num_workers=workers)
    strategy = SimpleNamespace(root_device=device)
    module.trainer = SimpleNamespace(
        strategy=strategy, world_size=1, global_rank=0, accumulate_grad_batches=1
    )
    return module.train_dataloader()


def main() -> None:
    """Entry point."""
    options = parser(__doc__)
    options.add_argument("--images", type=int, default=2048)
    options.add_argument("--batch", type=int, default=64)
    options.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2, 4, 8, 16])
    options.add_argument("--cells", type=int, nargs=2, default=MEMORY_SIZE, metavar=("H", "W"))
    options.add_argument("--folder", type=Path, help="for the store, which is deleted at the end")
    args = options.parse_args()
    if args.quick:
        args.images, args.batch, args.workers, args.cells = 48, 8, [0, 1], (3, 4)
    torch.set_num_threads(args.threads)
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")

    rows = []
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        data, size = stored(Path(folder), args.images, tuple(args.cells))
        for workers in args.workers:
            # a data set of its own: one that was read has the files mapped, and they stay
            fresh, _ = stored(Path(folder), args.images, tuple(args.cells))
            drop(Path(folder))
            loader = loader_of(fresh, args.batch, workers, device)
            row = {"workers": workers}
            for name in ("cold", "warm"):
                row[name] = images_per_second(loader, device)
            rows.append(row)
    per_image = size / len(data)

    title = f"{per_image / 1000:.0f} KB per image, batch {args.batch}, to {device.type}"
    table = Table("workers", "cold, images/s", "GB/s", "warm, images/s", "GB/s", title=title)
    for row in rows:
        cells = [f(row[n]) for n in ("cold", "warm") for f in (_rate, lambda r: _gb(r, per_image))]
        table.add_row(str(row["workers"]), *cells)
    Console(file=sys.stderr).print(table)
    report(
        {"machine": machine(), "device": device.type, "bytes_per_image": per_image, "rows": rows},
        args.json_out,
    )


def _rate(images: float) -> str:
    return f"{images:.0f}"


def _gb(images: float, size: float) -> str:
    return f"{images * size / 1e9:.2f}"


if __name__ == "__main__":
    main()
