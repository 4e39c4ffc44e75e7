"""The optional results of rmlr-score: bootstrap intervals, breakdown, types of error."""

from argparse import Namespace
from typing import Any

import numpy as np

from rmlr_lightning.metrics.hicodet import PairTable, match_annotations
from rmlr_lightning.metrics.vcoco import RoleTable
from rmlr_lightning.scoring.bootstrap import intervals
from rmlr_lightning.scoring.breakdown import by_groups, by_pairs_in_image, hicodet_breakdown
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
    """The results of --bootstrap, --breakdown and --errors for HICO-DET detections."""
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
        default = settings["default"]
        rows, sorted_scores = in_order(found, scores)
        _, annotation = match_annotations(
            truth.pairs, rows, sorted_scores, images, len(truth.vocabulary.hois)
        )
    if args.breakdown:
        extras["breakdown"] = hicodet_breakdown(
            default, truth.pairs, rows, annotation, truth.vocabulary
        )
    if args.errors:
        objects = np.array([obj for _, obj in truth.vocabulary.hois], dtype=np.int64)
        extras["errors"] = diagnose(default, truth.pairs, rows, annotation, objects)
    return extras


def vcoco_extras(args: Namespace, files: VCOCOFiles, rows: RoleTable) -> dict[str, Any]:
    """The results of --bootstrap and --breakdown for V-COCO detections."""
    extras: dict[str, Any] = {}
    if not (args.bootstrap or args.breakdown):
        return extras

    truth = files.truth
    settings = matched_vcoco(truth, rows)
    if args.bootstrap:
        extras["bootstrap"] = _intervals(settings, args)
    if args.breakdown:
        matched = settings["scenario_1"]
        verbs = {}
        for name in truth.actions:
            members = np.array([truth.actions[a] == name for a, _ in truth.role_classes])
            if members.any():
                verbs[name] = members
        persons = np.bincount(truth.images[truth.annotated], minlength=len(truth.image_ids))
        extras["breakdown"] = {
            "verb": by_groups(matched, verbs),
            "persons_in_image": by_pairs_in_image(matched, persons),
        }
    return extras


def extras_text(extras: dict[str, Any]) -> str:
    """The same as text tables."""
    parts = []
    if "bootstrap" in extras:
        header = ("bootstrap over images", "mAP", "2.5 %", "97.5 %", "std. error")
        rows = []
        for setting, means in extras["bootstrap"].items():
            for name, i in means.items():
                values = (percent(value) for value in (i.value, i.low, i.high, i.error))
                rows.append((f"{TITLES[setting]} {name}", *values))
        parts.append(table(header, rows))

    for name, slices in extras.get("breakdown", {}).items():
        header = (f"by {name.replace('_', ' ')}", "mAP", "classes", "annotated", "detections")
        rows = [(s.name, percent(s.ap), s.classes, s.positives, s.detections) for s in slices]
        parts.append(table(header, rows))

    if "errors" in extras:
        rows = [
            (name.replace("_", " "), e.false_positives, e.missed, percent(e.cost))
            for name, e in extras["errors"].items()
        ]
        parts.append(table(("type of error", "false positives", "missed", "cost in mAP"), rows))
    return "\n\n".join(parts)


def _intervals(settings: dict[str, MatchedDetections], args: Namespace) -> dict[str, Any]:
    return {
        name: intervals(matched, args.bootstrap, args.seed) for name, matched in settings.items()
    }
