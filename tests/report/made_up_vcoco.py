"""A record of a small V-COCO test whose results can be worked out by hand.

Four images with one person each, all boxes far apart:

    image  annotated                         detected (score)
    0      hold a cup                        hold the cup (0.9)
    1      hold a cup                        hold elsewhere (0.8), hold the cup (0.7)
    2      hold, nothing visible; sit on     hold the cup that is there (0.6); lay on the
           a couch                           couch (0.5)
    3      point at something; smile         nothing

`hold-obj` has three positives. By falling score its detections are true, false, true and, in image
2, false in Scenario 1, where an empty role must be found empty, but true in Scenario 2, where it is
not judged. AP is 1/3 + 1/3 * 2/3 in Scenario 1, and 1/3 + 2/3 * 3/4 in Scenario 2.
"""

import torch

from rmlr_lightning.metrics.vcoco_metric import VCOCORoleAP
from rmlr_lightning.metrics.vcoco_truth import VCOCOTruth, vcoco_truth
from rmlr_lightning.scoring.record import TestRecord, make_record
from rmlr_lightning.types import Detections, Target
from rmlr_lightning.vocabulary import COCO_CATEGORY_IDS, COCO_OBJECTS, vcoco, vcoco_actions

VOCABULARY = vcoco()
PERSON, CUP, COUCH = ((10, 10, 60, 90), (100, 20, 130, 60), (200, 10, 280, 90))
ELSEWHERE = (100, 70, 130, 95)
SIZE = (100, 300)  # height and width
# of each image the actions with the boxes of their roles; None: an empty role
DONE = [
    {"hold": {"obj": ("cup", CUP)}},
    {"hold": {"obj": ("cup", CUP)}},
    {"hold": {"obj": None}, "sit": {"instr": ("couch", COUCH)}},
    {"point": {"instr": ("cup", CUP)}, "smile": {}},
]
FOUND = [
    [("hold obj", "cup", CUP, 0.9)],
    [("hold obj", "cup", ELSEWHERE, 0.8), ("hold obj", "cup", CUP, 0.7)],
    [("hold obj", "cup", CUP, 0.6), ("lay instr", "couch", COUCH, 0.5)],
    [],
]
# the same without the wrong box
BETTER = [FOUND[0], FOUND[1][1:], *FOUND[2:]]


def truth() -> VCOCOTruth:
    """The annotations in the official layout, read by the package."""
    entities, persons, objects = [], [], {}

    def entity(image: int, kind: str, box: tuple[int, ...]) -> int:
        x1, y1, x2, y2 = box
        category = COCO_CATEGORY_IDS[COCO_OBJECTS.index(kind)]
        row = {"id": len(entities) + 1, "image_id": image, "category_id": category}
        entities.append(row | {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": 50})
        return len(entities)

    for image, done in enumerate(DONE):
        persons.append(entity(image, "person", PERSON))
        for action, roles in done.items():
            for role, linked in roles.items():
                objects[image, action, role] = entity(image, *linked) if linked else 0
    actions = [
        {
            "action_name": action.name,
            "role_name": list(action.roles),
            "image_id": list(range(len(DONE))),
            "ann_id": persons,
            "label": [int(action.name in done) for done in DONE],
            "role_object_id": persons
            + [
                objects.get((image, action.name, role), 0)
                for role in action.roles[1:]
                for image in range(len(DONE))
            ],
        }
        for action in vcoco_actions()
    ]
    height, width = SIZE
    images = [{"id": image, "height": height, "width": width} for image in range(len(DONE))]
    return vcoco_truth({"images": images, "annotations": entities}, actions, range(len(DONE)))


def record(found: list = FOUND) -> TestRecord:
    """Of these annotations with detections like `FOUND`."""
    results = [(_target(image), _detections(rows)) for image, rows in enumerate(found)]
    facts = {"twins": [], "attention": []}
    return make_record(results, VOCABULARY, roles=VCOCORoleAP(truth()), facts=facts)


def _target(image: int) -> Target:
    rows = [
        (VOCABULARY.verbs.index(f"{action} {role}"), *linked)
        for action, roles in DONE[image].items()
        for role, linked in roles.items()
        if linked and f"{action} {role}" in VOCABULARY.verbs
    ]
    verbs, objects = [row[0] for row in rows], [COCO_OBJECTS.index(row[1]) for row in rows]
    return Target(
        file_name=f"COCO_val2014_{image:012}.jpg",
        image_id=image,
        size=torch.tensor(SIZE),
        boxes_h=_boxes([PERSON] * len(rows)),
        boxes_o=_boxes([row[2] for row in rows]),
        objects=torch.tensor(objects, dtype=torch.int64),
        verbs=torch.tensor(verbs, dtype=torch.int64),
        hois=torch.tensor(
            [VOCABULARY.hoi_of[pair] for pair in zip(verbs, objects, strict=True)],
            dtype=torch.int64,
        ),
    )


def _detections(rows: list) -> Detections:
    verbs, objects, boxes, scores = zip(*rows, strict=True) if rows else [()] * 4
    return Detections(
        boxes_h=_boxes([PERSON] * len(boxes)),
        boxes_o=_boxes(boxes),
        objects=torch.tensor([COCO_OBJECTS.index(name) for name in objects], dtype=torch.int64),
        verbs=torch.tensor([VOCABULARY.verbs.index(name) for name in verbs], dtype=torch.int64),
        scores=torch.tensor(scores),
    )


def _boxes(rows) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)
