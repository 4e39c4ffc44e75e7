"""rmlr-prepare: makes and checks data sets. It never changes or deletes a user's file."""

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from rmlr_lightning.errors import UserError
from rmlr_lightning.files import check_outputs, written_atomically
from rmlr_lightning.runs.command_line import CommandLine, file_arguments
from rmlr_lightning.runs.user_errors import one_line_errors
from rmlr_lightning.synthetic import WorldConfig

# What the subcommands need is imported in them: the processes that draw the synthetic benchmark
# import this file, and must not load torch.

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
    command_line = CommandLine(
        prog="rmlr-prepare",
        description="Makes and checks data sets. Your own files are never changed or deleted.",
    )
    data_sets = command_line.add_subparsers(dest="data_set", required=True)
    _add_synthetic(data_sets)

    for name, what in {"hicodet": "HICO-DET", "vcoco": "V-COCO"}.items():
        known = data_sets.add_parser(
            name, help=f"where to get {what}; checks its files, makes what is missing"
        )
        known.add_argument(
            "folder",
            type=Path,
            nargs="?",
            default=Path(os.environ.get("RMLR_DATA", "data")),
            help="the folder of all data sets, paths.data (default: $RMLR_DATA, or data)",
        )
        known.set_defaults(run=prepare_known)

    custom = data_sets.add_parser("custom", help="make data of your own ready: see docs/DATA.md")
    custom.add_argument("folder", type=Path, help="boxes.json and triplets.csv, or with relations")
    custom.add_argument("--out", type=Path, help="folder to make (default: FOLDER/rmlr)")
    custom.add_argument(
        "--subject", help="class of all subjects, or any (default: the one that all have, if any)"
    )
    custom.add_argument(
        "--images",
        type=Path,
        nargs="+",
        metavar="FOLDER",
        help="searched in order (default: FOLDER/images, FOLDER)",
    )
    custom.set_defaults(run=make_own)

    check = data_sets.add_parser("check", help="check any annotation file and its images")
    check.add_argument("annotations", type=Path, help="an annotation file of any layout")
    check.add_argument(
        "--images", type=Path, nargs="+", default=[], metavar="FOLDER", help="searched in order"
    )
    check.add_argument("--split", choices=["train", "test"], default="test", help="of a .mat file")
    check.add_argument("--instances", type=Path, help="COCO's instances, for V-COCO's own files")
    check.add_argument("--ids", type=Path, help="the image ids of a split of V-COCO")
    check.set_defaults(run=check_file)

    for name in ("hicodet", "vcoco", "custom", "check"):
        data_sets.choices[name].add_argument(
            "--decode",
            action="store_true",
            help="read all pixels, which finds truncated images but takes minutes",
        )
    return command_line


def _add_synthetic(data_sets: argparse._SubParsersAction) -> None:
    synthetic = data_sets.add_parser(
        "synthetic",
        help="draw the synthetic benchmark in the layouts of HICO-DET and V-COCO",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    synthetic.set_defaults(run=draw_synthetic)
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
    add("--overwrite", action="store_true", help="replace the sheet if it exists")


def draw_synthetic(args: argparse.Namespace) -> None:
    """Draw the synthetic benchmark of the command line, and its sheet of examples.

    Raises:
        UserError: a wrong option, or a file that cannot be written.
    """
    from rmlr_lightning.data.synthetic_world import draw_world
    from rmlr_lightning.synthetic.contact_sheet import write_contact_sheet

    try:
        width, height = (int(side) for side in args.size.lower().split("x"))
    except ValueError:
        raise UserError(f"--size {args.size}: expected WIDTHxHEIGHT, such as 448x320") from None
    # Checked before minutes of drawing.
    sheet = args.contact_sheet
    if sheet is not None and sheet.suffix.lower() not in IMAGE_SUFFIXES:
        raise UserError(f"--contact-sheet {sheet}: expected an image file, such as sheet.png")

    if sheet is not None:
        files = {f"--contact-sheet {sheet}": sheet}
        check_outputs(files, None if args.overwrite else "--overwrite")

    options = {name: getattr(args, name) for name in WORLD_OPTIONS}
    try:
        config = WorldConfig(size=(width, height), **options)
    except ValueError as error:
        raise UserError(str(error)) from None
    draw_world(config, args.out, args.workers)

    if sheet is not None:
        with written_atomically(sheet, "name another file with --contact-sheet") as path:
            write_contact_sheet(args.out, path)


def prepare_known(args: argparse.Namespace) -> None:
    """Print where HICO-DET or V-COCO is from, and check the files that a run would read.

    Raises:
        UserError: files are missing or broken.
    """
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    from rmlr_lightning.preparation import hicodet, vcoco
    from rmlr_lightning.runs.config import conf_dir

    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = compose("train", [f"data={args.data_set}"])
    # not an override on the line above: a folder may have any name
    cfg.paths.data = str(args.folder)

    if args.data_set == "hicodet":
        print(hicodet.SOURCE.format(data=args.folder))
        splits = {name: OmegaConf.to_container(cfg.data[name], resolve=True) for name in SPLITS}
        hicodet.check_hicodet(splits, args.decode, track_images)
        return
    print(vcoco.SOURCE.format(data=args.folder))
    # the one conversion that V-COCO's own tools need Python 2 for
    made = vcoco.make_instances(Path(cfg.paths.vcoco), Path(cfg.paths.coco), args.folder)
    if made is not None:
        print(f"made {made}")
    # read again: the instances exist now
    splits = {name: OmegaConf.to_container(cfg.data[name], resolve=True) for name in SPLITS}
    vcoco.check_vcoco(splits, args.decode, track_images)


SPLITS = ("train", "test")


def make_own(args: argparse.Namespace) -> None:
    """Write the files of a data set of the user's own, and check them.

    Raises:
        UserError: files are missing or broken.
    """
    from rmlr_lightning.preparation.custom import make_custom

    folder = args.folder
    images = args.images or [folder / "images", folder]
    out = args.out or folder / "rmlr"
    make_custom(folder, out, args.subject, images, args.decode, track_images)


def check_file(args: argparse.Namespace) -> None:
    """Check one annotation file and its images.

    Raises:
        UserError: files are missing or broken.
    """
    from rmlr_lightning.preparation.anything import check_anything

    check_anything(
        args.annotations,
        args.images,
        args.split,
        args.instances,
        args.ids,
        args.decode,
        track_images,
    )


def track_images(results: Iterable, count: int) -> Iterable:
    """The results, with a progress bar on standard error where it is a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    if not console.is_terminal:  # rich would write an empty line
        return results
    return track(results, "checking images", total=count, console=console, transient=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point."""
    args = parser().parse_args(file_arguments(argv))
    with one_line_errors():
        args.run(args)


if __name__ == "__main__":
    main()
