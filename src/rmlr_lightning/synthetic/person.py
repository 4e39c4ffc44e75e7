"""Drawing a person's clothed body over a pose, in layers so that objects can go between them."""

from dataclasses import dataclass

import numpy as np

from rmlr_lightning.synthetic.chance import tinted, weighted
from rmlr_lightning.synthetic.draw import Brush, Color, shade
from rmlr_lightning.synthetic.skeleton import HAND, Body

# Colours (RGB) that are tinted at random.
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
SHOES = [(50, 45, 45), (235, 235, 235), (170, 50, 50)]
TINT = 14

# Styles of hair, with how often each occurs. "Bald" has a beard.
SHORT_HAIR, LONG_HAIR, BUN, CAP, BALD = range(5)
STYLE_WEIGHTS = (0.35, 0.25, 0.15, 0.17, 0.08)


@dataclass(frozen=True)
class Look:
    """Skin, hair and clothes of a person; equal in both images of a twin pair."""

    skin: Color
    hair: Color
    top: Color
    bottom: Color
    shoes: Color
    style: int
    stripe: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Look":
        """A random look."""
        style = weighted(rng, STYLE_WEIGHTS)
        return cls(
            skin=tinted(rng, SKIN, TINT),
            hair=tinted(rng, HAIR, TINT),
            top=tinted(rng, CLOTH, TINT),
            bottom=tinted(rng, TROUSERS, TINT),
            shoes=tinted(rng, SHOES, TINT),
            style=style,
            stripe=bool(rng.random() < 0.35),
        )


def draw_leg(brush: Brush, body: Body, look: Look, side: int) -> None:
    """A leg. Both have one cloth and hardly an outline: clothes hide what limbs do."""
    hip, knee, foot = body.hip_joint(side), body.knee[side], body.foot[side]
    toe = body.toe[side]

    # Shoe, leg, and a thicker thigh without an outline.
    brush.line([foot, foot + toe], 0.055, look.shoes, shade(look.shoes, 0.7))
    brush.line([hip, knee, foot], 0.076, look.bottom, shade(look.bottom, 0.9))
    brush.line([hip, knee], 0.084, look.bottom)


def draw_torso(brush: Brush, body: Body, look: Look) -> None:
    """Hips, neck and top, with a stripe or the straps of a backpack."""
    hip, neck = body.hip, body.neck
    spine = body.spine

    # Unit vector to the facing side.
    across = spine * 1j

    # The belt is below the top, the neck behind it.
    belt = [hip - across * 0.03, hip + across * 0.03]
    brush.line(belt, 0.1, look.bottom, shade(look.bottom, 0.5))
    brush.line([neck, body.head], 0.06, shade(look.skin, 0.85))

    # Shoulders are narrower on a trunk that lies.
    width = 0.098 if abs(spine.real) < 0.75 else 0.088
    outline = [
        hip - across * 0.066 - spine * 0.01,
        hip + across * 0.066 - spine * 0.01,
        neck + across * width - spine * 0.045,
        neck + across * 0.05 + spine * 0.012,
        neck - across * 0.05 + spine * 0.012,
        neck - across * width - spine * 0.045,
    ]
    brush.poly(outline, look.top, shade(look.top, 0.5))

    if look.stripe:
        # Darker on bright cloth, brighter on dark cloth.
        factor = 0.6 if sum(look.top) > 420 else 1.8
        middle = hip + (neck - hip) * 0.55
        stripe = [middle - across * 0.07, middle + across * 0.07]
        brush.line(stripe, 0.045, shade(look.top, factor), track=False)

    if body.straps:
        for sign in (-1, 1):
            shoulder = neck + across * 0.05 * sign
            waist = hip + spine * 0.1 + across * 0.06 * sign
            brush.line([shoulder, waist], 0.026, (60, 45, 40), track=False)


def draw_arm(brush: Brush, body: Body, look: Look, side: int) -> None:
    """An arm in the cloth of the torso, hardly outlined."""
    shoulder, elbow, hand = body.shoulder(side), body.elbow[side], body.hand[side]

    # The sleeve ends before the hand.
    wrist = hand + (elbow - hand) * 0.1
    brush.line([shoulder, elbow, wrist], 0.05, look.top, shade(look.top, 0.93))
    draw_hand(brush, body, look, side)


def draw_hand(brush: Brush, body: Body, look: Look, side: int) -> None:
    """A hand without fingers: only its place shows whether it grips."""
    brush.disc(body.hand[side], HAND * 0.8, look.skin, shade(look.skin, 0.8))
