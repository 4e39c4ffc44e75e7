"""From the files that rmlr-score is called with to the arrays of the metrics."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rmlr_lightning.annotations.any_layout import read_pairs
from rmlr_lightning.annotations.vcoco_official import read_vcoco_official
from rmlr_lightning.errors import UserError, counted
from rmlr_lightning.metrics.hicodet import PairTable
from rmlr_lightning.metrics.vcoco import RoleTable
from rmlr_lightning.metrics.vcoco_truth import VCOCOTruth, vcoco_truth
from rmlr_lightning.scoring.detections_file import read_pair_detections, read_role_detections
from rmlr_lightning.vocabulary import Vocabulary, hicodet


class HICODetTruth(NamedTuple):
    """The annotated pairs of a split."""

    vocabulary: Vocabulary
    file_names: list[str]
    pairs: PairTable
    image_hois: list[frozenset[int]]


class VCOCOFiles(NamedTuple):
    """V-COCO's ground truth, and the ids of all images that exist."""

    truth: VCOCOTruth
    also_known: list[int]


def note(message: str) -> None:
    """Print to standard error: standard output has the results only."""
    print(message, file=sys.stderr)


def hicodet_truth(args: Namespace) -> HICODetTruth:
    """`--ground-truth`: anno_bbox.mat [anno.mat], or a json; also one with relations."""
    path, labels = _files(args.ground_truth, ("the annotations", "anno.mat"))
    labels = args.image_labels or labels
    # The official archive has anno.mat beside anno_bbox.mat.
    beside = Path(path).with_name("anno.mat")
    if labels is None and Path(path).suffix == ".mat" and beside.is_file():
        note(f"note: image-level labels for Known Object from {beside}")
        labels = beside
    read = read_pairs(path, args.split, labels)
    targets = read.targets
    pairs = PairTable(
        np.repeat(
            np.arange(len(targets), dtype=np.int32), [len(target.hois) for target in targets]
        ),
        np.concatenate([target.boxes_h.numpy() for target in targets]),
        np.concatenate([target.boxes_o.numpy() for target in targets]),
        np.concatenate([target.hois.numpy() for target in targets]),
    )
    image_hois = [target.image_hois for target in targets]
    if None in image_hois:
        official = (
            " For the official numbers add anno.mat with --image-labels"
            if read.vocabulary.verbs == hicodet().verbs
            else ""
        )
        note(
            f"warning: {path} has no image-level labels; Known Object uses the labels of the "
            f"annotated pairs.{official}"
        )
        image_hois = [frozenset(target.hois.tolist()) for target in targets]
    return HICODetTruth(
        read.vocabulary, [target.file_name for target in targets], pairs, image_hois
    )


def hicodet_detections(path: str, truth: HICODetTruth) -> tuple[PairTable, np.ndarray]:
    """A detection file on these images."""
    found = read_pair_detections(path, truth.file_names, truth.vocabulary)
    if found.listed < len(truth.file_names):
        missing = len(truth.file_names) - found.listed
        note(
            f"warning: {path} does not list {counted(missing, 'image')} of the ground truth, which "
            "count as images without detections"
        )
    return found.pairs, found.scores


def vcoco_files(args: Namespace) -> VCOCOFiles:
    """`--ground-truth`: one file with all, or vcoco_*.json, COCO's instances and the ids."""
    path, instances, ids = _files(args.ground_truth, ("the actions", "COCO's instances", "the ids"))
    official = read_vcoco_official(path, args.instances or instances, args.ids or ids)
    truth = vcoco_truth(official.coco, official.actions, official.ids)
    return VCOCOFiles(truth, [image["id"] for image in official.coco["images"]])


def vcoco_detections(path: str, files: VCOCOFiles) -> RoleTable:
    """A detection file on these images."""
    found = read_role_detections(path, files.truth, files.also_known)
    if found.left_out:
        note(
            f"warning: {path} has {counted(found.left_out, 'row')} on images that are not to be "
            "scored: left out"
        )
    return found.rows


def _files(paths: list[str], kinds: tuple[str, ...]) -> list[str | None]:
    """One path of each kind, None where there are fewer."""
    if len(paths) > len(kinds):
        raise UserError(
            f"--ground-truth takes at most {len(kinds)} files here ({', '.join(kinds)}), not "
            f"{len(paths)}"
        )
    return [*paths, *[None] * (len(kinds) - len(paths))]
