"""What a test leaves for reports: matched detections, AP per image, breakdowns, types of error.

Everything is computed once, by the functions of `rmlr-score`. A report needs neither the data set
nor the model.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rmlr_lightning.metrics.average_precision import (
    all_points,
    curves,
    may_precede_true,
    per_class,
)
from rmlr_lightning.metrics.hicodet import PairTable, match_annotations
from rmlr_lightning.metrics.vcoco import RoleTable
from rmlr_lightning.scoring.breakdown import hicodet_breakdown
from rmlr_lightning.scoring.error_types import diagnose
from rmlr_lightning.scoring.export import pair_columns, role_columns
from rmlr_lightning.scoring.matched import (
    MatchedDetections,
    in_order,
    matched_hicodet,
    matched_vcoco,
)
from rmlr_lightning.types import Detections, Target
from rmlr_lightning.vocabulary import Vocabulary

if TYPE_CHECKING:  # it imports torchmetrics, which takes 3 seconds; reports do without
    from rmlr_lightning.metrics.vcoco_metric import VCOCORoleAP

TOP = 10  # detections of an image that are kept with their boxes
# Means of `MatchedDetections` by setting, and the keys under which a run logs them
LOGGED = {
    ("default", "full"): "map_full",
    ("default", "rare"): "map_rare",
    ("default", "non_rare"): "map_non_rare",
    ("default", "unseen"): "map_unseen",
    ("default", "seen"): "map_seen",
    ("known_object", "full"): "known_object_map_full",
    ("scenario_1", "mean24"): "role_ap_s1",
    ("scenario_2", "mean24"): "role_ap_s2",
    ("agent", "mean26"): "agent_ap",
}

Results = Sequence[tuple[Target, Detections]]  # of each image


class BestRows(NamedTuple):
    """The best detections of every image, with boxes: what images are drawn from."""

    table: PairTable
    scores: np.ndarray  # (K,)
    true: np.ndarray  # (K,) bool


class TestRecord(NamedTuple):
    """One test of one model. `matched` has no rows that cannot change an AP."""

    vocabulary: Vocabulary
    file_names: list[str]
    sizes: np.ndarray  # (I, 2) height and width
    matched: dict[str, MatchedDetections]  # by setting
    image_ap: np.ndarray  # (I,) AP of all detections of an image; NaN without annotated pairs
    truth: PairTable
    best: BestRows
    counts: np.ndarray  # (C,) detections of each HOI, before any were left out
    confusion: np.ndarray  # (O, V, V) annotated verb, best detected verb: pairs of each object
    facts: dict[str, Any]  # breakdown, errors, twins: JSON values


def make_record(
    results: Results,
    vocabulary: Vocabulary,
    unseen: Sequence[int] = (),
    roles: "VCOCORoleAP | None" = None,
    facts: Mapping[str, Any] | None = None,
) -> TestRecord:
    """Evaluate the detections of a test.

    Args:
        results: annotations and detections of each image, by ascending image id.
        vocabulary: of both.
        unseen: HOIs hidden in training.
        roles: the metric of V-COCO's role AP, where there is one.
        facts: further JSON values to keep.
    """
    # Arrays over all images first: matching and errors look at whole columns.
    targets = [target for target, _ in results]
    names = [target.file_name for target in targets]
    truth = truth_table(targets)
    columns = pair_columns(names, [found for _, found in results])
    hois = vocabulary.hoi_table()[columns["objects"], columns["verbs"]].astype(np.int32)
    found = PairTable(columns["image"], columns["boxes_h"], columns["boxes_o"], hois)
    rows, scores = in_order(found, columns["scores"])

    # The metric of the run has matched the same rows; it keeps neither boxes nor annotations.
    classes = len(vocabulary.hois)
    true, annotation = match_annotations(truth, rows, scores, len(results), classes)
    image_hois = [_image_hois(target) for target in targets]
    settings = matched_hicodet(truth, rows, scores, len(results), vocabulary, image_hois)
    # In a zero-shot run the two means that papers report beside the full one.
    if len(unseen):
        hidden = np.isin(np.arange(classes), list(unseen))
        settings = {
            name: matched._replace(means=matched.means | {"unseen": hidden, "seen": ~hidden})
            for name, matched in settings.items()
        }
    default = settings["default"]

    objects = np.array([obj for _, obj in vocabulary.hois], dtype=np.int64)
    details = dict(facts or {})
    details["breakdown"] = {
        name: [part._asdict() for part in parts]
        for name, parts in hicodet_breakdown(default, truth, rows, annotation, vocabulary).items()
    }
    details["errors"] = {
        name: cost._asdict()
        for name, cost in diagnose(default, truth, rows, annotation, objects).items()
    }
    if roles is not None:
        settings |= _role_settings(results, roles)
    return TestRecord(
        vocabulary=vocabulary,
        file_names=names,
        sizes=np.array([target.size.tolist() for target in targets], dtype=np.int32).reshape(-1, 2),
        matched={name: without_idle_rows(matched) for name, matched in settings.items()},
        image_ap=average_precision_by_image(default),
        truth=truth,
        best=best_rows(rows, scores, true),
        counts=np.bincount(rows.hois, minlength=classes),
        confusion=verb_confusion(truth, rows, scores, vocabulary),
        facts=details,
    )


def truth_table(targets: Sequence[Target]) -> PairTable:
    """The annotated pairs of all images that are HOIs; an empty role (V-COCO) is none."""
    counts = [len(target.hois) for target in targets]
    table = PairTable(
        np.repeat(np.arange(len(targets), dtype=np.int32), counts),
        *(
            np.concatenate([getattr(target, name).numpy() for target in targets])
            for name in ("boxes_h", "boxes_o", "hois")
        ),
    )
    return PairTable(*(values[table.hois >= 0] for values in table))


def average_precision_by_image(matched: MatchedDetections) -> np.ndarray:
    """AP of all detections of each image, whatever their class, (I,). NaN without annotations.

    Area under the precision envelope. It orders images; no benchmark reports it.
    """
    images = matched.num_images
    # Each image takes the place of a class: the same curves, by image.
    (points,) = curves(matched.images, matched.scores, matched.true, images)
    positives = np.bincount(matched.truth_images, minlength=images)
    ap = per_class(points, positives, all_points)
    return np.where(positives > 0, ap, np.nan)


def extremes(ap: np.ndarray, truth_images: np.ndarray, number: int) -> tuple[list[int], list[int]]:
    """The images with the highest AP, best first, and with the lowest, worst first.

    Of equal images those with more annotated pairs come first. No image is in both lists.
    """
    # Images without annotations are neither good nor bad.
    known = np.flatnonzero(~np.isnan(ap))
    pairs = np.bincount(truth_images, minlength=len(ap))[known]
    number = min(number, len(known) // 2)
    best = known[np.lexsort((-pairs, -ap[known]))][:number]
    worst = known[np.lexsort((-pairs, ap[known]))][:number]
    return best.tolist(), worst.tolist()


def without_idle_rows(matched: MatchedDetections) -> MatchedDetections:
    """The same without rows that rank behind all true positives of their class."""
    kept = may_precede_true(matched.classes, matched.scores, matched.true, len(matched.names))
    rows = np.zeros(len(matched.classes), dtype=bool)
    rows[kept] = True
    return matched.subset(rows, np.ones(len(matched.truth_classes), dtype=bool))


def best_rows(table: PairTable, scores: np.ndarray, true: np.ndarray) -> BestRows:
    """At most `TOP` rows of each image, by falling score."""
    order = np.lexsort((-scores, table.images))
    images = table.images[order]
    # the place of a row among those of its image
    place = np.arange(len(images)) - np.searchsorted(images, images)
    order = order[place < TOP]
    return BestRows(PairTable(*(column[order] for column in table)), scores[order], true[order])


def verb_confusion(
    truth: PairTable, rows: PairTable, scores: np.ndarray, vocabulary: Vocabulary
) -> np.ndarray:
    """For each object the annotated verbs, and the best detected verb at the same pair.

    A pair counts for each of its verbs. It is found where a detection of its object overlaps it by
    min(IoU_h, IoU_o) >= 0.5.

    Returns:
        (O, V, V) counts: object, annotated verb, verb of the detection with the highest score.
    """
    verbs = np.array([verb for verb, _ in vocabulary.hois], dtype=np.int64)
    objects = np.array([obj for _, obj in vocabulary.hois], dtype=np.int64)
    out = np.zeros((len(vocabulary.objects),) + 2 * (len(vocabulary.verbs),), dtype=np.int32)
    if not len(truth.hois) or not len(rows.hois):
        return out

    # The class of the matching is the object alone: scores decide which verb is taken.
    of_truth = truth._replace(hois=objects[truth.hois])
    of_rows = rows._replace(hois=objects[rows.hois])
    images = int(max(truth.images.max(), rows.images.max())) + 1
    _, annotation = match_annotations(of_truth, of_rows, scores, images, len(vocabulary.objects))
    # A detection is matched to the first of the rows that describe one pair; the others share it.
    first = _first_of_pair(of_truth)
    found = np.flatnonzero(annotation >= 0)
    best = np.full(len(truth.hois), -1, dtype=np.int64)
    found = found[np.argsort(scores[found], kind="stable")]  # the last one written is the best
    best[first[annotation[found]]] = verbs[rows.hois[found]]

    detected = best[first]
    known = detected >= 0
    np.add.at(out, (objects[truth.hois], verbs[truth.hois], detected), known.astype(np.int32))
    return out


def _first_of_pair(truth: PairTable) -> np.ndarray:
    """The first annotation with the same image, boxes and object, (G,)."""
    key = np.column_stack((truth.images, truth.boxes_h, truth.boxes_o, truth.hois))
    _, first, which = np.unique(key, axis=0, return_index=True, return_inverse=True)
    return first[which.reshape(-1)]


def _role_settings(results: Results, roles: "VCOCORoleAP") -> dict[str, MatchedDetections]:
    # The rows that the metric of role AP made of the same detections.
    detections = [roles.roles_of(target.image_id, found) for target, found in results]
    columns = role_columns(detections)
    place = {image_id: index for index, image_id in enumerate(roles.truth.image_ids.tolist())}
    images = np.array([place[i] for i in columns["image_ids"].tolist()], dtype=np.int64)
    table = RoleTable(
        images,
        *(columns[name] for name in ("boxes_h", "boxes_o", "actions", "roles", "scores")),
    )
    return matched_vcoco(roles.truth, table)


def _image_hois(target: Target) -> frozenset[int]:
    if target.image_hois is not None:
        return target.image_hois
    return frozenset(hoi for hoi in target.hois.tolist() if hoi >= 0)
