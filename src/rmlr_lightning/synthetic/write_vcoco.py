"""The world in V-COCO's layout: the official action lists and UPT's JSON, on the same images.

An image is given as (COCO image id, COCO file name, annotations).
"""

from functools import cache

from rmlr_lightning.synthetic.names import COCO_INDEX, COCO_OBJECTS, vcoco_actions

# HICO-DET verb -> V-COCO (action, role) where the meaning agrees. The action's own list of valid
# objects decides afterwards.
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

# The action that "ride" is with a board; "ride" with all else.
RIDE = {"skateboard": "skateboard", "surfboard": "surf"}

# Verbs that are also V-COCO's "look" at the object.
LOOKING = ("read", "text_on", "type_on")

# Actions without an object, by the posture of the body.
POSTURE_ACTION = {"stand": "stand", "walk": "walk", "sit": "sit", "lie": "lay"}

Image = tuple[int, str, dict]


@cache
def actions_of(verb: str, obj: str) -> tuple[tuple[str, str], ...]:
    """The V-COCO (action, role)s that correspond to a HICO-DET verb with an object."""
    candidates = []
    if verb == "ride":
        candidates.append((RIDE.get(obj, "ride"), "instr"))
    elif verb in MEANING:
        candidates.append(MEANING[verb])
    if verb in LOOKING:
        candidates.append(("look", "obj"))

    include = {action["name"]: action for action in vcoco_actions()}
    found = []
    for name, role in candidates:
        action = include[name]
        valid = action["role_object_include"][action["roles"].index(role)]
        if not valid or obj in valid:
            found.append((name, role))
    return tuple(found)


def person_actions(annotations: dict, person: int) -> dict[str, dict[str, int | None]]:
    """A person's actions: action -> role -> index of the object (None: without object)."""
    actions: dict[str, dict[str, int | None]] = {}
    for pair in annotations["pairs"]:
        if pair["person"] != person:
            continue
        obj = annotations["objects"][pair["object"]]["name"]
        for verb in pair["verbs"]:
            # V-COCO has one object per role: the first stays.
            for name, role in actions_of(verb, obj):
                actions.setdefault(name, {}).setdefault(role, pair["object"])

    posture = annotations["postures"][person]
    if posture in POSTURE_ACTION:
        actions.setdefault(POSTURE_ACTION[posture], {})
    if annotations["smiles"][person]:
        actions.setdefault("smile", {})
    return actions


def official(images: list[Image], ids: dict) -> list[dict]:
    """The content of `vcoco_{split}.json`: 26 actions with a row per person in each.

    `role_object_id` is role-major: first all agents, then all objects of the next role; 0 where
    there is none. `ids`: annotation ids as `coco_instances` gives them.
    """
    people = []
    for image, _, annotations in images:
        for i in range(len(annotations["persons"])):
            if (image, "person", i) in ids:
                people.append((image, ids[image, "person", i], person_actions(annotations, i)))

    agents = [agent for _, agent, _ in people]
    out = []
    for action in vcoco_actions():
        name, roles = action["name"], action["roles"]

        role_object_ids = list(agents)
        for role in roles[1:]:
            for image, _, actions in people:
                obj = actions.get(name, {}).get(role)
                role_object_ids.append(0 if obj is None else ids.get((image, "object", obj), 0))

        out.append(
            {
                "image_id": [image for image, _, _ in people],
                "ann_id": agents,
                "role_object_id": role_object_ids,
                "label": [int(name in actions) for _, _, actions in people],
                "action_name": name,
                "role_name": list(roles),
                "include": [list(names) for names in action["role_object_include"]],
            }
        )
    return out


def upt(images: list[Image], action_objects: dict[str, set[int]]) -> dict:
    """The content of UPT's `instances_vcoco_{split}.json`.

    `action_objects`: what `objects_by_action` gives for the whole world.
    """
    classes = upt_classes()
    return {
        "annotations": [upt_row(name, annotations, classes) for _, name, annotations in images],
        "classes": classes,
        "objects": ["background", *COCO_OBJECTS],
        "images": [image for image, _, _ in images],
        "action_to_object": [sorted(action_objects.get(c, ())) for c in classes],
    }


def upt_row(name: str, annotations: dict, classes: list[str]) -> dict:
    """One image's action-roles with an object, in parallel lists."""
    row: dict = {"boxes_h": [], "boxes_o": [], "actions": [], "objects": [], "file_name": name}
    for person, action_role, index in action_roles(annotations):
        if action_role not in classes:
            continue
        obj = annotations["objects"][index]
        row["boxes_h"].append([round(v, 2) for v in annotations["persons"][person]])
        row["boxes_o"].append([round(v, 2) for v in obj["box"]])
        row["actions"].append(classes.index(action_role))
        row["objects"].append(upt_object(obj["name"]))
    return row


def action_roles(annotations: dict) -> list[tuple[int, str, int]]:
    """An image's (person index, "action role", object index), without roles that have no object."""
    found = []
    for person in range(len(annotations["persons"])):
        for action, roles in person_actions(annotations, person).items():
            for role, obj in roles.items():
                if obj is not None:
                    found.append((person, f"{action} {role}", obj))
    return found


def upt_classes() -> list[str]:
    """The 24 action-roles with an object that papers report: all but "point instr"."""
    classes = []
    for action in vcoco_actions():
        if action["name"] != "point":
            classes += [f"{action['name']} {role}" for role in action["roles"][1:]]
    return classes


def upt_object(name: str) -> int:
    """UPT's object index: COCO's 80 from 1, 0 is the background."""
    return COCO_INDEX[name] + 1


def objects_by_action(annotations: list[dict]) -> dict[str, set[int]]:
    """ "action role" -> UPT's indices of the objects it occurs with in these images."""
    objects: dict[str, set[int]] = {}
    for image in annotations:
        for _, action_role, obj in action_roles(image):
            index = upt_object(image["objects"][obj]["name"])
            objects.setdefault(action_role, set()).add(index)
    return objects
