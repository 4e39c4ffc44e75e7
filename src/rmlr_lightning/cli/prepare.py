"""`rmlr-prepare`: makes data sets. `rmlr-prepare synthetic` draws the embedded world; nothing is downloaded."""

import argparse
from pathlib import Path

from rmlr_lightning.data.synthetic_world import draw_world
from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.config import one_line_errors
from rmlr_lightning.synthetic import WorldConfig
from rmlr_lightning.synthetic.contact_sheet import write_contact_sheet


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(
        prog="rmlr-prepare", description="Make data sets for rmlr_lightning."
    )
    sub = main.add_subparsers(dest="what", required=True)
    world = sub.add_parser(
        "synthetic",
        help="draw the embedded world in the layouts of HICO-DET and V-COCO",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    world.add_argument("--out", type=Path, default=Path("data/synthetic"), help="folder to make")
    world.add_argument(
        "--train",
        type=int,
        default=1000,
        help="training images (500, 1000 and 4000 are the usual sizes)",
    )
    world.add_argument("--val", type=int, default=300, help="validation images")
    world.add_argument(
        "--test", type=int, default=1200, help="test images; 1200 give each HOI at least 20 pairs"
    )
    world.add_argument("--seed", type=int, default=0)
    world.add_argument(
        "--workers", type=int, default=2, help="processes; the result does not depend on it"
    )
    world.add_argument("--size", default="448x320", help="pixels, WIDTHxHEIGHT")
    world.add_argument(
        "--clutter",
        type=float,
        default=WorldConfig.clutter,
        help="background things and unused objects",
    )
    world.add_argument(
        "--noise", type=float, default=WorldConfig.noise, help="grain, exposure, blur"
    )
    world.add_argument(
        "--jitter", type=float, default=WorldConfig.jitter, help="looseness of poses and faces"
    )
    world.add_argument(
        "--occlusion",
        type=float,
        default=WorldConfig.occlusion,
        help="part of the images with something in front",
    )
    world.add_argument(
        "--twins",
        type=float,
        default=WorldConfig.twins,
        help="part of the images that come as twins",
    )
    world.add_argument(
        "--contact-sheet",
        type=Path,
        default=None,
        metavar="PNG",
        help="write the page of examples here, too",
    )
    return main


def synthetic(args: argparse.Namespace) -> None:
    """Draw the world that the command line describes, and its page of examples."""
    try:
        width, height = (int(v) for v in args.size.lower().split("x"))
    except ValueError:
        raise UserError(f"--size {args.size}: expected WIDTHxHEIGHT, such as 448x320") from None
    sheet = args.contact_sheet
    if sheet is not None and sheet.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UserError(
            f"--contact-sheet {sheet}: expected the name of a picture, such as sheet.png"
        )
    dials = ("train", "val", "test", "seed", "clutter", "noise", "jitter", "occlusion", "twins")
    try:
        config = WorldConfig(size=(width, height), **{dial: getattr(args, dial) for dial in dials})
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


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    args = parser().parse_args(argv)
    with one_line_errors():
        synthetic(args)


if __name__ == "__main__":
    main()
