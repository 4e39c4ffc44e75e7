"""Drawing a composed scene, far to near, and reading off the boxes of what was drawn."""

import numpy as np

from rmlr_lightning.synthetic.config import ImageSpec, WorldConfig
from rmlr_lightning.synthetic.draw import Brush, mix, shade
from rmlr_lightning.synthetic.objects import KINDS
from rmlr_lightning.synthetic.person import draw_arm, draw_hand, draw_head, draw_leg, draw_torso


def paint_scene(image: np.ndarray, scene, spec: ImageSpec, config: WorldConfig, rng) -> dict:
    """Draws; returns the annotations: boxes (xyxy, pixels, inside the image), objects, pairs with verbs, joints."""
    extra = distract(image, scene, spec, config, rng)
    for i in sorted(range(len(scene.actors)), key=lambda i: scene.actors[i].origin.imag):
        paint_actor(image, scene, i)
    if rng.random() < config.occlusion:
        foreground(image, rng)
    width, height = config.size

    loose = np.random.Generator(np.random.PCG64(np.random.SeedSequence([spec.seed, 4])))

    def clip(box) -> list[float]:
        w, h = (box[2] - box[0]) * config.slack, (box[3] - box[1]) * config.slack
        off = np.clip(loose.normal(0, 1, 4), -2, 2) * (w, h, w, h)
        return [
            float(min(max(v + d, 0), limit))
            for v, d, limit in zip(box, off, (width, height, width, height), strict=True)
        ]

    pairs = [
        {"person": i, "object": t, "act": pair.verb, "held": pair.held, "verbs": list(pair.labels)}
        for i, actor in enumerate(scene.actors)
        for t, pair in actor.pairs
    ]
    return {
        "place": scene.place,
        "persons": [clip(a.box) for a in scene.actors],
        "objects": [{"name": t.contact.kind.name, "box": clip(t.box)} for t in scene.things]
        + [{"name": name, "box": clip(box)} for name, box in extra],
        "pairs": pairs,
        "postures": [a.body.posture for a in scene.actors],
        "smiles": [a.body.face.mouth == "smile" for a in scene.actors],
        "joints": [joints(a) for a in scene.actors],
    }


def joints(actor) -> dict:
    """True pose in pixels, and what the face and hands say: the ceiling of the calibration sees it."""
    flip = actor.flip != actor.back
    b = Brush(None, actor.origin, actor.scale + 0j, flip)
    body, face = actor.body, actor.body.face
    points = [
        body.head,
        body.neck,
        body.hip,
        *body.elbow,
        *body.hand,
        *body.knee,
        *body.foot,
        body.mouth_at(),
        body.head + 0.1 * face.gaze / max(abs(face.gaze), 1e-6),
        body.head + 0.1 * face.turn,
    ]
    flags = [face.mouth == m for m in ("open", "kiss", "smile")] + [
        face.eyes == e for e in ("shut", "wide")
    ]
    flags += [g == kind for g in body.grip for kind in ("fist", "open", "flat")]
    flags += [body.straps, body.leash is not None, body.crumb is not None]
    pixels = [b.at(p) for p in points]
    return {
        "points": [[p.real, p.imag] for p in pixels],
        "flags": [float(f) for f in flags],
        "scale": actor.scale,
        "flip": flip,
    }


def paint_thing(brush: Brush, thing, ground: float) -> None:
    c = thing.contact
    if thing.table:
        foot, top = complex(c.place.real, ground), c.point(0j) + 1j * c.kind.half.imag * c.size
        wood = mix((120, 85, 60), (200, 195, 190), float(thing.look[5]))
        wide = max(c.size * 0.62, 0.08)
        brush.line([foot, top], 0.022, shade(wood, 0.7), shade(wood, 0.4), track=False)
        brush.oval(foot, wide * 0.6, 0.018, shade(wood, 0.7), shade(wood, 0.4), track=False)
        brush.oval(top + 0.008j, wide, 0.022, wood, shade(wood, 0.5), track=False)
    own = brush.child(c.place, c.size, c.angle, own_box=True)
    own.mirror = own.mirror != c.mirror
    c.kind.draw(own, thing.look)
    thing.box = own.box


def paint_actor(image: np.ndarray, scene, i: int) -> None:
    actor = scene.actors[i]
    brush = Brush(image, actor.origin, actor.scale + 0j, actor.flip != actor.back)
    frame = Brush(image, actor.origin, actor.scale + 0j, actor.flip)
    mine = [t for t in scene.things if t.owner == i]
    body, look = actor.body, actor.look

    def things(*orders: str) -> None:
        for t in mine:
            if t.order in orders:
                paint_thing(frame, t, 0.0)

    astride = any(t.order == "astride" for t in mine)
    things("before")
    draw_leg(brush, body, look, 0)
    draw_arm(brush, body, look, 0)
    things("astride")
    if not astride:
        draw_leg(brush, body, look, 1)
    draw_torso(brush, body, look)
    draw_head(brush, body, look)
    if astride:
        draw_leg(brush, body, look, 1)
    things("after", "held")
    if body.leash is not None:
        middle = (body.hand[1] + body.leash) / 2 + 0.05j
        brush.line([body.hand[1], middle, body.leash], 0.012, (60, 30, 30), track=False)
    draw_arm(brush, body, look, 1)
    if body.grip[0] != "rest":
        draw_hand(brush, body, look, 0)
    if body.crumb is not None:
        brush.disc(body.crumb, 0.02, (235, 150, 60), (120, 60, 20), track=False)
    actor.box = brush.box


def distract(
    image: np.ndarray, scene, spec: ImageSpec, config: WorldConfig, rng
) -> list[tuple[str, list[float]]]:
    """Unused objects on the ground behind the people, away from them."""
    out = []
    width, height = config.size
    taken = [
        (
            a.origin.real + a.scale * (-a.extent[2] if a.flip else a.extent[0]),
            a.origin.real + a.scale * (-a.extent[0] if a.flip else a.extent[2]),
        )
        for a in scene.actors
    ]
    names = [
        "chair",
        "suitcase",
        "backpack",
        "sports ball",
        "dog",
        "cat",
        "bicycle",
        "bench",
        "bottle",
        "umbrella",
        "skateboard",
        "teddy bear",
    ]
    for _ in range(spec.distractors):
        kind = KINDS[names[rng.integers(len(names))]]
        scale = rng.uniform(0.5, 0.75) * height
        size = rng.uniform(*kind.size) * config.object_scale
        size = max(size, 32 / scale)
        look, x, mirror = rng.random(6), rng.uniform(0.08, 0.92) * width, bool(rng.random() < 0.5)
        half = kind.half.real * size * scale
        if any(x - half < hi + 8 and x + half > lo - 8 for lo, hi in taken):
            continue
        if x - half < 0 or x + half > width:
            continue
        ground = rng.uniform(0.76, 0.86) * height
        own = Brush(
            image, complex(x, ground - kind.half.imag * size * scale), size * scale + 0j, mirror
        )
        kind.draw(own, look)
        taken.append((x - half, x + half))
        out.append((kind.name, own.box))
    return out


def foreground(image: np.ndarray, rng) -> None:
    """Something that stands in front: a bush or a post."""
    height, width = image.shape[:2]
    b = Brush(image)
    x = rng.uniform(0, width)
    if rng.random() < 0.5:
        leaf = (70, 120, 60)
        for _ in range(9):
            b.disc(
                complex(x + rng.uniform(-40, 40), height + rng.uniform(-22, 10)),
                rng.uniform(12, 20),
                shade(leaf, rng.uniform(0.8, 1.3)),
            )
    else:
        b.line(
            [complex(x, height + 4), complex(x, height * rng.uniform(0.3, 0.6))],
            9,
            (120, 110, 105),
            (60, 55, 55),
        )
