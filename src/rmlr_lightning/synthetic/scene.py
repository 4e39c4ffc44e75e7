"""A composed scene: a place, people and objects, ready to be drawn.

A person's box and objects are given in the frame where the first object is at +x; the body is in
its own frame, where the person faces +x. The two differ where the person faces away from the
object. Both are in body units; `scale` is the size of a body unit in pixels.
"""

from dataclasses import dataclass, field

import numpy as np

from rmlr_lightning.synthetic.config import PairSpec
from rmlr_lightning.synthetic.contact import Contact
from rmlr_lightning.synthetic.person import Look
from rmlr_lightning.synthetic.pose import Box
from rmlr_lightning.synthetic.skeleton import Body


@dataclass
class PlacedObject:
    """An object to draw, in the frame of its owner.

    `look`: 6 numbers in [0, 1) that determine colours. `order`: as in `Act`. `owner`: the index of
    the person it is drawn with. `on_table`: a table stands under it. `box`: what was drawn, xyxy
    in pixels.
    """

    contact: Contact
    look: np.ndarray
    order: str
    owner: int
    on_table: bool = False
    box: list[float] = field(default_factory=list)


@dataclass
class Actor:
    """A person in the image: pixel = origin + scale * (x mirrored with `flip`, y).

    `back`: faces away from the object, so that the body's own frame is mirrored. `pairs`: (index
    of the object in the scene, what is done). `box`: what was drawn, xyxy in pixels.
    """

    look: Look
    body: Body
    extent: Box
    origin: complex
    scale: float
    flip: bool
    back: bool
    pairs: list[tuple[int, PairSpec]]
    box: list[float] = field(default_factory=list)


@dataclass
class Scene:
    """All that is drawn in front of a background."""

    place: str
    actors: list[Actor]
    objects: list[PlacedObject]
