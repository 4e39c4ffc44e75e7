"""What is done when the data sets of a run are opened: one order of classes, and images that fit.

Both are cheap, and come before minutes of work: a run on images that are not those of the
annotations ends with a result near zero.
"""

from collections.abc import Mapping
from pathlib import Path

from torch.utils.data import Dataset

from rmlr_lightning.data.box_dataset import BoxDataset
from rmlr_lightning.data.hoi_dataset import HOIDataset
from rmlr_lightning.errors import UserError, counted
from rmlr_lightning.images.image_check import (
    annotated_images,
    notes_of,
    problems_of,
    remembered_check,
)
from rmlr_lightning.ops.classes import united, united_names
from rmlr_lightning.vocabulary import Vocabulary

POLICIES = ("error", "warn", "off")


def unite_classes(datasets: Mapping[str, Dataset], known: Vocabulary | None = None) -> None:
    """Give the data sets of all splits one order of classes, by name.

    Args:
        datasets: by split. The classes of the first come first, then what others have beyond them.
        known: the classes of a trained model, which come before all.

    Raises:
        UserError: splits of different data sets, such as one of HICO-DET and one of V-COCO.
    """
    of_pairs = {f"data.{s}": d for s, d in datasets.items() if isinstance(d, HOIDataset)}
    if of_pairs:
        vocabularies = {name: data.vocabulary for name, data in of_pairs.items()}
        if known is not None:
            vocabularies = {"the checkpoint": known, **vocabularies}
        vocabulary = united(vocabularies, may_add=known is None)
        for data in of_pairs.values():
            data.unite(vocabulary)
    of_boxes = {f"data.{s}": d for s, d in datasets.items() if isinstance(d, BoxDataset)}
    objects = united_names(
        {name: data.objects for name, data in of_boxes.items()}, "object classes"
    )
    for data in of_boxes.values():
        data.unite(objects)


def check_files(datasets: Mapping[str, Dataset], policy: str, notes: Path | None) -> list[str]:
    """Compare the images of all splits with their annotations; lines that the user should read.

    Args:
        policy: "error" stops at what is wrong, "warn" returns it, "off" does not look.
        notes: see `remembered_check`.

    Raises:
        UserError: images are missing, unreadable or not those of the annotations; or another
            policy.
    """
    if policy not in POLICIES:
        raise UserError(f"data.check={policy}: choose one of {', '.join(POLICIES)}")
    lines = []
    for split, data in datasets.items() if policy != "off" else ():
        if not isinstance(data, (HOIDataset, BoxDataset)):
            continue
        report = remembered_check(data.images, annotated_images(data.targets), notes)
        problems = problems_of(report)
        if problems and policy == "error":
            raise UserError(
                f"data.{split}: of {counted(len(data.targets), 'image')} in {data.images}, "
                f"{problems}. "
                "Restore the images that were annotated, or correct the annotations "
                "(`rmlr-prepare check` lists all); data.check=warn uses them as they are"
            )
        found = "; ".join([*getattr(data, "notes", ()), *notes_of(report)])
        lines += [
            f"{kind}: data.{split}: {text}"
            for kind, text in (("warning", problems), ("note", found))
            if text
        ]
    return lines
