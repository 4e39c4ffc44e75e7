"""Draws the synthetic benchmark before it is read, once per machine.

The processes that draw import this file again: it must not import torch.
"""

import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rmlr_lightning.errors import UserError, counted
from rmlr_lightning.synthetic import WorldConfig
from rmlr_lightning.synthetic.write import existing, write_world


def draw_world(config: WorldConfig, out: str | Path, workers: int = 2) -> None:
    """Draw the synthetic benchmark with a progress bar, unless `out` holds it already.

    Args:
        config: sizes, seed and content of the benchmark.
        out: the folder to write.
        workers: drawing processes.

    Raises:
        UserError: `out` holds something else, the settings are not valid, or the disk refuses.
    """
    console = Console()
    try:
        if existing(Path(out), config):
            console.print(
                f"{out}: the synthetic benchmark is here already (same settings and seed); "
                "nothing to do",
                soft_wrap=True,
                markup=False,
            )
            return
        start = time.perf_counter()
        facts = _draw_with_progress(config, out, workers, console)
    except (ValueError, OSError) as error:
        raise UserError(str(error)) from error

    images, seconds = sum(facts["images"].values()), time.perf_counter() - start
    console.print(
        f"{out}: {counted(images, 'image')}, {counted(len(facts['hois']), 'HOI')}, "
        f"{counted(len(facts['twins']), 'twin couple')} "
        f"in {seconds:.0f} s ({images / seconds:.0f} images/s); see contact_sheet.png there",
        soft_wrap=True,
        markup=False,  # a folder's name may have brackets
    )


def _draw_with_progress(
    config: WorldConfig, out: str | Path, workers: int, console: Console
) -> dict:
    columns = (TextColumn("drawing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("images", total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        return write_world(config, out, workers, progress)
