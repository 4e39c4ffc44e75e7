"""rmlr-export: a trained head for other runtimes, or a whole model as a folder for the hub."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rmlr_lightning.hub import SHIPPED
from rmlr_lightning.runs.command_line import CommandLine, file_arguments
from rmlr_lightning.runs.user_errors import one_line_errors

# What the work needs is imported in `main`: `--help` and mistakes in options need no torch.

FORMATS = ("onnx", "torch", "folder")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command_line = CommandLine(
        prog="rmlr-export",
        description="Exports a trained head to ONNX or torch.export, or a model as a folder.",
    )
    add = command_line.add_argument
    add(
        "model",
        nargs="?",
        default=SHIPPED,
        metavar="CKPT|FOLDER|ID",
        help=f"a checkpoint, a folder or a hub id (default: {SHIPPED}, which ships)",
    )
    add(
        "--dilation",
        action=argparse.BooleanOptionalAction,
        help="of UPT's and PViC's models with R101: whether the detector is dilated (DC5)",
    )
    add(
        "--format",
        choices=FORMATS,
        required=True,
        help="onnx or torch: the head; folder: config.json, model.safetensors and a model card",
    )
    add("--out", type=Path, required=True, metavar="FILE|FOLDER", help="what to write")
    add("--overwrite", action="store_true", help="replace files that exist")
    add("--entities", type=int, metavar="N", help="capacity per image (default: as selected)")
    add("--pairs", type=int, metavar="N", help="capacity per image (default: all pairs)")
    add(
        "--half",
        action="store_true",
        help="folder: round all matrices but the detector's to float16",
    )
    add(
        "--shipped-detector",
        action="store_true",
        help="folder: reference the detector that ships with the package by its hash",
    )
    return command_line


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point."""
    args = parser().parse_args(file_arguments(argv))
    with one_line_errors():
        from rmlr_lightning.hub.export_files import export

        export(args)


if __name__ == "__main__":
    main()
