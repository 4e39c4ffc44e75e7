"""Drawings of vehicles, boards, seats and bags: centre 0, longest side 1, facing +x.

Each takes a brush in the object's frame and `look`, 6 numbers in [0, 1) that determine colours.
"""

from rmlr_lightning.synthetic.draw import Brush, arc, shade
from rmlr_lightning.synthetic.small_objects import INK, pick


def bicycle(brush: Brush, look) -> None:
    """Wheels with spokes, frame, saddle and bars."""
    color = pick(
        [(210, 40, 50), (30, 110, 200), (30, 150, 90), (240, 160, 30), (90, 60, 160)], look[0]
    )
    rear, front = -0.3 + 0.12j, 0.3 + 0.12j
    pedal, seat, bars = -0.03 + 0.14j, -0.13 - 0.2j, 0.2 - 0.28j

    # Tyres and rims, not discs: the background shows through the wheels.
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

    # Saddle, bars and the near pedal: the points of a rider in objects.py.
    brush.line([seat - 0.07, seat + 0.06], 0.045, INK)
    brush.line([bars, bars + (0.07 + 0.01j)], 0.032, INK)
    brush.disc(pedal, 0.035, (90, 90, 95))
    brush.line([pedal, pedal + (0.04 + 0.08j)], 0.018, (90, 90, 95))
    brush.line([pedal + (0.01 + 0.085j), pedal + (0.08 + 0.085j)], 0.024, INK)


def motorcycle(brush: Brush, look) -> None:
    """Wheels, engine, tank, saddle and bars."""
    color = pick([(35, 35, 40), (190, 30, 40), (30, 70, 150), (230, 130, 30)], look[0])

    # Solid wheels: the difference from a bicycle at small sizes.
    for wheel in (-0.32 + 0.12j, 0.33 + 0.12j):
        brush.disc(wheel, 0.175, (35, 35, 38))
        brush.disc(wheel, 0.1, (175, 175, 182), track=False)
        brush.disc(wheel, 0.05, (60, 60, 65), track=False)

    # Exhaust, engine and fork.
    brush.line([-0.36 + 0.2j, 0.02 + 0.2j], 0.05, (190, 190, 195), INK)
    brush.poly([-0.2 + 0.16j, -0.14 - 0.02j, 0.12 - 0.02j, 0.14 + 0.18j], (120, 122, 128), INK)
    brush.line([0.33 + 0.12j, 0.19 - 0.25j], 0.045, (170, 170, 178), INK)

    # Tail, saddle and tank in one outline.
    above = [-0.5 - 0.1j, -0.3 - 0.14j, -0.1 - 0.1j, 0.0 - 0.19j, 0.17 - 0.19j]
    below = [0.24 - 0.06j, 0.1 + 0.03j, -0.3 + 0.01j]
    brush.poly(above + below, color, INK)

    # Saddle, bars and lamp.
    brush.line([-0.38 - 0.15j, -0.1 - 0.13j], 0.07, (50, 40, 40))
    brush.line([0.19 - 0.25j, 0.1 - 0.29j], 0.036, INK)
    brush.disc(0.27 - 0.18j, 0.06, (255, 240, 170), INK)


def skateboard(brush: Brush, look) -> None:
    """A deck on two wheels."""
    color = pick([(230, 80, 60), (70, 180, 90), (60, 60, 70), (150, 80, 200)], look[0])

    # Wheels, then a deck with raised ends.
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

    # The fin is under the board.
    brush.poly([-0.42 + 0.05j, -0.36 + 0.07j, -0.45 + 0.14j], stripe)


def chair(brush: Brush, look) -> None:
    """A chair, its back to the left."""
    color = pick([(160, 95, 50), (200, 60, 60), (60, 110, 150), (225, 190, 130)], look[0])
    ink = shade(color, 0.5)

    # Far legs, back, near legs, seat.
    brush.line([0.22 + 0.06j, 0.22 + 0.47j], 0.06, shade(color, 0.75), ink)
    brush.line([-0.16 + 0.06j, -0.16 + 0.47j], 0.06, shade(color, 0.75), ink)
    brush.poly([-0.3 - 0.5j, -0.2 - 0.5j, -0.16 + 0.04j, -0.27 + 0.04j], color, ink)
    brush.line([-0.27 + 0.04j, -0.29 + 0.47j], 0.06, color, ink)
    brush.line([0.29 + 0.04j, 0.3 + 0.47j], 0.06, color, ink)
    brush.poly([-0.28 + 0.0j, 0.3 + 0.0j, 0.34 + 0.1j, -0.3 + 0.1j], shade(color, 1.2), ink)


def bench(brush: Brush, look) -> None:
    """A bench of planks."""
    color = pick([(150, 100, 55), (110, 80, 50), (70, 120, 80), (170, 130, 85)], look[0])

    # Legs and posts of the back.
    for x in (-0.38, 0.38):
        brush.line([complex(x, 0.02), complex(x, 0.25)], 0.04, (60, 60, 65), INK)
        brush.line([complex(x, 0.02), complex(x, -0.24)], 0.03, (60, 60, 65))

    # Planks of the back, then the seat.
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

    # The back in two cushions, then the seat.
    brush.rect(-0.1j, 0.84, 0.34, color, ink)
    brush.line([-0.001 - 0.24j, -0.001 + 0.05j], 0.012, ink, track=False)
    brush.rect(0.14j, 0.84, 0.16, shade(color, 1.25), ink)

    # Arm rests and feet.
    for x in (-0.44, 0.44):
        brush.line([complex(x, -0.02), complex(x, 0.2)], 0.12, shade(color, 0.9), ink)
        brush.line([complex(x * 0.9, 0.24), complex(x * 0.9, 0.28)], 0.04, INK)


def suitcase(brush: Brush, look) -> None:
    """An upright suitcase on wheels."""
    color = pick(
        [(60, 120, 140), (190, 60, 70), (80, 80, 90), (140, 90, 50), (230, 150, 50)], look[0]
    )
    ink = shade(color, 0.5)

    # The handle, its grip at the top.
    brush.line([-0.15 - 0.3j, -0.15 - 0.46j, 0.15 - 0.46j, 0.15 - 0.3j], 0.07, INK)
    brush.rect(0.06j, 0.74, 0.76, color, ink)

    # Ribs and wheels.
    for x in (-0.22, 0.22):
        brush.line([complex(x, -0.3), complex(x, 0.42)], 0.05, ink, track=False)
        brush.disc(complex(x, 0.46), 0.06, INK)

    # A label.
    brush.rect(0.02j, 0.2, 0.12, shade(color, 1.8), ink, track=False)


def backpack(brush: Brush, look) -> None:
    """A backpack with a pocket."""
    color = pick([(40, 130, 110), (220, 90, 40), (70, 80, 170), (190, 50, 100)], look[0])
    ink = shade(color, 0.45)

    # A loop to carry it by.
    brush.line(arc(-0.4j, 0.12, 0.1, 180, 360, 6), 0.06, ink)
    brush.poly(
        arc(-0.12j, 0.36, 0.32, 180, 360, 9) + [0.4 + 0.42j, 0.3 + 0.5j, -0.3 + 0.5j, -0.4 + 0.42j],
        color,
        ink,
    )

    # A pocket and two zips.
    brush.rect(0.26j, 0.5, 0.3, shade(color, 1.35), ink, track=False)
    brush.line([-0.25 + 0.18j, 0.25 + 0.18j], 0.04, (245, 215, 90), track=False)
    brush.line(arc(-0.1j, 0.26, 0.22, 190, 350, 7), 0.035, (245, 215, 90), track=False)
