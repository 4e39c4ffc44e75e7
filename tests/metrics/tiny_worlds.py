"""Small random worlds: few coordinates and scores, so that ties and IoUs of 0.5 are common."""

import numpy as np
import torch
from hypothesis import strategies as st

from rmlr_lightning.types import Detections, Target
from rmlr_lightning.vocabulary import Vocabulary

OBJECT_OF = (0, 0, 5, 5, 7)  # COCO object of each of five HOIs
VOCABULARY = Vocabulary(
    verbs=("a", "b", "c"), hois=((0, 0), (1, 0), (0, 5), (2, 5), (1, 7)), rare=frozenset({1, 4})
)

# Sides of 0, 1, 2, 4: IoUs of exactly one half, boxes without area, boxes that are the same.
corner = st.sampled_from([0, 1, 2, 4])
side = st.sampled_from([0, 1, 2, 2, 4, 4])
box = st.tuples(corner, corner, side, side).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))
score = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5, 0.5, 0.9, 1.0])
hoi = st.integers(0, 4)
labels = st.frozensets(hoi, max_size=3)
# A detection is (verb, object): some are no HOI at all.
free = st.tuples(st.integers(0, 2), st.sampled_from([0, 5, 7]), box, box, score)


@st.composite
def images(draw):
    """Annotations, detections, labels. Most detections have the class and a box of a pair.

    Boxes and classes drawn apart would hardly ever give a true positive.
    """
    size = draw(st.sampled_from([2, 1, 4, 0]))
    truths = draw(st.lists(st.tuples(hoi, box, box), min_size=size, max_size=size + 1))
    close = [
        st.tuples(
            *map(st.just, VOCABULARY.hois[number]),
            st.one_of(st.just(human), st.just(human), box),
            st.one_of(st.just(obj), st.just(obj), box),
            score,
        )
        for number, human, obj in truths
    ]
    size = draw(st.sampled_from([3, 6, 1, 0]))
    found = draw(st.lists(st.one_of(free, *close), min_size=size, max_size=size + 3))
    return truths, found, draw(labels)


worlds = st.lists(images(), max_size=6)


def columns(world):
    """A world as three lists over images: truths, detections by HOI, labels. For the reference."""
    index = VOCABULARY.hoi_of
    truths = [image[0] for image in world]
    detections = [
        [
            (index[verb, obj], human, box_o, score)
            for verb, obj, human, box_o, score in image[1]
            if (verb, obj) in index
        ]
        for image in world
    ]
    return truths, detections, [image[2] for image in world]


def boxes(rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def integers(rows):
    return torch.tensor(rows, dtype=torch.int64)


def target(number, truths, image_hois=None):
    hois = [t[0] for t in truths]
    return Target(
        file_name=f"{number}.jpg",
        image_id=number,
        size=integers([10, 10]),
        boxes_h=boxes([t[1] for t in truths]),
        boxes_o=boxes([t[2] for t in truths]),
        objects=integers([VOCABULARY.hois[hoi][1] for hoi in hois]),
        verbs=integers([VOCABULARY.hois[hoi][0] for hoi in hois]),
        hois=integers(hois),
        image_hois=image_hois,
    )


def detections(rows):
    return Detections(
        boxes_h=boxes([r[2] for r in rows]),
        boxes_o=boxes([r[3] for r in rows]),
        objects=integers([r[1] for r in rows]),
        verbs=integers([r[0] for r in rows]),
        scores=torch.tensor([r[4] for r in rows], dtype=torch.float32),
    )


def random_world(seed, images):
    """The same kind of world without hypothesis, for other processes."""
    rng = np.random.default_rng(seed)

    def some_box():
        x, y = rng.choice([0, 1, 2, 4], 2)
        width, height = rng.choice([0, 1, 2, 4], 2)
        return (int(x), int(y), int(x + width), int(y + height))

    world = []
    for _ in range(images):
        truths = [(int(rng.integers(5)), some_box(), some_box()) for _ in range(rng.integers(0, 5))]
        found = [
            (*VOCABULARY.hois[hoi], human, obj, float(rng.choice([0.1, 0.5, 0.5, 0.9])))
            for hoi, human, obj in truths
        ]
        noise = [
            (
                int(rng.integers(3)),
                int(rng.choice([0, 5, 7])),
                some_box(),
                some_box(),
                float(rng.choice([0.2, 0.5])),
            )
            for _ in range(rng.integers(0, 150 if rng.random() < 0.2 else 6))
        ]
        world.append((truths, found + noise, frozenset(rng.choice(5, 2).tolist())))
    return world
