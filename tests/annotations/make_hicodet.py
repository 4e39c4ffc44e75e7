"""Writes tiny fake HICO-DET annotations of the same few images in each real layout.

    python tests/annotations/make_hicodet.py FOLDER

The layouts are the official `anno_bbox.mat` and `anno.mat`, UPT's json and QPIC's. The values are
random, drawn from a seed.
"""

import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

from rmlr_lightning.vocabulary import COCO_CATEGORY_IDS, COCO_OBJECTS, hicodet

WIDTH, HEIGHT = 640, 480


def make_hicodet(out: Path, seed: int = 0, images: int = 6) -> None:
    """Every third image has no visible pair; other HOIs have one to three pairs.

    Pairs are ordered by HOI, as in the real files.
    """
    world = _draw(random.Random(seed), images)
    _dump(out / "instances_test2015.json", _upt(world))
    _dump(out / "test_hico.json", _qpic(world))
    savemat(out / "anno_bbox.mat", {"bbox_test": _bbox_struct(world)})
    labels = np.full((600, images), -1.0)
    labels[::7], labels[3::7] = 0.0, np.nan
    for i, image in enumerate(world):
        labels[[entry["hoi"] for entry in image["hois"]], i] = 1.0
    listed = np.empty((images, 1), dtype=object)
    listed[:, 0] = [image["file_name"] for image in world]
    savemat(out / "anno.mat", {"anno_test": labels, "list_test": listed}, do_compression=True)


def _upt(world: list[dict]) -> dict:
    vocabulary = hicodet()
    objects = sorted({name.replace(" ", "_") for name in COCO_OBJECTS})
    index = {COCO_OBJECTS.index(name.replace("_", " ")): i for i, name in enumerate(objects)}
    annotation: list[dict[str, list]] = []
    for image in world:
        record: dict[str, list] = {
            key: [] for key in ("boxes_h", "boxes_o", "hoi", "object", "verb")
        }
        for entry in image["hois"]:
            verb, obj = vocabulary.hois[entry["hoi"]]
            for human, other in entry["pairs"]:
                row = (
                    entry["humans"][human],
                    entry["objects"][other],
                    entry["hoi"],
                    index[obj],
                    verb,
                )
                for key, value in zip(record, row, strict=True):
                    record[key].append(value)
        annotation.append(record)
    return {
        "annotation": annotation,
        "filenames": [image["file_name"] for image in world],
        "size": [[WIDTH, HEIGHT]] * len(world),
        "empty": [i for i, record in enumerate(annotation) if not record["hoi"]],
        "objects": objects,
        "verbs": list(vocabulary.verbs),
        "correspondence": [[i, index[obj], verb] for i, (verb, obj) in enumerate(vocabulary.hois)],
        "rare": sorted(vocabulary.rare),
        "non_rare": sorted(set(range(len(vocabulary.hois))) - vocabulary.rare),
        "image_hois": [[entry["hoi"] for entry in image["hois"]] for image in world],
    }


def _box(draw: random.Random) -> list[int]:
    """1-based and inclusive, as HICO-DET counts."""
    x1, y1 = draw.randint(1, WIDTH - 1), draw.randint(1, HEIGHT - 1)
    return [x1, y1, draw.randint(x1 + 1, WIDTH), draw.randint(y1 + 1, HEIGHT)]


def _draw(draw: random.Random, images: int) -> list[dict]:
    world = []
    for i in range(images):
        hois = []
        for hoi in sorted(draw.sample(range(600), draw.randint(1, 3))):
            invisible = i % 3 == 2 or draw.random() < 0.2
            humans, objects = ([_box(draw) for _ in range(draw.randint(1, 3))] for _ in range(2))
            pairs = sorted(
                {(draw.randrange(len(humans)), draw.randrange(len(objects))) for _ in range(3)}
            )
            entry = {"hoi": hoi, "humans": humans, "objects": objects, "pairs": pairs}
            hois.append(
                {"hoi": hoi, "humans": [], "objects": [], "pairs": []} if invisible else entry
            )
        world.append({"file_name": f"HICO_test2015_{2 * i + 1:08}.jpg", "hois": hois})
    return world


def _qpic(world: list[dict]) -> list[dict]:
    records = []
    for image in world:
        annotations: list[dict] = []
        triplets: list[dict] = []
        for entry in image["hois"]:
            verb, obj = hicodet().hois[entry["hoi"]]
            first = len(annotations)
            boxes = [(box, 1) for box in entry["humans"]] + [
                (box, COCO_CATEGORY_IDS[obj]) for box in entry["objects"]
            ]
            # QPIC counts pixels from 0, to the last one
            annotations += [
                {"bbox": [x - 1 for x in box], "category_id": category} for box, category in boxes
            ]
            triplets += [
                {
                    "subject_id": first + human,
                    "object_id": first + len(entry["humans"]) + other,
                    "category_id": verb + 1,
                    "hoi_category_id": entry["hoi"] + 1,
                }
                for human, other in entry["pairs"]
            ]
        name = image["file_name"]
        record = {"file_name": name, "img_id": int(name[-12:-4]), "annotations": annotations}
        records.append(record | {"hoi_annotation": triplets})
    return records


def _bbox_struct(world: list[dict]) -> np.ndarray:
    images = []
    for image in world:
        hois = [
            {
                "id": entry["hoi"] + 1,
                "bboxhuman": _boxes_struct(entry["humans"]),
                "bboxobject": _boxes_struct(entry["objects"]),
                "connection": np.array(entry["pairs"], dtype=float).reshape(-1, 2)
                + (1 if entry["pairs"] else 0),
                "invis": int(not entry["pairs"]),
            }
            for entry in image["hois"]
        ]
        size = {"width": WIDTH, "height": HEIGHT, "depth": 3}
        images.append({"filename": image["file_name"], "size": size, "hoi": _struct_array(hois)})
    return _struct_array(images)


def _boxes_struct(boxes: list[list[int]]) -> np.ndarray:
    if not boxes:
        return np.zeros((0, 0))
    return _struct_array([{"x1": x1, "x2": x2, "y1": y1, "y2": y2} for x1, y1, x2, y2 in boxes])


def _struct_array(elements: list[dict[str, Any]]) -> np.ndarray:
    array = np.empty((1, len(elements)), dtype=[(key, object) for key in elements[0]])
    for i, element in enumerate(elements):
        for key, value in element.items():
            array[key][0, i] = value
    return array


def _dump(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    make_hicodet(folder)
