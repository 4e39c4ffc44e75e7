"""Composition: who stands where with which object, on which background."""

import numpy as np

from rmlr_lightning.synthetic.acts import act_of
from rmlr_lightning.synthetic.backgrounds import PLACES
from rmlr_lightning.synthetic.chance import streams
from rmlr_lightning.synthetic.config import ImageSpec, PersonSpec, WorldConfig
from rmlr_lightning.synthetic.contact import Contact
from rmlr_lightning.synthetic.drafts import (
    FIRST_SPOT,
    Draft,
    arrange,
    contact_for,
    draft,
    extent_of,
    mirrored,
    own_view,
)
from rmlr_lightning.synthetic.draw import Brush
from rmlr_lightning.synthetic.objects import KINDS
from rmlr_lightning.synthetic.person import Look
from rmlr_lightning.synthetic.pose import fit, pose_once
from rmlr_lightning.synthetic.scene import Actor, PlacedObject, Scene

# Backgrounds where an object is at home, by object, then by group, then for all others.
PLACES_OF_OBJECT = {
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
PLACES_OF_GROUP = {
    "bike": "street park",
    "mount": "park beach",
    "chair": "room park street",
    "board": "street park beach",
}
OTHER_PLACES = "room park street beach"


def compose(spec: ImageSpec, config: WorldConfig) -> Scene:
    """The scene of an image; a function of its arguments.

    A twin is its sibling's scene with the first person posed anew inside the same boxes.
    """
    rng = streams(spec.seed, 0)
    base = spec.sibling or spec
    scene = Scene(choose_place(base, rng), [], [])

    drafts: dict[int, Draft] = {}
    for i, person in enumerate(base.persons):
        if person.shares is None:
            drafts[i] = draft(base, i, config)
    arrange(drafts, len(base.persons), config, rng)

    placed = place_side_by_side(scene, drafts, base, config, rng)
    for i, person in enumerate(base.persons):
        if person.shares is None:
            scene.actors.append(placed[i])
        else:
            person_rng = streams(spec.seed, 1, i)
            share_object(scene, person, config, person_rng)

    if spec.sibling is not None:
        repose(scene, spec, config)
    return scene


def choose_place(spec: ImageSpec, rng) -> str:
    """A background where all objects are at home, or the last ones where there is none."""
    fitting = set(PLACES)
    for person in spec.persons:
        for pair in person.pairs:
            kind = KINDS[pair.object]
            names = PLACES_OF_GROUP.get(kind.group, OTHER_PLACES)
            places = set(PLACES_OF_OBJECT.get(kind.name, names).split())

            # An object that fits nowhere with the others decides alone.
            fitting = fitting & places or places
    return sorted(fitting)[rng.integers(len(fitting))]


def place_side_by_side(
    scene: Scene, drafts: dict[int, Draft], spec: ImageSpec, config: WorldConfig, rng
) -> dict[int, Actor]:
    """Puts the drafts next to each other in random order, with their objects into the scene.

    Returns:
        The people by their index in the image.
    """
    width = config.size[0]
    gap = (width - sum(d.scale * d.width for d in drafts.values())) / (len(drafts) + 1)
    left = gap
    actors: dict[int, Actor] = {}
    for i in rng.permutation(list(drafts)).tolist():
        d = drafts[i]
        person_rng = streams(spec.seed, 3, i)
        flip = bool(person_rng.random() < 0.5)
        x0, x1 = (-d.whole[2], -d.whole[0]) if flip else (d.whole[0], d.whole[2])

        # Anywhere within the gaps; one alone may be anywhere in the image.
        spare = max(gap, 4.0) * 0.9
        if len(drafts) == 1:
            start = left + person_rng.uniform(-spare, spare)
        else:
            start = left + person_rng.uniform(-0.5, 0.5) * spare
        left += d.scale * (x1 - x0) + gap

        # Two pixels from the sides at least.
        x = min(max(start - d.scale * x0, 2 - d.scale * x0), width - 2 - d.scale * x1)
        actor = Actor(d.look, d.body, d.extent, complex(x, d.ground), d.scale, flip, d.back, [])
        actors[i] = actor

        pairs = spec.persons[i].pairs
        for (act, _), contact, pair in zip(d.acts, d.contacts, pairs, strict=True):
            actor.pairs.append((len(scene.objects), pair))
            look = person_rng.random(6)
            on_table = wants_table(contact, person_rng)
            scene.objects.append(PlacedObject(contact, look, act.order, i, on_table))
    return actors


def wants_table(c: Contact, rng) -> bool:
    """Whether a table stands under the object: if nobody holds it up, and at times if one does.

    Else a table would show that the object is not held.
    """
    by_chance = rng.random() < 0.3
    is_aloft = c.kind.group in ("hand", "long", "pack") or c.zone in ("upright", "stool")
    return is_aloft and (by_chance or not c.held or c.zone == "stool")


def share_object(
    scene: Scene, person: PersonSpec, config: WorldConfig, rng: np.random.Generator
) -> None:
    """Adds a person who comes to the first object of an earlier one, which stays where it is."""
    look = Look.draw(rng)
    seed = int(rng.integers(2**31))
    other = scene.actors[person.shares]
    index = other.pairs[0][0]
    shared = scene.objects[index]
    pair = person.pairs[0]
    scale = other.scale * rng.uniform(0.94, 1.04)

    # The same object in this person's units, on the same ground.
    contact = contact_for(pair, config, rng, (shared.contact.zone,))
    act = act_of(pair.verb, contact.kind)
    is_rider = act.order == "astride"
    contact.spot = FIRST_SPOT if contact.kind.group == "seat" else None
    contact.size = shared.contact.size * other.scale / scale
    ground = -contact.kind.half.imag * contact.size
    contact.place = complex(0 if is_rider else contact.place.real, ground)
    contact.angle = shared.contact.angle

    # A rider faces as the animal does; others come from the side opposite to the first person.
    faces_left = shared.contact.mirror != other.flip
    flip = faces_left if is_rider else not other.flip
    contact.mirror = faces_left != flip

    acts = [own_view(act, contact)]
    box = pose_once(acts, seed, config.jitter).box()
    body = fit(acts, seed, config.jitter, box)
    extent = extent_of(body, act)

    # The origin that puts this person's object onto the pixels of the shared one.
    frame = Brush(None, other.origin, other.scale + 0j, other.flip)
    place = -contact.place.conjugate() if flip else contact.place
    origin = frame.at(shared.contact.place) - scale * place
    actor = Actor(look, body, extent, origin, scale, flip, act.back, [(index, pair)])
    scene.actors.append(actor)

    # A rider's legs are on both sides of the object: it is drawn with the rider.
    if is_rider:
        shared.order = "astride"
        shared.owner = len(scene.actors) - 1
    if shared.owner != person.shares:
        shared.contact = contact


def repose(scene: Scene, spec: ImageSpec, config: WorldConfig) -> None:
    """Poses the first person for the twin's verb inside the sibling's boxes, in place."""
    actor = scene.actors[0]
    pair = spec.persons[0].pairs[0]
    index = actor.pairs[0][0]
    obj = scene.objects[index]
    act = act_of(pair.verb, KINDS[pair.object])

    # Grasp and drawing order belong to the verb, place and size to both twins.
    obj.contact.held = pair.held
    obj.order = act.order

    box = mirrored(actor.extent) if act.back else actor.extent
    acts = [own_view(act, obj.contact)]

    # More tries than for others: the boxes of twins must be equal.
    seed = spec.seed % 1000003 + 7
    body = fit(acts, seed, config.jitter, box, tries=16, min_overlap=0.97)

    actor.body = body
    actor.extent = extent_of(body, act)
    actor.back = act.back
    actor.pairs = [(index, pair)]
