"""Where an object is relative to a person who faces +x: drawn without knowing the verb."""

import math

import numpy as np

from rmlr_lightning.synthetic.objects import Contact, Kind


def place(kind: Kind, zone: str, held: bool, size: float, rng: np.random.Generator) -> Contact:
    """The object somewhere in a zone, in body units of a standing person with soles at 0."""
    u = rng.uniform
    angle = float(np.clip(rng.normal(0, kind.tilt), -0.35, 0.35))
    ground = -kind.half.imag * size
    mirror = False
    if zone == "face":
        at = complex(u(0.11, 0.21) + size * 0.2, u(-0.9, -0.77))
    elif zone == "chest":
        at = complex(u(0.14, 0.25), u(-0.72, -0.58))
    elif zone == "air":
        at = complex(u(0.16, 0.3), u(-0.98, -0.7))
    elif zone == "knee":
        at = complex(u(0.18, 0.3), u(-0.44, -0.26))
    elif zone == "long":
        hand = complex(u(0.12, 0.28), u(-0.72, -0.5))
        angle = u(-0.3, 0.3) if kind.name == "umbrella" else u(-2.6, 0.2)
        at = hand - (size * kind.grips["hand"]) * complex(math.cos(angle), math.sin(angle))
    elif zone == "bike":
        at, angle = complex(u(-0.02, 0.12), ground), 0.0
    elif zone == "meet":  # it stands face to face
        at, angle, mirror = (
            complex(u(0.17, 0.27) + kind.grips["head"].real * size, ground),
            0.0,
            True,
        )
    elif zone == "under":
        at, angle = complex(u(-0.08, 0.08), ground), 0.0
    elif zone == "side":
        at, angle = complex(u(0.06, 0.2), ground - u(0.0, 0.08)), angle * 0.3
    elif zone == "upright":
        angle = u(-1.75, -1.3) if kind.name == "surfboard" else u(-1.9, -1.1)
        at = complex(
            u(0.1, 0.2), u(-0.52, -0.4) if kind.name == "skateboard" else -0.47 * size - u(0, 0.06)
        )
    elif zone == "pack":
        at, angle = complex(u(0.13, 0.19) + 0.1 * size, -u(0.54, 0.64)), u(-0.2, 0.2)
    elif zone == "arms":
        at, mirror = complex(u(0.13, 0.22), u(-0.7, -0.6)), rng.random() < 0.5
    elif zone == "stool":
        at, angle, mirror = complex(u(0.26, 0.34), -u(0.3, 0.36) + ground), 0.0, rng.random() < 0.5
    else:  # front
        at, angle = complex(0.14 + kind.half.real * size + u(-0.02, 0.12), ground), 0.0
        mirror = kind.group == "pet"
    return Contact(kind, at, size, angle, mirror, zone, held)


def turned(c: Contact) -> Contact:
    """The same object seen from a person who faces the other way: x mirrored."""
    return Contact(
        c.kind, -c.place.conjugate(), c.size, -c.angle, not c.mirror, c.zone, c.held, c.spot
    )
