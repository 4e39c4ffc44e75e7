"""Drawings of the hand-sized objects: centre 0, longest side about 1, facing +x.

Each takes a brush in the object's frame and `look`, 6 numbers in [0, 1) that determine colours.
"""

import cmath

from rmlr_lightning.synthetic.draw import Brush, Color, arc, mix, shade

# Of outlines, where they do not take a darker shade of the object's colour.
INK: Color = (45, 40, 45)


def pick(colors: list[Color], t: float) -> Color:
    """The colour at the share `t`, 0 to 1, of the list."""
    return colors[min(int(t * len(colors)), len(colors) - 1)]


def cup(brush: Brush, look) -> None:
    """A mug with a band, full of coffee."""
    color = pick(
        [(245, 245, 240), (225, 70, 60), (60, 120, 200), (250, 200, 60), (120, 190, 160)], look[0]
    )

    # The handle is the rim of an oval; a wider one below is its outline.
    brush.oval(0.36 + 0.02j, 0.17, 0.22, INK, width=0.17)
    brush.oval(0.36 + 0.02j, 0.17, 0.22, color, width=0.10)

    # Body, band and coffee.
    brush.poly([-0.42 - 0.44j, 0.34 - 0.44j, 0.28 + 0.46j, -0.34 + 0.46j], color, INK)
    brush.rect(
        -0.04 + 0.05j, 0.68, 0.22, shade(color, 0.72 if sum(color) > 400 else 1.7), track=False
    )
    brush.oval(-0.04 - 0.44j, 0.38, 0.10, mix(color, (90, 50, 30), 0.75), INK)


def bottle(brush: Brush, look) -> None:
    """A bottle with a label and a cap."""
    color = pick([(40, 140, 70), (40, 150, 200), (150, 80, 30), (90, 200, 160)], look[0])
    label = pick([(250, 250, 245), (250, 215, 80), (235, 80, 70)], look[1])

    # One side of the outline; the other one is its mirror image.
    left = [-0.19 + 0.5j, -0.19 - 0.1j, -0.08 - 0.28j, -0.08 - 0.42j]
    brush.poly(left + [-p.conjugate() for p in reversed(left)], color, shade(color, 0.5))

    # Label, cap and a reflection.
    brush.rect(0.14j, 0.38, 0.26, label, track=False)
    brush.rect(-0.45j, 0.22, 0.12, label, shade(color, 0.5))
    brush.line([-0.11 - 0.02j, -0.11 + 0.42j], 0.05, shade(color, 2.2), track=False)


def cell_phone(brush: Brush, look) -> None:
    """A phone with a lit screen."""
    color = pick([(25, 25, 30), (60, 60, 75), (200, 60, 90), (240, 240, 245)], look[0])
    brush.rect(0j, 0.56, 1.0, color, shade(color, 0.5))

    # A screen with three messages, and a button.
    screen = pick([(90, 200, 250), (130, 230, 210), (180, 160, 255)], look[1])
    brush.rect(-0.03j, 0.42, 0.74, screen, track=False)
    brush.disc(0.43j, 0.05, (200, 200, 205), track=False)
    for k in range(3):
        brush.rect(complex(-0.1, -0.22 + 0.18 * k), 0.18, 0.1, (250, 250, 250), track=False)


def laptop(brush: Brush, look) -> None:
    """An open laptop, seen from its left."""
    color = pick([(185, 188, 195), (70, 72, 80), (215, 205, 190)], look[0])

    # Keyboard, side of the lid and lid.
    brush.poly([-0.5 + 0.34j, 0.2 + 0.34j, 0.36 + 0.24j, -0.34 + 0.24j], shade(color, 0.8), INK)
    brush.poly([0.2 + 0.34j, 0.36 + 0.24j, 0.5 - 0.4j, 0.36 - 0.4j], shade(color, 0.6), INK)
    brush.poly([-0.34 + 0.24j, 0.32 + 0.24j, 0.42 - 0.4j, -0.24 - 0.4j], color, INK)

    # The screen with two lines of text.
    screen = pick([(110, 190, 255), (150, 235, 190), (250, 210, 140)], look[1])
    outline = [-0.26 + 0.18j, 0.28 + 0.18j, 0.35 - 0.33j, -0.17 - 0.33j]
    brush.poly(outline, screen, track=False)
    brush.line([-0.1 - 0.2j, 0.2 - 0.2j], 0.06, (255, 255, 255), track=False)
    brush.line([-0.14 - 0.02j, 0.1 - 0.02j], 0.06, (255, 255, 255), track=False)


def book(brush: Brush, look) -> None:
    """An open book, seen from above its pages."""
    color = pick([(200, 40, 50), (40, 80, 170), (30, 120, 80), (130, 50, 130)], look[0])
    cover = [
        -0.5 - 0.3j,
        -0.04 - 0.2j,
        0.04 - 0.2j,
        0.5 - 0.3j,
        0.5 + 0.3j,
        0.04 + 0.4j,
        -0.04 + 0.4j,
        -0.5 + 0.3j,
    ]
    brush.poly(cover, color, shade(color, 0.5))

    # Two pages with three lines of text each.
    for s in (-1, 1):
        page = [s * 0.44 - 0.32j, s * 0.02 - 0.2j, s * 0.02 + 0.32j, s * 0.44 + 0.2j]
        brush.poly(page, (250, 246, 232), (150, 140, 120), track=False)
        for k in range(3):
            y = -0.15 + 0.13 * k
            text = [complex(s * 0.36, y - 0.05), complex(s * 0.1, y)]
            brush.line(text, 0.03, (130, 125, 125), track=False)


def apple(brush: Brush, look) -> None:
    """An apple with stem and leaf."""
    color = pick([(215, 35, 40), (190, 25, 45), (120, 190, 50)], look[0])

    # Two halves, and an oval over the outline between them.
    brush.disc(-0.17 + 0.06j, 0.31, color, shade(color, 0.5))
    brush.disc(0.17 + 0.06j, 0.31, color, shade(color, 0.5))
    brush.oval(0.1j, 0.3, 0.34, color)

    # Stem, leaf and a reflection.
    brush.line([-0.2j, 0.04 - 0.44j], 0.08, (90, 60, 30))
    brush.oval(0.18 - 0.36j, 0.15, 0.07, (70, 160, 50), angle=-0.5)
    brush.oval(-0.22 - 0.06j, 0.07, 0.11, shade(color, 2.2), track=False)


def banana(brush: Brush, look) -> None:
    """A banana, bent upwards."""
    color = pick([(250, 215, 50), (240, 200, 40), (225, 215, 70)], look[0])

    # Two arcs that meet at the ends.
    outer, inner = arc(-0.18j, 0.5, 0.5, 160, 20, 10), arc(-0.34j, 0.46, 0.34, 25, 155, 10)
    brush.poly(outer + inner, color, (120, 90, 20))

    # Brown ends.
    brush.line([outer[0], outer[0] + (-0.03 - 0.08j)], 0.09, (110, 80, 30))
    brush.line([outer[-1], outer[-1] + (0.03 - 0.06j)], 0.09, (110, 80, 30))


def pizza(brush: Brush, look) -> None:
    """A slice, the tip down."""
    brush.poly([-0.48 - 0.36j, 0.48 - 0.36j, 0.04 + 0.5j], (250, 205, 90), (140, 80, 30))

    # The crust, which a hand holds.
    brush.line([-0.46 - 0.38j, 0.46 - 0.38j], 0.17, (200, 130, 60), (120, 70, 30))

    # Salami, and at times a leaf.
    for p in (-0.18 - 0.15j, 0.2 - 0.17j, 0.03 + 0.12j):
        brush.disc(p, 0.12, (205, 50, 40), track=False)
    if look[0] < 0.5:
        brush.disc(0.02 - 0.05j, 0.05, (60, 140, 50), track=False)


def donut(brush: Brush, look) -> None:
    """A donut with icing and sprinkles."""
    icing = pick([(245, 130, 180), (110, 65, 40), (250, 240, 225), (150, 210, 240)], look[0])
    brush.disc(0j, 0.49, (215, 160, 90), (130, 85, 40))
    brush.disc(-0.01j, 0.41, icing, track=False)

    # The hole shows dough: a background colour would depend on the place.
    brush.disc(0j, 0.16, (120, 80, 45), track=False)

    # Sprinkles in three colours.
    sprinkles = [(255, 240, 80), (90, 200, 250), (250, 80, 80)]
    for k in range(7):
        p = 0.29 * cmath.exp(1j * (k * 0.9 + look[1]))
        brush.line([p, p * cmath.exp(0.25j)], 0.06, sprinkles[k % 3], track=False)


def sandwich(brush: Brush, look) -> None:
    """Two slices of bread with a filling."""
    brush.poly(
        [-0.5 + 0.3j, 0.5 + 0.3j, 0.44 + 0.16j, -0.44 + 0.16j], (235, 200, 140), (140, 95, 45)
    )

    # Tomato and lettuce.
    brush.line([-0.46 + 0.12j, 0.46 + 0.12j], 0.12, (225, 70, 60))
    brush.line([-0.48 + 0.02j, 0.48 + 0.02j], 0.12, (95, 180, 60))
    brush.poly(
        [-0.46 - 0.04j, 0.46 - 0.04j, 0.3 - 0.34j, -0.3 - 0.34j], (225, 180, 110), (140, 95, 45)
    )


def sports_ball(brush: Brush, look) -> None:
    """A football or a basketball."""
    # Half of them are footballs.
    if look[0] < 0.5:
        brush.disc(0j, 0.49, (250, 250, 250), INK)

        # A pentagon in the middle and five at the rim.
        brush.poly(arc(0j, 0.2, 0.2, 18, 306, 5), INK, track=False)
        for k in range(5):
            p = 0.42 * cmath.exp(1j * (0.94 + k * 1.257))
            brush.disc(p, 0.1, INK, track=False)
        return

    # The others are basketballs.
    color = pick([(240, 120, 30), (245, 140, 50), (230, 100, 40)], look[1])
    brush.disc(0j, 0.49, color, INK)

    # Seams.
    brush.line([-0.48 + 0j, 0.48 + 0j], 0.05, INK, track=False)
    brush.line([-0.48j, 0.48j], 0.05, INK, track=False)
    brush.line(arc(-0.62 + 0j, 0.36, 0.4, -60, 60), 0.05, INK, track=False)
    brush.line(arc(0.62 + 0j, 0.36, 0.4, 120, 240), 0.05, INK, track=False)


def frisbee(brush: Brush, look) -> None:
    """A disc, seen from the side."""
    color = pick([(40, 90, 230), (240, 60, 170), (170, 230, 30)], look[0])

    # The rim below the disc.
    brush.oval(0.04j, 0.5, 0.24, shade(color, 0.6), INK)
    brush.oval(-0.02j, 0.49, 0.22, color, track=False)
    brush.oval(-0.03j, 0.3, 0.12, shade(color, 1.6), shade(color, 0.6), track=False)


def tennis_racket(brush: Brush, look) -> None:
    """A racket, its handle to the left."""
    color = pick([(230, 50, 60), (40, 100, 220), (240, 220, 40)], look[0])

    # Handle, throat and strings.
    brush.line([-0.46 + 0j, -0.14 + 0j], 0.07, (60, 50, 50))
    brush.line([-0.2 + 0j, 0.02 + 0.09j], 0.045, color)
    brush.line([-0.2 + 0j, 0.02 - 0.09j], 0.045, color)

    # A light face, since a see-through one would depend on the place.
    brush.oval(0.22 + 0j, 0.26, 0.19, (235, 240, 235))

    # Strings both ways; the rim covers their ends.
    string = (160, 170, 165)
    for k in range(-2, 3):
        x, y = 0.22 + 0.09 * k, 0.06 * k
        brush.line([complex(x, -0.15), complex(x, 0.15)], 0.012, string, track=False)
        brush.line([complex(0.0, y), complex(0.44, y)], 0.012, string, track=False)
    brush.oval(0.22 + 0j, 0.26, 0.19, color, width=0.055)


def baseball_bat(brush: Brush, look) -> None:
    """A bat, its handle to the left."""
    color = pick([(205, 150, 80), (180, 120, 60), (225, 180, 120)], look[0])
    upper = [-0.46 - 0.035j, 0.1 - 0.06j, 0.44 - 0.085j, 0.5 + 0j]
    lower = [0.44 + 0.085j, 0.1 + 0.06j, -0.46 + 0.035j]
    brush.poly(upper + lower, color, (90, 55, 25))

    # Grip, knob and a reflection.
    brush.line([-0.44 + 0j, -0.24 + 0j], 0.08, (50, 45, 50))
    brush.disc(-0.47 + 0j, 0.055, (50, 45, 50))
    brush.line([0.08 - 0.02j, 0.4 - 0.03j], 0.025, shade(color, 1.6), track=False)


def umbrella(brush: Brush, look) -> None:
    """An open umbrella with a hook."""
    one = pick(
        [(225, 50, 60), (50, 90, 200), (250, 190, 40), (130, 60, 160), (30, 150, 140)], look[0]
    )
    two = pick([one, (250, 250, 245), shade(one, 1.6)], look[1])

    # The stick and its hook.
    brush.line([-0.42j, 0.44j], 0.035, (80, 60, 50))
    brush.line(arc(0.05 + 0.44j, 0.05, 0.06, 180, 20, 6), 0.035, (80, 60, 50))

    # The canopy, with a hem in waves.
    rim = arc(-0.04j, 0.5, 0.44, 180, 360, 13)
    brush.poly(rim + [0.34 - 0.1j, 0.17 - 0.04j, -0.1j, -0.17 - 0.04j, -0.34 - 0.1j], one, INK)

    # Two panels in the second colour, from the top to the hem.
    for a, z in ((2, 4), (8, 10)):
        hem = [complex(rim[a].real * 0.8, -0.07), complex(rim[z].real * 0.8, -0.07)]
        brush.poly([-0.47j, rim[a], *hem, rim[z]], two, track=False)


def teddy_bear(brush: Brush, look) -> None:
    """A sitting bear with a bow."""
    fur = pick([(170, 110, 60), (200, 150, 95), (140, 90, 60)], look[0])
    ink, light = shade(fur, 0.45), shade(fur, 1.7)

    # Ears, arms and legs, then belly and head over them.
    for s in (-1, 1):
        brush.disc(s * 0.22 - 0.4j, 0.1, fur, ink)
        brush.oval(s * 0.27 + 0.08j, 0.1, 0.17, fur, ink, angle=-s * 0.5)
        brush.oval(s * 0.18 + 0.4j, 0.13, 0.1, fur, ink)
    brush.oval(0.17j, 0.25, 0.28, fur, ink)
    brush.oval(0.19j, 0.14, 0.17, light, track=False)

    # Head with muzzle, nose and eyes.
    brush.disc(-0.22j, 0.25, fur, ink)
    brush.oval(-0.14j, 0.11, 0.09, light, track=False)
    brush.disc(-0.18j, 0.04, (30, 20, 20), track=False)
    for s in (-1, 1):
        brush.disc(s * 0.1 - 0.27j, 0.035, (30, 20, 20), track=False)

    bow = [0.02j, -0.14 - 0.04j, -0.14 + 0.1j, 0.14 - 0.04j, 0.14 + 0.1j]
    brush.poly(bow, (220, 50, 60), track=False)
