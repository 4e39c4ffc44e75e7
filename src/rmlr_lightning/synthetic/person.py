"""Drawing a person: skin, hair and clothes over a posed body, in layers so that objects can go between them."""

import cmath
from dataclasses import dataclass

import numpy as np

from rmlr_lightning.synthetic.chance import tinted, weighted
from rmlr_lightning.synthetic.draw import Brush, Color, arc, mix, shade
from rmlr_lightning.synthetic.skeleton import HAND, HEAD, Body

SKIN = [
    (255, 219, 185),
    (241, 194, 150),
    (224, 172, 120),
    (198, 134, 86),
    (141, 90, 58),
    (100, 66, 44),
]
HAIR = [(35, 28, 26), (75, 48, 30), (130, 82, 40), (222, 180, 90), (170, 70, 35), (170, 168, 170)]
CLOTH = [
    (214, 60, 66),
    (52, 108, 190),
    (62, 150, 92),
    (245, 196, 66),
    (140, 84, 168),
    (240, 240, 235),
    (60, 64, 78),
    (238, 128, 60),
    (92, 186, 196),
    (232, 140, 170),
    (150, 120, 90),
]
TROUSERS = [
    (48, 62, 104),
    (58, 58, 64),
    (128, 104, 74),
    (92, 110, 130),
    (70, 84, 62),
    (160, 150, 140),
    (110, 50, 60),
]


@dataclass(frozen=True)
class Look:
    """Who it is: stays the same in a twin."""

    skin: Color
    hair: Color
    top: Color
    bottom: Color
    shoes: Color
    style: int  # of hair: 0 short, 1 long, 2 bun, 3 cap, 4 bald with beard
    stripe: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Look":
        def one(colors):
            return tinted(rng, colors, 14)

        style = weighted(rng, (0.35, 0.25, 0.15, 0.17, 0.08))
        return cls(
            one(SKIN),
            one(HAIR),
            one(CLOTH),
            one(TROUSERS),
            one([(50, 45, 45), (235, 235, 235), (170, 50, 50)]),
            style,
            bool(rng.random() < 0.35),
        )


def draw_leg(b: Brush, body: Body, look: Look, side: int) -> None:
    """Both legs in one cloth, hardly outlined: clothes hide what limbs do."""
    hip, knee, foot = body.hip_joint(side), body.knee[side], body.foot[side]
    toe = body.toe[side]
    b.line([foot, foot + toe], 0.055, look.shoes, shade(look.shoes, 0.7))
    b.line([hip, knee, foot], 0.076, look.bottom, shade(look.bottom, 0.9))
    b.line([hip, knee], 0.084, look.bottom)


def draw_torso(b: Brush, body: Body, look: Look) -> None:
    spine = body.spine
    across = spine * 1j  # to the facing side
    hip, neck = body.hip, body.neck
    wide = 0.098 if abs(spine.real) < 0.75 else 0.088
    ink = shade(look.top, 0.5)
    b.line([hip - across * 0.03, hip + across * 0.03], 0.1, look.bottom, shade(look.bottom, 0.5))
    top = [
        hip - across * 0.066 - spine * 0.01,
        hip + across * 0.066 - spine * 0.01,
        neck + across * wide - spine * 0.045,
        neck + across * 0.05 + spine * 0.012,
        neck - across * 0.05 + spine * 0.012,
        neck - across * wide - spine * 0.045,
    ]
    b.line([neck, body.head], 0.06, shade(look.skin, 0.85))
    b.poly(top, look.top, ink)
    if look.stripe:
        middle = hip + (neck - hip) * 0.55
        b.line(
            [middle - across * 0.07, middle + across * 0.07],
            0.045,
            shade(look.top, 0.6 if sum(look.top) > 420 else 1.8),
            track=False,
        )
    if body.straps:
        for s in (-1, 1):
            b.line(
                [neck + across * 0.05 * s, hip + spine * 0.1 + across * 0.06 * s],
                0.026,
                (60, 45, 40),
                track=False,
            )


def draw_arm(b: Brush, body: Body, look: Look, side: int) -> None:
    """An arm in the cloth of the torso, hardly outlined."""
    shoulder, elbow, hand = body.shoulder(side), body.elbow[side], body.hand[side]
    b.line([shoulder, elbow, hand + (elbow - hand) * 0.1], 0.05, look.top, shade(look.top, 0.93))
    draw_hand(b, body, look, side)


def draw_hand(b: Brush, body: Body, look: Look, side: int) -> None:
    """A hand without fingers: whether it grips is told by where it is."""
    b.disc(body.hand[side], HAND * 0.8, look.skin, shade(look.skin, 0.8))


def draw_head(b: Brush, body: Body, look: Look) -> None:
    face = body.face
    upright = (
        body.spine if abs(body.spine.real) > 0.8 else -1j
    )  # lying people have their head in line
    side = 1 if face.turn >= 0 else -1
    spin = cmath.phase(upright * 1j) + face.tilt * side
    f = b.child(body.head, HEAD, spin)
    ink, skin = shade(look.skin, 0.5), look.skin
    depth = abs(face.turn)

    def p(x: float, y: float) -> complex:
        return complex(side * x, y)

    if look.style == 1:
        f.poly(
            [p(0.5, -0.75), p(-0.9, -0.6), p(-1.15, 0.9), p(-0.35, 1.1), p(0.2, 0.0)],
            look.hair,
            shade(look.hair, 0.5),
        )
    if look.style == 2:
        f.disc(p(-0.75, -0.75), 0.36, look.hair, shade(look.hair, 0.5))
    f.disc(0j, 1.0, skin, ink)
    f.disc(p(0.98 * depth, 0.14), 0.15, shade(skin, 0.92), ink)  # nose
    f.disc(p(0.92 * depth, 0.12), 0.13, shade(skin, 0.96))
    if look.style != 4:
        cap = [p(z.real, z.imag) for z in arc(0j, 1.04, 1.05, 150, 315, 12)]
        f.poly(
            cap + [p(0.35, -0.42), p(-0.35, -0.25), p(-0.5, 0.15)], look.hair, shade(look.hair, 0.6)
        )
    else:
        f.poly(
            [p(z.real, z.imag) for z in arc(0j, 1.0, 1.02, 25, 130, 9)]
            + [p(-0.3, 0.35), p(0.3, 0.75)],
            look.hair,
        )
    if look.style == 3:
        f.poly(
            [p(z.real, z.imag) for z in arc(0j, 1.08, 1.1, 188, 345, 12)],
            look.bottom,
            shade(look.bottom, 0.5),
        )
        f.line([p(0.5, -0.38), p(1.35, -0.34)], 0.16, shade(look.bottom, 0.8), track=False)
    f.oval(p(-0.24, 0.08), 0.16, 0.22, shade(skin, 0.9), ink, track=False)  # ear
    gaze = face.gaze / max(abs(face.gaze), 1e-6) * cmath.exp(-1j * spin)
    for x in (0.14, 0.66):
        eye = p(x, -0.1)
        if face.eyes == "shut":
            f.line([eye - 0.2, eye + 0.12j, eye + 0.2], 0.09, (40, 28, 28), track=False)
            continue
        big = 1.25 if face.eyes == "wide" else 1.0
        f.oval(eye, 0.24 * big, 0.3 * big, (255, 255, 255), ink, track=False)
        f.disc(eye + complex(gaze.real * 0.1, gaze.imag * 0.14), 0.15, (25, 20, 25), track=False)
        brow = -0.44 if face.eyes == "wide" else -0.38
        f.line(
            [eye + complex(-0.16, brow), eye + complex(0.16, brow)],
            0.09,
            shade(look.hair, 0.8),
            track=False,
        )
    lip = mix(skin, (150, 30, 40), 0.6)
    if face.mouth == "open":
        f.oval(p(0.55, 0.52), 0.34, 0.34, (90, 15, 25), lip, track=False)
    elif face.mouth == "kiss":
        f.disc(p(0.9, 0.46), 0.24, (215, 60, 80), shade(lip, 0.6))
    elif face.mouth == "smile":
        f.line([p(0.22, 0.46), p(0.48, 0.6), p(0.74, 0.46)], 0.1, (120, 25, 35), track=False)
    else:
        f.line([p(0.34, 0.54), p(0.74, 0.52)], 0.09, lip, track=False)
