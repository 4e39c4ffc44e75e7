"""rmlr-prepare: makes data sets. `rmlr-prepare synthetic` draws the synthetic benchmark."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rmlr_lightning.data.synthetic_world import draw_world
from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.user_errors import one_line_errors
from rmlr_lightning.synthetic import WorldConfig
from rmlr_lightning.synthetic.contact_sheet import write_contact_sheet

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
# Options that are fields of WorldConfig
WORLD_OPTIONS = (
    "train",
    "val",
    "test",
    "seed",
    "clutter",
    "noise",
    "jitter",
    "occlusion",
    "twins",
)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command_line = argparse.ArgumentParser(
        prog="rmlr-prepare", description="Makes data sets for rmlr_lightning."
    )
    data_sets = command_line.add_subparsers(dest="data_set", required=True)
    synthetic = data_sets.add_parser(
        "synthetic",
        help="draw the synthetic benchmark in the layouts of HICO-DET and V-COCO",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = synthetic.add_argument
    add("--out", type=Path, default=Path("data/synthetic"), help="folder to make")
    add("--train", type=int, default=1000, help="training images (usual: 500, 1000, 4000)")
    add("--val", type=int, default=300, help="validation images")
    add("--test", type=int, default=1200, help="test images; 1200 give each HOI 20 pairs or more")
    add("--seed", type=int, default=0, help="of the random generator")
    add("--workers", type=int, default=2, help="processes; the result does not depend on it")
    add("--size", default="448x320", help="pixels, WIDTHxHEIGHT")

    defaults = WorldConfig()
    for name, description in {
        "clutter": "amount of background details and unused objects",
        "noise": "strength of grain, exposure and blur",
        "jitter": "noise of poses and faces",
        "occlusion": "share of images with something in front",
        "twins": "share of images that come as twins",
    }.items():
        add(f"--{name}", type=float, default=getattr(defaults, name), help=description)
    add("--contact-sheet", type=Path, metavar="PNG", help="also write a sheet of examples here")
    return command_line


def draw_synthetic(args: argparse.Namespace) -> None:
    """Draw the synthetic benchmark of the command line, and its sheet of examples.

    Raises:
        UserError: a wrong option, or a file that cannot be written.
    """
    try:
        width, height = (int(side) for side in args.size.lower().split("x"))
    except ValueError:
        raise UserError(f"--size {args.size}: expected WIDTHxHEIGHT, such as 448x320") from None
    # Checked before minutes of drawing.
    sheet = args.contact_sheet
    if sheet is not None and sheet.suffix.lower() not in IMAGE_SUFFIXES:
        raise UserError(f"--contact-sheet {sheet}: expected an image file, such as sheet.png")

    options = {name: getattr(args, name) for name in WORLD_OPTIONS}
    try:
        config = WorldConfig(size=(width, height), **options)
    except ValueError as error:
        raise UserError(str(error)) from None
    draw_world(config, args.out, args.workers)

    if sheet is not None:
        try:
            sheet.parent.mkdir(parents=True, exist_ok=True)
            write_contact_sheet(args.out, sheet)
        except OSError as error:
            raise UserError(
                f"--contact-sheet {sheet}: cannot be written ({error.strerror})"
            ) from None


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point."""
    args = parser().parse_args(argv)
    with one_line_errors():
        draw_synthetic(args)


if __name__ == "__main__":
    main()
