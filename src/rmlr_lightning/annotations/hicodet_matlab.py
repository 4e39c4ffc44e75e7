"""HICO-DET's own MATLAB files: `anno_bbox.mat` (pairs) and `anno.mat` (image-level labels).

`bbox_{train,test}` is a struct array with one element per image: filename, size (width, height,
depth) and hoi, a struct array over the HOIs of the image: id (1..600), bboxhuman and bboxobject
(struct arrays of x1, x2, y1, y2), connection (rows of 1-based [human, object]) and invis (1: the
HOI takes place but is not visible, and has no boxes).

`anno_{train,test}` is 600 x I (1 positive, -1 negative, 0 ambiguous, NaN unknown);
`list_{train,test}` holds the I file names.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from rmlr_lightning.annotations.columns import integers_of
from rmlr_lightning.annotations.file import AnnotationFile, shown
from rmlr_lightning.annotations.matlab_file import MatlabError, is_matlab, read_matlab
from rmlr_lightning.annotations.rows import ImageList, Rows, image_ids
from rmlr_lightning.vocabulary import hicodet

_CORNERS = ("x1", "y1", "x2", "y2")
_PAIR_COLUMNS = 9  # human xyxy, object xyxy, HOI id


def read_anno_bbox(file: AnnotationFile, content: bytes, split: str) -> tuple[ImageList, Rows]:
    """The pairs of a split in HICO-DET's own vocabulary; boxes as in the file: 1-based, inclusive.

    Invisible HOIs give no pairs. Pairs are ordered by image, then by HOI as listed, then by
    connection.

    Raises:
        AnnotationError: not a readable .mat, no such split, or a struct that is not as above.
    """
    variables = _load(file, content, [f"bbox_{split}", "list_action"])
    images, hois = _variable(file, variables, f"bbox_{split}"), np.array(hicodet().hois)
    if not _is_structs(images):
        raise file.error(f"bbox_{split} is not a struct array")
    # the file's own list of HOIs, absent in excerpts; ids mean nothing with another list
    actions = variables.get("list_action")
    if isinstance(actions, list) and len(actions) != len(hois):
        raise file.error(f"list_action has {len(actions)} HOIs, not HICO-DET's {len(hois)}")

    names, sizes, pairs = [], [], []
    for i, image in enumerate(images, start=1):
        try:
            names.append(image["filename"])
            (size,) = _numbers(image["size"], ("height", "width"))
            # the empty array: an image without visible pairs has nothing to concatenate
            pairs.append(np.concatenate([np.zeros((0, _PAIR_COLUMNS)), *_pairs(image["hoi"])]))
        except KeyError as error:
            raise file.error(f"bbox_{split}({i}) has no field {error}") from error
        except (ValueError, TypeError) as error:
            raise file.error(f"bbox_{split}({i}) is not as in HICO-DET ({error})") from error
        if not ((size >= 0) & (size < 2**31)).all():
            raise file.error(f"bbox_{split}({i}) has no valid size")
        sizes.append(size)
    file.check_names(names, "filename")

    id_lists = [of_image[:, 8].tolist() for of_image in pairs]
    ids = integers_of(file, id_lists, names, "HOI id", 1, len(hois) + 1)
    verbs, objects = hois[ids - 1].T
    image = np.repeat(np.arange(len(names)), [len(of_image) for of_image in pairs])
    boxes = np.concatenate([np.zeros((0, _PAIR_COLUMNS)), *pairs])
    listed = ImageList(names, image_ids(names), np.array(sizes, dtype=np.int64).reshape(-1, 2))
    return listed, Rows(image, boxes[:, :4], boxes[:, 4:8], objects, verbs)


def read_anno(
    file: AnnotationFile, split: str, names: list[str], num_hois: int
) -> list[frozenset[int]]:
    """The positive image-level labels of the named images.

    Raises:
        AnnotationError: not a readable .mat, no such split, another number of HOIs, or an image
            that it does not list.
    """
    content = file.read()
    if not is_matlab(content):
        raise file.error("not a MATLAB file")
    variables = _load(file, content, [f"anno_{split}", f"list_{split}"])
    labels, listed = (_variable(file, variables, f"{kind}_{split}") for kind in ("anno", "list"))
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise file.error(f"list_{split} is not a cell array of file names")
    if np.shape(labels) != (num_hois, len(listed)):
        size = " x ".join(map(str, np.shape(labels)))
        raise file.error(
            f"anno_{split} is {size}, not {num_hois} HOIs x {len(listed)} images of list_{split}"
        )

    column = {name: i for i, name in enumerate(listed)}
    absent = [name for name in names if name not in column]
    if absent:
        raise file.error(
            f"list_{split} does not hold {len(absent)} of the annotated images, "
            f"{shown(absent[0])} first"
        )
    # transposed: nonzero lists the labels by image, so that they can be split there
    image, hoi = np.nonzero((labels == 1).T)
    positives = np.split(hoi, np.searchsorted(image, np.arange(1, len(listed))))
    return [frozenset(positives[column[name]].tolist()) for name in names]


def _load(file: AnnotationFile, content: bytes, names: list[str]) -> dict[str, Any]:
    try:
        return read_matlab(content, names)
    except MatlabError as error:
        raise file.error(f"broken or truncated MATLAB file ({error})") from error


def _variable(file: AnnotationFile, variables: dict[str, Any], name: str) -> Any:
    if name not in variables:
        raise file.error(f"has no variable {name}")
    return variables[name]


def _is_structs(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(element, dict) for element in value)


def _pairs(hois: Any) -> Iterator[np.ndarray]:
    """Per visible HOI: (pairs, 9) of human xyxy, object xyxy, HOI id.

    Raises:
        KeyError, TypeError, ValueError: the structs are not as in HICO-DET.
    """
    if not _is_structs(hois) and np.size(hois):
        raise ValueError("hoi is not a struct array")
    for hoi in hois:
        links = np.asarray(hoi["connection"], dtype=np.float64)
        if hoi["invis"] or not links.size:
            continue
        if links.ndim != 2 or links.shape[1] != 2:
            raise ValueError("connection has no two columns")
        boxes_h = _connected(hoi, "bboxhuman", links[:, 0])
        boxes_o = _connected(hoi, "bboxobject", links[:, 1])
        yield np.column_stack([boxes_h, boxes_o, np.full(len(links), float(hoi["id"]))])


def _connected(hoi: dict, side: str, numbers: np.ndarray) -> np.ndarray:
    """The boxes with these 1-based numbers, (pairs, 4)."""
    boxes = _numbers(hoi[side], _CORNERS)
    # in floating point, which holds whatever the file does
    valid = (numbers >= 1) & (numbers <= len(boxes)) & (numbers == np.floor(numbers))
    if not valid.all():
        raise ValueError(f"connection names a box that {side} does not have")
    return boxes[numbers.astype(np.int64) - 1]


def _numbers(structs: Any, fields: tuple[str, ...]) -> np.ndarray:
    """(S, F) from a struct array with numeric fields; no rows from an empty matrix."""
    # HICO-DET has an empty matrix of numbers where there are no boxes
    if not _is_structs(structs):
        structs = []
    values = [[element[field] for field in fields] for element in structs]
    return np.array(values, dtype=np.float64).reshape(len(structs), len(fields))
