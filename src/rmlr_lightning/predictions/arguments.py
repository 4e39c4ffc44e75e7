"""What rmlr-predict can refuse before the model's libraries are loaded, which takes seconds."""

import argparse
from pathlib import Path

from rmlr_lightning.errors import UserError
from rmlr_lightning.predictions.inputs import find_files, is_video
from rmlr_lightning.predictions.outputs import check_results

# Smallest values of whole numbers
LOWEST = {"max_triplets": 0, "every": 1, "batch": 1, "gallery": 0}


def checked_files(args: argparse.Namespace) -> list[Path]:
    """The images and videos to predict.

    Raises:
        UserError: a wrong option, a path without images, or a result that cannot be written.
    """
    _check_options(args)
    # before the first result: a run is not to stop in the middle
    files = find_files(args.images)
    if args.boxes and any(map(is_video, files)):
        raise UserError("--boxes: only with images, not with videos")
    check_results(args.out, files, args.overwrite)
    return files


def _check_options(args: argparse.Namespace) -> None:
    for option, lowest in LOWEST.items():
        value = getattr(args, option)
        if value < lowest:
            name = option.replace("_", "-")
            raise UserError(f"--{name} {value}: expected a whole number from {lowest}")
    if args.min_probability is not None and not 0 <= args.min_probability <= 1:
        raise UserError(f"--min-probability {args.min_probability}: expected a number in [0, 1]")
