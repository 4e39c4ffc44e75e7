"""How vehicles, animals, boards, seats and bags are drawn: centre 0, longest side about 1, facing +x."""

from rmlr_lightning.synthetic.draw import Brush, arc, shade
from rmlr_lightning.synthetic.small_objects import INK, pick

HIDE = [(125, 75, 40), (90, 55, 35), (170, 120, 75), (60, 50, 50), (215, 205, 195)]


def bicycle(b: Brush, look) -> None:
    color = pick(
        [(210, 40, 50), (30, 110, 200), (30, 150, 90), (240, 160, 30), (90, 60, 160)], look[0]
    )
    rear, front, pedal, seat, bars = (
        -0.3 + 0.12j,
        0.3 + 0.12j,
        -0.03 + 0.14j,
        -0.13 - 0.2j,
        0.2 - 0.28j,
    )
    for wheel in (rear, front):
        b.oval(wheel, 0.185, 0.185, (40, 40, 45), width=0.032)
        b.oval(wheel, 0.15, 0.15, (190, 190, 195), width=0.01)
        for z in (1, 1j, 0.7 + 0.7j, 0.7 - 0.7j):
            b.line([wheel - 0.15 * z, wheel + 0.15 * z], 0.006, (185, 185, 190), track=False)
    for path in (
        [rear, pedal, 0.19 - 0.13j, -0.11 - 0.1j, rear],
        [pedal, -0.12 - 0.15j],
        [front, bars],
    ):
        b.line(path, 0.03, color, shade(color, 0.5))
    b.line([seat - 0.07, seat + 0.06], 0.045, INK)
    b.line([bars, bars + (0.07 + 0.01j)], 0.032, INK)
    b.disc(pedal, 0.035, (90, 90, 95))
    b.line([pedal, pedal + (0.04 + 0.08j)], 0.018, (90, 90, 95))
    b.line([pedal + (0.01 + 0.085j), pedal + (0.08 + 0.085j)], 0.024, INK)


def motorcycle(b: Brush, look) -> None:
    color = pick([(35, 35, 40), (190, 30, 40), (30, 70, 150), (230, 130, 30)], look[0])
    for wheel in (-0.32 + 0.12j, 0.33 + 0.12j):
        b.disc(wheel, 0.175, (35, 35, 38))
        b.disc(wheel, 0.1, (175, 175, 182), track=False)
        b.disc(wheel, 0.05, (60, 60, 65), track=False)
    b.line([-0.36 + 0.2j, 0.02 + 0.2j], 0.05, (190, 190, 195), INK)
    b.poly([-0.2 + 0.16j, -0.14 - 0.02j, 0.12 - 0.02j, 0.14 + 0.18j], (120, 122, 128), INK)
    b.line([0.33 + 0.12j, 0.19 - 0.25j], 0.045, (170, 170, 178), INK)
    b.poly([-0.5 - 0.1j, -0.3 - 0.14j, -0.1 - 0.1j, 0.0 - 0.19j, 0.17 - 0.19j, 0.24 - 0.06j, 0.1 + 0.03j, -0.3 + 0.01j],
           color, INK)  # fmt: skip
    b.line([-0.38 - 0.15j, -0.1 - 0.13j], 0.07, (50, 40, 40))
    b.line([0.19 - 0.25j, 0.1 - 0.29j], 0.036, INK)
    b.disc(0.27 - 0.18j, 0.06, (255, 240, 170), INK)


def quadruped(b: Brush, hide, body, legs, neck, head, muzzle, width) -> None:
    """Legs, trunk, neck and head shared by horse, dog and cat."""
    ink = shade(hide, 0.5)
    for i, (top, knee, foot) in enumerate(legs):
        b.line([top, knee, foot], width, shade(hide, 0.72) if i < 2 else hide, ink)
    b.oval(body[0], body[1], body[2], hide, ink)
    b.line(neck, body[2] * 1.05, hide, ink)
    b.oval(body[0], body[1] * 0.9, body[2] * 0.9, hide, track=False)
    b.oval(head[0], head[1], head[2], hide, ink, angle=head[3])
    b.disc(muzzle, head[2] * 0.75, shade(hide, 1.35))


def horse(b: Brush, look) -> None:
    hide = pick(HIDE, look[0])
    mane = (40, 28, 22) if sum(hide) > 190 else (190, 160, 110)
    b.line([-0.34 - 0.06j, -0.44 + 0.02j, -0.45 + 0.22j], 0.07, mane)
    legs = [(-0.2 + 0.08j, -0.22 + 0.26j, -0.19 + 0.45j), (0.15 + 0.08j, 0.17 + 0.26j, 0.14 + 0.45j),
            (-0.28 + 0.06j, -0.31 + 0.24j, -0.28 + 0.46j), (0.21 + 0.06j, 0.24 + 0.26j, 0.22 + 0.46j)]  # fmt: skip
    quadruped(b, hide, (-0.03 + 0.0j, 0.32, 0.15), legs, [0.19 - 0.06j, 0.33 - 0.32j],
              (0.41 - 0.35j, 0.13, 0.068, 0.5), 0.48 - 0.31j, 0.065)  # fmt: skip
    b.line([0.16 - 0.13j, 0.3 - 0.42j], 0.06, mane, track=False)
    b.poly([0.3 - 0.4j, 0.33 - 0.5j, 0.37 - 0.4j], hide, shade(hide, 0.5))
    b.disc(0.39 - 0.37j, 0.018, (20, 15, 15), track=False)
    for p in (-0.19 + 0.455j, 0.14 + 0.455j, -0.28 + 0.465j, 0.22 + 0.465j):
        b.line([p - 0.015, p + 0.03], 0.05, (40, 35, 35))
    b.poly(
        [-0.14 - 0.15j, 0.08 - 0.15j, 0.06 - 0.02j, -0.12 - 0.02j],
        pick([(170, 40, 50), (60, 80, 150), (90, 60, 30)], look[1]),
        track=False,
    )


def elephant(b: Brush, look) -> None:
    hide = pick([(140, 142, 152), (120, 125, 138), (160, 152, 150)], look[0])
    ink = shade(hide, 0.5)
    for i, x in enumerate((-0.2, 0.13, -0.3, 0.04)):
        b.line(
            [complex(x, 0.05), complex(x, 0.34)], 0.13, shade(hide, 0.75) if i < 2 else hide, ink
        )
        b.line([complex(x - 0.03, 0.39), complex(x + 0.04, 0.39)], 0.03, (225, 220, 215))
    b.line([-0.38 - 0.1j, -0.43 + 0.1j], 0.03, ink)
    b.oval(-0.1 - 0.06j, 0.31, 0.23, hide, ink)
    b.line([0.37 - 0.16j, 0.45 + 0.0j, 0.43 + 0.2j], 0.1, hide, ink)
    b.disc(0.26 - 0.18j, 0.18, hide, ink)
    b.line([0.37 - 0.16j, 0.45 + 0.0j, 0.43 + 0.2j], 0.09, hide)
    b.oval(0.14 - 0.16j, 0.12, 0.17, shade(hide, 0.85), ink)
    b.line([0.35 - 0.06j, 0.43 + 0.04j, 0.49 + 0.03j], 0.04, (250, 245, 230))
    b.disc(0.32 - 0.22j, 0.022, (20, 20, 20), track=False)


def dog(b: Brush, look) -> None:
    hide = pick([(190, 140, 80), (120, 80, 45), (235, 225, 210), (70, 60, 60)], look[0])
    ink = shade(hide, 0.5)
    b.line([-0.3 - 0.02j, -0.44 - 0.24j], 0.07, hide, ink)
    legs = [(-0.18 + 0.1j, -0.2 + 0.24j, -0.16 + 0.4j), (0.1 + 0.1j, 0.12 + 0.24j, 0.14 + 0.4j),
            (-0.27 + 0.1j, -0.3 + 0.24j, -0.27 + 0.42j), (0.18 + 0.1j, 0.19 + 0.24j, 0.21 + 0.42j)]  # fmt: skip
    quadruped(b, hide, (-0.04 + 0.08j, 0.29, 0.13), legs, [0.14 + 0.0j, 0.25 - 0.16j],
              (0.27 - 0.2j, 0.16, 0.145, 0.1), 0.41 - 0.15j, 0.09)  # fmt: skip
    b.disc(0.48 - 0.18j, 0.04, (25, 20, 20))
    b.oval(0.18 - 0.17j, 0.065, 0.13, shade(hide, 0.6), ink, angle=0.25)
    b.disc(0.33 - 0.25j, 0.028, (20, 15, 15), track=False)
    b.line(
        [0.17 - 0.03j, 0.29 - 0.05j],
        0.05,
        pick([(220, 40, 50), (40, 110, 220)], look[1]),
        track=False,
    )


def cat(b: Brush, look) -> None:
    hide = pick([(225, 140, 60), (130, 130, 135), (50, 48, 55), (240, 235, 225)], look[0])
    ink = shade(hide, 0.5)
    b.line([-0.26 + 0.26j, -0.44 + 0.2j, -0.46 - 0.08j, -0.38 - 0.2j], 0.08, hide, ink)
    b.oval(-0.08 + 0.2j, 0.24, 0.28, hide, ink)
    b.line([0.12 + 0.1j, 0.14 + 0.44j], 0.09, hide, ink)
    b.line([0.02 + 0.1j, 0.02 + 0.44j], 0.09, hide, ink)
    b.oval(-0.14 + 0.42j, 0.15, 0.07, hide, ink)
    for x in (-0.02, 0.26):
        b.poly([complex(x - 0.09, -0.24), complex(x, -0.5), complex(x + 0.09, -0.24)], hide, ink)
    b.oval(0.12 - 0.15j, 0.24, 0.19, hide, ink)
    for x in (0.06, 0.24):
        b.oval(complex(x, -0.18), 0.04, 0.055, (150, 220, 90), (30, 30, 30), track=False)
        b.line([complex(x, -0.21), complex(x, -0.15)], 0.02, (20, 20, 20), track=False)
    b.disc(0.16 - 0.1j, 0.03, (230, 120, 130), track=False)
    for y in (-0.28, -0.25):
        b.line([complex(0.1, y), complex(0.18, y)], 0.02, ink, track=False)


def skateboard(b: Brush, look) -> None:
    color = pick([(230, 80, 60), (70, 180, 90), (60, 60, 70), (150, 80, 200)], look[0])
    for x in (-0.27, 0.27):
        b.disc(complex(x, 0.09), 0.085, (245, 235, 200), INK)
    b.line([-0.44 - 0.06j, -0.33 + 0j, 0.33 + 0j, 0.44 - 0.06j], 0.09, color, INK)
    b.line([-0.3 - 0.02j, 0.3 - 0.02j], 0.025, shade(color, 1.9), track=False)


def surfboard(b: Brush, look) -> None:
    color = pick([(250, 250, 240), (255, 220, 90), (90, 210, 220), (250, 120, 110)], look[0])
    stripe = pick([(230, 60, 70), (30, 120, 200), (250, 150, 30)], look[1])
    b.oval(0j, 0.5, 0.085, color, INK)
    b.oval(0j, 0.5, 0.02, stripe, track=False)
    b.line([0.3 - 0.05j, 0.3 + 0.05j], 0.04, stripe, track=False)
    b.poly([-0.42 + 0.05j, -0.36 + 0.07j, -0.45 + 0.14j], stripe)


def chair(b: Brush, look) -> None:
    color = pick([(160, 95, 50), (200, 60, 60), (60, 110, 150), (225, 190, 130)], look[0])
    ink = shade(color, 0.5)
    b.line([0.22 + 0.06j, 0.22 + 0.47j], 0.06, shade(color, 0.75), ink)
    b.line([-0.16 + 0.06j, -0.16 + 0.47j], 0.06, shade(color, 0.75), ink)
    b.poly([-0.3 - 0.5j, -0.2 - 0.5j, -0.16 + 0.04j, -0.27 + 0.04j], color, ink)
    b.line([-0.27 + 0.04j, -0.29 + 0.47j], 0.06, color, ink)
    b.line([0.29 + 0.04j, 0.3 + 0.47j], 0.06, color, ink)
    b.poly([-0.28 + 0.0j, 0.3 + 0.0j, 0.34 + 0.1j, -0.3 + 0.1j], shade(color, 1.2), ink)


def bench(b: Brush, look) -> None:
    color = pick([(150, 100, 55), (110, 80, 50), (70, 120, 80), (170, 130, 85)], look[0])
    for x in (-0.38, 0.38):
        b.line([complex(x, 0.02), complex(x, 0.25)], 0.04, (60, 60, 65), INK)
        b.line([complex(x, 0.02), complex(x, -0.24)], 0.03, (60, 60, 65))
    for y in (-0.22, -0.13):
        b.line([complex(-0.47, y), complex(0.47, y)], 0.06, color, shade(color, 0.5))
    b.poly(
        [-0.46 - 0.02j, 0.46 - 0.02j, 0.49 + 0.07j, -0.49 + 0.07j],
        shade(color, 1.15),
        shade(color, 0.5),
    )


def couch(b: Brush, look) -> None:
    color = pick(
        [(60, 110, 120), (150, 60, 70), (120, 125, 135), (200, 160, 90), (90, 80, 140)], look[0]
    )
    ink = shade(color, 0.5)
    b.rect(-0.1j, 0.84, 0.34, color, ink)
    b.line([-0.001 - 0.24j, -0.001 + 0.05j], 0.012, ink, track=False)
    b.rect(0.14j, 0.84, 0.16, shade(color, 1.25), ink)
    for x in (-0.44, 0.44):
        b.line([complex(x, -0.02), complex(x, 0.2)], 0.12, shade(color, 0.9), ink)
        b.line([complex(x * 0.9, 0.24), complex(x * 0.9, 0.28)], 0.04, INK)


def suitcase(b: Brush, look) -> None:
    color = pick(
        [(60, 120, 140), (190, 60, 70), (80, 80, 90), (140, 90, 50), (230, 150, 50)], look[0]
    )
    ink = shade(color, 0.5)
    b.line([-0.15 - 0.3j, -0.15 - 0.46j, 0.15 - 0.46j, 0.15 - 0.3j], 0.07, INK)
    b.rect(0.06j, 0.74, 0.76, color, ink)
    for x in (-0.22, 0.22):
        b.line([complex(x, -0.3), complex(x, 0.42)], 0.05, ink, track=False)
        b.disc(complex(x, 0.46), 0.06, INK)
    b.rect(0.02j, 0.2, 0.12, shade(color, 1.8), ink, track=False)


def backpack(b: Brush, look) -> None:
    color = pick([(40, 130, 110), (220, 90, 40), (70, 80, 170), (190, 50, 100)], look[0])
    ink = shade(color, 0.45)
    b.line(arc(-0.4j, 0.12, 0.1, 180, 360, 6), 0.06, ink)
    b.poly(
        arc(-0.12j, 0.36, 0.32, 180, 360, 9) + [0.4 + 0.42j, 0.3 + 0.5j, -0.3 + 0.5j, -0.4 + 0.42j],
        color,
        ink,
    )
    b.rect(0.26j, 0.5, 0.3, shade(color, 1.35), ink, track=False)
    b.line([-0.25 + 0.18j, 0.25 + 0.18j], 0.04, (245, 215, 90), track=False)
    b.line(arc(-0.1j, 0.26, 0.22, 190, 350, 7), 0.035, (245, 215, 90), track=False)
