"""The dashboard of a sweep in Weights & Biases, as code.

Saved once, the workspace shows the runs of a project that `logger=wandb` has logged.
"""

import math
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rmlr_lightning.errors import UserError
from rmlr_lightning.files import check_outputs, write_atomic
from rmlr_lightning.report.columns import PROJECT
from rmlr_lightning.report.curves import NORM_AT, metric_title
from rmlr_lightning.report.measures import shown_keys
from rmlr_lightning.report.run_folders import run_folders

LOSSES = ("interaction", "sentence_ire", "sentence_irm", "word_ire", "word_irm")


def workspace(
    entity: str,
    project: str = PROJECT,
    sweep: str | None = None,
    split: str = "test",
    keys: Sequence[str] = ("map_full", "map_rare", "map_non_rare", "twin_accuracy"),
) -> Any:
    """Sections for results by row, curves, classes, images, loss terms and cost.

    Runs are grouped by experiment, so that a line or a bar is a row of the ablation, and its area
    or its whisker the spread over seeds.

    Args:
        entity: user or team.
        project: of the runs.
        sweep: show the runs of this sweep folder only.
        split: of the bars; tables and images of a test are shown for "test" only.
        keys: metrics without the split, the main one first.

    Returns:
        A `wandb_workspaces.workspaces.Workspace`; its `save()` needs a login.

    Raises:
        UserError: wandb-workspaces is not installed.
    """
    try:
        import wandb_workspaces.reports.v2 as wr
        import wandb_workspaces.workspaces as ws
    except ImportError:
        raise UserError(
            "wandb-workspaces is not installed: pip install 'rmlr-lightning[dashboard]'"
        ) from None

    by_row = {"groupby": "Group", "groupby_aggfunc": "mean"}

    def bar(key: str) -> Any:
        return wr.BarPlot(
            title=f"{metric_title(key)} on {split}",
            metrics=[wr.SummaryMetric(f"{split}/{key}")],
            groupby_rangefunc="stddev",
            **by_row,
        )

    def panel(title: str, key: str) -> Any:
        return wr.MediaBrowser(title=title, media_keys=[key], num_columns=3)

    def table(name: str) -> Any:
        return wr.WeavePanelSummaryTable(table_name=name)

    def line(title: str, *metrics: str, axis: str | None = None) -> Any:
        return wr.LinePlot(
            title=title,
            x="epoch",
            y=list(metrics),
            title_y=axis,
            groupby_rangefunc="minmax",
            **by_row,
        )

    images, classes = [panel("validation", "panel/val")], []
    if split == "test":
        images += [panel("test", "panel/test"), table("images/test"), table("attention/words")]
        tables = [table(name) for name in ("per_class/test", "errors/test", "confusion/verbs")]
        classes = [ws.Section(name="Classes", panels=tables)]
    sections = [
        ws.Section(name="Results by row", panels=[bar(key) for key in keys], is_open=True),
        ws.Section(
            name="Curves",
            panels=[
                line(f"{metric_title(keys[0])} on val", f"val/{keys[0]}"),
                line("training loss", "train/loss"),
            ],
            is_open=True,
        ),
        *classes,
        ws.Section(name="Images", panels=images),
        ws.Section(
            name="Loss terms",
            panels=[
                panel
                for name in LOSSES
                for panel in (
                    line(f"loss: {name}", f"train/loss_{name}"),
                    line(f"gradient norm: {name}", f"gradient/{name}", axis=f"norm {NORM_AT}"),
                )
            ],
        ),
        ws.Section(
            name="Cost",
            panels=[
                line("images per second", "cost/images_per_second"),
                line("share of waiting for data", "cost/data_wait_share"),
                line("memory, GB", "cost/memory_gb", "cost/gpu_gb"),
                wr.RunComparer(diff_only="split"),
            ],
        ),
    ]
    # In the list of runs, too, a group is a row and its members are seeds.
    filters = [ws.Metric("JobType") == sweep] if sweep else []
    runs = ws.RunsetSettings(groupby=[ws.Metric("Group")], filters=filters)
    return ws.Workspace(
        entity=entity,
        project=project,
        name="RmLR ablation",
        sections=sections,
        runset_settings=runs,
    )


def metrics_of(folder: Path | None, split: str | None) -> tuple[str, list[str]]:
    """The split and the metrics, the main one first, that the finished runs of a folder have.

    Args:
        folder: of a sweep; it may be missing, because a dashboard needs W&B only.
        split: None: test, or val if no run was tested (`test=false`).

    Raises:
        UserError: a file of a run is damaged.
    """
    runs = run_folders(folder) if folder is not None and folder.is_dir() else ()
    values = [item for run in runs for item in (run.metrics or {}).items()]
    names = {name for name, value in values if not math.isnan(value)}
    held = {
        name: shown_keys(key.removeprefix(f"{name}/") for key in names if key.startswith(name))
        for name in ("test", "val")
    }
    split = split or ("val" if held["val"] and not held["test"] else "test")
    # nothing yet: as HICO-DET and the synthetic benchmark, whose twins are of test only
    usual = ["map_full", "map_rare", "map_non_rare", *["twin_accuracy"] * (split == "test")]
    return split, held[split] or usual


def make_dashboard(args: Namespace, sweep: str | None) -> None:
    """What `rmlr-report wandb` does: save the workspace, or write it to a file.

    Args:
        args: of the command line.
        sweep: how the runs of its sweep call it.

    Raises:
        UserError: wandb-workspaces is not installed, there is no login, or W&B refuses.
    """
    if args.json is not None:
        overwrite = None if args.overwrite else "--overwrite"
        check_outputs({f"--json {args.json}": args.json}, overwrite)
    split, keys = metrics_of(args.sweep and Path(args.sweep), args.split)
    made = workspace(args.entity, args.project, sweep, split, keys)
    if args.json is not None:
        content = made._to_model().model_dump_json(by_alias=True, exclude_none=True, indent=1)
        write_atomic(args.json, content.encode())
        print(f"workspace: {args.json}")
        return

    import wandb

    try:
        made.save()
    except (wandb.errors.Error, ValueError, OSError) as error:
        raise UserError(
            f"{args.entity}/{args.project}: the workspace was not saved ({error}); it needs "
            "`wandb login` or WANDB_API_KEY and runs in that project; --json FILE needs neither"
        ) from error
    print(f"workspace: {made.url}")
