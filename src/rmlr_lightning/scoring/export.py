"""Detections in the formats that the authors' own scripts, and `rmlr-score`, read.

A table of detections is a dictionary of columns: the keys of an npz, see `detections_file`.
"""

import io
import json
import pickle
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from scipy.io import savemat

from rmlr_lightning.errors import UserError
from rmlr_lightning.files import write_atomic
from rmlr_lightning.metrics.columns import column
from rmlr_lightning.metrics.detected_roles import RoleDetections
from rmlr_lightning.types import Detections
from rmlr_lightning.vocabulary import Vocabulary, vcoco_actions

Columns = Mapping[str, np.ndarray]


def pair_columns(
    file_names: Sequence[str], detections: Sequence[Detections]
) -> dict[str, np.ndarray]:
    """HICO-DET detections of a test set, one item per image, as a table."""
    items = [*detections] or [Detections(*(np.zeros(shape) for shape in ((0, 4), (0, 4), 0, 0, 0)))]
    return {
        "file_names": np.array(list(file_names), dtype=np.str_),
        "image": np.repeat(
            np.arange(len(detections), dtype=np.int32), [len(item.scores) for item in detections]
        ),
        "boxes_h": column(items, "boxes_h").astype(np.float32),
        "boxes_o": column(items, "boxes_o").astype(np.float32),
        "objects": column(items, "objects").astype(np.int16),
        "verbs": column(items, "verbs").astype(np.int16),
        "scores": column(items, "scores").astype(np.float32),
    }


def role_columns(detections: Sequence[RoleDetections]) -> dict[str, np.ndarray]:
    """V-COCO detections of a test set, one item per image, as a table."""
    items = [*detections] or [
        RoleDetections(0, *(np.zeros(shape) for shape in ((0, 4), (0, 4), 0, 0, 0)))
    ]
    # `image_id` is one number per image; the table has one per row.
    ids = np.array([item.image_id for item in detections], dtype=np.int64)
    return {
        "image_ids": np.repeat(ids, [len(item.scores) for item in detections]),
        "boxes_h": column(items, "boxes_h").astype(np.float32),
        "boxes_o": column(items, "boxes_o").astype(np.float32),
        "actions": column(items, "actions").astype(np.int16),
        "roles": column(items, "roles").astype(np.int16),
        "scores": column(items, "scores").astype(np.float32),
    }


def write_npz(path: str | PathLike[str], columns: Columns) -> None:
    """The table as a compressed npz."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **columns)
    write_atomic(path, buffer.getvalue())


def write_json(path: str | PathLike[str], columns: Columns) -> None:
    """The table as one JSON object of lists; an empty role is null."""
    lists = {key: values.tolist() for key, values in columns.items()}
    if "image_ids" in columns:
        lists["boxes_o"] = [None if box[0] != box[0] else box for box in lists["boxes_o"]]
    write_atomic(path, json.dumps(lists, allow_nan=False).encode())


def write_hicodet_matlab(
    folder: str | PathLike[str], columns: Columns, vocabulary: Vocabulary
) -> list[Path]:
    """detections_01.mat to detections_80.mat for ho-rcnn's `eval_one.m` with format = 'obj'.

    `all_boxes` of an object is a cell array (its HOIs, images) of rows [human box, object box,
    score] in float64. The script adds 1 to all corners, so they are 0-based inclusive:
    (x1, y1, x2 - 1, y2 - 1).

    Args:
        folder: made if it does not exist; the script reads
            output/EXPERIMENT/hico_det_test2015/PREFIX_iter_N.
        columns: of HICO-DET; the images in the order of the official list of the test split.
        vocabulary: of the verbs and HOIs.

    Returns:
        The files.
    """
    files = matlab_files(Path(folder), vocabulary)
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made ({error.strerror or error})") from None

    images = len(columns["file_names"])
    shift = np.array([0.0, 0.0, -1.0, -1.0])
    rows = np.concatenate(
        (
            columns["boxes_h"].astype(np.float64) + shift,
            columns["boxes_o"].astype(np.float64) + shift,
            columns["scores"].astype(np.float64)[:, None],
        ),
        axis=1,
    )

    # Sorted by HOI and then image, each cell of the array is a run of adjacent rows. The sort is
    # stable: the rows of an image keep their order.
    hois = vocabulary.hoi_table()[columns["objects"], columns["verbs"]]
    order = np.lexsort((columns["image"], hois))
    keys = hois[order].astype(np.int64) * images + columns["image"][order]

    for obj, file in enumerate(files):
        own = [hoi for hoi, (_, other) in enumerate(vocabulary.hois) if other == obj]
        cells = np.empty((len(own), images), dtype=object)
        # MATLAB needs an empty matrix in cells without detections.
        cells.fill(np.zeros((0, 0)))
        for line, hoi in enumerate(own):
            first, stop = np.searchsorted(keys, (hoi * images, (hoi + 1) * images))
            present, starts = np.unique(keys[first:stop] - hoi * images, return_index=True)
            for image, part in zip(present, np.split(order[first:stop], starts)[1:], strict=True):
                cells[line, image] = rows[part]
        buffer = io.BytesIO()
        savemat(buffer, {"all_boxes": cells}, do_compression=True)
        write_atomic(file, buffer.getvalue())
    return files


def matlab_files(folder: Path, vocabulary: Vocabulary) -> list[Path]:
    """The files that `write_hicodet_matlab` writes into a folder, one for each object."""
    return [folder / f"detections_{obj + 1:02d}.mat" for obj in range(len(vocabulary.objects))]


def write_vcoco_pickle(path: str | PathLike[str], columns: Columns) -> None:
    """The list of per-person dictionaries that V-COCO's `vsrl_eval.py` loads, for Python 2 and 3.

    A person has every key; what was not detected is NaN, which the script leaves out. A second
    object for the same action and role goes into a second dictionary with the same person box.
    """
    actions = vcoco_actions()
    names = {
        (a, r): f"{x.name}_{role}" for a, x in enumerate(actions) for r, role in enumerate(x.roles)
    }
    nan = float("nan")
    blank = {name: nan if role == 0 else [nan] * 5 for (_, role), name in names.items()}

    persons: dict[tuple, list[dict]] = {}
    used: dict[tuple, int] = {}
    lists = (
        columns[key].tolist()
        for key in ("image_ids", "boxes_h", "boxes_o", "actions", "roles", "scores")
    )
    for image_id, human, obj, action, role, score in zip(*lists, strict=True):
        person = (image_id, *human)
        number = used.get((person, action, role), 0)
        used[person, action, role] = number + 1
        own = persons.setdefault(person, [])
        # All dictionaries of this person have the key already.
        if number == len(own):
            own.append({"image_id": image_id, "person_box": human} | blank)
        own[number][names[action, role]] = score if role == 0 else [*obj, score]
    write_atomic(
        path, pickle.dumps([entry for own in persons.values() for entry in own], protocol=2)
    )
