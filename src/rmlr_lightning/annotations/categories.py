"""The classes that a COCO file declares: names decide what a class is, numbers only refer to it."""

from typing import Any

from rmlr_lightning.annotations.columns import LARGEST_ID, fields_of, integers_of
from rmlr_lightning.annotations.file import AnnotationFile, shown


def category_names(file: AnnotationFile, document: Any, key: str = "categories") -> dict[int, str]:
    """Name by id, by rising id.

    Args:
        key: "categories" for objects, "rel_categories" for verbs.

    Raises:
        AnnotationError: ids that are not integers, an id or a name twice, or an empty name.
    """
    categories = file.member(document, key, list)
    noun = f"entry of {key!r},"
    numbers = [[number] for number in fields_of(file, categories, "id", noun)]
    ids = integers_of(file, numbers, range(len(numbers)), "id", 0, LARGEST_ID, noun, exact=True)
    names = [file.member(entry, "name", str, f"{noun} {i}") for i, entry in enumerate(categories)]
    names = [" ".join(name.split()) for name in names]
    file.check_names(names, f"'name' of {key!r}")

    # names are distinct, so fewer ids than names are the only other mistake
    by_id = dict(zip(ids.tolist(), names, strict=True))
    if len(by_id) < len(names):
        repeated = next(number for number in ids if (ids == number).sum() > 1)
        raise file.error(f"{key!r} holds id {shown(int(repeated))} twice")
    return dict(sorted(by_id.items()))
