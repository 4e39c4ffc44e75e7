"""Composition: who stands where with what, on which background; then drawing it and saying what is true of it."""

from dataclasses import dataclass, field

import numpy as np

from rmlr_lightning.data.synthetic.acts import Act, act_of, zones_of
from rmlr_lightning.data.synthetic.backgrounds import PLACES, paint_place, weather
from rmlr_lightning.data.synthetic.config import ImageSpec, PairSpec, WorldConfig
from rmlr_lightning.data.synthetic.draw import Brush
from rmlr_lightning.data.synthetic.objects import KINDS, SMALL, Contact
from rmlr_lightning.data.synthetic.paint import paint_scene
from rmlr_lightning.data.synthetic.person import Look
from rmlr_lightning.data.synthetic.places import place, turned
from rmlr_lightning.data.synthetic.pose import Box, fit, pose_once, widened
from rmlr_lightning.data.synthetic.skeleton import Body

BODY = {"bike": "street park", "mount": "park beach", "chair": "room park street", "board": "street park beach"}
SPECIAL = {"surfboard": "beach", "couch": "room", "chair": "room street", "bench": "park street beach", "skateboard": "street park",
           "laptop": "room street park", "tennis racket": "court park", "baseball bat": "court park", "frisbee": "park beach",
           "teddy bear": "room", "sports ball": "court park beach street", "cat": "room park street"}  # fmt: skip
# Poses that cannot give way much: where a family has some, its boxes come from them, and the others adapt.
RIGID = {"eat", "drink_with", "smell", "talk_on", "kiss", "hug", "type_on", "open", "race", "kick", "feed", "pet", "swing"}


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


def streams(seed: int, *names: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *names])))


def choose_place(spec: ImageSpec, rng) -> str:
    """A background where all the objects are at home, if there is one."""
    fits = set(PLACES)
    for person in spec.persons:
        for pair in person.pairs:
            kind = KINDS[pair.object]
            here = set(SPECIAL.get(kind.name, BODY.get(kind.group, "room park street beach")).split())
            fits = fits & here or here
    return sorted(fits)[rng.integers(len(fits))]


def contact_for(pair: PairSpec, config: WorldConfig, rng, zones: tuple[str, ...] = ()) -> Contact:
    """Where the object goes: in a zone of the verb's family; nothing else depends on the verb."""
    kind = KINDS[pair.object]
    where = zones_of(pair.verb, kind)
    names = [z for z in where if z in zones] or list(where)
    weights = np.array([where[z] for z in names])
    zone = names[rng.choice(len(names), p=weights / weights.sum())]
    return place(kind, zone, pair.held, rng.uniform(*kind.size) * config.object_scale, rng)


def own_view(act: Act, contact: Contact) -> tuple[Act, Contact]:
    """The contact in the frame of the person, who may face away from it."""
    return act, turned(contact) if act.back else contact


def mirrored(box: Box) -> Box:
    return (-box[2], box[1], -box[0], box[3])


def target_box(pair: PairSpec, contact: Contact, seed: int, jitter: float, rng) -> Box:
    """The person's box: that of any verb of the family, drawn blindly, at an aspect that no verb decides."""
    able = [v for v in pair.rivals if contact.zone in zones_of(v, contact.kind)] or [pair.verb]
    able = [v for v in able if v in RIGID] or able
    act = act_of(able[rng.integers(len(able))], contact.kind)
    box = pose_once([own_view(act, contact)], seed, jitter).box()
    box = mirrored(box) if act.back else box
    if contact.kind.group in ("hand", "pack", "ball") or contact.zone == "arms":  # room for hands on its far side
        box = (*box[:2], max(box[2], contact.place.real + 0.9 * contact.kind.half.real * contact.size + 0.037), box[3])
    if contact.zone == "front" and contact.kind.group == "chair":
        box = (*box[:2], max(box[2], contact.grip("back").real + 0.06), box[3])
    return widened(box, float(np.exp(rng.normal(np.log(0.48), 0.16))), contact.place.real)


def union(boxes: list[Box]) -> Box:
    b = np.array(boxes)
    return (*b[:, :2].min(0), *b[:, 2:].max(0))


def contact_box(c: Contact) -> Box:
    corners = [c.point(complex(sx * c.kind.half.real, sy * c.kind.half.imag)) for sx in (-1, 1) for sy in (-1, 1)]
    return (min(p.real for p in corners), min(p.imag for p in corners), max(p.real for p in corners), max(p.imag for p in corners))


@dataclass
class Draft:
    """A person with own objects, posed but not yet placed."""

    look: Look
    acts: list[tuple[Act, Contact]]
    body: Body
    extent: Box
    whole: Box  # with the objects
    seed: int
    back: bool
    contacts: list[Contact] = field(default_factory=list)  # in the frame where the first object is at +x
    scale: float = 0.0
    ground: float = 0.0


def compose(spec: ImageSpec, config: WorldConfig) -> Scene:
    """The scene of a spec; a twin is its sibling's scene with the first person posed anew inside the same boxes."""
    rng = streams(spec.seed, 0)
    base = spec.sibling or spec
    scene = Scene(choose_place(base, rng), [], [], spec.seed)
    drafts = {i: draft(base, i, config) for i, person in enumerate(base.persons) if person.shares is None}
    arrange(drafts, len(base.persons), config, rng)
    x = (config.size[0] - sum(d.scale * (d.whole[2] - d.whole[0]) for d in drafts.values())) / (len(drafts) + 1)
    left = x
    placed: dict[int, Actor] = {}
    for i in rng.permutation(list(drafts)):
        d, person = drafts[int(i)], base.persons[int(i)]
        r = streams(spec.seed, 3, int(i))
        flip = bool(r.random() < 0.5)
        x0, x1 = (-d.whole[2], -d.whole[0]) if flip else (d.whole[0], d.whole[2])
        spare = max(x, 4.0) * 0.9
        start = left + (r.uniform(-spare, spare) if len(drafts) == 1 else r.uniform(-0.5, 0.5) * spare)
        left += d.scale * (x1 - x0) + x
        cx = min(max(start - d.scale * x0, 2 - d.scale * x0), config.size[0] - 2 - d.scale * x1)
        placed[int(i)] = Actor(d.look, d.body, d.extent, complex(cx, d.ground), d.scale, flip, d.back, [])
        for (act, _), contact, pair in zip(d.acts, d.contacts, person.pairs, strict=True):
            placed[int(i)].pairs.append((len(scene.things), pair))
            scene.things.append(Thing(contact, r.random(6), act.order, int(i), wants_table(contact, r)))
    for i, person in enumerate(base.persons):
        if person.shares is None:
            scene.actors.append(placed[i])
        else:
            r = streams(spec.seed, 1, i)
            share_object(scene, person, Look.draw(r), int(r.integers(2**31)), config, r)
    if spec.sibling is not None:
        repose(scene, spec, config)
    return scene


def draft(spec: ImageSpec, i: int, config: WorldConfig) -> Draft:
    r = streams(spec.seed, 1, i)
    look = Look.draw(r)
    seed = int(r.integers(2**31))
    pairs = spec.persons[i].pairs
    if not pairs:
        body = pose_once([(act_of("no_interaction", KINDS["cup"]), Contact(KINDS["cup"], 3 - 0.5j, 0.1))], seed, config.jitter)
        return Draft(look, [], body, body.box(), body.box(), seed, False)
    contact = contact_for(pairs[0], config, r, spec.zones if i == 0 else ())
    act = act_of(pairs[0].verb, contact.kind)
    if any(p.shares == i for p in spec.persons) and contact.kind.group == "seat":
        contact.spot = -0.22
    box = target_box(pairs[0], contact, seed, config.jitter, r)
    contacts = [contact]
    acts = [own_view(act, contact)]
    for pair in pairs[1:]:  # a hand-held object of someone seated or laden: in front of them, where their chest is
        second = contact_for(pair, config, r)
        body = pose_once(acts[:1], seed, 0.0)
        second.place += body.neck - (-0.775j)
        acts.append((act_of(pair.verb, second.kind), second))
        contacts.append(turned(second) if act.back else second)
    if len(pairs) > 1 and contact.kind.group == "chair":
        box = pose_once(acts, seed, config.jitter).box()
    body = fit(acts, seed, config.jitter, mirrored(box) if act.back else box)
    own = body.box()
    extent = mirrored(own) if act.back else own
    whole = union([extent] + [contact_box(c) for c in contacts])
    if any(p.shares == i for p in spec.persons):  # room for who comes to the same object, from its other side or onto it
        whole = (whole[0], min(whole[1], -1.15), whole[2] + (0.4 if contact.kind.group == "pet" else 0.0), whole[3])
    return Draft(look, acts, body, extent, whole, seed, act.back, contacts)


def arrange(drafts: dict[int, Draft], people: int, config: WorldConfig, rng) -> None:
    """Sizes and depths: all fit side by side with little overlap, heads inside the image, the nearer the lower and larger."""
    width, height = config.size
    low, high = ((0.4, 0.6) if people > 3 else (0.56, 0.94)) if config.person_scale is None else config.person_scale
    front = rng.uniform(0.92, 0.98) * height
    for d in drafts.values():
        tall = min(d.extent[3] - d.extent[1], 1.05)
        d.scale = min(rng.uniform(low, high) * height / max(tall, 0.68), 0.95 * height)
    total = sum(d.scale * (d.whole[2] - d.whole[0]) for d in drafts.values())
    shrink = min(1.0, (0.97 if len(drafts) == 1 else 1.1) * width / total)
    for d in drafts.values():
        d.scale = max(d.scale * shrink, 0.33 * height)
        d.scale = min(d.scale, 0.97 * width / (d.whole[2] - d.whole[0]))
        d.ground = front - (rng.uniform(0, 0.05) * height if len(drafts) > 1 else 0.0) - max(0.0, 0.08 * (height - d.scale))
        d.scale = min(d.scale, (d.ground - 3) / max(-d.whole[1], 0.1))
        least = SMALL * width / 448 / d.scale
        if any(c.size < least for c in d.contacts):  # too small to be seen: larger, and the pose again
            for c in d.contacts + [c for _, c in d.acts]:
                c.size = max(c.size, least)
            d.body = fit(d.acts, d.seed, config.jitter, mirrored(d.extent) if d.back else d.extent)


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
    body = fit([own_view(act, thing.contact)], spec.seed % 1000003 + 7, config.jitter, box, tries=16, enough=0.97)
    extent = mirrored(body.box()) if act.back else body.box()
    thing.order = act.order
    scene.actors[0] = Actor(actor.look, body, extent, actor.origin, actor.scale, actor.flip, act.back, [(index, pair)])



def render(spec: ImageSpec, config: WorldConfig) -> tuple[np.ndarray, dict]:
    """Image (H, W, 3) uint8 RGB and annotations {persons, objects, pairs, distractors, joints}; boxes xyxy in pixels."""
    scene = compose(spec, config)
    rng = streams(spec.seed, 2)
    image = paint_place(scene.place, config.size, config.clutter, rng)
    annotations = paint_scene(image, scene, spec, config, rng)
    return weather(image, config.noise, rng), annotations

