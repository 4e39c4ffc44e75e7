"""Where an object is relative to a person who faces +x: random, and independent of the verb."""

import math

import numpy as np

from rmlr_lightning.synthetic.contact import Contact, Kind


def place(kind: Kind, zone: str, held: bool, size: float, rng: np.random.Generator) -> Contact:
    """An object of this size somewhere in a zone.

    Places and `size` are in body units (height 1, soles at 0, y down), angles in radians.
    """
    uniform = rng.uniform

    angle = float(np.clip(rng.normal(0, kind.tilt), -0.35, 0.35))
    mirror = False
    # Centre of an object that stands on the ground.
    ground = -kind.half.imag * size

    if zone == "face":
        at = complex(uniform(0.11, 0.21) + size * 0.2, uniform(-0.9, -0.77))
    elif zone == "chest":
        at = complex(uniform(0.14, 0.25), uniform(-0.72, -0.58))
    elif zone == "air":
        at = complex(uniform(0.16, 0.3), uniform(-0.98, -0.7))
    elif zone == "knee":
        at = complex(uniform(0.18, 0.3), uniform(-0.44, -0.26))
    elif zone == "long":
        # The handle is within reach, and the object points anywhere from there.
        hand = complex(uniform(0.12, 0.28), uniform(-0.72, -0.5))
        angle = uniform(-0.3, 0.3) if kind.name == "umbrella" else uniform(-2.6, 0.2)
        at = hand - (size * kind.grips["hand"]) * complex(math.cos(angle), math.sin(angle))
    elif zone == "bike":
        at = complex(uniform(-0.02, 0.12), ground)
        angle = 0.0
    elif zone == "meet":
        # An animal face to face with the person.
        at = complex(uniform(0.17, 0.27) + kind.grips["head"].real * size, ground)
        angle = 0.0
        mirror = True
    elif zone == "under":
        at = complex(uniform(-0.08, 0.08), ground)
        angle = 0.0
    elif zone == "side":
        at = complex(uniform(0.06, 0.2), ground - uniform(0.0, 0.08))
        angle *= 0.3
    elif zone == "upright":
        angle = uniform(-1.75, -1.3) if kind.name == "surfboard" else uniform(-1.9, -1.1)
        x = uniform(0.1, 0.2)
        if kind.name == "skateboard":
            y = uniform(-0.52, -0.4)
        else:
            y = -0.47 * size - uniform(0, 0.06)
        at = complex(x, y)
    elif zone == "pack":
        at = complex(uniform(0.13, 0.19) + 0.1 * size, -uniform(0.54, 0.64))
        angle = uniform(-0.2, 0.2)
    elif zone == "arms":
        at = complex(uniform(0.13, 0.22), uniform(-0.7, -0.6))
        mirror = rng.random() < 0.5
    elif zone == "stool":
        at = complex(uniform(0.26, 0.34), -uniform(0.3, 0.36) + ground)
        angle = 0.0
        mirror = rng.random() < 0.5
    else:
        # front: on the ground before the person.
        at = complex(0.14 + kind.half.real * size + uniform(-0.02, 0.12), ground)
        angle = 0.0
        mirror = kind.group == "pet"

    return Contact(kind, at, size, angle, mirror, zone, held)


def turned(c: Contact) -> Contact:
    """The same object in the frame of a person who faces the other way: mirrored in x."""
    place = -c.place.conjugate()
    return Contact(c.kind, place, c.size, -c.angle, not c.mirror, c.zone, c.held, c.spot)
