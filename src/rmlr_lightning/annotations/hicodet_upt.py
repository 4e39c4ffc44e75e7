"""UPT's `instances_*.json` of HICO-DET, the layout that brings its own vocabulary.

Keys: `annotation` (for each image boxes_h, boxes_o, hoi, object, verb), `filenames`, `size` (width, height), `objects`
(in HICO's order), `verbs`, `correspondence` ([hoi, object, verb]), `rare`; ours: `image_hois`. `non_rare` and `empty`
repeat what the others say and are not read. `size` and `rare` may be missing, as they are in the oldest files.
"""

from typing import NamedTuple

import numpy as np

from rmlr_lightning.annotations.columns import boxes_of, counts_of, integers_of, lists_of
from rmlr_lightning.annotations.file import AnnotationFile, shown
from rmlr_lightning.annotations.rows import Pictures, Rows, image_ids
from rmlr_lightning.vocabulary import COCO_INDEX, Vocabulary, hicodet


class UPTContent(NamedTuple):
    vocabulary: Vocabulary
    pictures: Pictures
    rows: Rows  # boxes as in the file: 1-based, inclusive
    image_hois: list[frozenset[int]] | None


def read_upt(file: AnnotationFile, document: dict) -> UPTContent:
    """Read the parsed document.

    Raises:
        AnnotationError: keys missing, lengths that disagree, indices out of range, a hoi that is not verb + object.
    """
    names = file.names(document, "filenames")
    records = file.member(document, "annotation", list)
    if len(records) != len(names):
        raise file.error(f"{len(names)} filenames but {len(records)} annotation records")
    objects = coco_indices(file, file.names(document, "objects"))
    vocabulary = _vocabulary(file, document, objects)

    column = {
        key: lists_of(file, records, key, names)
        for key in ("boxes_h", "boxes_o", "hoi", "object", "verb")
    }
    counts = counts_of(file, column, names)
    image = np.repeat(np.arange(len(names)), counts)
    rows = Rows(
        image=image,
        boxes_h=boxes_of(file, column["boxes_h"], names, "boxes_h"),
        boxes_o=boxes_of(file, column["boxes_o"], names, "boxes_o"),
        objects=objects[integers_of(file, column["object"], names, "object", 0, len(objects))],
        verbs=integers_of(file, column["verb"], names, "verb", 0, len(vocabulary.verbs)),
    )
    hois = integers_of(file, column["hoi"], names, "hoi", 0, len(vocabulary.hois))
    wrong = np.flatnonzero(vocabulary.hoi_table()[rows.objects, rows.verbs] != hois)
    if len(wrong):
        row = wrong[0]
        raise file.error(
            f"image {shown(names[image[row]])} has hoi {hois[row]}, which is not its verb with its object"
        )
    pictures = Pictures(names, image_ids(names), _sizes(file, document, names))
    return UPTContent(
        vocabulary, pictures, rows, _image_hois(file, document, names, len(vocabulary.hois))
    )


def coco_indices(file: AnnotationFile, names: list[str]) -> np.ndarray:
    """The COCO index of each of the file's object names (HICO-DET writes dining_table)."""
    unknown = [name for name in names if name.replace("_", " ") not in COCO_INDEX]
    if unknown:
        raise file.error(f"'objects' holds {shown(unknown[0])}, none of COCO's 80 classes")
    return np.array([COCO_INDEX[name.replace("_", " ")] for name in names], dtype=np.int64)


def _vocabulary(file: AnnotationFile, document: dict, objects: np.ndarray) -> Vocabulary:
    verbs = file.names(document, "verbs")
    correspondence = file.member(document, "correspondence", list)
    if not all(isinstance(entry, list) and len(entry) == 3 for entry in correspondence):
        raise file.error("'correspondence' is not a list of [hoi, object, verb]")
    place = ["correspondence"]
    limits = (("hoi", len(correspondence)), ("object", len(objects)), ("verb", len(verbs)))
    hoi, obj, verb = (
        integers_of(
            file, [[entry[i] for entry in correspondence]], place, what, 0, limit, noun="key"
        )
        for i, (what, limit) in enumerate(limits)
    )
    pairs = list(
        zip(verb[np.argsort(hoi)].tolist(), objects[obj[np.argsort(hoi)]].tolist(), strict=True)
    )
    if len(set(hoi.tolist())) < len(hoi) or len(set(pairs)) < len(pairs):
        raise file.error("'correspondence' holds a hoi twice")
    vocabulary = Vocabulary(tuple(verbs), tuple(pairs), rare=frozenset())
    if "rare" in document:
        rare = integers_of(
            file, [file.member(document, "rare", list)], ["rare"], "hoi", 0, len(pairs), noun="key"
        )
    else:  # the official classes are rare or not whatever the file says; nothing is known of others
        rare = np.array(
            sorted(hicodet().rare) if vocabulary[:2] == hicodet()[:2] else [], dtype=np.int64
        )
    return vocabulary._replace(rare=frozenset(rare.tolist()))


def _sizes(file: AnnotationFile, document: dict, names: list[str]) -> np.ndarray:
    if "size" not in document:
        return np.zeros((len(names), 2), dtype=np.int64)
    sizes = file.member(document, "size", list)
    if len(sizes) != len(names):
        raise file.error(f"{len(names)} filenames but {len(sizes)} sizes")
    for size, name in zip(sizes, names, strict=True):
        if not isinstance(size, list) or len(size) != 2:
            raise file.error(f"size of image {shown(name)} is not [width, height]")
    return integers_of(file, sizes, names, "size", 0, 2**31).reshape(-1, 2)[:, ::-1].copy()


def _image_hois(
    file: AnnotationFile, document: dict, names: list[str], hois: int
) -> list[frozenset[int]] | None:
    if "image_hois" not in document:
        return None
    labels = file.member(document, "image_hois", list)
    if len(labels) != len(names) or not all(isinstance(of_image, list) for of_image in labels):
        raise file.error(f"'image_hois' is not a list of {len(names)} lists, one an image")
    integers_of(file, labels, names, "image-level hoi", 0, hois)
    return [frozenset(map(int, of_image)) for of_image in labels]
