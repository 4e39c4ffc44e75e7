"""Drawings of the animals: centre 0, longest side about 1, facing +x.

Each takes a brush in the object's frame and `look`, 6 numbers in [0, 1) that determine colours.
"""

from rmlr_lightning.synthetic.draw import Brush, shade
from rmlr_lightning.synthetic.small_objects import pick

# Colours of a horse; light manes for dark ones.
HIDE = [(125, 75, 40), (90, 55, 35), (170, 120, 75), (60, 50, 50), (215, 205, 195)]


def quadruped(brush: Brush, hide, body, legs, leg_width, neck, head, muzzle) -> None:
    """Legs, trunk, neck and head of horse and dog.

    `body`: centre and radii; `legs`: two far ones, then two near ones, as (top, knee, foot);
    `neck`: a line; `head`: centre, radii and angle; `muzzle`: the centre of a disc.
    """
    ink = shade(hide, 0.5)
    for i, leg in enumerate(legs):
        is_far = i < 2
        brush.line(leg, leg_width, shade(hide, 0.72) if is_far else hide, ink)

    # The second oval covers the outline of the neck where it meets the trunk.
    centre, rx, ry = body
    brush.oval(centre, rx, ry, hide, ink)
    brush.line(neck, ry * 1.05, hide, ink)
    brush.oval(centre, rx * 0.9, ry * 0.9, hide, track=False)

    head_centre, head_rx, head_ry, angle = head
    brush.oval(head_centre, head_rx, head_ry, hide, ink, angle=angle)
    brush.disc(muzzle, head_ry * 0.75, shade(hide, 1.35))


def horse(brush: Brush, look) -> None:
    """A horse with mane and saddle cloth."""
    hide = pick(HIDE, look[0])
    mane = (40, 28, 22) if sum(hide) > 190 else (190, 160, 110)

    # The tail is behind the body.
    brush.line([-0.34 - 0.06j, -0.44 + 0.02j, -0.45 + 0.22j], 0.07, mane)

    quadruped(
        brush,
        hide,
        body=(-0.03 + 0.0j, 0.32, 0.15),
        legs=[
            (-0.2 + 0.08j, -0.22 + 0.26j, -0.19 + 0.45j),
            (0.15 + 0.08j, 0.17 + 0.26j, 0.14 + 0.45j),
            (-0.28 + 0.06j, -0.31 + 0.24j, -0.28 + 0.46j),
            (0.21 + 0.06j, 0.24 + 0.26j, 0.22 + 0.46j),
        ],
        leg_width=0.065,
        neck=[0.19 - 0.06j, 0.33 - 0.32j],
        head=(0.41 - 0.35j, 0.13, 0.068, 0.5),
        muzzle=0.48 - 0.31j,
    )

    # Mane, ear and eye, then hooves.
    brush.line([0.16 - 0.13j, 0.3 - 0.42j], 0.06, mane, track=False)
    brush.poly([0.3 - 0.4j, 0.33 - 0.5j, 0.37 - 0.4j], hide, shade(hide, 0.5))
    brush.disc(0.39 - 0.37j, 0.018, (20, 15, 15), track=False)
    for p in (-0.19 + 0.455j, 0.14 + 0.455j, -0.28 + 0.465j, 0.22 + 0.465j):
        brush.line([p - 0.015, p + 0.03], 0.05, (40, 35, 35))

    saddle_cloth = [-0.14 - 0.15j, 0.08 - 0.15j, 0.06 - 0.02j, -0.12 - 0.02j]
    cloth = pick([(170, 40, 50), (60, 80, 150), (90, 60, 30)], look[1])
    brush.poly(saddle_cloth, cloth, track=False)


def elephant(brush: Brush, look) -> None:
    """An elephant with ear, trunk and tusk."""
    hide = pick([(140, 142, 152), (120, 125, 138), (160, 152, 150)], look[0])
    ink = shade(hide, 0.5)

    # Legs with light toes; the two far ones are darker.
    for i, x in enumerate((-0.2, 0.13, -0.3, 0.04)):
        brush.line(
            [complex(x, 0.05), complex(x, 0.34)], 0.13, shade(hide, 0.75) if i < 2 else hide, ink
        )
        brush.line([complex(x - 0.03, 0.39), complex(x + 0.04, 0.39)], 0.03, (225, 220, 215))

    # Tail and trunk of the body.
    brush.line([-0.38 - 0.1j, -0.43 + 0.1j], 0.03, ink)
    brush.oval(-0.1 - 0.06j, 0.31, 0.23, hide, ink)

    # The trunk is drawn before and after the head, so that no outline divides them.
    brush.line([0.37 - 0.16j, 0.45 + 0.0j, 0.43 + 0.2j], 0.1, hide, ink)
    brush.disc(0.26 - 0.18j, 0.18, hide, ink)
    brush.line([0.37 - 0.16j, 0.45 + 0.0j, 0.43 + 0.2j], 0.09, hide)

    # Ear, tusk and eye.
    brush.oval(0.14 - 0.16j, 0.12, 0.17, shade(hide, 0.85), ink)
    brush.line([0.35 - 0.06j, 0.43 + 0.04j, 0.49 + 0.03j], 0.04, (250, 245, 230))
    brush.disc(0.32 - 0.22j, 0.022, (20, 20, 20), track=False)


def dog(brush: Brush, look) -> None:
    """A dog with a collar."""
    hide = pick([(190, 140, 80), (120, 80, 45), (235, 225, 210), (70, 60, 60)], look[0])
    ink = shade(hide, 0.5)

    # The tail is behind the body.
    brush.line([-0.3 - 0.02j, -0.44 - 0.24j], 0.07, hide, ink)

    quadruped(
        brush,
        hide,
        body=(-0.04 + 0.08j, 0.29, 0.13),
        legs=[
            (-0.18 + 0.1j, -0.2 + 0.24j, -0.16 + 0.4j),
            (0.1 + 0.1j, 0.12 + 0.24j, 0.14 + 0.4j),
            (-0.27 + 0.1j, -0.3 + 0.24j, -0.27 + 0.42j),
            (0.18 + 0.1j, 0.19 + 0.24j, 0.21 + 0.42j),
        ],
        leg_width=0.09,
        neck=[0.14 + 0.0j, 0.25 - 0.16j],
        head=(0.27 - 0.2j, 0.16, 0.145, 0.1),
        muzzle=0.41 - 0.15j,
    )

    # Nose, ear and eye.
    brush.disc(0.48 - 0.18j, 0.04, (25, 20, 20))
    brush.oval(0.18 - 0.17j, 0.065, 0.13, shade(hide, 0.6), ink, angle=0.25)
    brush.disc(0.33 - 0.25j, 0.028, (20, 15, 15), track=False)

    collar = pick([(220, 40, 50), (40, 110, 220)], look[1])
    brush.line([0.17 - 0.03j, 0.29 - 0.05j], 0.05, collar, track=False)


def cat(brush: Brush, look) -> None:
    """A sitting cat, its face to the viewer."""
    hide = pick([(225, 140, 60), (130, 130, 135), (50, 48, 55), (240, 235, 225)], look[0])
    ink = shade(hide, 0.5)

    # The tail, the body, two front legs and a hind paw.
    brush.line([-0.26 + 0.26j, -0.44 + 0.2j, -0.46 - 0.08j, -0.38 - 0.2j], 0.08, hide, ink)
    brush.oval(-0.08 + 0.2j, 0.24, 0.28, hide, ink)
    brush.line([0.12 + 0.1j, 0.14 + 0.44j], 0.09, hide, ink)
    brush.line([0.02 + 0.1j, 0.02 + 0.44j], 0.09, hide, ink)
    brush.oval(-0.14 + 0.42j, 0.15, 0.07, hide, ink)

    # The ears are behind the head.
    for x in (-0.02, 0.26):
        brush.poly(
            [complex(x - 0.09, -0.24), complex(x, -0.5), complex(x + 0.09, -0.24)], hide, ink
        )
    brush.oval(0.12 - 0.15j, 0.24, 0.19, hide, ink)

    # Eyes with upright pupils, nose and stripes.
    for x in (0.06, 0.24):
        brush.oval(complex(x, -0.18), 0.04, 0.055, (150, 220, 90), (30, 30, 30), track=False)
        brush.line([complex(x, -0.21), complex(x, -0.15)], 0.02, (20, 20, 20), track=False)
    brush.disc(0.16 - 0.1j, 0.03, (230, 120, 130), track=False)
    for y in (-0.28, -0.25):
        brush.line([complex(0.1, y), complex(0.18, y)], 0.02, ink, track=False)
