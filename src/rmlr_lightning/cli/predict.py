"""rmlr-predict: human-object interactions of any image, as JSON and drawn on the image."""

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
    add("images", type=Path, nargs="+", metavar="IMAGE|FOLDER", help="images, or folders of images")
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
        help="folder for NAME.json and NAME.png of each image (default: predictions)",
    )
    add("--overwrite", action="store_true", help="replace results that exist")
    add(
        "--boxes",
        type=Path,
        metavar="FILE",
        help="external detections in COCO results format, in place of the model's detector",
    )
    add(
        "--score-threshold",
        type=float,
        default=0.1,
        metavar="SCORE",
        help="verbs with a lower score are not drawn (default 0.1)",
    )
    add(
        "--min-pairs",
        type=int,
        default=3,
        metavar="N",
        help="pairs to draw even below the threshold (default 3)",
    )
    add(
        "--max-triplets",
        type=int,
        default=100,
        metavar="N",
        help="triplets per image in the JSON, best first (default 100)",
    )
    add("--caption", default="", help="a line below each drawn image")
    add("--device", default="cpu", help="torch device (default cpu)")
    return command_line


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point."""
    args = parser().parse_args(file_arguments(argv))
    with one_line_errors():
        from rmlr_lightning.hub.predict_files import predict

        predict(args)


if __name__ == "__main__":
    main()
