"""The commands of rmlr-score, by name."""

import argparse
from typing import Any

from rmlr_lightning.files import check_outputs, write_atomic
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
from rmlr_lightning.scoring.matched import MatchedDetections, matched_hicodet, matched_vcoco
from rmlr_lightning.scoring.output import TITLES, as_json, per_class_csv, percent, plot_png, table

MEANS = {
    "scenario_1": ("mean24", "mean25"),
    "scenario_2": ("mean24", "mean25"),
    "agent": ("mean26",),
}


def hicodet(args: argparse.Namespace) -> None:
    """mAP of HICO-DET detections, Default and Known Object."""
    _check_outputs(args)
    truth = hicodet_truth(args)
    found, scores = hicodet_detections(args.detections, truth)
    images = len(truth.file_names)
    results = score_hicodet(truth.pairs, found, scores, images, truth.vocabulary, truth.image_hois)
    extras = hicodet_extras(args, truth, found, scores)

    names = [truth.vocabulary.hoi_name(hoi) for hoi in range(len(truth.vocabulary.hois))]
    report, rows = {}, []
    for name, r in results.items():
        report[name] = {"full": r.full, "rare": r.rare, "non_rare": r.non_rare, "ap": r.ap}
        rows.append((TITLES[name], percent(r.full), percent(r.rare), percent(r.non_rare)))
    text = table((f"mAP (%), {len(names)} classes", "full", "rare", "non-rare"), rows)
    _write(args, results, dict.fromkeys(results, names), report | extras, text, extras)


def vcoco(args: argparse.Namespace) -> None:
    """Role AP (Scenario 1 and 2) and agent AP of V-COCO detections."""
    _check_outputs(args)
    files = vcoco_files(args)
    detections = vcoco_detections(args.detections, files)
    results = score_vcoco(files.truth, detections)
    extras = vcoco_extras(args, files, detections)

    report, rows = {}, []
    for name, result in results.items():
        means = {key: result.mean24 if key == "mean24" else result.mean for key in MEANS[name]}
        report[name] = means | {"ap": dict(zip(result.names, result.ap.tolist(), strict=True))}
        for key, value in means.items():
            rows.append((f"{TITLES[name]}, {key.removeprefix('mean')} classes", percent(value)))
    text = table(("mean AP (%)", ""), rows)
    names = {name: result.names for name, result in results.items()}
    _write(args, results, names, report | extras, text, extras)


def compare(args: argparse.Namespace) -> None:
    """Difference between two detection files, by paired bootstrap over images."""
    a, b = _matched(args)
    report = {name: paired(a[name], b[name], args.bootstrap, args.seed) for name in a}
    if args.json:
        print(as_json(report | {"draws": args.bootstrap, "seed": args.seed}))
        return

    rows = []
    for setting, means in report.items():
        for name, d in means.items():
            values = (percent(value) for value in (d.a, d.b, d.gain, d.low, d.high))
            rows.append((f"{TITLES[setting]} {name}", *values, f"{d.p:.4f}"))
    print(table(("mean AP (%)", "A", "B", "B - A", "2.5 %", "97.5 %", "p"), rows))


def _matched(args: argparse.Namespace) -> list[dict[str, MatchedDetections]]:
    """Both files of `compare` after matching."""
    paths = (args.a, args.b)
    if (args.dataset or dataset_of(args.a)) == "vcoco":
        files = vcoco_files(args)
        return [matched_vcoco(files.truth, vcoco_detections(path, files)) for path in paths]

    truth = hicodet_truth(args)
    images = len(truth.file_names)
    out = []
    for path in paths:
        found, scores = hicodet_detections(path, truth)
        out.append(
            matched_hicodet(truth.pairs, found, scores, images, truth.vocabulary, truth.image_hois)
        )
    return out


def _check_outputs(args: argparse.Namespace) -> None:
    """Before the files are read, which can take minutes."""
    files = {"--per-class": args.per_class, "--plot": args.plot}
    outputs = {f"{option} {path}": path for option, path in files.items() if path}
    check_outputs(outputs, None if args.overwrite else "--overwrite", folders=False)


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
