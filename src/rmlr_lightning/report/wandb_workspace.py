"""The dashboard of a sweep in Weights & Biases, as code.

Saved once, the workspace shows the runs of a project that `logger=wandb` has logged.
"""

from argparse import Namespace
from typing import Any

from rmlr_lightning.errors import UserError
from rmlr_lightning.files import check_outputs, write_atomic
from rmlr_lightning.report.columns import PROJECT
from rmlr_lightning.report.curves import NORM_AT

MAIN, TWINS = "val/map_full", "test/twin_accuracy"
TESTED = ("test/map_full", "test/map_rare", "test/map_non_rare", TWINS)
LOSSES = ("interaction", "sentence_ire", "sentence_irm", "word_ire", "word_irm")


def workspace(entity: str, project: str = PROJECT, sweep: str | None = None) -> Any:
    """Sections for results by row, curves, classes, images, loss terms and cost.

    Runs are grouped by experiment, so that a line or a bar is a row of the ablation, and its area
    or its whisker the spread over seeds.

    Args:
        entity: user or team.
        project: of the runs.
        sweep: show the runs of this sweep folder only.

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

    def bar(metric: str) -> Any:
        return wr.BarPlot(
            title=metric, metrics=[wr.SummaryMetric(metric)], groupby_rangefunc="stddev", **by_row
        )

    def line(title: str, *metrics: str, axis: str | None = None) -> Any:
        return wr.LinePlot(
            title=title,
            x="epoch",
            y=list(metrics),
            title_y=axis,
            groupby_rangefunc="minmax",
            **by_row,
        )

    sections = [
        ws.Section(name="Results by row", panels=[bar(m) for m in TESTED], is_open=True),
        ws.Section(
            name="Curves",
            panels=[line("validation mAP", MAIN), line("training loss", "train/loss")],
            is_open=True,
        ),
        ws.Section(
            name="Classes",
            panels=[
                wr.WeavePanelSummaryTable(table_name=name)
                for name in ("per_class/test", "errors/test", "confusion/verbs")
            ],
        ),
        ws.Section(
            name="Images",
            panels=[
                wr.MediaBrowser(title="validation", media_keys=["panel/val"], num_columns=3),
                wr.MediaBrowser(title="test", media_keys=["panel/test"], num_columns=3),
                wr.WeavePanelSummaryTable(table_name="images/test"),
                wr.WeavePanelSummaryTable(table_name="attention/words"),
            ],
        ),
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


def make_dashboard(args: Namespace) -> None:
    """What `rmlr-report wandb` does: save the workspace, or write it to a file.

    Raises:
        UserError: wandb-workspaces is not installed, there is no login, or W&B refuses.
    """
    if args.json is not None:
        overwrite = None if args.overwrite else "--overwrite"
        check_outputs({f"--json {args.json}": args.json}, overwrite)
    made = workspace(args.entity, args.project, args.sweep)
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
