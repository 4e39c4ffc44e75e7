"""Class orders of detectors, always as names: a class is never found by its number alone."""

from collections.abc import Mapping, Sequence

from rmlr_lightning.errors import UserError
from rmlr_lightning.vocabulary import COCO_INDEX_OF_CATEGORY, COCO_OBJECTS, object_name

# COCO's category ids 0..90 as in DETR's head. Id 0 and ten ids between are not in use.
COCO_91: tuple[str | None, ...] = tuple(
    COCO_OBJECTS[COCO_INDEX_OF_CATEGORY[category]] if category in COCO_INDEX_OF_CATEGORY else None
    for category in range(91)
)


def classes_of_labels(id2label: Mapping[int, str], source: str) -> list[str | None]:
    """The classes of a network of transformers, in its order, from `id2label` of its config.

    Args:
        source: what the error starts with.

    Raises:
        UserError: no class has a name, or two have the same one.
    """
    count = max((int(index) for index in id2label), default=-1) + 1
    names: list[str | None] = [None] * count
    for index, name in id2label.items():
        names[int(index)] = object_name(str(name))
    return checked(names, f"{source}: id2label of its config.json")


def chosen_classes(objects: Sequence[str | None], count: int, source: str) -> list[str | None]:
    """The classes of a network as the user lists them in the configuration.

    Args:
        objects: names in the network's order, None for one not in use.
        count: how many classes the network has.
        source: whose classes they are, for errors.

    Raises:
        UserError: another number of names, none, or two of the same.
    """
    option = "model.detector.objects"
    if len(objects) != count:
        raise UserError(f"{option} has {len(objects)} names, but {source} has {count} classes")
    return checked([name and object_name(name) for name in objects], option)


def checked(names: Sequence[str | None], source: str) -> list[str | None]:
    """The names, if they identify classes.

    Raises:
        UserError: there is none, or two classes have the same one.
    """
    used = [name for name in names if name is not None]
    if not all(isinstance(name, str) for name in used):
        raise UserError(f"{source} has classes whose names are no text")
    if not used:
        raise UserError(
            f"{source} has no class names, so the order of its {len(names)} classes is unknown; "
            "write the names there"
        )
    twice = sorted({name for name in used if used.count(name) > 1})
    if twice:
        raise UserError(f"{source} has two classes named {twice[0]!r}; rename one of them")
    return list(names)
