"""`rmlr-prepare`: makes data sets. `rmlr-prepare synthetic` draws the embedded world; nothing is downloaded."""

import argparse
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rmlr_lightning.cli.config import one_line_errors
from rmlr_lightning.data.synthetic import WorldConfig
from rmlr_lightning.data.synthetic.contact_sheet import write_contact_sheet
from rmlr_lightning.errors import UserError


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(prog="rmlr-prepare", description="Make data sets for rmlr_lightning.")
    sub = main.add_subparsers(dest="what", required=True)
    world = sub.add_parser(
        "synthetic",
        help="draw the embedded world in the layouts of HICO-DET and V-COCO",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    world.add_argument("--out", type=Path, default=Path("data/synthetic"), help="folder to make")
    world.add_argument(
        "--train", type=int, default=1000, help="training images (500, 1000 and 4000 are the usual sizes)"
    )
    world.add_argument("--val", type=int, default=300, help="validation images")
    world.add_argument("--test", type=int, default=1200, help="test images; 1200 give each HOI at least 20 pairs")
    world.add_argument("--seed", type=int, default=0)
    world.add_argument("--workers", type=int, default=2, help="processes; the result does not depend on it")
    world.add_argument("--size", default="448x320", help="pixels, WIDTHxHEIGHT")
    world.add_argument(
        "--clutter", type=float, default=WorldConfig.clutter, help="background things and unused objects"
    )
    world.add_argument("--noise", type=float, default=WorldConfig.noise, help="grain, exposure, blur")
    world.add_argument("--jitter", type=float, default=WorldConfig.jitter, help="looseness of poses and faces")
    world.add_argument(
        "--occlusion", type=float, default=WorldConfig.occlusion, help="part of the images with something in front"
    )
    world.add_argument("--twins", type=float, default=WorldConfig.twins, help="part of the images that come as twins")
    world.add_argument(
        "--contact-sheet", type=Path, default=None, metavar="PNG", help="write the page of examples here, too"
    )
    return main


def draw_world(config: WorldConfig, out: str | Path, workers: int = 2) -> None:
    """Draw a world with a progress bar, unless it is there already; what training does before it reads its data.

    Raises:
        UserError: `out` holds something else, or the disk or the settings do not allow it.
    """
    # Each worker process imports this file again, as the main module: it must not bring torch.
    from rmlr_lightning.data.synthetic.write import existing, write_world

    console = Console()
    try:
        if existing(Path(out), config):
            console.print(
                f"{out}: this very world is here already (same settings and seed); nothing to do", soft_wrap=True
            )
            return
        start = time.perf_counter()
        columns = (TextColumn("drawing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("images", total=None)
            facts = write_world(config, out, workers, lambda done, total: bar.update(task, completed=done, total=total))
    except (ValueError, OSError) as error:
        raise UserError(str(error)) from error
    images, seconds = sum(facts["images"].values()), time.perf_counter() - start
    console.print(
        f"{out}: {images} images, {len(facts['hois'])} HOIs, {len(facts['twins'])} twin couples "
        f"in {seconds:.0f} s ({images / seconds:.0f} images/s); see contact_sheet.png there",
        soft_wrap=True,
    )


def synthetic(args: argparse.Namespace) -> None:
    """Draw the world that the command line describes, and its page of examples."""
    try:
        width, height = (int(v) for v in args.size.lower().split("x"))
    except ValueError:
        raise UserError(f"--size {args.size}: expected WIDTHxHEIGHT, such as 448x320") from None
    sheet = args.contact_sheet
    if sheet is not None and sheet.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UserError(f"--contact-sheet {sheet}: expected the name of a picture, such as sheet.png")
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
            raise UserError(f"--contact-sheet {sheet}: cannot be written ({error.strerror})") from None


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    args = parser().parse_args(argv)
    with one_line_errors():
        synthetic(args)


if __name__ == "__main__":
    main()
