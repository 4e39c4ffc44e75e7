"""V-COCO's own layout: actions refer by id to persons and objects of COCO's instances.

`vcoco_*.json` is a list of the 26 actions, each with action_name, role_name ("agent" first), include and, over N
persons: image_id, ann_id, label (1: does it) and role_object_id (R blocks of N annotation ids, 0 = no object).
Everything that an evaluator or a data set reads later is checked here, once.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rmlr_lightning.annotations.coco_instances import (
    LARGEST_ID,
    checked_ids,
    checked_instances,
    read_ids,
    read_instances,
)
from rmlr_lightning.annotations.columns import integers_of
from rmlr_lightning.annotations.file import AnnotationFile, shown
from rmlr_lightning.annotations.rows import Pictures, Rows
from rmlr_lightning.vocabulary import COCO_INDEX_OF_CATEGORY, vcoco_action_roles, vcoco_actions

EXPECTED = "V-COCO's vcoco_{train,val,trainval,test}.json with COCO's instances json"
SOURCE = (
    "get V-COCO from https://github.com/s-gupta/v-coco (json also from https://github.com/fredzzhang/vcoco) and "
    "COCO's 2014 instances from https://cocodataset.org, or make the embedded world with `rmlr-prepare synthetic`"
)
_LIMITS = {"image_id": LARGEST_ID, "ann_id": LARGEST_ID, "label": 2, "role_object_id": LARGEST_ID}


class VCOCOOfficial(NamedTuple):
    """What the official files say, checked, for the evaluator."""

    coco: dict  # COCO instances: images, annotations, categories
    actions: list[dict]  # the 26 actions of `vcoco_*.json`, in the official order
    ids: list[int]  # the images to score; the other two may speak of more


def read_vcoco_official(
    vcoco_json: str | PathLike[str],
    instances: str | PathLike[str] | None = None,
    ids: str | PathLike[str] | Sequence[int] | None = None,
) -> VCOCOOfficial:
    """Read the official layout: `vcoco_*.json` and COCO's instances, or one file {"coco", "vcoco", "ids"} with all.

    Args:
        vcoco_json: the actions, or the single file; plain or gzip, as the others.
        instances: COCO's instances json; only the single file does without.
        ids: image ids, as a list or a file of them. By default the single file's, or all images with annotated persons.

    Raises:
        AnnotationError: a file is missing, broken, of another layout, or contradicts another.
    """
    file = AnnotationFile(Path(vcoco_json), EXPECTED, SOURCE)
    return resolve(file, file.json(), instances, ids)


def resolve(
    file: AnnotationFile,
    document: Any,
    instances: str | PathLike[str] | None,
    ids: str | PathLike[str] | Sequence[int] | None,
) -> VCOCOOfficial:
    """As `read_vcoco_official`, for a file that has been parsed."""
    own = None
    if isinstance(document, dict) and "vcoco" in document:
        actions = file.member(document, "vcoco", list)
        if instances is None:
            coco = checked_instances(file, file.member(document, "coco", dict))
        if ids is None:
            own = checked_ids(file, file.member(document, "ids", list))
    else:
        actions = document
        if instances is None:
            raise file.error(
                "the official layout has no boxes of its own: COCO's instances json is needed too"
            )
    if instances is not None:
        coco = read_instances(instances)
    _check_actions(file, actions)
    if ids is not None:
        chosen = read_ids(ids)
    else:
        chosen = (
            own
            if own is not None
            else sorted({image for action in actions for image in action["image_id"]})
        )
    known = {image["id"] for image in coco["images"]}
    absent = [image_id for image_id in chosen if image_id not in known]
    if absent:
        raise file.error(f"COCO's instances lack {len(absent)} of the images, {absent[0]} first")
    _check_references(file, actions, coco, set(chosen))
    return VCOCOOfficial(coco, actions, chosen)


def official_rows(file: AnnotationFile, official: VCOCOOfficial) -> tuple[Pictures, Rows]:
    """The interactions of the 24 action-roles, by image, then action, role and person."""
    position = {image_id: i for i, image_id in enumerate(official.ids)}
    images = {image["id"]: image for image in official.coco["images"] if image["id"] in position}
    entities = [entity for entity in official.coco["annotations"] if entity["image_id"] in position]
    row_of = {entity["id"]: i for i, entity in enumerate(entities)}
    xywh = np.array([entity["bbox"] for entity in entities], dtype=np.float64).reshape(-1, 4)
    boxes = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
    objects = np.array(
        [COCO_INDEX_OF_CATEGORY[entity["category_id"]] for entity in entities], dtype=np.int64
    )
    # an empty role is the row after the last
    boxes, objects = (
        np.concatenate([boxes, np.full((1, 4), np.nan)]),
        np.concatenate([objects, [-1]]),
    )

    found = []
    for verb, (a, role) in enumerate(vcoco_action_roles()):
        action = official.actions[a]
        persons = len(action["ann_id"])
        linked = action["role_object_id"][role * persons : (role + 1) * persons]
        columns = (action["image_id"], action["ann_id"], action["label"], linked)
        for image_id, person, label, obj in zip(*columns, strict=True):
            if label and image_id in position:
                found.append(
                    (
                        position[image_id],
                        row_of[person],
                        row_of[obj] if obj else len(entities),
                        verb,
                    )
                )
    image, human, obj, verb = (
        np.array(sorted(found, key=lambda row: row[0]), dtype=np.int64).reshape(-1, 4).T
    )
    names = [images[image_id]["file_name"] for image_id in official.ids]
    file.check_names(names, "file_name of COCO's instances")
    sizes = [(images[image_id]["height"], images[image_id]["width"]) for image_id in official.ids]
    pictures = Pictures(names, official.ids, np.array(sizes, dtype=np.int64).reshape(-1, 2))
    return pictures, Rows(image, boxes[human], boxes[obj], objects[obj], verb)


def _check_actions(file: AnnotationFile, actions: Any) -> None:
    known = vcoco_actions()
    if not isinstance(actions, list) or len(actions) != len(known):
        raise file.error(f"the actions are {shown(actions)}, not a list of V-COCO's {len(known)}")
    for i, (action, (name, roles, _)) in enumerate(zip(actions, known, strict=True)):
        found = file.member(action, "action_name", str, f"action {i}")
        found_roles = file.member(action, "role_name", list, f"action {i}")
        if found != name or tuple(found_roles) != roles:
            raise file.error(
                f"action {i} is {shown(found)} with roles {str(found_roles)[:60]}, not {name} {list(roles)}"
            )
        columns = [file.member(action, key, list, f"action {name}") for key in _LIMITS]
        for (key, limit), column in zip(_LIMITS.items(), columns, strict=True):
            integers_of(file, [column], [name], key, 0, limit, noun="action")
            if not all(type(value) is int for value in column):
                raise file.error(f"{key} of action {name} is not always an integer")
        lengths = [len(column) for column in columns]
        if lengths != [lengths[0]] * 3 + [lengths[0] * len(roles)]:
            raise file.error(f"{', '.join(_LIMITS)} of action {name} have lengths {lengths}")


def _check_references(
    file: AnnotationFile, actions: list[dict], coco: dict, chosen: set[int]
) -> None:
    image_of = {
        entity["id"]: entity["image_id"]
        for entity in coco["annotations"]
        if entity["image_id"] in chosen
    }
    for action in actions:
        images, persons = action["image_id"], len(action["ann_id"])
        for i, entity in enumerate([*action["ann_id"], *action["role_object_id"]]):
            image = images[i % persons]
            # an entity of another image would give a pair across images; 0 is an empty role, but no person
            if image in chosen and (entity or i < persons) and image_of.get(entity) != image:
                raise file.error(
                    f"action {action['action_name']} refers to annotation {entity} in image {image}, which COCO's "
                    "instances do not have there"
                )
