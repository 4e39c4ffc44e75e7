"""CPU time of DETR R50 alone and in the package's wrapper, at 800 x 1333.

    python benchmarks/detector.py                   # about 4 minutes of one thread, 3 GB
    python benchmarks/detector.py --quick

Weights are random. They alternate in one process, so that other processes disturb all equally:

    network        transformers' network on normalised pixels
    channels last  the same on pixels in the memory format that the wrapper gives it
    wrapper        `TransformersDetector`: also normalisation, scores, labels, boxes, the memory

CPU time of the process, best (median) of the repetitions, seconds per image. `overhead` compares
the wrapper's best time with each of the others. Prints a table on standard error and a line of
JSON on standard output.
"""

import sys

import torch
from rich.console import Console
from rich.table import Table
from setting import best, cpu_seconds, machine, parser, random_detr, report

from rmlr_lightning.types import Images

SIZES = {False: (800, 1333), True: (128, 160)}
MAX_OVERHEAD = 0.03


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--repetitions", type=int, default=10)
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    height, width = SIZES[args.quick]

    torch.manual_seed(0)
    detector = random_detr()
    pixels = torch.rand(1, 3, height, width)
    mask = torch.ones(1, height, width, dtype=torch.bool)
    images = Images(pixels, mask, torch.tensor([[height, width]]))
    normalised = (pixels - detector.mean) / detector.std
    last = normalised.contiguous(memory_format=torch.channels_last)
    network_mask = mask.long()
    runs = {
        "network": lambda: detector.network(pixel_values=normalised, pixel_mask=network_mask),
        "channels last": lambda: detector.network(pixel_values=last, pixel_mask=network_mask),
        "wrapper": lambda: detector(images),
    }

    times: dict[str, list[float]] = {name: [] for name in runs}
    with torch.inference_mode():
        for run in runs.values():  # untimed: the first run allocates
            run()
        for _ in range(1 if args.quick else args.repetitions):
            for name, run in runs.items():
                times[name].append(cpu_seconds(run))

    rows = {name: best(seconds) for name, seconds in times.items()}
    overhead = {
        name: rows["wrapper"]["best"] / row["best"] - 1
        for name, row in rows.items()
        if name != "wrapper"
    }
    table = Table("", "best, s", "median, s", "overhead", title=f"DETR R50, {height} x {width}")
    for name, row in rows.items():
        percent = f"{overhead[name]:+.1%}" if name in overhead else ""
        table.add_row(name, f"{row['best']:.3f}", f"{row['median']:.3f}", percent)
    Console(file=sys.stderr).print(table)
    print(f"at most {MAX_OVERHEAD:.0%} wanted", file=sys.stderr)
    numbers = {"machine": machine(), "size": [height, width], "seconds_per_image": rows}
    report(numbers | {"overhead": overhead}, args.json_out)


if __name__ == "__main__":
    main()
