"""UPT's `instances_*.json` of HICO-DET, which also holds the vocabulary.

Keys: `annotation` (per image boxes_h, boxes_o, hoi, object, verb), `filenames`, `size` (width,
height), `objects` (in HICO's order), `verbs`, `correspondence` ([hoi, object, verb]), `rare`, and
in the files of the synthetic benchmark `image_hois`. `non_rare` and `empty` are redundant and not
read. `size` and `rare` may be missing, as in the oldest files.
"""

from typing import NamedTuple

import numpy as np

from rmlr_lightning.annotations.columns import counts_of, integers_of, lists_of
from rmlr_lightning.annotations.file import AnnotationFile, shown
from rmlr_lightning.annotations.rows import ImageList, Rows, image_ids, unknown_sizes
from rmlr_lightning.annotations.upt import object_indices, upt_rows
from rmlr_lightning.vocabulary import Vocabulary, hicodet


class UPTContent(NamedTuple):
    """Content of the file; boxes as in the file: 1-based, inclusive."""

    vocabulary: Vocabulary
    images: ImageList
    rows: Rows
    image_hois: list[frozenset[int]] | None


def read_upt(file: AnnotationFile, document: dict) -> UPTContent:
    """Read the parsed document.

    Raises:
        AnnotationError: keys missing, lengths that disagree, indices out of range, or a hoi that
            is not the row's verb with its object.
    """
    names = file.names(document, "filenames")
    records = file.member(document, "annotation", list)
    if len(records) != len(names):
        raise file.error(f"{len(names)} filenames but {len(records)} annotation records")
    objects = object_indices(file, document, background=False)
    vocabulary = _vocabulary(file, document, objects)

    rows = upt_rows(
        file,
        records,
        names,
        verb_key="verb",
        object_key="object",
        objects=objects,
        num_verbs=len(vocabulary.verbs),
    )
    _check_hois(file, records, names, vocabulary, rows)

    images = ImageList(names, image_ids(names), _sizes(file, document, names))
    labels = _image_hois(file, document, names, len(vocabulary.hois))
    return UPTContent(vocabulary, images, rows, labels)


def _check_hois(
    file: AnnotationFile, records: list, names: list[str], vocabulary: Vocabulary, rows: Rows
) -> None:
    """`hoi` repeats verb and object; a file in which they differ would be scored wrongly."""
    columns = {key: lists_of(file, records, key, names) for key in ("verb", "hoi")}
    counts_of(file, columns, names)
    hois = integers_of(file, columns["hoi"], names, "hoi", 0, len(vocabulary.hois))
    wrong = np.flatnonzero(vocabulary.hoi_table()[rows.objects, rows.verbs] != hois)
    if len(wrong):
        row = wrong[0]
        raise file.error(
            f"image {shown(names[rows.image[row]])} has hoi {hois[row]}, which is not its verb "
            "with its object"
        )


def _vocabulary(file: AnnotationFile, document: dict, objects: np.ndarray) -> Vocabulary:
    verbs = file.names(document, "verbs")
    entries = file.member(document, "correspondence", list)
    if not all(isinstance(entry, list) and len(entry) == 3 for entry in entries):
        raise file.error("'correspondence' is not a list of [hoi, object, verb]")

    def column(place: int, what: str, high: int) -> np.ndarray:
        values = [entry[place] for entry in entries]
        return integers_of(file, [values], ["correspondence"], what, 0, high, noun="key")

    hoi = column(0, "hoi", len(entries))
    obj = objects[column(1, "object", len(objects))]
    verb = column(2, "verb", len(verbs))

    # entries may come in any order; `hoi` is the index into the vocabulary
    by_hoi = np.argsort(hoi)
    pairs = list(zip(verb[by_hoi].tolist(), obj[by_hoi].tolist(), strict=True))
    if len(set(hoi.tolist())) < len(hoi) or len(set(pairs)) < len(pairs):
        raise file.error("'correspondence' holds a hoi twice")
    vocabulary = Vocabulary(tuple(verbs), tuple(pairs), rare=frozenset())
    return vocabulary._replace(rare=_rare(file, document, vocabulary))


def _rare(file: AnnotationFile, document: dict, vocabulary: Vocabulary) -> frozenset[int]:
    if "rare" in document:
        listed = file.member(document, "rare", list)
        count = len(vocabulary.hois)
        return frozenset(
            integers_of(file, [listed], ["rare"], "hoi", 0, count, noun="key").tolist()
        )
    # The official classes have known training counts; other vocabularies have none.
    is_official = vocabulary[:2] == hicodet()[:2]
    return hicodet().rare if is_official else frozenset()


def _sizes(file: AnnotationFile, document: dict, names: list[str]) -> np.ndarray:
    """(I, 2) height, width."""
    if "size" not in document:
        return unknown_sizes(len(names))
    sizes = file.member(document, "size", list)
    if len(sizes) != len(names):
        raise file.error(f"{len(names)} filenames but {len(sizes)} sizes")
    for size, name in zip(sizes, names, strict=True):
        if not isinstance(size, list) or len(size) != 2:
            raise file.error(f"size of image {shown(name)} is not [width, height]")
    # UPT writes (width, height); `ImageList.sizes` is (height, width)
    width_height = integers_of(file, sizes, names, "size", 0, 2**31).reshape(-1, 2)
    return width_height[:, ::-1].copy()


def _image_hois(
    file: AnnotationFile, document: dict, names: list[str], num_hois: int
) -> list[frozenset[int]] | None:
    if "image_hois" not in document:
        return None
    labels = file.member(document, "image_hois", list)
    if len(labels) != len(names) or not all(isinstance(of_image, list) for of_image in labels):
        raise file.error(f"'image_hois' is not a list of {len(names)} lists, one per image")
    integers_of(file, labels, names, "image-level hoi", 0, num_hois)
    return [frozenset(map(int, of_image)) for of_image in labels]
