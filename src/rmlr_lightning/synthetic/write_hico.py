"""The world in HICO-DET's layout: UPT's instances json and the authors' anno_bbox.mat, with its own vocabulary."""

import numpy as np

from rmlr_lightning.synthetic.files import file_name
from rmlr_lightning.synthetic.mat_structs import Structs
from rmlr_lightning.synthetic.world import Classes


def inclusive(box: list[float]) -> list[float]:
    """Continuous 0-based xyxy to HICO-DET's 1-based inclusive whole pixels."""
    x0, y0, x1, y1 = (round(v) for v in box)
    return [float(x0 + 1), float(y0 + 1), float(max(x1, x0 + 1)), float(max(y1, y0 + 1))]


def instances(split: str, annotations: list[dict], size: tuple[int, int], names: Classes) -> dict:
    """UPT's `instances_*.json`, one row a verb, plus `image_hois`."""
    hoi_of = {pair: i for i, pair in enumerate(names.hois)}
    rows, image_hois = [], []
    for a in annotations:
        row: dict = {"boxes_h": [], "boxes_o": [], "hoi": [], "object": [], "verb": []}
        found = []
        for pair in a["pairs"]:
            thing = a["objects"][pair["object"]]
            for verb in pair["verbs"]:
                found.append(
                    (
                        hoi_of[verb, thing["name"]],
                        inclusive(a["persons"][pair["person"]]),
                        inclusive(thing["box"]),
                        thing["name"],
                        verb,
                    )
                )
        for hoi, box_h, box_o, name, verb in sorted(
            found, key=lambda f: f[0]
        ):  # HICO-DET lists an image's pairs HOI by HOI
            row["boxes_h"].append(box_h)
            row["boxes_o"].append(box_o)
            row["hoi"].append(hoi)
            row["object"].append(names.objects.index(name))
            row["verb"].append(names.verbs.index(verb))
        rows.append(row)
        image_hois.append(sorted(set(row["hoi"])))
    rare = set(names.rare)
    return {
        "annotation": rows,
        "filenames": [file_name(split, i + 1) for i in range(len(rows))],
        "size": [list(size)] * len(rows),
        "empty": [i for i, row in enumerate(rows) if not row["hoi"]],
        "objects": list(names.objects),
        "verbs": list(names.verbs),
        "correspondence": [
            [i, names.objects.index(obj), names.verbs.index(verb)]
            for i, (verb, obj) in enumerate(names.hois)
        ],
        "rare": sorted(rare),
        "non_rare": [i for i in range(len(names.hois)) if i not in rare],
        "image_hois": image_hois,
    }


def boxes_struct(boxes: list[list[float]]) -> Structs:
    return Structs(("x1", "x2", "y1", "y2"), [(b[0], b[2], b[1], b[3]) for b in boxes])


def bbox_struct(data: dict) -> Structs:
    """`bbox_train` or `bbox_test` of anno_bbox.mat from an instances json."""
    rows = []
    for name, (width, height), row in zip(
        data["filenames"], data["size"], data["annotation"], strict=True
    ):
        hois = []
        for hoi in sorted(set(row["hoi"])):
            mine = [k for k, h in enumerate(row["hoi"]) if h == hoi]
            humans: list = []
            things: list = []
            links = []
            for k in mine:
                for box, known in ((row["boxes_h"][k], humans), (row["boxes_o"][k], things)):
                    if box not in known:
                        known.append(box)
                links.append(
                    [humans.index(row["boxes_h"][k]) + 1, things.index(row["boxes_o"][k]) + 1]
                )
            hois.append(
                (
                    hoi + 1,
                    boxes_struct(humans),
                    boxes_struct(things),
                    np.array(links, dtype=np.float64),
                    0,
                )
            )
        hoi_struct = Structs(("id", "bboxhuman", "bboxobject", "connection", "invis"), hois)
        rows.append((name, Structs(("width", "height", "depth"), [(width, height, 3)]), hoi_struct))
    return Structs(("filename", "size", "hoi"), rows)


def gerund(verb: str) -> str:
    """ "sit_on" -> "sitting_on"."""
    head, _, tail = verb.partition("_")
    if head == "no":
        return "and"
    irregular = {
        "lie": "lying",
        "hug": "hugging",
        "pet": "petting",
        "sit": "sitting",
        "swing": "swinging",
        "swim": "swimming",
    }
    if head in irregular:
        head = irregular[head]
    elif head.endswith("e"):
        head = head[:-1] + "ing"
    else:
        head += "ing"
    return f"{head}_{tail}" if tail else head


def mat(splits: dict[str, dict], names: Classes) -> dict[str, Structs]:
    """The content of anno_bbox.mat; `bbox_val` is ours (HICO-DET has no validation split)."""
    actions = [(obj.replace(" ", "_"), verb, gerund(verb)) for verb, obj in names.hois]
    out = {f"bbox_{split}": bbox_struct(data) for split, data in splits.items()}
    out["list_action"] = Structs(("nname", "vname", "vname_ing"), actions, column=True)
    return out
