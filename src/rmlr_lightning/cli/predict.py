"""rmlr-predict: human-object interactions of any image, as JSON, drawings and a gallery page."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rmlr_lightning.hub import SHIPPED
from rmlr_lightning.runs.command_line import CommandLine, file_arguments
from rmlr_lightning.runs.user_errors import one_line_errors

# What the work needs is imported in `main`: `--help` and mistakes in options need no torch.


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command_line = CommandLine(
        prog="rmlr-predict",
        description="Detects human-object interactions: <human, verb, object> triplets.",
    )
    add = command_line.add_argument
    add(
        "images",
        type=Path,
        nargs="+",
        metavar="IMAGE|FOLDER|VIDEO",
        help="images, folders of images, or videos",
    )
    add(
        "--checkpoint",
        default=SHIPPED,
        metavar="CKPT|FOLDER|ID",
        help="a checkpoint of rmlr-train, UPT or PViC, a folder with a saved model, or a hub id "
        f"(default: {SHIPPED}, which ships with the package)",
    )
    add(
        "--dilation",
        action=argparse.BooleanOptionalAction,
        help="of UPT's and PViC's models with R101: whether the detector is dilated (DC5)",
    )
    add(
        "--out",
        type=Path,
        default=Path("predictions"),
        metavar="DIR",
        help="folder for NAME.json and NAME.png of each image, predictions.jsonl with one line per "
        "image, and the gallery, index.html (default: predictions)",
    )
    add("--overwrite", action="store_true", help="replace results that exist")
    add(
        "--boxes",
        type=Path,
        metavar="FILE",
        help="external detections in COCO results format, in place of the model's detector",
    )
    add(
        "--min-probability",
        type=float,
        metavar="P",
        help="triplets of a lower probability are not drawn (default: a threshold of each verb, "
        "chosen on the validation split)",
    )
    add(
        "--max-triplets",
        type=int,
        default=100,
        metavar="N",
        help="triplets per image in the JSON, best first (default 100)",
    )
    add("--every", type=int, default=30, metavar="N", help="videos: every Nth frame (default 30)")
    add(
        "--batch",
        type=int,
        default=1,
        metavar="N",
        help="images of one size that are processed together (default 1)",
    )
    add(
        "--gallery",
        type=int,
        default=500,
        metavar="N",
        help="images on the gallery page; 0 writes none (default 500)",
    )
    add("--caption", default="", help="a line below each drawn image")
    add("--device", default="cpu", help="torch device (default cpu)")
    return command_line


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point."""
    args = parser().parse_args(file_arguments(argv))
    with one_line_errors():
        from rmlr_lightning.predictions.arguments import checked_files

        files = checked_files(args)
        from rmlr_lightning.predictions.predict_files import predict

        predict(args, files)


if __name__ == "__main__":
    main()
