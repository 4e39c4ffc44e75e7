"""Makes a data set of your own ready: one vocabulary and one file per split, from your files.

Nothing in the folder is changed but its subfolder rmlr/, and nothing there is overwritten.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rmlr_lightning.annotations.held_out import is_held_out
from rmlr_lightning.annotations.relations import read_relations
from rmlr_lightning.annotations.vocabulary_file import NAME, vocabulary_json
from rmlr_lightning.errors import UserError, counted
from rmlr_lightning.files import write_atomic
from rmlr_lightning.images.image_check import Track
from rmlr_lightning.images.image_file import ImageFolders
from rmlr_lightning.preparation.check import WITH_IMAGES, Split, check_splits
from rmlr_lightning.preparation.custom_files import SPLITS, SplitRecords, read_custom
from rmlr_lightning.preparation.report import Report
from rmlr_lightning.vocabulary import Vocabulary

ANY = "any"


def make_custom(
    folder: Path, out: Path, subject: str | None, images: list[Path], decode: bool, track: Track
) -> None:
    """Write vocabulary.json and {train,val,test}.json, and check them with their images.

    Args:
        folder: the user's files; see docs/DATA.md.
        out: the folder to write, usually `folder`/rmlr.
        subject: the class of all subjects, or "any"; by default the one that all subjects have.
        images: folders of the images, searched in order.
        decode, track: see `check_splits`.

    Raises:
        UserError: a file is missing or broken, `out` holds another version, or an image is missing.
    """
    report = Report()
    splits = _with_all_splits(report, read_custom(folder))
    contents = _contents(splits, subject)
    state = _write(out, contents)
    report.line(f"{out}: {', '.join(contents)} {state}")

    # read back by the reader that training uses: what it refuses is found here
    targets, vocabulary = {}, None
    for name in splits:
        vocabulary, targets[name] = read_relations(out / f"{name}.json")
    report.line(
        f"{counted(len(vocabulary.objects), 'object class', 'object classes')}, "
        f"{counted(len(vocabulary.verbs), 'verb')}, {counted(len(vocabulary.hois), 'HOI')}, of "
        f"which {len(vocabulary.rare)} with fewer than 10 training pairs; "
        f"subjects: {vocabulary.subject_name or 'any class'}"
    )
    folders = ImageFolders(images)
    checked = []
    for name in splits:
        files = out / NAME, out / f"{name}.json"
        checked.append(Split(name, files, targets[name], folders, way_out=WITH_IMAGES))
    check_splits(report, checked, decode, track)
    report.finish(str(folder))


def _with_all_splits(report: Report, splits: dict[str, SplitRecords]) -> dict[str, SplitRecords]:
    """Training needs val and test; where the user has none, training images are held out."""
    splits = dict(splits)
    if "train" not in splits:
        raise UserError(f"no split is called train, only {', '.join(splits)}")
    if "val" not in splits:
        names = [image["file_name"] for image in splits["train"].images]
        if len(names) < 2:
            raise UserError("one training image and no val split: add an image, or a val split")
        # the share of a handful of images can be none
        out = {name for name in names if is_held_out(name)} or {min(names)}
        splits["val"] = splits["train"].of_images(out)
        splits["train"] = splits["train"].of_images(set(names) - out)
        report.line(f"no val split: {len(out)} of {len(names)} training images are held out")
    if "test" not in splits:
        splits["test"] = splits["val"]
        report.line("no test split: test is val")
    return {name: splits[name] for name in SPLITS}


def _contents(splits: Mapping[str, SplitRecords], subject: str | None) -> dict[str, bytes]:
    """The files to write: names of classes get one number each, for all splits."""
    # dict.fromkeys: in the order of first appearance, which is that of the user's categories
    objects = list(dict.fromkeys(name for split in splits.values() for name in split.objects))
    verbs = list(dict.fromkeys(name for split in splits.values() for name in split.verbs))
    object_of = {name: i for i, name in enumerate(objects)}
    verb_of = {name: i for i, name in enumerate(verbs)}

    pairs = {
        name: [(verb_of[row.verb], object_of[row.object]) for row in split.relations]
        for name, split in splits.items()
    }
    # of all splits: val and test may hold an HOI that train lacks
    hois = sorted({pair for of_split in pairs.values() for pair in of_split})
    if not hois:
        raise UserError("no split has an interaction: nothing can be learned")
    place = {pair: hoi for hoi, pair in enumerate(hois)}
    counts = np.bincount([place[pair] for pair in pairs["train"]], minlength=len(hois))

    selected = _subject(splits, subject, object_of)
    vocabulary = Vocabulary(tuple(verbs), tuple(hois), frozenset(), tuple(objects), selected)
    contents = {NAME: vocabulary_json(vocabulary, counts.tolist())}
    for name, split in splits.items():
        document = _document(split, object_of, verb_of)
        contents[f"{name}.json"] = json.dumps(document, ensure_ascii=False).encode()
    return contents


def _subject(
    splits: Mapping[str, SplitRecords], subject: str | None, object_of: Mapping[str, int]
) -> int | None:
    found = {row.subject for split in splits.values() for row in split.relations}
    if subject is None:
        return object_of[found.pop()] if len(found) == 1 else None
    if subject == ANY:
        return None
    others = sorted(found - {subject})
    if subject not in object_of or others:
        problem = f"subjects are of class {', '.join(others[:3])}" if others else "no such class"
        raise UserError(f"--subject {subject}: {problem}; --subject any takes all classes")
    return object_of[subject]


def _document(
    split: SplitRecords, object_of: Mapping[str, int], verb_of: Mapping[str, int]
) -> dict[str, Any]:
    image_of = {entity["id"]: entity["image_id"] for entity in split.entities}
    return {
        "images": split.images,
        "annotations": [
            {
                "id": entity["id"],
                "image_id": entity["image_id"],
                "category_id": object_of[entity["category"]],
                "bbox": entity["bbox"],
                "area": entity["bbox"][2] * entity["bbox"][3],
                "iscrowd": int(entity.get("iscrowd", 0)),
            }
            for entity in split.entities
        ],
        "categories": [{"id": i, "name": name} for name, i in object_of.items()],
        "rel_categories": [{"id": i, "name": name} for name, i in verb_of.items()],
        "rel_annotations": [
            {
                "id": i,
                "image_id": image_of[row.subject_id],
                "subject_id": row.subject_id,
                "predicate_id": verb_of[row.verb],
                "object_id": row.object_id,
            }
            for i, row in enumerate(split.relations)
        ],
    }


def _write(out: Path, contents: Mapping[str, bytes]) -> str:
    """Write all files, unless they are there already; what was done, for the user."""
    # bytes are compared, not times: the same files give the same bytes on every machine
    existing = [name for name in contents if (out / name).exists()]
    changed = [name for name in existing if (out / name).read_bytes() != contents[name]]
    if changed:
        raise UserError(
            f"{out / changed[0]}: another version is here, and checkpoints may depend on it; "
            "name a new folder with --out, or remove this one"
        )
    if len(existing) == len(contents):
        return "are here already"
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out}: cannot be made ({error.strerror}); choose --out") from None
    for name, content in contents.items():
        write_atomic(out / name, content, "choose another folder with --out")
    return "written"
