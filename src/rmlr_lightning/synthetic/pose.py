"""Poses fitted to a box: the pose adapts, so that the box does not determine the verb.

All boxes are (x0, y0, x1, y1) in body units.
"""

import copy
from itertools import product

from rmlr_lightning.synthetic.acts import Act
from rmlr_lightning.synthetic.chance import stream
from rmlr_lightning.synthetic.contact import Contact
from rmlr_lightning.synthetic.skeleton import Body

Box = tuple[float, float, float, float]
Acts = list[tuple[Act, Contact]]

# Radii around the joints, as in Body.points, that a limb keeps from the sides of the box.
ELBOW, KNEE, HAND, FOOT = 0.034, 0.042, 0.036, 0.045


def clamp(value: float, low: float, high: float) -> float:
    """The value within [low, high]."""
    return min(max(value, low), high)


def pose_once(acts: Acts, seed: int, jitter: float) -> Body:
    """One body that does all acts; a function of its arguments.

    The second and later acts move only arms and head. `jitter` is that of WorldConfig.
    """
    rng = stream(seed)
    body = Body()
    for act, contact in acts:
        act.pose(body, contact, rng)
        body.settled = True
    if jitter:
        shake(body, rng, jitter)
    return body


def shake(body: Body, rng, jitter: float) -> None:
    """Moves joints at random, in place, and replaces some faces by random ones."""
    joints = product((body.elbow, body.knee), (0, 1))
    offsets = rng.normal(0, 0.01 * jitter, (4, 2)).tolist()
    for (limb, side), offset in zip(joints, offsets, strict=True):
        limb[side] += complex(*offset)

    # Hands with a task stay: contact is what determines the verb.
    for side in (0, 1):
        if body.grip[side] == "rest":
            dx = rng.normal(0, 0.012 * jitter)
            dy = rng.normal(0, 0.012 * jitter)
            body.hand[side] += complex(dx, dy)

    if rng.random() < 0.25 * jitter:
        body.face.mouth = ("closed", "closed", "smile", "open")[rng.integers(4)]
        body.face.eyes = "open"
    if rng.random() < 0.25 * jitter:
        body.face.gaze = complex((-1, 1)[rng.integers(2)], rng.uniform(-1, 1))


def widened(box: Box, aspect: float, anchor: float) -> Box:
    """The box with another width: `aspect` times its height, or as near as 0.85 to 1.28 of its own.

    The point `anchor` (x of the object) keeps its relative place in the box.
    """
    x0, y0, x1, y1 = box
    width = clamp(aspect * (y1 - y0), 0.85 * (x1 - x0), 1.28 * (x1 - x0))
    share = clamp((anchor - x0) / (x1 - x0), 0.0, 1.0)
    x0 += (x1 - x0 - width) * share
    return (x0, y0, x0 + width, y1)


def overlap(a: Box, b: Box) -> float:
    """IoU of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    intersection = max(width, 0.0) * max(height, 0.0)
    area_a = (a[2] - a[0]) * (a[3] - a[1])
    area_b = (b[2] - b[0]) * (b[3] - b[1])
    return intersection / (area_a + area_b - intersection)


def fit(
    acts: Acts, seed: int, jitter: float, box: Box, tries: int = 6, min_overlap: float = 0.96
) -> Body:
    """A body whose extent is `box`, while the objects stay where they are.

    The best of some tries by IoU; the first one with `min_overlap` ends them.
    """
    best_match, best_body = -1.0, None
    for t in range(tries):
        # A prime, so that the seeds of one person do not meet those of another by chance.
        body = fit_once(acts, seed + 7919 * t, jitter, box)
        match = overlap(body.box(), box)
        if match > best_match:
            best_match, best_body = match, body
        if match >= min_overlap:
            break
    return best_body


def fit_once(acts: Acts, seed: int, jitter: float, box: Box) -> Body:
    """A body stretched onto the box whose hands, mouth and feet still meet the objects.

    The pose is made for the places of the objects before the stretch, and this is repeated.
    """
    if acts and acts[0][0].anchor:
        return fit_anchored(acts, seed, jitter, box)

    body = pose_once(acts, seed, jitter)
    for _ in range(3):
        own = body.box()
        sx = clamp((box[2] - box[0]) / (own[2] - own[0]), 0.7, 1.5)
        sy = clamp((box[3] - box[1]) / (own[3] - own[1]), 0.75, 1.35)
        dx = (box[0] + box[2] - sx * (own[0] + own[2])) / 2
        dy = (box[1] + box[3] - sy * (own[1] + own[3])) / 2

        moved = []
        for act, contact in acts:
            other = copy.copy(contact)
            other.place = complex((contact.place.real - dx) / sx, (contact.place.imag - dy) / sy)
            moved.append((act, other))

        body = pose_once(moved, seed, jitter)
        body.map(lambda p, sx=sx, sy=sy, dx=dx, dy=dy: complex(p.real * sx + dx, p.imag * sy + dy))

    touch_box(body, box)
    return body


def fit_anchored(acts: Acts, seed: int, jitter: float, box: Box) -> Body:
    """A body that sits or stands on its object, stretched away from the seat or deck.

    The point of contact and all below it stay in height; left, right and up have a factor each.
    """
    act, contact = acts[0]
    body = pose_once(acts, seed, jitter)
    own = body.box()
    at = contact.grip(act.anchor)

    rise = clamp((at.imag - box[1]) / max(at.imag - own[1], 1e-3), 0.7, 1.4)
    left = right = 1.0
    if own[0] < at.real - 0.04:
        left = clamp((at.real - box[0]) / max(at.real - own[0], 1e-3), 0.6, 1.6)
    if own[2] > at.real + 0.04:
        right = clamp((box[2] - at.real) / max(own[2] - at.real, 1e-3), 0.6, 1.6)

    def factors(away: complex) -> tuple[float, float]:
        return left if away.real < 0 else right, rise if away.imag < 0 else 1.0

    def stretch(p: complex) -> complex:
        away = p - at
        fx, fy = factors(away)
        return at + complex(away.real * fx, away.imag * fy)

    def shrink(p: complex) -> complex:
        away = p - at
        fx, fy = factors(away)
        return at + complex(away.real / fx, away.imag / fy)

    # Hands must meet what they hold after the stretch.
    if len(acts) > 1:
        held = [(other_act, copy.copy(other)) for other_act, other in acts[1:]]
        for _, other in held:
            other.place = shrink(other.place)
        body = pose_once([acts[0], *held], seed, jitter)
    body.map(stretch)

    # The stretch moved the hands of a rider off the bars.
    if act.order == "astride" and contact.held:
        for side in (0, 1):
            if body.grip[side] == "fist":
                body.reach(side, contact.grip("bars") + (0.02 if side == 0 else 0.0))

    touch_box(body, box)
    return body


def touch_box(body: Body, box: Box) -> None:
    """Small last moves of idle limbs, in place, so that the extent of the body meets the box."""
    keep_inside(body, box)
    reach_sides(body, box)

    # Up and down by little: the head, unless it touches an object, and the feet.
    own = body.box()
    if body.head_free:
        body.head += 1j * clamp(box[1] - own[1], -0.06, 0.06)
    drop = clamp(box[3] - own[3], -0.06, 0.06)
    body.foot = [p + 1j * drop for p in body.foot]

    # Knees follow the feet in part: no visible kink.
    for side in (0, 1):
        ends = body.hip_joint(side) + body.foot[side]
        body.knee[side] = (body.knee[side] * 1.4 + ends * 0.3) / 2


def keep_inside(body: Body, box: Box) -> None:
    """Moves elbows, knees, idle hands and feet into the sides of the box."""
    for limbs, radius in ((body.elbow, ELBOW), (body.knee, KNEE), (body.hand, HAND)):
        for side, p in enumerate(limbs):
            is_busy_hand = limbs is body.hand and body.grip[side] != "rest"
            if not is_busy_hand:
                limbs[side] = complex(clamp(p.real, box[0] + radius, box[2] - radius), p.imag)

    for side, p in enumerate(body.foot):
        x = clamp(p.real, box[0] + FOOT, box[2] - FOOT - 0.01)
        body.foot[side] = complex(x, p.imag)


def reach_sides(body: Body, box: Box) -> None:
    """Moves the feet outwards, by at most 0.2, where the body does not fill the box."""
    own = body.box()
    back, front = (0, 1) if body.foot[0].real < body.foot[1].real else (1, 0)

    if own[2] < box[2]:
        # The foot may be inside of the body's own side: that distance comes on top.
        inside = max(0.0, own[2] - body.foot[front].real - 0.055)
        body.foot[front] += min(box[2] - own[2] + inside, 0.2)
    if own[0] > box[0]:
        inside = max(0.0, body.foot[back].real - 0.035 - own[0])
        body.foot[back] -= min(own[0] - box[0] + inside, 0.2)
