"""rmlr-score: official HICO-DET and V-COCO results of a detection file, from any code base."""

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any

from rmlr_lightning.runs.command_line import CommandLine, file_arguments
from rmlr_lightning.runs.user_errors import one_line_errors

# The scores are imported in `main`: `--help` and mistakes in options need neither torch nor NumPy.

# the functions of `scoring.commands`
COMMANDS = {
    "hicodet": "mAP of HICO-DET detections, Default and Known Object.",
    "vcoco": "Role AP (Scenario 1 and 2) and agent AP of V-COCO detections.",
    "compare": "Difference between two detection files, by paired bootstrap over images.",
}
HICODET_TRUTH = "HICO-DET: anno_bbox.mat [anno.mat], or UPT's json; own data: rmlr/test.json"
VCOCO_TRUTH = (
    "V-COCO: vcoco_*.json COCO_INSTANCES [IDS], or one file with the keys coco, vcoco and ids"
)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = CommandLine(prog="rmlr-score", description=__doc__, allow_abbrev=False)
    commands = out.add_subparsers(dest="command", required=True, metavar="{hicodet,vcoco,compare}")

    command = _command(commands, "hicodet", HICODET_TRUTH, draws=0)
    _add_detections(command)
    _add_hicodet_files(command)
    command.add_argument(
        "--errors", action="store_true", help="types of error and the mAP that each costs"
    )

    command = _command(commands, "vcoco", VCOCO_TRUTH, draws=0)
    _add_detections(command)
    _add_vcoco_files(command)

    command = _command(commands, "compare", f"{HICODET_TRUTH}; {VCOCO_TRUTH}", draws=1000)
    command.add_argument("a", metavar="A", help="detection file")
    command.add_argument("b", metavar="B", help="detection file of the same images")
    command.add_argument(
        "--dataset", choices=("hicodet", "vcoco"), help="of the files (by the keys of A)"
    )
    _add_hicodet_files(command)
    _add_vcoco_files(command)
    return out


def _command(commands: Any, name: str, truth: str, draws: int) -> argparse.ArgumentParser:
    """A command with the options that all have."""
    what = COMMANDS[name]
    command = commands.add_parser(name, help=what, description=what, allow_abbrev=False)
    option = command.add_argument
    option(
        "--ground-truth",
        nargs="+",
        required=True,
        metavar="FILE",
        help=truth,
    )
    option(
        "--bootstrap",
        type=partial(_whole_number, minimum=1),
        default=draws,
        metavar="N",
        help=f"number of bootstrap draws of the images, for intervals ({draws or 'none'})",
    )
    option("--seed", type=_whole_number, default=0, help="of the bootstrap (0)")
    option("--json", action="store_true", help="print one JSON object instead of tables")
    return command


def _add_detections(command: argparse.ArgumentParser) -> None:
    option = command.add_argument
    option("--detections", required=True, metavar="FILE", help="npz, json, or V-COCO's pickle")
    option("--per-class", metavar="CSV", help="write AP, recall and counts of every class")
    option("--plot", metavar="PNG", help="plot the AP of every class")
    option("--overwrite", action="store_true", help="replace files that exist")
    option(
        "--breakdown",
        action="store_true",
        help="AP by verb, object, pairs in the image, size and distance",
    )


def _add_hicodet_files(command: argparse.ArgumentParser) -> None:
    option = command.add_argument
    option("--image-labels", metavar="FILE", help="HICO-DET's anno.mat, for Known Object")
    option("--split", choices=("train", "test"), default="test", help="of a .mat file (test)")


def _add_vcoco_files(command: argparse.ArgumentParser) -> None:
    option = command.add_argument
    option("--instances", metavar="FILE", help="COCO's instances json")
    option("--ids", metavar="FILE", help="ids of the images to score")


def _whole_number(text: str, minimum: int = 0) -> int:
    if not text.isdecimal() or int(text) < minimum:
        raise argparse.ArgumentTypeError(f"expected a whole number from {minimum}, not {text!r}")
    return int(text)


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point."""
    args = parser().parse_args(file_arguments(argv))
    with one_line_errors():
        from rmlr_lightning.scoring import commands

        getattr(commands, args.command)(args)


if __name__ == "__main__":
    main()
