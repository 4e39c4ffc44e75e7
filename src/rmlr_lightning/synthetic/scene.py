"""Composition: who stands where with what, on which background; then drawing it and saying what is true of it."""

from dataclasses import dataclass, field

import numpy as np

from rmlr_lightning.synthetic.acts import act_of
from rmlr_lightning.synthetic.backgrounds import PLACES, paint_place, weather
from rmlr_lightning.synthetic.chance import streams
from rmlr_lightning.synthetic.config import ImageSpec, PairSpec, WorldConfig
from rmlr_lightning.synthetic.drafts import arrange, contact_for, draft, mirrored, own_view
from rmlr_lightning.synthetic.draw import Brush
from rmlr_lightning.synthetic.contact import Contact
from rmlr_lightning.synthetic.objects import KINDS
from rmlr_lightning.synthetic.paint import paint_scene
from rmlr_lightning.synthetic.person import Look
from rmlr_lightning.synthetic.pose import Box, fit, pose_once
from rmlr_lightning.synthetic.skeleton import Body

BODY = {
    "bike": "street park",
    "mount": "park beach",
    "chair": "room park street",
    "board": "street park beach",
}
SPECIAL = {
    "surfboard": "beach",
    "couch": "room",
    "chair": "room street",
    "bench": "park street beach",
    "skateboard": "street park",
    "laptop": "room street park",
    "tennis racket": "court park",
    "baseball bat": "court park",
    "frisbee": "park beach",
    "teddy bear": "room",
    "sports ball": "court park beach street",
    "cat": "room park street",
}


@dataclass
class Thing:
    """An object to draw: its contact in the frame of the person who has it (or of the ground)."""

    contact: Contact
    look: np.ndarray
    order: str
    owner: int
    table: bool = False
    box: list[float] = field(default_factory=list)


@dataclass
class Actor:
    """A person on the image: px = origin + scale * (x mirrored by flip, y), in the frame where the object is at +x."""

    look: Look
    body: Body  # in its own frame, where the person faces +x
    extent: Box  # in the frame where the object is at +x
    origin: complex
    scale: float
    flip: bool
    back: bool  # faces away from the object: the body's own frame is mirrored
    pairs: list[tuple[int, PairSpec]]  # (thing index, what is done)
    box: list[float] = field(default_factory=list)


@dataclass
class Scene:
    place: str
    actors: list[Actor]
    things: list[Thing]
    seed: int


def choose_place(spec: ImageSpec, rng) -> str:
    """A background where all the objects are at home, if there is one."""
    fits = set(PLACES)
    for person in spec.persons:
        for pair in person.pairs:
            kind = KINDS[pair.object]
            here = set(
                SPECIAL.get(kind.name, BODY.get(kind.group, "room park street beach")).split()
            )
            fits = fits & here or here
    return sorted(fits)[rng.integers(len(fits))]


def compose(spec: ImageSpec, config: WorldConfig) -> Scene:
    """The scene of a spec; a twin is its sibling's scene with the first person posed anew inside the same boxes."""
    rng = streams(spec.seed, 0)
    base = spec.sibling or spec
    scene = Scene(choose_place(base, rng), [], [], spec.seed)
    drafts = {
        i: draft(base, i, config) for i, person in enumerate(base.persons) if person.shares is None
    }
    arrange(drafts, len(base.persons), config, rng)
    x = (config.size[0] - sum(d.scale * (d.whole[2] - d.whole[0]) for d in drafts.values())) / (
        len(drafts) + 1
    )
    left = x
    placed: dict[int, Actor] = {}
    for i in rng.permutation(list(drafts)):
        d, person = drafts[int(i)], base.persons[int(i)]
        r = streams(spec.seed, 3, int(i))
        flip = bool(r.random() < 0.5)
        x0, x1 = (-d.whole[2], -d.whole[0]) if flip else (d.whole[0], d.whole[2])
        spare = max(x, 4.0) * 0.9
        start = left + (
            r.uniform(-spare, spare) if len(drafts) == 1 else r.uniform(-0.5, 0.5) * spare
        )
        left += d.scale * (x1 - x0) + x
        cx = min(max(start - d.scale * x0, 2 - d.scale * x0), config.size[0] - 2 - d.scale * x1)
        placed[int(i)] = Actor(
            d.look, d.body, d.extent, complex(cx, d.ground), d.scale, flip, d.back, []
        )
        for (act, _), contact, pair in zip(d.acts, d.contacts, person.pairs, strict=True):
            placed[int(i)].pairs.append((len(scene.things), pair))
            scene.things.append(
                Thing(contact, r.random(6), act.order, int(i), wants_table(contact, r))
            )
    for i, person in enumerate(base.persons):
        if person.shares is None:
            scene.actors.append(placed[i])
        else:
            r = streams(spec.seed, 1, i)
            share_object(scene, person, Look.draw(r), int(r.integers(2**31)), config, r)
    if spec.sibling is not None:
        repose(scene, spec, config)
    return scene


def wants_table(c: Contact, rng) -> bool:
    """A stand under the object: always where nobody holds it up, at times where somebody does."""
    may = rng.random() < 0.3
    aloft = c.kind.group in ("hand", "long", "pack") or c.zone in ("upright", "stool")
    return aloft and (may or not c.held or c.zone == "stool")


def share_object(scene: Scene, person, look: Look, seed: int, config: WorldConfig, rng) -> None:
    """A second person with the first thing of an earlier one: the thing stays, the person comes to it."""
    other = scene.actors[person.shares]
    index = other.pairs[0][0]
    thing = scene.things[index]
    pair = person.pairs[0]
    scale = other.scale * rng.uniform(0.94, 1.04)
    contact = contact_for(pair, config, rng, (thing.contact.zone,))
    act = act_of(pair.verb, contact.kind)
    contact.spot = -0.22 if contact.kind.group == "seat" else None
    contact.size = thing.contact.size * other.scale / scale
    ground = -contact.kind.half.imag * contact.size
    contact.place, contact.angle = complex(contact.place.real, ground), thing.contact.angle
    faces = thing.contact.mirror != other.flip  # on the image, facing left
    flip = faces if act.order == "astride" else not other.flip
    contact.mirror = faces != flip
    if act.order == "astride":
        contact.place = complex(0, ground)
    acts = [own_view(act, contact)]
    box = pose_once(acts, seed, config.jitter).box()
    body = fit(acts, seed, config.jitter, box)
    extent = mirrored(body.box()) if act.back else body.box()
    at = Brush(None, other.origin, other.scale + 0j, other.flip).at(thing.contact.place)
    px = -contact.place.conjugate() if flip else contact.place
    origin = at - scale * px
    scene.actors.append(Actor(look, body, extent, origin, scale, flip, act.back, [(index, pair)]))
    if act.order == "astride":
        thing.order, thing.owner = "astride", len(scene.actors) - 1
    thing.contact = thing.contact if thing.owner == person.shares else contact


def repose(scene: Scene, spec: ImageSpec, config: WorldConfig) -> None:
    """Pose the first person for the twin's verb inside the sibling's boxes; the best of a few tries."""
    actor, pair = scene.actors[0], spec.persons[0].pairs[0]
    index = actor.pairs[0][0]
    thing = scene.things[index]
    act = act_of(pair.verb, KINDS[pair.object])
    thing.contact.held = pair.held
    box = mirrored(actor.extent) if act.back else actor.extent
    body = fit(
        [own_view(act, thing.contact)],
        spec.seed % 1000003 + 7,
        config.jitter,
        box,
        tries=16,
        enough=0.97,
    )
    extent = mirrored(body.box()) if act.back else body.box()
    thing.order = act.order
    scene.actors[0] = Actor(
        actor.look, body, extent, actor.origin, actor.scale, actor.flip, act.back, [(index, pair)]
    )


def render(spec: ImageSpec, config: WorldConfig) -> tuple[np.ndarray, dict]:
    """Image (H, W, 3) uint8 RGB; annotations {persons, objects, pairs, joints, ...}, boxes xyxy in pixels."""
    scene = compose(spec, config)
    rng = streams(spec.seed, 2)
    image = paint_place(scene.place, config.size, config.clutter, rng)
    annotations = paint_scene(image, scene, spec, config, rng)
    return weather(image, config.noise, rng), annotations
