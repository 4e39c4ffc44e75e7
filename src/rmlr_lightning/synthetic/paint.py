"""Drawing a composed scene, far to near, and reading the boxes of what was drawn."""

import numpy as np

from rmlr_lightning.synthetic.chance import streams
from rmlr_lightning.synthetic.config import ImageSpec, WorldConfig
from rmlr_lightning.synthetic.draw import Brush, mix, shade
from rmlr_lightning.synthetic.head import draw_head
from rmlr_lightning.synthetic.person import draw_arm, draw_hand, draw_leg, draw_torso
from rmlr_lightning.synthetic.scene import Actor, PlacedObject, Scene
from rmlr_lightning.synthetic.surroundings import distract, foreground


def paint_scene(
    image: np.ndarray, scene: Scene, spec: ImageSpec, config: WorldConfig, rng: np.random.Generator
) -> dict:
    """Draws a scene on a background, in place.

    Returns:
        The annotations. `persons`: boxes; `objects`: names and boxes, those in use first; `pairs`:
        indices of both, the act, `held` and all true verbs; `joints`: true poses; `postures`,
        `smiles` and `place`. Boxes are xyxy in pixels, inside the image.
    """
    unused = distract(image, scene, spec, config, rng)

    # The nearer a person, the lower its feet: it is drawn later.
    order = sorted(range(len(scene.actors)), key=lambda i: scene.actors[i].origin.imag)
    for i in order:
        paint_actor(image, scene, i)
    if rng.random() < config.occlusion:
        foreground(image, rng)

    # Noise of the annotated boxes has its own stream, and so leaves the image as it is.
    box_rng = streams(spec.seed, 4)
    persons = [annotated(actor.box, config, box_rng) for actor in scene.actors]
    objects = []
    for obj in scene.objects:
        objects.append({"name": obj.contact.kind.name, "box": annotated(obj.box, config, box_rng)})
    for name, box in unused:
        objects.append({"name": name, "box": annotated(box, config, box_rng)})

    return {
        "place": scene.place,
        "persons": persons,
        "objects": objects,
        "pairs": pairs_of(scene),
        "postures": [actor.body.posture for actor in scene.actors],
        "smiles": [actor.body.face.mouth == "smile" for actor in scene.actors],
        "joints": [joints(actor) for actor in scene.actors],
    }


def annotated(box: list[float], config: WorldConfig, rng: np.random.Generator) -> list[float]:
    """The box as a person would annotate it: each edge a little off, inside the image."""
    width, height = config.size
    limits = (width, height, width, height)

    dx = (box[2] - box[0]) * config.slack
    dy = (box[3] - box[1]) * config.slack
    offsets = np.clip(rng.normal(0, 1, 4), -2, 2) * (dx, dy, dx, dy)

    edges = []
    for value, offset, limit in zip(box, offsets, limits, strict=True):
        edges.append(float(min(max(value + offset, 0), limit)))
    return edges


def pairs_of(scene: Scene) -> list[dict]:
    """All pairs of person and object with an act, annotated or not."""
    pairs = []
    for i, actor in enumerate(scene.actors):
        for obj, pair in actor.pairs:
            pairs.append(
                {
                    "person": i,
                    "object": obj,
                    "act": pair.verb,
                    "held": pair.held,
                    "verbs": list(pair.labels),
                }
            )
    return pairs


def joints(actor: Actor) -> dict:
    """The true pose: joints, mouth, gaze and facing direction in pixels, and the states as flags.

    The calibration of docs/WORLD.md takes its ceiling from these.
    """
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

    flags = [face.mouth == state for state in ("open", "kiss", "smile")]
    flags += [face.eyes == state for state in ("shut", "wide")]
    flags += [grip == state for grip in body.grip for state in ("fist", "open", "flat")]
    flags += [body.straps, body.leash is not None, body.crumb is not None]

    flip = actor.flip != actor.back
    frame = Brush(None, actor.origin, actor.scale + 0j, flip)
    pixels = [frame.at(p) for p in points]
    return {
        "points": [[p.real, p.imag] for p in pixels],
        "flags": [float(flag) for flag in flags],
        "scale": actor.scale,
        "flip": flip,
    }


def paint_actor(image: np.ndarray, scene: Scene, i: int) -> None:
    """Draws a person with own objects, far to near, in place; sets their boxes."""
    actor = scene.actors[i]
    body, look = actor.body, actor.look
    own = [obj for obj in scene.objects if obj.owner == i]
    astride = any(obj.order == "astride" for obj in own)

    # The body's own frame, and that of its objects.
    brush = Brush(image, actor.origin, actor.scale + 0j, actor.flip != actor.back)
    object_brush = Brush(image, actor.origin, actor.scale + 0j, actor.flip)

    def paint_objects(*orders: str) -> None:
        for obj in own:
            if obj.order in orders:
                paint_object(object_brush, obj)

    paint_objects("before")
    draw_leg(brush, body, look, 0)
    draw_arm(brush, body, look, 0)

    # The near leg of a rider is over what is ridden, and over the torso.
    paint_objects("astride")
    if not astride:
        draw_leg(brush, body, look, 1)
    draw_torso(brush, body, look)
    draw_head(brush, body, look)
    if astride:
        draw_leg(brush, body, look, 1)

    paint_objects("after", "held")
    if body.leash is not None:
        hand = body.hand[1]
        sag = (hand + body.leash) / 2 + 0.05j
        brush.line([hand, sag, body.leash], 0.012, (60, 30, 30), track=False)

    # Hands last: the grip on an object is visible.
    draw_arm(brush, body, look, 1)
    if body.grip[0] != "rest":
        draw_hand(brush, body, look, 0)
    if body.crumb is not None:
        brush.disc(body.crumb, 0.02, (235, 150, 60), (120, 60, 20), track=False)
    actor.box = brush.box


def paint_object(brush: Brush, obj: PlacedObject) -> None:
    """Draws an object, on its table if it has one, and sets its box."""
    contact = obj.contact
    if obj.on_table:
        paint_table(brush, obj)

    own = brush.child(contact.place, contact.size, contact.angle, own_box=True)
    own.mirror = own.mirror != contact.mirror
    contact.kind.draw(own, obj.look)
    obj.box = own.box


def paint_table(brush: Brush, obj: PlacedObject) -> None:
    """A bar table under an object; it belongs to no box."""
    contact = obj.contact
    foot = complex(contact.place.real, 0.0)
    top = contact.point(0j) + 1j * contact.kind.half.imag * contact.size
    width = max(contact.size * 0.62, 0.08)

    wood = mix((120, 85, 60), (200, 195, 190), float(obj.look[5]))
    dark, edge = shade(wood, 0.7), shade(wood, 0.4)
    brush.line([foot, top], 0.022, dark, edge, track=False)
    brush.oval(foot, width * 0.6, 0.018, dark, edge, track=False)
    brush.oval(top + 0.008j, width, 0.022, wood, shade(wood, 0.5), track=False)
