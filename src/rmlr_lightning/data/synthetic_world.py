"""Draws the synthetic benchmark before it is read, once per machine."""

import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rmlr_lightning.errors import UserError
from rmlr_lightning.synthetic import WorldConfig


def draw_world(config: WorldConfig, out: str | Path, workers: int = 2) -> None:
    """Draw a world with a progress bar, unless it is there already; what training does before it reads its data.

    Raises:
        UserError: `out` holds something else, or the disk or the settings do not allow it.
    """
    # Each worker process imports this file again, as the main module: it must not bring torch.
    from rmlr_lightning.synthetic.write import existing, write_world

    console = Console()
    try:
        if existing(Path(out), config):
            console.print(
                f"{out}: this very world is here already (same settings and seed); nothing to do",
                soft_wrap=True,
            )
            return
        start = time.perf_counter()
        columns = (TextColumn("drawing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("images", total=None)
            facts = write_world(
                config,
                out,
                workers,
                lambda done, total: bar.update(task, completed=done, total=total),
            )
    except (ValueError, OSError) as error:
        raise UserError(str(error)) from error
    images, seconds = sum(facts["images"].values()), time.perf_counter() - start
    console.print(
        f"{out}: {images} images, {len(facts['hois'])} HOIs, {len(facts['twins'])} twin couples "
        f"in {seconds:.0f} s ({images / seconds:.0f} images/s); see contact_sheet.png there",
        soft_wrap=True,
    )
