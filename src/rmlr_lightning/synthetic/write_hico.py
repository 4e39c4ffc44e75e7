"""The world in HICO-DET's layout and its own vocabulary: UPT's JSON and anno_bbox.mat.

Boxes of annotations are xyxy in pixels, continuous and 0-based; those of the files are HICO-DET's.
"""

import numpy as np

from rmlr_lightning.synthetic.files import file_name
from rmlr_lightning.synthetic.mat_structs import Structs
from rmlr_lightning.synthetic.world import Classes

GERUNDS = {
    "lie": "lying",
    "hug": "hugging",
    "pet": "petting",
    "sit": "sitting",
    "swing": "swinging",
    "swim": "swimming",
}


def inclusive(box: list[float]) -> list[float]:
    """Continuous 0-based xyxy to HICO-DET's 1-based inclusive whole pixels."""
    x0, y0, x1, y1 = (round(v) for v in box)
    return [float(x0 + 1), float(y0 + 1), float(max(x1, x0 + 1)), float(max(y1, y0 + 1))]


def instances(split: str, annotations: list[dict], size: tuple[int, int], names: Classes) -> dict:
    """The content of UPT's `instances_*.json`, one row per verb of a pair, plus `image_hois`.

    `annotations`: those of the split's images in order. `size`: width and height in pixels.
    """
    rows = [image_row(image, names) for image in annotations]

    correspondence = []
    for hoi, (verb, obj) in enumerate(names.hois):
        correspondence.append([hoi, names.objects.index(obj), names.verbs.index(verb)])

    rare = set(names.rare)
    return {
        "annotation": rows,
        "filenames": [file_name(split, i + 1) for i in range(len(rows))],
        "size": [list(size)] * len(rows),
        "empty": [i for i, row in enumerate(rows) if not row["hoi"]],
        "objects": list(names.objects),
        "verbs": list(names.verbs),
        "correspondence": correspondence,
        "rare": sorted(rare),
        "non_rare": [i for i in range(len(names.hois)) if i not in rare],
        "image_hois": [sorted(set(row["hoi"])) for row in rows],
    }


def image_row(image: dict, names: Classes) -> dict:
    """One image's pairs in parallel lists, sorted by HOI as in HICO-DET."""
    hoi_of = {pair: i for i, pair in enumerate(names.hois)}
    found = []
    for pair in image["pairs"]:
        obj = image["objects"][pair["object"]]
        box_h = inclusive(image["persons"][pair["person"]])
        box_o = inclusive(obj["box"])
        for verb in pair["verbs"]:
            found.append((hoi_of[verb, obj["name"]], box_h, box_o, obj["name"], verb))

    row: dict = {"boxes_h": [], "boxes_o": [], "hoi": [], "object": [], "verb": []}
    for hoi, box_h, box_o, name, verb in sorted(found, key=lambda entry: entry[0]):
        row["boxes_h"].append(box_h)
        row["boxes_o"].append(box_o)
        row["hoi"].append(hoi)
        row["object"].append(names.objects.index(name))
        row["verb"].append(names.verbs.index(verb))
    return row


def mat(splits: dict[str, dict], names: Classes) -> dict[str, Structs]:
    """The content of anno_bbox.mat from the instances JSON of each split.

    `bbox_val` is ours: HICO-DET has no validation split.
    """
    actions = [(obj.replace(" ", "_"), verb, gerund(verb)) for verb, obj in names.hois]
    variables = {f"bbox_{split}": bbox_struct(data) for split, data in splits.items()}
    variables["list_action"] = Structs(("nname", "vname", "vname_ing"), actions, column=True)
    return variables


def bbox_struct(data: dict) -> Structs:
    """One split's variable of anno_bbox.mat from its instances JSON."""
    rows = []
    images = zip(data["filenames"], data["size"], data["annotation"], strict=True)
    for name, (width, height), row in images:
        hois = [hoi_entry(row, hoi) for hoi in sorted(set(row["hoi"]))]
        size = Structs(("width", "height", "depth"), [(width, height, 3)])
        fields = ("id", "bboxhuman", "bboxobject", "connection", "invis")
        rows.append((name, size, Structs(fields, hois)))
    return Structs(("filename", "size", "hoi"), rows)


def hoi_entry(row: dict, hoi: int) -> tuple:
    """An image's pairs of one HOI: its boxes without duplicates, and their connections."""
    humans: list[list[float]] = []
    objects: list[list[float]] = []
    connections = []
    for k, other in enumerate(row["hoi"]):
        if other != hoi:
            continue
        box_h, box_o = row["boxes_h"][k], row["boxes_o"][k]
        if box_h not in humans:
            humans.append(box_h)
        if box_o not in objects:
            objects.append(box_o)

        # MATLAB counts from 1.
        connections.append([humans.index(box_h) + 1, objects.index(box_o) + 1])

    matrix = np.array(connections, dtype=np.float64)
    return hoi + 1, boxes_struct(humans), boxes_struct(objects), matrix, 0


def boxes_struct(boxes: list[list[float]]) -> Structs:
    """Boxes (xyxy) in the order of HICO-DET's fields."""
    return Structs(("x1", "x2", "y1", "y2"), [(x1, x2, y1, y2) for x1, y1, x2, y2 in boxes])


def gerund(verb: str) -> str:
    """ "sit_on" -> "sitting_on"; right for the verbs of the world."""
    head, _, tail = verb.partition("_")

    # HICO-DET: "no_interaction" is "and", as in "a person and a bicycle".
    if head == "no":
        return "and"

    if head in GERUNDS:
        head = GERUNDS[head]
    elif head.endswith("e"):
        head = head[:-1] + "ing"
    else:
        head += "ing"
    return f"{head}_{tail}" if tail else head
