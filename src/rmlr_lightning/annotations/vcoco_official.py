"""V-COCO's own layout, in which actions refer by id to people and objects of COCO's instances.

`vcoco_*.json` is a list of the 26 actions, each with action_name, role_name ("agent" first),
include and, for N annotated people: image_id, ann_id, label (1: performs the action) and
role_object_id (R blocks of N annotation ids, 0 = no object; block 0 is the agent).

All that evaluators and data sets use is checked here, so that they need no checks of their own.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rmlr_lightning.annotations.coco_instances import (
    checked_ids,
    checked_instances,
    read_ids,
    read_instances,
    with_coco_numbers,
)
from rmlr_lightning.annotations.columns import LARGEST_ID, integers_of
from rmlr_lightning.annotations.file import AnnotationFile, shown
from rmlr_lightning.annotations.rows import ImageList, Rows
from rmlr_lightning.vocabulary import COCO_INDEX_OF_CATEGORY, vcoco_action_roles, vcoco_actions

EXPECTED = "V-COCO's vcoco_{train,val,trainval,test}.json with COCO's instances json"
HINT = (
    "get V-COCO from https://github.com/s-gupta/v-coco (json also from "
    "https://github.com/fredzzhang/vcoco) and COCO's 2014 instances from https://cocodataset.org, "
    "or make the synthetic benchmark with `rmlr-prepare synthetic`"
)
# the integer columns of an action and their limits
_LIMITS = {"image_id": LARGEST_ID, "ann_id": LARGEST_ID, "label": 2, "role_object_id": LARGEST_ID}


class VCOCOOfficial(NamedTuple):
    """Content of the official files, checked, for the evaluator."""

    coco: dict  # COCO instances: images, annotations, categories
    actions: list[dict]  # the 26 actions of `vcoco_*.json`, in the official order
    ids: list[int]  # the images to score; coco and actions may hold others, too


def read_vcoco_official(
    vcoco_json: str | PathLike[str],
    instances: str | PathLike[str] | None = None,
    ids: str | PathLike[str] | Sequence[int] | None = None,
) -> VCOCOOfficial:
    """Read `vcoco_*.json` and COCO's instances, or one file {"coco", "vcoco", "ids"} with all.

    Args:
        vcoco_json: the actions, or the single file. All files may be gzip.
        instances: COCO's instances json; optional with the single file.
        ids: image ids, as a list or a file of them. By default those of the single file, or all
            images with annotated people.

    Raises:
        AnnotationError: a file is missing, broken, of another layout, or contradicts another.
    """
    file = AnnotationFile(Path(vcoco_json), EXPECTED, HINT)
    document = file.json()
    if isinstance(document, dict) and "classes" in document:
        raise file.error(
            "UPT's layout of V-COCO, which lacks the interactions without an object that the "
            "official scores count"
        )
    if not is_official(document):
        raise file.other_layout(document, "official V-COCO")
    return parsed_official(file, document, instances, ids)


def is_official(document: Any) -> bool:
    """Whether a parsed file has the official layout: a list of actions, or the single file."""
    if isinstance(document, dict):
        return "vcoco" in document and "classes" not in document
    first = document[0] if isinstance(document, list) and document else None
    return isinstance(first, dict) and "action_name" in first


def parsed_official(
    file: AnnotationFile,
    document: Any,
    instances: str | PathLike[str] | None,
    ids: str | PathLike[str] | Sequence[int] | None,
) -> VCOCOOfficial:
    """As `read_vcoco_official`, for a file that has been parsed."""
    is_single_file = isinstance(document, dict) and "vcoco" in document
    actions = file.member(document, "vcoco", list) if is_single_file else document

    if instances is not None:
        coco = read_instances(instances)
    elif is_single_file:
        coco = with_coco_numbers(file, file.member(document, "coco", dict))
        coco = checked_instances(file, coco)
    else:
        raise file.error(
            "the official layout has no boxes of its own: COCO's instances json is needed too "
            "(`rmlr-prepare vcoco` makes instances_vcoco_all_2014.json)"
        )

    # from the outside in: the actions themselves, then that all they refer to exists
    _check_actions(file, actions)
    if ids is not None:
        image_ids = read_ids(ids)
    elif is_single_file:
        image_ids = checked_ids(file, file.member(document, "ids", list))
    else:
        image_ids = sorted({image for action in actions for image in action["image_id"]})

    known = {image["id"] for image in coco["images"]}
    absent = [image_id for image_id in image_ids if image_id not in known]
    if absent:
        raise file.error(f"COCO's instances lack {len(absent)} of the images, {absent[0]} first")
    _check_references(file, actions, coco, set(image_ids))
    return VCOCOOfficial(coco, actions, image_ids)


def official_rows(file: AnnotationFile, official: VCOCOOfficial) -> tuple[ImageList, Rows]:
    """The interactions of the 24 action-roles, by image, then action, role and person.

    Raises:
        AnnotationError: two images have the same file name.
    """
    position = {image_id: i for i, image_id in enumerate(official.ids)}
    entities = [entity for entity in official.coco["annotations"] if entity["image_id"] in position]
    row_of = {entity["id"]: i for i, entity in enumerate(entities)}
    boxes, objects = _entity_columns(entities)
    empty_role = len(entities)  # the last row of both

    found = []
    for verb, (action_index, role) in enumerate(vcoco_action_roles()):
        action = official.actions[action_index]
        people = len(action["ann_id"])
        linked = action["role_object_id"][role * people : (role + 1) * people]
        # one entry per annotated person, whether or not the person performs the action
        columns = (action["image_id"], action["ann_id"], action["label"], linked)
        for image_id, person, label, obj in zip(*columns, strict=True):
            if label and image_id in position:
                obj_row = row_of[obj] if obj else empty_role
                found.append((position[image_id], row_of[person], obj_row, verb))

    # by image; the sort is stable, so within an image the order above stays
    found.sort(key=lambda row: row[0])
    image, human, obj, verb = np.array(found, dtype=np.int64).reshape(-1, 4).T

    images = _image_list(file, official, position)
    return images, Rows(image, boxes[human], boxes[obj], objects[obj], verb)


def _entity_columns(entities: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (E + 1, 4) xyxy and COCO indices (E + 1,); the last row stands for an empty role."""
    xywh = np.array([entity["bbox"] for entity in entities], dtype=np.float64).reshape(-1, 4)
    boxes = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
    objects = [COCO_INDEX_OF_CATEGORY[entity["category_id"]] for entity in entities]
    return (
        np.concatenate([boxes, np.full((1, 4), np.nan)]),
        np.array([*objects, -1], dtype=np.int64),
    )


def _image_list(file: AnnotationFile, official: VCOCOOfficial, position: dict) -> ImageList:
    images = {image["id"]: image for image in official.coco["images"] if image["id"] in position}
    names = [images[image_id]["file_name"] for image_id in official.ids]
    file.check_names(names, "file_name of COCO's instances")
    sizes = [(images[image_id]["height"], images[image_id]["width"]) for image_id in official.ids]
    return ImageList(names, official.ids, np.array(sizes, dtype=np.int64).reshape(-1, 2))


def _check_actions(file: AnnotationFile, actions: Any) -> None:
    """The 26 actions in the official order, with integer columns of matching lengths."""
    known = vcoco_actions()
    if not isinstance(actions, list) or len(actions) != len(known):
        raise file.error(f"the actions are {shown(actions)}, not a list of V-COCO's {len(known)}")

    for i, (action, (name, roles, _)) in enumerate(zip(actions, known, strict=True)):
        found_name = file.member(action, "action_name", str, f"action {i}")
        found_roles = file.member(action, "role_name", list, f"action {i}")
        if found_name != name or tuple(found_roles) != roles:
            raise file.error(
                f"action {i} is {shown(found_name)} with roles {str(found_roles)[:60]}, "
                f"not {name} {list(roles)}"
            )

        columns = [file.member(action, key, list, f"action {name}") for key in _LIMITS]
        for (key, limit), column in zip(_LIMITS.items(), columns, strict=True):
            # exact: the ids are dictionary keys later, where true would be found as 1
            integers_of(file, [column], [name], key, 0, limit, noun="action", exact=True)
        lengths = [len(column) for column in columns]
        if lengths != [lengths[0]] * 3 + [lengths[0] * len(roles)]:
            raise file.error(f"{', '.join(_LIMITS)} of action {name} have lengths {lengths}")


def _check_references(
    file: AnnotationFile, actions: list[dict], coco: dict, image_ids: set[int]
) -> None:
    """Every person and object of the images to score is an annotation of its own image.

    Otherwise a row would pair boxes of different images.
    """
    # annotations of other images count as absent
    image_of = {
        entity["id"]: entity["image_id"]
        for entity in coco["annotations"]
        if entity["image_id"] in image_ids
    }
    for action in actions:
        images, people = action["image_id"], len(action["ann_id"])
        for i, entity in enumerate([*action["ann_id"], *action["role_object_id"]]):
            # ann_id and every role's block list the same people, so images repeat by block
            image = images[i % people]
            # 0 is an empty role, but never a person
            is_empty_role = entity == 0 and i >= people
            if image in image_ids and not is_empty_role and image_of.get(entity) != image:
                raise file.error(
                    f"action {action['action_name']} refers to annotation {entity} in image "
                    f"{image}, which COCO's instances do not have there"
                )
