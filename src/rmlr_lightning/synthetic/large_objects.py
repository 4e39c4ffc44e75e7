"""Drawings of vehicles, animals, boards, seats and bags: centre 0, longest side 1, facing +x.

Each takes a brush in the object's frame and `look`, 6 numbers in [0, 1) that determine colours.
"""

from rmlr_lightning.synthetic.draw import Brush, arc, shade
from rmlr_lightning.synthetic.small_objects import INK, pick

HIDE = [(125, 75, 40), (90, 55, 35), (170, 120, 75), (60, 50, 50), (215, 205, 195)]


def bicycle(brush: Brush, look) -> None:
    """Wheels with spokes, frame, saddle and bars."""
    color = pick(
        [(210, 40, 50), (30, 110, 200), (30, 150, 90), (240, 160, 30), (90, 60, 160)], look[0]
    )
    rear, front = -0.3 + 0.12j, 0.3 + 0.12j
    pedal, seat, bars = -0.03 + 0.14j, -0.13 - 0.2j, 0.2 - 0.28j

    for wheel in (rear, front):
        brush.oval(wheel, 0.185, 0.185, (40, 40, 45), width=0.032)
        brush.oval(wheel, 0.15, 0.15, (190, 190, 195), width=0.01)

        # Four spokes through the hub.
        for z in (1, 1j, 0.7 + 0.7j, 0.7 - 0.7j):
            brush.line([wheel - 0.15 * z, wheel + 0.15 * z], 0.006, (185, 185, 190), track=False)

    frame = [rear, pedal, 0.19 - 0.13j, -0.11 - 0.1j, rear]
    seat_tube = [pedal, -0.12 - 0.15j]
    fork = [front, bars]
    for path in (frame, seat_tube, fork):
        brush.line(path, 0.03, color, shade(color, 0.5))
    brush.line([seat - 0.07, seat + 0.06], 0.045, INK)
    brush.line([bars, bars + (0.07 + 0.01j)], 0.032, INK)
    brush.disc(pedal, 0.035, (90, 90, 95))
    brush.line([pedal, pedal + (0.04 + 0.08j)], 0.018, (90, 90, 95))
    brush.line([pedal + (0.01 + 0.085j), pedal + (0.08 + 0.085j)], 0.024, INK)


def motorcycle(brush: Brush, look) -> None:
    """Wheels, engine, tank, saddle and bars."""
    color = pick([(35, 35, 40), (190, 30, 40), (30, 70, 150), (230, 130, 30)], look[0])
    for wheel in (-0.32 + 0.12j, 0.33 + 0.12j):
        brush.disc(wheel, 0.175, (35, 35, 38))
        brush.disc(wheel, 0.1, (175, 175, 182), track=False)
        brush.disc(wheel, 0.05, (60, 60, 65), track=False)
    brush.line([-0.36 + 0.2j, 0.02 + 0.2j], 0.05, (190, 190, 195), INK)
    brush.poly([-0.2 + 0.16j, -0.14 - 0.02j, 0.12 - 0.02j, 0.14 + 0.18j], (120, 122, 128), INK)
    brush.line([0.33 + 0.12j, 0.19 - 0.25j], 0.045, (170, 170, 178), INK)

    # Tail, saddle and tank in one outline.
    above = [-0.5 - 0.1j, -0.3 - 0.14j, -0.1 - 0.1j, 0.0 - 0.19j, 0.17 - 0.19j]
    below = [0.24 - 0.06j, 0.1 + 0.03j, -0.3 + 0.01j]
    brush.poly(above + below, color, INK)
    brush.line([-0.38 - 0.15j, -0.1 - 0.13j], 0.07, (50, 40, 40))
    brush.line([0.19 - 0.25j, 0.1 - 0.29j], 0.036, INK)
    brush.disc(0.27 - 0.18j, 0.06, (255, 240, 170), INK)


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
    for i, x in enumerate((-0.2, 0.13, -0.3, 0.04)):
        brush.line(
            [complex(x, 0.05), complex(x, 0.34)], 0.13, shade(hide, 0.75) if i < 2 else hide, ink
        )
        brush.line([complex(x - 0.03, 0.39), complex(x + 0.04, 0.39)], 0.03, (225, 220, 215))
    brush.line([-0.38 - 0.1j, -0.43 + 0.1j], 0.03, ink)
    brush.oval(-0.1 - 0.06j, 0.31, 0.23, hide, ink)
    brush.line([0.37 - 0.16j, 0.45 + 0.0j, 0.43 + 0.2j], 0.1, hide, ink)
    brush.disc(0.26 - 0.18j, 0.18, hide, ink)
    brush.line([0.37 - 0.16j, 0.45 + 0.0j, 0.43 + 0.2j], 0.09, hide)
    brush.oval(0.14 - 0.16j, 0.12, 0.17, shade(hide, 0.85), ink)
    brush.line([0.35 - 0.06j, 0.43 + 0.04j, 0.49 + 0.03j], 0.04, (250, 245, 230))
    brush.disc(0.32 - 0.22j, 0.022, (20, 20, 20), track=False)


def dog(brush: Brush, look) -> None:
    """A dog with a collar."""
    hide = pick([(190, 140, 80), (120, 80, 45), (235, 225, 210), (70, 60, 60)], look[0])
    ink = shade(hide, 0.5)
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
    brush.line([-0.26 + 0.26j, -0.44 + 0.2j, -0.46 - 0.08j, -0.38 - 0.2j], 0.08, hide, ink)
    brush.oval(-0.08 + 0.2j, 0.24, 0.28, hide, ink)
    brush.line([0.12 + 0.1j, 0.14 + 0.44j], 0.09, hide, ink)
    brush.line([0.02 + 0.1j, 0.02 + 0.44j], 0.09, hide, ink)
    brush.oval(-0.14 + 0.42j, 0.15, 0.07, hide, ink)
    for x in (-0.02, 0.26):
        brush.poly(
            [complex(x - 0.09, -0.24), complex(x, -0.5), complex(x + 0.09, -0.24)], hide, ink
        )
    brush.oval(0.12 - 0.15j, 0.24, 0.19, hide, ink)
    for x in (0.06, 0.24):
        brush.oval(complex(x, -0.18), 0.04, 0.055, (150, 220, 90), (30, 30, 30), track=False)
        brush.line([complex(x, -0.21), complex(x, -0.15)], 0.02, (20, 20, 20), track=False)
    brush.disc(0.16 - 0.1j, 0.03, (230, 120, 130), track=False)
    for y in (-0.28, -0.25):
        brush.line([complex(0.1, y), complex(0.18, y)], 0.02, ink, track=False)


def skateboard(brush: Brush, look) -> None:
    """A deck on two wheels."""
    color = pick([(230, 80, 60), (70, 180, 90), (60, 60, 70), (150, 80, 200)], look[0])
    for x in (-0.27, 0.27):
        brush.disc(complex(x, 0.09), 0.085, (245, 235, 200), INK)
    brush.line([-0.44 - 0.06j, -0.33 + 0j, 0.33 + 0j, 0.44 - 0.06j], 0.09, color, INK)
    brush.line([-0.3 - 0.02j, 0.3 - 0.02j], 0.025, shade(color, 1.9), track=False)


def surfboard(brush: Brush, look) -> None:
    """A board with a stripe and a fin."""
    color = pick([(250, 250, 240), (255, 220, 90), (90, 210, 220), (250, 120, 110)], look[0])
    stripe = pick([(230, 60, 70), (30, 120, 200), (250, 150, 30)], look[1])
    brush.oval(0j, 0.5, 0.085, color, INK)
    brush.oval(0j, 0.5, 0.02, stripe, track=False)
    brush.line([0.3 - 0.05j, 0.3 + 0.05j], 0.04, stripe, track=False)
    brush.poly([-0.42 + 0.05j, -0.36 + 0.07j, -0.45 + 0.14j], stripe)


def chair(brush: Brush, look) -> None:
    """A chair, its back to the left."""
    color = pick([(160, 95, 50), (200, 60, 60), (60, 110, 150), (225, 190, 130)], look[0])
    ink = shade(color, 0.5)
    brush.line([0.22 + 0.06j, 0.22 + 0.47j], 0.06, shade(color, 0.75), ink)
    brush.line([-0.16 + 0.06j, -0.16 + 0.47j], 0.06, shade(color, 0.75), ink)
    brush.poly([-0.3 - 0.5j, -0.2 - 0.5j, -0.16 + 0.04j, -0.27 + 0.04j], color, ink)
    brush.line([-0.27 + 0.04j, -0.29 + 0.47j], 0.06, color, ink)
    brush.line([0.29 + 0.04j, 0.3 + 0.47j], 0.06, color, ink)
    brush.poly([-0.28 + 0.0j, 0.3 + 0.0j, 0.34 + 0.1j, -0.3 + 0.1j], shade(color, 1.2), ink)


def bench(brush: Brush, look) -> None:
    """A bench of planks."""
    color = pick([(150, 100, 55), (110, 80, 50), (70, 120, 80), (170, 130, 85)], look[0])
    for x in (-0.38, 0.38):
        brush.line([complex(x, 0.02), complex(x, 0.25)], 0.04, (60, 60, 65), INK)
        brush.line([complex(x, 0.02), complex(x, -0.24)], 0.03, (60, 60, 65))
    for y in (-0.22, -0.13):
        brush.line([complex(-0.47, y), complex(0.47, y)], 0.06, color, shade(color, 0.5))
    brush.poly(
        [-0.46 - 0.02j, 0.46 - 0.02j, 0.49 + 0.07j, -0.49 + 0.07j],
        shade(color, 1.15),
        shade(color, 0.5),
    )


def couch(brush: Brush, look) -> None:
    """A couch for two."""
    color = pick(
        [(60, 110, 120), (150, 60, 70), (120, 125, 135), (200, 160, 90), (90, 80, 140)], look[0]
    )
    ink = shade(color, 0.5)
    brush.rect(-0.1j, 0.84, 0.34, color, ink)
    brush.line([-0.001 - 0.24j, -0.001 + 0.05j], 0.012, ink, track=False)
    brush.rect(0.14j, 0.84, 0.16, shade(color, 1.25), ink)
    for x in (-0.44, 0.44):
        brush.line([complex(x, -0.02), complex(x, 0.2)], 0.12, shade(color, 0.9), ink)
        brush.line([complex(x * 0.9, 0.24), complex(x * 0.9, 0.28)], 0.04, INK)


def suitcase(brush: Brush, look) -> None:
    """An upright suitcase on wheels."""
    color = pick(
        [(60, 120, 140), (190, 60, 70), (80, 80, 90), (140, 90, 50), (230, 150, 50)], look[0]
    )
    ink = shade(color, 0.5)
    brush.line([-0.15 - 0.3j, -0.15 - 0.46j, 0.15 - 0.46j, 0.15 - 0.3j], 0.07, INK)
    brush.rect(0.06j, 0.74, 0.76, color, ink)
    for x in (-0.22, 0.22):
        brush.line([complex(x, -0.3), complex(x, 0.42)], 0.05, ink, track=False)
        brush.disc(complex(x, 0.46), 0.06, INK)
    brush.rect(0.02j, 0.2, 0.12, shade(color, 1.8), ink, track=False)


def backpack(brush: Brush, look) -> None:
    """A backpack with a pocket."""
    color = pick([(40, 130, 110), (220, 90, 40), (70, 80, 170), (190, 50, 100)], look[0])
    ink = shade(color, 0.45)
    brush.line(arc(-0.4j, 0.12, 0.1, 180, 360, 6), 0.06, ink)
    brush.poly(
        arc(-0.12j, 0.36, 0.32, 180, 360, 9) + [0.4 + 0.42j, 0.3 + 0.5j, -0.3 + 0.5j, -0.4 + 0.42j],
        color,
        ink,
    )
    brush.rect(0.26j, 0.5, 0.3, shade(color, 1.35), ink, track=False)
    brush.line([-0.25 + 0.18j, 0.25 + 0.18j], 0.04, (245, 215, 90), track=False)
    brush.line(arc(-0.1j, 0.26, 0.22, 190, 350, 7), 0.035, (245, 215, 90), track=False)
