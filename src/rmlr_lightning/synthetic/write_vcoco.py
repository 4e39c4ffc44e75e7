"""The world in V-COCO's layout: the official action lists, COCO instances, and UPT's json, on the same pictures."""

from rmlr_lightning.vocabulary import COCO_CATEGORY_IDS, COCO_INDEX, COCO_OBJECTS, _read

SPLIT_OFFSET = {"train": 0, "val": 100_000, "test": 200_000}  # image ids must differ between splits

# HICO verb -> V-COCO (action, role) where the meaning agrees; the action's own list of objects has the last word.
MEANING = {
    "hold": ("hold", "obj"),
    "carry": ("carry", "obj"),
    "eat": ("eat", "obj"),
    "drink_with": ("drink", "instr"),
    "sit_on": ("sit", "instr"),
    "lie_on": ("lay", "instr"),
    "talk_on": ("talk_on_phone", "instr"),
    "type_on": ("work_on_computer", "instr"),
    "read": ("read", "obj"),
    "kick": ("kick", "obj"),
    "throw": ("throw", "obj"),
    "catch": ("catch", "obj"),
    "swing": ("hit", "instr"),
    "inspect": ("look", "obj"),
    "jump": ("jump", "instr"),
}
RIDE = {"skateboard": "skateboard", "surfboard": "surf"}


def actions() -> list[dict]:
    return _read("vcoco.json")["actions"]


def image_id(split: str, number: int) -> int:
    return SPLIT_OFFSET[split] + number


def picture(split: str, number: int) -> tuple[str, str]:
    """COCO folder and file name: the test split lives in val2014, as in V-COCO."""
    folder = "val2014" if split == "test" else "train2014"
    return folder, f"COCO_{folder}_{image_id(split, number):012d}.jpg"


def action_of(verb: str, obj: str) -> list[tuple[str, str]]:
    """The V-COCO (action, role)s that a HICO verb on an object means."""
    wanted = []
    if verb == "ride":
        wanted.append((RIDE.get(obj, "ride"), "instr"))
    elif verb in MEANING:
        wanted.append(MEANING[verb])
    if verb in ("read", "text_on", "type_on"):
        wanted.append(("look", "obj"))
    out = []
    for name, role in wanted:
        action = next(a for a in actions() if a["name"] == name)
        allowed = action["role_object_include"][action["roles"].index(role)]
        if not allowed or obj in allowed:
            out.append((name, role))
    return out


def xywh(box: list[float]) -> list[float]:
    x0, y0, x1, y1 = box
    return [round(x0, 2), round(y0, 2), round(x1 - x0, 2), round(y1 - y0, 2)]


def coco(images: list[tuple[int, str, dict]], size: tuple[int, int]) -> tuple[dict, dict]:
    """COCO instances of (image id, file name, annotations); and (image id, kind, index) -> annotation id."""
    rows, ids = [], {}
    for image, _, a in images:
        things = [("person", i, "person", box) for i, box in enumerate(a["persons"])]
        things += [("object", i, o["name"], o["box"]) for i, o in enumerate(a["objects"])]
        for kind, index, name, box in things:
            x, y, w, h = xywh(box)
            if w < 1 or h < 1:
                continue
            ids[image, kind, index] = len(rows) + 1
            rows.append(
                {
                    "id": len(rows) + 1,
                    "image_id": image,
                    "category_id": COCO_CATEGORY_IDS[COCO_INDEX[name]],
                    "bbox": [x, y, w, h],
                    "area": round(w * h, 2),
                    "iscrowd": 0,
                    "segmentation": [],
                }
            )
    categories = [
        {"id": c, "name": n, "supercategory": n}
        for c, n in zip(COCO_CATEGORY_IDS, COCO_OBJECTS, strict=True)
    ]
    pictures = [
        {"id": image, "file_name": name, "width": size[0], "height": size[1]}
        for image, name, _ in images
    ]
    return {
        "info": {"description": "rmlr_lightning synthetic world"},
        "images": pictures,
        "annotations": rows,
        "categories": categories,
    }, ids


def person_actions(a: dict, person: int) -> dict[str, dict[str, int | None]]:
    """What a person does: action -> role -> object index (None: no object)."""
    out: dict[str, dict[str, int | None]] = {}
    for pair in a["pairs"]:
        if pair["person"] != person:
            continue
        for verb in pair["verbs"]:
            for name, role in action_of(verb, a["objects"][pair["object"]]["name"]):
                out.setdefault(name, {}).setdefault(role, pair["object"])
    posture = a["postures"][person]
    plain = {"stand": "stand", "walk": "walk", "sit": "sit", "lie": "lay"}.get(posture)
    if plain:
        out.setdefault(plain, {})
    if a["smiles"][person]:
        out.setdefault("smile", {})
    return out


def official(images: list[tuple[int, str, dict]], ids: dict) -> list[dict]:
    """`vcoco_{split}.json`: 26 actions, a row per person in each; role_object_id is role-major, 0 where none."""
    people = [
        (image, a, i)
        for image, _, a in images
        for i in range(len(a["persons"]))
        if (image, "person", i) in ids
    ]
    done = [person_actions(a, i) for _, a, i in people]
    out = []
    for action in actions():
        name, roles = action["name"], action["roles"]
        agents = [ids[image, "person", i] for image, _, i in people]
        flat = list(agents)
        for role in roles[1:]:
            for (image, _, _), does in zip(people, done, strict=True):
                thing = does.get(name, {}).get(role)
                flat.append(0 if thing is None else ids.get((image, "object", thing), 0))
        out.append(
            {
                "image_id": [image for image, _, _ in people],
                "ann_id": agents,
                "role_object_id": flat,
                "label": [int(name in does) for does in done],
                "action_name": name,
                "role_name": list(roles),
                "include": [list(names) for names in action["role_object_include"]],
            }
        )
    return out


def upt(images: list[tuple[int, str, dict]], seen: dict[str, set[int]]) -> dict:
    """UPT's `instances_vcoco_{split}.json`."""
    classes = upt_classes()
    rows = []
    for _, name, a in images:
        row: dict = {"boxes_h": [], "boxes_o": [], "actions": [], "objects": [], "file_name": name}
        for i, box in enumerate(a["persons"]):
            for action, roles in person_actions(a, i).items():
                for role, thing in roles.items():
                    if f"{action} {role}" in classes and thing is not None:
                        row["boxes_h"].append([round(v, 2) for v in box])
                        row["boxes_o"].append([round(v, 2) for v in a["objects"][thing]["box"]])
                        row["actions"].append(classes.index(f"{action} {role}"))
                        row["objects"].append(COCO_INDEX[a["objects"][thing]["name"]] + 1)
        rows.append(row)
    return {
        "annotations": rows,
        "classes": classes,
        "objects": ["background", *COCO_OBJECTS],
        "images": [image for image, _, _ in images],
        "action_to_object": [sorted(seen.get(c, ())) for c in classes],
    }


def upt_classes() -> list[str]:
    """The 24 action-roles with an object that papers report."""
    return [
        f"{a['name']} {role}" for a in actions() for role in a["roles"][1:] if a["name"] != "point"
    ]


def seen_objects(annotations: list[dict]) -> dict[str, set[int]]:
    """Action-role -> the object indices (1-based COCO, 0 is background) it occurs with."""
    out: dict[str, set[int]] = {}
    for a in annotations:
        for i in range(len(a["persons"])):
            for action, roles in person_actions(a, i).items():
                for role, thing in roles.items():
                    if thing is not None:
                        out.setdefault(f"{action} {role}", set()).add(
                            COCO_INDEX[a["objects"][thing]["name"]] + 1
                        )
    return out
