"""Drawing a head: hair, face, eyes and mouth. Sizes are in head radii."""

import cmath

from rmlr_lightning.synthetic.draw import Brush, Color, arc, mix, shade
from rmlr_lightning.synthetic.person import BALD, BUN, CAP, LONG_HAIR, Look
from rmlr_lightning.synthetic.skeleton import HEAD, Body, Face


class HeadBrush(Brush):
    """A brush in the frame of a head, whose x points where the face is turned."""

    def __init__(self, brush: Brush, body: Body):
        # The head of somebody who lies is in line with the trunk.
        upright = body.spine if abs(body.spine.real) > 0.8 else -1j
        self.side = 1 if body.face.turn >= 0 else -1
        self.spin = cmath.phase(upright * 1j) + body.face.tilt * self.side
        frame = brush.child(body.head, HEAD, self.spin)
        super().__init__(frame.image, frame.origin, frame.axis, frame.mirror, frame.box)

    def p(self, x: float, y: float) -> complex:
        """A point `x` towards the nose and `y` down."""
        return complex(self.side * x, y)

    def arc(self, rx: float, ry: float, start: float, stop: float, n: int) -> list[complex]:
        """Points on an ellipse around the centre, as `draw.arc`."""
        return [self.p(z.real, z.imag) for z in arc(0j, rx, ry, start, stop, n)]


def draw_head(brush: Brush, body: Body, look: Look) -> None:
    """Draws the head of a posed body, in place."""
    head = HeadBrush(brush, body)
    draw_hair_behind(head, look)
    draw_skull(head, look, body.face)
    draw_hair(head, look)

    # The ear, behind the middle.
    ink = shade(look.skin, 0.5)
    head.oval(head.p(-0.24, 0.08), 0.16, 0.22, shade(look.skin, 0.9), ink, track=False)
    draw_eyes(head, look, body.face, ink)
    draw_mouth(head, look, body.face)


def draw_hair_behind(head: HeadBrush, look: Look) -> None:
    """Long hair or a bun, partly hidden by the head."""
    p = head.p
    edge = shade(look.hair, 0.5)
    if look.style == LONG_HAIR:
        outline = [p(0.5, -0.75), p(-0.9, -0.6), p(-1.15, 0.9), p(-0.35, 1.1), p(0.2, 0.0)]
        head.poly(outline, look.hair, edge)
    if look.style == BUN:
        head.disc(p(-0.75, -0.75), 0.36, look.hair, edge)


def draw_skull(head: HeadBrush, look: Look, face: Face) -> None:
    """The round of the head and the nose, which shows where the face is turned."""
    depth = abs(face.turn)
    skin = look.skin
    ink = shade(skin, 0.5)

    # The nose is part of the box, unlike the other parts of the face.
    head.disc(0j, 1.0, skin, ink)

    # A second disc takes away the outline between nose and face.
    head.disc(head.p(0.98 * depth, 0.14), 0.15, shade(skin, 0.92), ink)
    head.disc(head.p(0.92 * depth, 0.12), 0.13, shade(skin, 0.96))


def draw_hair(head: HeadBrush, look: Look) -> None:
    """Hair over the forehead, a beard or a cap."""
    p = head.p
    if look.style == BALD:
        beard = head.arc(1.0, 1.02, 25, 130, 9)
        head.poly(beard + [p(-0.3, 0.35), p(0.3, 0.75)], look.hair)
    else:
        crown = head.arc(1.04, 1.05, 150, 315, 12)
        fringe = [p(0.35, -0.42), p(-0.35, -0.25), p(-0.5, 0.15)]
        head.poly(crown + fringe, look.hair, shade(look.hair, 0.6))

    if look.style == CAP:
        head.poly(head.arc(1.08, 1.1, 188, 345, 12), look.bottom, shade(look.bottom, 0.5))
        peak = [p(0.5, -0.38), p(1.35, -0.34)]
        head.line(peak, 0.16, shade(look.bottom, 0.8), track=False)


def draw_eyes(head: HeadBrush, look: Look, face: Face, ink: Color) -> None:
    """Both eyes with pupils towards the gaze, and brows."""
    # The gaze is given in body axes.
    gaze = face.gaze / max(abs(face.gaze), 1e-6) * cmath.exp(-1j * head.spin)

    is_wide = face.eyes == "wide"
    for x in (0.14, 0.66):
        eye = head.p(x, -0.1)
        if face.eyes == "shut":
            # A closed lid, bent downwards.
            lid = [eye - 0.2, eye + 0.12j, eye + 0.2]
            head.line(lid, 0.09, (40, 28, 28), track=False)
            continue

        size = 1.25 if is_wide else 1.0
        head.oval(eye, 0.24 * size, 0.3 * size, (255, 255, 255), ink, track=False)

        # Pupils move less sideways than up and down, to stay inside the eye.
        pupil = eye + complex(gaze.real * 0.1, gaze.imag * 0.14)
        head.disc(pupil, 0.15, (25, 20, 25), track=False)

        y = -0.44 if is_wide else -0.38
        brow = [eye + complex(-0.16, y), eye + complex(0.16, y)]
        head.line(brow, 0.09, shade(look.hair, 0.8), track=False)


def draw_mouth(head: HeadBrush, look: Look, face: Face) -> None:
    """The mouth: open, kissing, smiling or closed."""
    p = head.p
    lip = mix(look.skin, (150, 30, 40), 0.6)
    if face.mouth == "open":
        head.oval(p(0.55, 0.52), 0.34, 0.34, (90, 15, 25), lip, track=False)
    elif face.mouth == "kiss":
        # The only mouth that is part of the box: it touches the object.
        head.disc(p(0.9, 0.46), 0.24, (215, 60, 80), shade(lip, 0.6))
    elif face.mouth == "smile":
        smile = [p(0.22, 0.46), p(0.48, 0.6), p(0.74, 0.46)]
        head.line(smile, 0.1, (120, 25, 35), track=False)
    else:
        head.line([p(0.34, 0.54), p(0.74, 0.52)], 0.09, lip, track=False)
