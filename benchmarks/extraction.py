"""Images/s of `rmlr-extract`: DETR R50 over photographs of 480 x 640 and 640 x 480, at 800 x 1066.

    python benchmarks/extraction.py                   # on a GPU: a minute
    python benchmarks/extraction.py --images 4 --batch 2    # on a CPU: a minute
    python benchmarks/extraction.py --quick           # as a test

Random weights and random JPEG files. Files are decoded and resized in threads, images of one size
go through the detector together, and Scenes are packed as they are stored. `network` is the
detector alone on a batch that lies on the device. `bf16` is `features.precision=bf16`, on a GPU
alone: the backbone in bfloat16, all else in float32. After a first pass that is not counted.

Prints a table on standard error and a line of JSON on standard output.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from setting import machine, parser, random_detr, report

from rmlr_lightning.cache.detect import detect
from rmlr_lightning.cache.options import CacheOptions
from rmlr_lightning.data.hoi_dataset import HOIDataset
from rmlr_lightning.data.transforms import ResizeShortest
from rmlr_lightning.data.views import View
from rmlr_lightning.detectors.half_backbone import half_backbone
from rmlr_lightning.types import Images, Target
from rmlr_lightning.vocabulary import hicodet


def photographs(folder: Path, count: int, shortest: int) -> HOIDataset:
    """JPEG files of noise, every third one upright, without annotations."""
    none = torch.zeros(0, dtype=torch.long)
    boxes = torch.zeros(0, 4, dtype=torch.float64)
    targets = []
    for number in range(count):
        size = (480, 640) if number % 3 == 0 else (640, 480)  # width, height
        name = f"{number}.jpg"
        Image.effect_noise(size, 60).convert("RGB").save(folder / name)
        shape = torch.tensor(size[::-1])
        targets.append(Target(name, number, shape, boxes, boxes, none, none, none))
    annotations = SimpleNamespace(vocabulary=hicodet(), targets=targets)
    return HOIDataset(annotations, folder, ResizeShortest(shortest, 1333))


def rate(run: Callable[[], object], images: int, device: torch.device) -> float:
    """Images per second of the second of two runs."""
    run()
    start = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return images / (time.perf_counter() - start)


def network_rate(
    detector: torch.nn.Module, size: tuple[int, int], batch: int, half: bool, device: torch.device
) -> float:
    """Of the detector alone."""
    pixels = torch.rand(batch, 3, *size, device=device)
    mask = torch.ones(batch, *size, dtype=torch.bool, device=device)
    images = Images(pixels, mask, torch.tensor([size] * batch, device=device))
    with torch.inference_mode(), half_backbone(detector) if half else nullcontext():
        return rate(partial(detector, images), batch, device)


def main() -> None:
    """Entry point."""
    options = parser(__doc__)
    options.add_argument("--images", type=int, default=256)
    options.add_argument("--batch", type=int, default=16)
    options.add_argument("--workers", type=int, nargs="+", default=[2, 8, 16], help="threads")
    args = options.parse_args()
    shortest = 800
    if args.quick:
        args.images, args.batch, args.workers, shortest = 3, 2, [1], 64
    torch.set_num_threads(args.threads)
    torch.set_float32_matmul_precision("high")  # as rmlr-extract
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    torch.manual_seed(0)
    detector = random_detr().to(device).eval()

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        data = photographs(Path(folder), args.images, shortest)
        canvas = data.resize.canvas(480, 640)
        # a processor without bfloat16 emulates it, which takes minutes
        on_gpu = device.type == "cuda"
        for precision in ("fp32", "bf16") if on_gpu or args.quick else ("fp32",):
            row = {"precision": precision, "threads": {}}
            row["network"] = network_rate(detector, canvas, args.batch, precision == "bf16", device)
            for workers in args.workers:
                choice = CacheOptions(
                    precision=precision, batch_size=args.batch, num_workers=workers
                )
                with ThreadPoolExecutor(workers) as pool:
                    images = range(args.images)
                    run = partial(detect, data, View(), images, detector, choice, device, pool)
                    row["threads"][workers] = rate(run, args.images, device)
            rows.append(row)

    table = Table("backbone", "network", *(f"{w} threads" for w in args.workers))
    table.title = f"images/s of DETR R50 at {canvas[0]} x {canvas[1]}, {device.type}"
    for row in rows:
        values = [row["network"], *row["threads"].values()]
        table.add_row(row["precision"], *(f"{value:.2f}" for value in values))
    Console(file=sys.stderr).print(table)
    report({"machine": machine(), "device": device.type, "rows": rows}, args.json_out)


if __name__ == "__main__":
    main()
