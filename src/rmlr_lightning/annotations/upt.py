"""What UPT's two json layouts (HICO-DET and V-COCO) have in common.

Both hold one record per image with parallel lists, one entry per human-verb-object triplet, and
refer to objects by their index in a list of names of the file.
"""

import numpy as np

from rmlr_lightning.annotations.columns import boxes_of, counts_of, integers_of, lists_of
from rmlr_lightning.annotations.file import AnnotationFile, shown
from rmlr_lightning.annotations.rows import Rows
from rmlr_lightning.vocabulary import COCO_INDEX

BACKGROUND = "background"


def object_indices(file: AnnotationFile, document: dict, background: bool) -> np.ndarray:
    """The COCO index of every name in `objects`, (O,) int64; HICO-DET writes "dining_table".

    Args:
        background: whether "background" is valid; its index is -1.

    Raises:
        AnnotationError: no such list, or a name that is not one of COCO's 80 classes.
    """
    index = COCO_INDEX | ({BACKGROUND: -1} if background else {})
    names = [name.replace("_", " ") for name in file.names(document, "objects")]
    unknown = [name for name in names if name not in index]
    if unknown:
        raise file.error(f"'objects' holds {shown(unknown[0])}, none of COCO's 80 classes")
    return np.array([index[name] for name in names], dtype=np.int64)


def upt_rows(
    file: AnnotationFile,
    records: list,
    names: list[str],
    *,
    verb_key: str,
    object_key: str,
    objects: np.ndarray,
    num_verbs: int,
) -> Rows:
    """The triplets of all images; boxes as in the file.

    Args:
        records: one per image: boxes_h, boxes_o, and the lists named by the two keys.
        names: the images' file names, for messages.
        objects: the output of `object_indices`.

    Raises:
        AnnotationError: lists missing or of different lengths, indices out of range.
    """
    keys = ("boxes_h", "boxes_o", object_key, verb_key)
    columns = {key: lists_of(file, records, key, names) for key in keys}
    counts = counts_of(file, columns, names)

    # messages name one value: "object 81", not "objects 81"
    object_name, verb_name = object_key.removesuffix("s"), verb_key.removesuffix("s")
    object_index = integers_of(file, columns[object_key], names, object_name, 0, len(objects))
    verbs = integers_of(file, columns[verb_key], names, verb_name, 0, num_verbs)
    return Rows(
        image=np.repeat(np.arange(len(names)), counts),
        boxes_h=boxes_of(file, columns["boxes_h"], names, "boxes_h"),
        boxes_o=boxes_of(file, columns["boxes_o"], names, "boxes_o"),
        objects=objects[object_index],
        verbs=verbs,
    )
