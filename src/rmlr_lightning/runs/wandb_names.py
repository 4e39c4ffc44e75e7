"""Names of runs, groups and job types in Weights & Biases, by which its dashboard selects runs."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rmlr_lightning.errors import printable
from rmlr_lightning.report.run_folders import NO_ROW
from rmlr_lightning.runs.folder_names import cut
from rmlr_lightning.runs.secrets import words_without_secrets
from rmlr_lightning.runs.sweep_members import LIST

# The server refuses longer ones; offline logs take them, and `wandb sync` then fails.
MAX_NAME_BYTES = 128
MAX_JOB_TYPE_BYTES = 64


def with_overrides(name: str, words: Sequence[str]) -> str:
    """A name followed by the overrides that make a row of their own in a report.

    Args:
        name: of an experiment, or of a run.
        words: overrides of the task, as they were typed.
    """
    bare = [printable(word.lstrip("+")) for word in words_without_secrets(words)]
    row = sorted(word for word in bare if not NO_ROW.fullmatch(word.partition("=")[0]))
    return cut(" ".join((name, *row)), MAX_NAME_BYTES)


def sweep_name(folder: str) -> str:
    """What the runs of a sweep log as their job type: its folder, relative to the current one.

    A folder that is not below the current one has its absolute path.
    """
    path, here = Path(os.path.abspath(folder)), Path.cwd()
    # only the second of them is below `here` where the path leads through a link, as of a home
    places = [place for place in (path, path.resolve()) if place.is_relative_to(here)]
    name = places[0].relative_to(here) if places else path
    return cut(str(name), MAX_JOB_TYPE_BYTES)


def typed_sweep(folder: str) -> str:
    """The job type of the runs of a folder that the user typed.

    Prints a note where no sweep was started in it: its runs may be of another machine.
    """
    path = Path(folder)
    if not (path / LIST).is_file():
        print(
            f"note: {printable(str(path))}: no sweep was started here; the dashboard is empty "
            "unless W&B has runs of this name",
            file=sys.stderr,
        )
    return sweep_name(folder)
