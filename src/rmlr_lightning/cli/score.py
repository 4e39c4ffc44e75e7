"""rmlr-score: the numbers of record of a file of detections, from any code base."""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from rmlr_lightning.errors import UserError
from rmlr_lightning.files import write_atomic
from rmlr_lightning.metrics.hicodet import score_hicodet
from rmlr_lightning.metrics.vcoco import score_vcoco
from rmlr_lightning.scoring.analysis import extras_text, hicodet_extras, vcoco_extras
from rmlr_lightning.scoring.bootstrap import paired
from rmlr_lightning.scoring.detections_file import dataset_of
from rmlr_lightning.scoring.inputs import (
    hicodet_detections,
    hicodet_truth,
    vcoco_detections,
    vcoco_files,
)
from rmlr_lightning.scoring.matched import matched_hicodet, matched_vcoco
from rmlr_lightning.scoring.output import TITLES, as_json, per_class_csv, percent, plot_png, table

MEANS = {
    "scenario_1": ("mean24", "mean25"),
    "scenario_2": ("mean24", "mean25"),
    "agent": ("mean26",),
}


def hicodet(args: argparse.Namespace) -> None:
    """Default and Known Object."""
    truth = hicodet_truth(args)
    found, scores = hicodet_detections(args.detections, truth)
    images = len(truth.file_names)
    results = score_hicodet(truth.pairs, found, scores, images, truth.vocabulary, truth.image_hois)
    extras = hicodet_extras(args, truth, found, scores)
    names = [truth.vocabulary.hoi_name(hoi) for hoi in range(len(truth.vocabulary.hois))]
    report = {
        name: {"full": r.full, "rare": r.rare, "non_rare": r.non_rare, "ap": r.ap}
        for name, r in results.items()
    }
    rows = [
        (TITLES[name], percent(r.full), percent(r.rare), percent(r.non_rare))
        for name, r in results.items()
    ]
    text = table((f"mAP (%), {len(names)} classes", "full", "rare", "non-rare"), rows)
    _write(args, results, dict.fromkeys(results, names), report | extras, text, extras)


def vcoco(args: argparse.Namespace) -> None:
    """Scenario 1 and 2, and agents."""
    files = vcoco_files(args)
    rows = vcoco_detections(args.detections, files)
    results = score_vcoco(files.truth, rows)
    extras = vcoco_extras(args, files, rows)
    report, lines = {}, []
    for name, result in results.items():
        means = {key: result.mean24 if key == "mean24" else result.mean for key in MEANS[name]}
        report[name] = means | {"ap": dict(zip(result.names, result.ap.tolist(), strict=True))}
        lines += [
            (f"{TITLES[name]}, {key[4:]} classes", percent(value)) for key, value in means.items()
        ]
    text = table(("mean AP (%)", ""), lines)
    _write(
        args, results, {name: r.names for name, r in results.items()}, report | extras, text, extras
    )


def compare(args: argparse.Namespace) -> None:
    """Is B better than A? The paired bootstrap over images."""
    dataset = args.dataset or dataset_of(args.a)
    if dataset == "hicodet":
        truth = hicodet_truth(args)
        a, b = (
            matched_hicodet(truth.pairs, *hicodet_detections(path, truth), len(truth.file_names), truth.vocabulary,
                           truth.image_hois)
            for path in (args.a, args.b)
        )  # fmt: skip
    else:
        files = vcoco_files(args)
        a, b = (
            matched_vcoco(files.truth, vcoco_detections(path, files)) for path in (args.a, args.b)
        )
    report = {name: paired(a[name], b[name], args.bootstrap, args.seed) for name in a}
    if args.json:
        print(as_json(report | {"draws": args.bootstrap, "seed": args.seed}))
        return
    rows = [
        (
            f"{TITLES[setting]} {name}",
            *(percent(v) for v in (d.a, d.b, d.gain, d.low, d.high)),
            f"{d.p:.4f}",
        )
        for setting, means in report.items()
        for name, d in means.items()
    ]
    print(table(("mean AP (%)", "A", "B", "B - A", "2.5 %", "97.5 %", "p"), rows))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(prog="rmlr-score", description=__doc__, allow_abbrev=False)
    commands = out.add_subparsers(dest="command", required=True, metavar="{hicodet,vcoco,compare}")
    for name, run in (("hicodet", hicodet), ("vcoco", vcoco), ("compare", compare)):
        command = commands.add_parser(
            name, help=run.__doc__, description=run.__doc__, allow_abbrev=False
        )
        command.set_defaults(run=run)
        command.add_argument(
            "--ground-truth", nargs="+", required=True, metavar="FILE",
            help="HICO-DET: anno_bbox.mat [anno.mat] or UPT's json. V-COCO: one file with coco, vcoco and ids, or "
            "vcoco_*.json with COCO's instances and the ids",
        )  # fmt: skip
        if name == "compare":
            command.add_argument("a", metavar="A", help="detections")
            command.add_argument("b", metavar="B", help="detections of the same images")
            command.add_argument(
                "--dataset", choices=("hicodet", "vcoco"), help="told by the keys of A if not given"
            )
        else:
            command.add_argument(
                "--detections", required=True, metavar="FILE", help="npz, json, or V-COCO's pickle"
            )
            command.add_argument(
                "--per-class", metavar="CSV", help="write AP, recall and counts of every class"
            )
            command.add_argument("--plot", metavar="PNG", help="draw the AP of every class")
            command.add_argument(
                "--breakdown", action="store_true", help="AP by verb, object, crowd, size, distance"
            )
        if name == "hicodet":
            command.add_argument(
                "--errors", action="store_true", help="types of error and the mAP that each costs"
            )
        if name != "vcoco":
            command.add_argument(
                "--image-labels", metavar="FILE", help="anno.mat, for Known Object"
            )
            command.add_argument(
                "--split", choices=("train", "test"), default="test", help="of a .mat (test)"
            )
        if name != "hicodet":
            command.add_argument("--instances", metavar="FILE", help="COCO's instances json")
            command.add_argument("--ids", metavar="FILE", help="ids of the images to score")
        draws = 1000 if name == "compare" else 0
        command.add_argument(
            "--bootstrap",
            type=partial(_number, least=1),
            default=draws,
            metavar="N",
            help=f"draws of the images, for intervals ({draws})",
        )
        command.add_argument("--seed", type=_number, default=0, help="of the draws (0)")
        command.add_argument(
            "--json", action="store_true", help="one JSON object on standard output"
        )
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. Returns 0, or 2 after one line about what the user gave."""
    args = parser().parse_args(argv)
    try:
        args.run(args)
        sys.stdout.flush()
    except UserError as error:
        print(f"rmlr-score: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _write(
    args: argparse.Namespace,
    results: dict,
    names: dict,
    report: dict[str, Any],
    text: str,
    extras: dict[str, Any],
) -> None:
    if args.per_class:
        write_atomic(args.per_class, per_class_csv(results, names))
    if args.plot:
        write_atomic(args.plot, plot_png(results, names))
    if args.json:
        print(as_json(report))
        return
    print(text)
    if extras:
        print(f"\n{extras_text(extras)}")


def _number(text: str, least: int = 0) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"expected a whole number from {least}, not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
