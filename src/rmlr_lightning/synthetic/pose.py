"""A posed person with an object, fitted to a box: the pose gives way, so that boxes do not tell the verb."""

import copy
from itertools import product

from rmlr_lightning.synthetic.acts import Act
from rmlr_lightning.synthetic.chance import stream
from rmlr_lightning.synthetic.contact import Contact
from rmlr_lightning.synthetic.skeleton import Body

Box = tuple[float, float, float, float]


def pose_once(acts: list[tuple[Act, Contact]], seed: int, jitter: float) -> Body:
    """All acts on one body; the second and later ones move only arms and head."""
    rng = stream(seed)
    body = Body()
    for act, contact in acts:
        act.pose(body, contact, rng)
        body.settled = True
    if jitter:
        limbs = (body.elbow, body.knee)
        for (limb, side), off in zip(
            product(limbs, (0, 1)), rng.normal(0, 0.01 * jitter, (4, 2)).tolist(), strict=True
        ):
            limb[side] += complex(*off)
        for side in (0, 1):
            if body.grip[side] == "rest":
                body.hand[side] += complex(
                    rng.normal(0, 0.012 * jitter), rng.normal(0, 0.012 * jitter)
                )
        if rng.random() < 0.25 * jitter:
            body.face.mouth, body.face.eyes = (
                ("closed", "closed", "smile", "open")[rng.integers(4)],
                "open",
            )
        if rng.random() < 0.25 * jitter:
            body.face.gaze = complex((-1, 1)[rng.integers(2)], rng.uniform(-1, 1))
    return body


def widened(box: Box, aspect: float, anchor: float) -> Box:
    """The box at another width over height, within reason, stretched away from `anchor` (x of the object)."""
    x0, y0, x1, y1 = box
    width = min(max(aspect * (y1 - y0), 0.85 * (x1 - x0)), 1.28 * (x1 - x0))
    t = min(max((anchor - x0) / (x1 - x0), 0.0), 1.0)
    x0 += (x1 - x0 - width) * t
    return (x0, y0, x0 + width, y1)


def overlap(a: Box, b: Box) -> float:
    """IoU of two boxes."""
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inner = max(w, 0.0) * max(h, 0.0)
    return inner / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner)


def fit(
    acts: list[tuple[Act, Contact]],
    seed: int,
    jitter: float,
    box: Box,
    tries: int = 6,
    enough: float = 0.96,
) -> Body:
    """A body whose extent is `box`, as nearly as some tries get it, while the objects stay where they are."""
    best = None
    for t in range(tries):
        body = fit_once(acts, seed + 7919 * t, jitter, box)
        match = overlap(body.box(), box)
        if best is None or match > best[0]:
            best = (match, body)
        if match >= enough:
            break
    return best[1]


def fit_once(acts: list[tuple[Act, Contact]], seed: int, jitter: float, box: Box) -> Body:
    """The joints are stretched onto the box; since hands must still meet the objects, the pose is made for the objects'
    places before the stretch, and this is repeated."""
    if acts and acts[0][0].anchor:
        return fit_anchored(acts, seed, jitter, box)
    body = pose_once(acts, seed, jitter)
    for _ in range(3):
        own = body.box()
        sx = min(max((box[2] - box[0]) / (own[2] - own[0]), 0.7), 1.5)
        sy = min(max((box[3] - box[1]) / (own[3] - own[1]), 0.75), 1.35)
        dx, dy = (
            (box[0] + box[2] - sx * (own[0] + own[2])) / 2,
            (box[1] + box[3] - sy * (own[1] + own[3])) / 2,
        )
        moved = []
        for act, contact in acts:
            other = copy.copy(contact)
            other.place = complex((contact.place.real - dx) / sx, (contact.place.imag - dy) / sy)
            moved.append((act, other))
        body = pose_once(moved, seed, jitter)
        body.map(lambda p, sx=sx, sy=sy, dx=dx, dy=dy: complex(p.real * sx + dx, p.imag * sy + dy))
    touch_box(body, box)
    return body


def fit_anchored(acts: list[tuple[Act, Contact]], seed: int, jitter: float, box: Box) -> Body:
    """Of a body that sits or stands on its object: stretched away from the seat or deck, which stays where it is."""
    act, contact = acts[0]
    body = pose_once(acts, seed, jitter)
    own, at = body.box(), contact.grip(act.anchor)
    rise = min(max((at.imag - box[1]) / max(at.imag - own[1], 1e-3), 0.7), 1.4)
    left = (
        min(max((at.real - box[0]) / max(at.real - own[0], 1e-3), 0.6), 1.6)
        if own[0] < at.real - 0.04
        else 1.0
    )
    right = (
        min(max((box[2] - at.real) / max(own[2] - at.real, 1e-3), 0.6), 1.6)
        if own[2] > at.real + 0.04
        else 1.0
    )

    def stretch(p: complex) -> complex:
        away = p - at
        return at + complex(
            away.real * (left if away.real < 0 else right),
            away.imag * (rise if away.imag < 0 else 1.0),
        )

    def shrink(p: complex) -> complex:
        away = p - at
        return at + complex(
            away.real / (left if away.real < 0 else right),
            away.imag / (rise if away.imag < 0 else 1.0),
        )

    if len(acts) > 1:  # hands must meet what they hold after the stretch
        others = [(a, copy.copy(c)) for a, c in acts[1:]]
        for _, other in others:
            other.place = shrink(other.place)
        body = pose_once([acts[0], *others], seed, jitter)
    body.map(stretch)
    if act.order == "astride" and contact.held:  # back to the bars
        for side in (0, 1):
            if body.grip[side] == "fist":
                body.reach(side, contact.grip("bars") + (0.02 if side == 0 else 0.0))
    touch_box(body, box)
    return body


def touch_box(body: Body, box: Box) -> None:
    """Small last moves of idle limbs so that the body's extent meets the box on both sides."""
    for limbs, radius in ((body.elbow, 0.034), (body.knee, 0.042), (body.hand, 0.036)):
        for side, p in enumerate(limbs):
            if limbs is body.hand and body.grip[side] != "rest":
                continue
            limbs[side] = complex(min(max(p.real, box[0] + radius), box[2] - radius), p.imag)
    for side in (0, 1):
        foot, reach = body.foot[side], 0.045
        body.foot[side] = complex(
            min(max(foot.real, box[0] + reach), box[2] - reach - 0.01), foot.imag
        )
    own = body.box()
    back, front = (0, 1) if body.foot[0].real < body.foot[1].real else (1, 0)
    if own[2] < box[2]:
        body.foot[front] += min(
            box[2] - own[2] + max(0.0, own[2] - body.foot[front].real - 0.055), 0.2
        )
    if own[0] > box[0]:
        body.foot[back] -= min(
            own[0] - box[0] + max(0.0, body.foot[back].real - 0.035 - own[0]), 0.2
        )
    own = body.box()
    if body.head_free:
        body.head += 1j * max(min(box[1] - own[1], 0.06), -0.06)
    low = box[3] - own[3]
    body.foot = [p + 1j * max(min(low, 0.06), -0.06) for p in body.foot]
    for side in (0, 1):
        body.knee[side] = (
            body.knee[side] * 1.4 + (body.hip_joint(side) + body.foot[side]) * 0.3
        ) / 2
