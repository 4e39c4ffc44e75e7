"""What rmlr-score says beyond the numbers of record: intervals, breakdown, types of error, the paired test."""

from argparse import Namespace
from typing import Any

import numpy as np

from rmlr_lightning.metrics.hicodet import PairTable, match_annotations
from rmlr_lightning.metrics.vcoco import RoleTable
from rmlr_lightning.scoring.bootstrap import intervals
from rmlr_lightning.scoring.breakdown import (
    by_groups,
    by_measure,
    by_pairs_in_image,
    hoi_groups,
    measures,
)
from rmlr_lightning.scoring.error_types import diagnose
from rmlr_lightning.scoring.inputs import HICODetTruth, VCOCOFiles
from rmlr_lightning.scoring.matched import (
    MatchedDetections,
    in_order,
    matched_hicodet,
    matched_vcoco,
)
from rmlr_lightning.scoring.output import TITLES, percent, table


def hicodet_extras(
    args: Namespace, truth: HICODetTruth, found: PairTable, scores: np.ndarray
) -> dict[str, Any]:
    """The parts that were asked for, of HICO-DET detections."""
    extras: dict[str, Any] = {}
    if not (args.bootstrap or args.breakdown or args.errors):
        return extras
    images = len(truth.file_names)
    settings = matched_hicodet(
        truth.pairs, found, scores, images, truth.vocabulary, truth.image_hois
    )
    if args.bootstrap:
        extras["bootstrap"] = _intervals(settings, args)
    if args.breakdown or args.errors:
        rows, ordered = in_order(found, scores)
        _, taken = match_annotations(truth.pairs, rows, ordered, images, len(truth.vocabulary.hois))
        default = settings["default"]
    if args.breakdown:
        breakdown = {
            name: by_groups(default, groups)
            for name, groups in hoi_groups(truth.vocabulary).items()
        }
        pairs = np.bincount(truth.pairs.images, minlength=images)
        breakdown["pairs_in_image"] = by_pairs_in_image(default, pairs)
        of_truth, of_rows = measures(truth.pairs), measures(rows)
        for name, (part, slices) in of_truth.items():
            breakdown[name] = by_measure(default, part, of_rows[name][0], taken, slices)
        extras["breakdown"] = breakdown
    if args.errors:
        objects = np.array([obj for _, obj in truth.vocabulary.hois], dtype=np.int64)
        extras["errors"] = diagnose(default, truth.pairs, rows, taken, objects)
    return extras


def vcoco_extras(args: Namespace, files: VCOCOFiles, rows: RoleTable) -> dict[str, Any]:
    """The parts that were asked for, of V-COCO detections."""
    extras: dict[str, Any] = {}
    if not (args.bootstrap or args.breakdown):
        return extras
    truth = files.truth
    settings = matched_vcoco(truth, rows)
    if args.bootstrap:
        extras["bootstrap"] = _intervals(settings, args)
    if args.breakdown:
        scored = settings["scenario_1"]
        verbs = {
            name: np.array([truth.actions[a] == name for a, _ in truth.role_classes])
            for name in truth.actions
        }
        verbs = {name: chosen for name, chosen in verbs.items() if chosen.any()}
        persons = np.bincount(truth.images[truth.annotated], minlength=len(truth.image_ids))
        extras["breakdown"] = {
            "verb": by_groups(scored, verbs),
            "persons_in_image": by_pairs_in_image(scored, persons),
        }
    return extras


def extras_text(extras: dict[str, Any]) -> str:
    """Tables of the extras, for people."""
    parts = []
    if "bootstrap" in extras:
        rows = [
            (
                f"{TITLES[setting]} {name}",
                percent(i.value),
                percent(i.low),
                percent(i.high),
                percent(i.error),
            )
            for setting, means in extras["bootstrap"].items()
            for name, i in means.items()
        ]
        parts.append(table(("bootstrap over images", "mAP", "2.5 %", "97.5 %", "std. error"), rows))
    for name, slices in extras.get("breakdown", {}).items():
        rows = [(s.name, percent(s.ap), s.classes, s.positives, s.detections) for s in slices]
        parts.append(
            table(
                (f"by {name.replace('_', ' ')}", "mAP", "classes", "annotated", "detections"), rows
            )
        )
    if "errors" in extras:
        rows = [
            (name.replace("_", " "), e.false_positives, e.missed, percent(e.cost))
            for name, e in extras["errors"].items()
        ]
        parts.append(table(("type of error", "false positives", "missed", "costs mAP"), rows))
    return "\n\n".join(parts)


def _intervals(settings: dict[str, MatchedDetections], args: Namespace) -> dict[str, Any]:
    return {name: intervals(scored, args.bootstrap, args.seed) for name, scored in settings.items()}
