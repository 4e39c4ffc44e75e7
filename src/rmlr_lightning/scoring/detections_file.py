"""Detections of a whole test set in a file: npz, json with the same keys, or V-COCO's pickle.

- HICO-DET: file_names (I,), image (K,) index into file_names, boxes_h and boxes_o (K, 4) xyxy in
  continuous 0-based pixels, objects (K,) COCO index, verbs (K,), scores (K,).
- V-COCO: image_ids (K,) COCO ids, boxes_h, boxes_o (K, 4; NaN or all zero = empty role), actions
  (K,), roles (K,; 0 = agent), scores (K,). Or the official list of one dictionary per person, as
  pickle or json.

The order of the rows of an image is the order of ties.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rmlr_lightning.errors import UserError
from rmlr_lightning.metrics.hicodet import PairTable
from rmlr_lightning.metrics.vcoco import RoleTable
from rmlr_lightning.metrics.vcoco_truth import VCOCOTruth
from rmlr_lightning.scoring.detection_columns import INVERTED, Columns, read_content
from rmlr_lightning.scoring.official_pickle import roles_of_persons, unpickle
from rmlr_lightning.vocabulary import Vocabulary


class PairDetections(NamedTuple):
    """A HICO-DET detection file, on the images of the truth."""

    pairs: PairTable
    scores: np.ndarray  # (K,)
    listed: int  # images of the truth that the file lists, with or without rows


class RoleRows(NamedTuple):
    """A V-COCO detection file, on the images of the truth."""

    rows: RoleTable
    left_out: int  # rows on images of the COCO file that are not to be scored


def dataset_of(path: str | PathLike[str]) -> str:
    """ "hicodet" or "vcoco", by the keys of a detection file.

    Raises:
        UserError: neither.
    """
    content = read_content(Path(path))
    if isinstance(content, dict) and "file_names" in content:
        return "hicodet"
    if isinstance(content, (bytes, list)) or (isinstance(content, dict) and "image_ids" in content):
        return "vcoco"
    raise UserError(
        f"{path}: neither HICO-DET detections (file_names, ...) nor V-COCO's (image_ids, ...)"
    )


def read_pair_detections(
    path: str | PathLike[str], file_names: Sequence[str], vocabulary: Vocabulary
) -> PairDetections:
    """Read HICO-DET detections.

    Args:
        path: npz or json, plain or gzip.
        file_names: of the truth, in its order.
        vocabulary: of the truth.

    Raises:
        UserError: damaged, wrong shapes, NaN, an unknown verb or object, or an image that is not in
            the ground truth.
    """
    path = Path(path)
    content = read_content(path)
    if not isinstance(content, dict):
        raise UserError(
            f"{path}: not HICO-DET detections: expected an npz or json with file_names, image, "
            "boxes_h, ..."
        )
    columns = Columns(path, content)
    names = columns.names("file_names")
    place = {name: index for index, name in enumerate(file_names)}
    unknown = [name for name in names if name not in place]
    if unknown:
        raise columns.error(
            f"file_names lists {unknown[0]!r} ({len(unknown)} such), which is not in the ground "
            "truth; score the same split"
        )

    image = columns.integers("image", len(names), "the images of file_names")
    boxes_h, boxes_o = columns.boxes("boxes_h"), columns.boxes("boxes_o")
    objects = columns.integers("objects", len(vocabulary.objects), "the objects of the truth")
    verbs = columns.integers("verbs", len(vocabulary.verbs), "the verbs of the truth")
    scores = columns.numbers("scores")

    # The file may list the images in an order of its own.
    places = np.array([place[name] for name in names], dtype=np.int32)
    if not np.array_equal(places, np.arange(len(places))):
        image = places[image]
    hois = vocabulary.hoi_table()[objects, verbs].astype(np.int32)
    return PairDetections(PairTable(image, boxes_h, boxes_o, hois), scores, len(names))


def read_role_detections(
    path: str | PathLike[str], truth: VCOCOTruth, also_known: Sequence[int] = ()
) -> RoleRows:
    """Read V-COCO detections.

    Args:
        path: npz, json or the official pickle; plain or gzip. A pickle is not executed.
        truth: of the images to score.
        also_known: ids of images that exist but are not to be scored; their rows are left out, as
            the official script does.

    Raises:
        UserError: damaged, wrong shapes, NaN scores, an unknown action or role, or an image that is
            not in the ground truth.
    """
    path = Path(path)
    content = read_content(path)
    # Anything that is neither npz nor json is taken for a pickle.
    if isinstance(content, bytes):
        content = unpickle(content, str(path))
    columns = Columns(path, content if isinstance(content, dict) else {})
    if isinstance(content, dict):
        image_ids = columns.integers("image_ids", None, "")
        rows = RoleTable(
            image_ids,
            columns.boxes("boxes_h"),
            columns.boxes("boxes_o", missing=True),
            columns.integers("actions", len(truth.actions), "V-COCO's actions"),
            columns.integers("roles", truth.objects.shape[2] + 1, "roles"),
            columns.numbers("scores"),
        )
    else:
        image_ids, rows = roles_of_persons(content, truth.actions, truth.roles, str(path))
        bad = ~np.isfinite(rows.boxes_h).all(axis=1)
        if bad.any():
            raise columns.error(
                f"person_box of person {rows.images[np.flatnonzero(bad)[0]]} must be four numbers"
            )
        for what, boxes in (("person_box", rows.boxes_h), ("an object's box", rows.boxes_o)):
            bad = (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
            if bad.any():
                person = rows.images[np.flatnonzero(bad)[0]]
                raise columns.error(f"{what} of person {person} {INVERTED}")
        if not np.isfinite(rows.scores).all():  # rows with NaN have been left out
            raise columns.error("a score is infinite")
    _check_roles(columns, rows, truth)

    # Map COCO ids to the index in the ground truth, once per image.
    known, where = np.unique(image_ids, return_inverse=True)
    place = {image_id: index for index, image_id in enumerate(truth.image_ids.tolist())}
    places = np.array([place.get(image_id, -1) for image_id in known.tolist()], dtype=np.int64)
    elsewhere = set(known[places < 0].tolist()) - set(also_known)
    if elsewhere:
        raise columns.error(
            f"image {min(elsewhere)} ({len(elsewhere)} such) is not in the ground truth; score the "
            "same split"
        )
    images = places[where.reshape(-1)]
    keep = images >= 0
    rows = rows._replace(images=images)
    if not keep.all():
        rows = RoleTable(*(column[keep] for column in rows))
    return RoleRows(rows, int((~keep).sum()))


def _check_roles(columns: Columns, rows: RoleTable, truth: VCOCOTruth) -> None:
    # Actions have 1 to 3 roles: a role can be in range and still not belong to its action.
    roles = np.array([len(roles) for roles in truth.roles], dtype=np.int64)
    wrong = np.flatnonzero(rows.roles >= roles[rows.actions])
    if len(wrong):
        row = wrong[0]
        action = rows.actions[row]
        raise columns.error(
            f"row {row} has role {rows.roles[row]} of {truth.actions[action]!r}, whose roles are "
            f"0..{roles[action] - 1}"
        )
    is_box = np.isfinite(rows.boxes_o).all(axis=1)
    is_empty = np.isnan(rows.boxes_o).all(axis=1)
    partial = np.flatnonzero((rows.roles > 0) & ~is_box & ~is_empty)
    if len(partial):
        raise columns.error(
            f"boxes_o[{partial[0]}] must be four numbers, or four NaN or zeros for an empty role"
        )
