"""COCO's instances json and V-COCO's lists of image ids, checked completely when they are read."""

from collections.abc import Collection, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from rmlr_lightning.annotations.boxes import XYWH, Column, check_boxes, xyxy_of
from rmlr_lightning.annotations.categories import category_names
from rmlr_lightning.annotations.columns import LARGEST_ID, boxes_of, fields_of, integers_of
from rmlr_lightning.annotations.file import AnnotationError, AnnotationFile, shown
from rmlr_lightning.vocabulary import COCO_CATEGORY_IDS, COCO_INDEX, COCO_INDEX_OF_CATEGORY

_INSTANCES = "COCO's instances json (images, annotations, categories)"
_INSTANCES_HINT = "get annotations_trainval2014.zip from https://cocodataset.org"
_IDS = "COCO image ids, one per line as in V-COCO's splits/vcoco_*.ids"
_IDS_HINT = "get them from https://github.com/s-gupta/v-coco"


def read_instances(path: str | PathLike[str]) -> dict:
    """COCO's instances json, plain or gzip, as `checked_instances` returns it.

    Categories are numbered as COCO numbers them, whatever the file does: their names decide.
    """
    file = AnnotationFile(Path(path), _INSTANCES, _INSTANCES_HINT)
    return checked_instances(file, with_coco_numbers(file, file.json()))


def with_coco_numbers(file: AnnotationFile, coco: Any) -> Any:
    """A parsed file with COCO's category ids, by the names that it declares for its own.

    A file without categories has COCO's. Annotations of other classes keep their number, which
    `checked_instances` then refuses.

    Raises:
        AnnotationError: contradictory categories.
    """
    if not isinstance(coco, dict) or "categories" not in coco:
        return coco
    names = category_names(file, coco)
    number_of = {name: COCO_CATEGORY_IDS[index] for name, index in COCO_INDEX.items()}
    if all(number_of.get(name) == number for number, name in names.items()):
        return coco
    # a number without a name of COCO's must not be read as one of COCO's numbers
    known = {number: number_of.get(name, LARGEST_ID - 1) for number, name in names.items()}
    annotations = [
        {**entity, "category_id": known.get(entity["category_id"], LARGEST_ID - 1)}
        for entity in file.member(coco, "annotations", list)
        if isinstance(entity, dict) and type(entity.get("category_id")) is int
    ]
    if len(annotations) < len(coco["annotations"]):  # `checked_instances` names what is wrong
        return coco
    unknown = [name for name in names.values() if name not in number_of]
    if any(entity["category_id"] == LARGEST_ID - 1 for entity in annotations):
        listed = shown(unknown[0]) if unknown else "a number that is not declared"
        raise file.error(f"annotations are of a category that COCO lacks, such as {listed}")
    return {**coco, "annotations": annotations}


def read_ids(ids: str | PathLike[str] | Sequence[int]) -> list[int]:
    """Image ids from a file or a list, checked to be distinct.

    Raises:
        AnnotationError: the file is missing or holds anything but integers, or there are no ids.
    """
    if not isinstance(ids, (str, PathLike)):
        return checked_ids(AnnotationFile(Path("ids"), _IDS, _IDS_HINT), list(ids))

    file = AnnotationFile(Path(ids), _IDS, _IDS_HINT)
    try:
        found = [int(word) for word in file.read().decode("ascii").split()]
    except AnnotationError:
        # it is a ValueError, too, and has its message already
        raise
    except ValueError as error:
        raise file.error(f"not a list of integers ({error})") from error
    return checked_ids(file, found)


def checked_instances(
    file: AnnotationFile, coco: Any, category_ids: Collection[int] = COCO_INDEX_OF_CATEGORY
) -> dict:
    """`coco`, checked: distinct integer ids, sizes, boxes, known images and categories.

    Args:
        category_ids: the known categories; COCO's 80 by default.

    Raises:
        AnnotationError: it is not as described.
    """
    images = file.member(coco, "images", list, "COCO's instances")
    annotations = file.member(coco, "annotations", list, "COCO's instances")

    image_ids = _integers(file, images, "id", "image")
    _integers(file, images, "height", "image")
    _integers(file, images, "width", "image")
    for i, image in enumerate(images):
        file.member(image, "file_name", str, f"image {i}")

    ids = _integers(file, annotations, "id", "annotation")
    of_image = _integers(file, annotations, "image_id", "annotation")
    categories = _integers(file, annotations, "category_id", "annotation")
    # later readers build dictionaries by id, in which a duplicate would hide its predecessor
    for kind, found in (("images", image_ids), ("annotations", ids)):
        if len(np.unique(found)) < len(found):
            raise file.error(f"{kind} holds an id twice")

    # references to other parts of the file
    for wrong, problem, values in (
        (~np.isin(of_image, image_ids), "is of an image that is not listed: image_id", of_image),
        (
            ~np.isin(categories, list(category_ids)),
            f"is of none of the {len(category_ids)} categories: category_id",
            categories,
        ),
    ):
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            raise file.error(f"annotation {ids[first]} {problem} {values[first]}")

    # a missing key means no crowd; some writers have true for 1
    crowds = [entity.get("iscrowd", 0) for entity in annotations]
    crowds = [[int(value)] if isinstance(value, bool) else [value] for value in crowds]
    integers_of(file, crowds, range(len(crowds)), "iscrowd", 0, 2, "annotation")

    lists = [[box] for box in fields_of(file, annotations, "bbox", "annotation")]
    numbers = boxes_of(file, lists, range(len(lists)), "bbox", "annotation")
    names = {image["id"]: image["file_name"] for image in images}
    size_of = {image["id"]: (image["height"], image["width"]) for image in images}
    sizes = np.array([size_of[number] for number in of_image.tolist()], dtype=np.float64)

    def name_of(row: int) -> str:
        return f"annotation {ids[row]} of image {shown(names[int(of_image[row])])}"

    boxes = xyxy_of(numbers)
    check_boxes(file, Column(boxes, sizes.reshape(-1, 2), name_of, written=XYWH))
    return coco


def checked_ids(file: AnnotationFile, ids: list) -> list[int]:
    """Image ids, checked: at least one, distinct.

    Raises:
        AnnotationError: they are not.
    """
    found = integers_of(file, [ids], ["ids"], "id", 0, LARGEST_ID, "list").tolist()
    if len(set(found)) < len(found):
        raise file.error("holds an image id twice")
    if not found:
        raise file.error("lists no images")
    return found


def _integers(file: AnnotationFile, records: list, key: str, noun: str) -> np.ndarray:
    values = [[value] for value in fields_of(file, records, key, noun)]
    # exact: images and annotations are looked up by id, and true would be found as 1
    return integers_of(file, values, range(len(values)), key, 0, LARGEST_ID, noun, exact=True)
