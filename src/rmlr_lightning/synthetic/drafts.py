"""People with their objects, posed but not yet placed: contacts, target boxes, sizes and depths."""

from dataclasses import dataclass, field

import numpy as np

from rmlr_lightning.synthetic.acts import Act, act_of, zones_of
from rmlr_lightning.synthetic.chance import streams, weighted
from rmlr_lightning.synthetic.config import ImageSpec, PairSpec, WorldConfig
from rmlr_lightning.synthetic.contact import Contact
from rmlr_lightning.synthetic.objects import KINDS, MIN_OBJECT_PIXELS
from rmlr_lightning.synthetic.person import Look
from rmlr_lightning.synthetic.places import place, turned
from rmlr_lightning.synthetic.pose import Box, fit, pose_once, widened
from rmlr_lightning.synthetic.skeleton import Body

# Poses that cannot give way much: where a family has some, its boxes come from them, and the others adapt.
RIGID = {
    "eat",
    "drink_with",
    "smell",
    "talk_on",
    "kiss",
    "hug",
    "type_on",
    "open",
    "race",
    "kick",
    "feed",
    "pet",
    "swing",
}


def contact_for(pair: PairSpec, config: WorldConfig, rng, zones: tuple[str, ...] = ()) -> Contact:
    """Where the object goes: in a zone of the verb's family; nothing else depends on the verb."""
    kind = KINDS[pair.object]
    where = zones_of(pair.verb, kind)
    names = [z for z in where if z in zones] or list(where)
    zone = names[weighted(rng, tuple(where[z] for z in names))]
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
    if (
        contact.kind.group in ("hand", "pack", "ball") or contact.zone == "arms"
    ):  # room for hands on its far side
        box = (
            *box[:2],
            max(box[2], contact.place.real + 0.9 * contact.kind.half.real * contact.size + 0.037),
            box[3],
        )
    if contact.zone == "front" and contact.kind.group == "chair":
        box = (*box[:2], max(box[2], contact.grip("back").real + 0.06), box[3])
    return widened(box, float(np.exp(rng.normal(np.log(0.48), 0.16))), contact.place.real)


def union(boxes: list[Box]) -> Box:
    b = np.array(boxes)
    return (*b[:, :2].min(0), *b[:, 2:].max(0))


def contact_box(c: Contact) -> Box:
    corners = [
        c.point(complex(sx * c.kind.half.real, sy * c.kind.half.imag))
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]
    return (
        min(p.real for p in corners),
        min(p.imag for p in corners),
        max(p.real for p in corners),
        max(p.imag for p in corners),
    )


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
    contacts: list[Contact] = field(
        default_factory=list
    )  # in the frame where the first object is at +x
    scale: float = 0.0
    ground: float = 0.0


def draft(spec: ImageSpec, i: int, config: WorldConfig) -> Draft:
    r = streams(spec.seed, 1, i)
    look = Look.draw(r)
    seed = int(r.integers(2**31))
    pairs = spec.persons[i].pairs
    if not pairs:
        body = pose_once(
            [(act_of("no_interaction", KINDS["cup"]), Contact(KINDS["cup"], 3 - 0.5j, 0.1))],
            seed,
            config.jitter,
        )
        return Draft(look, [], body, body.box(), body.box(), seed, False)
    contact = contact_for(pairs[0], config, r, spec.zones if i == 0 else ())
    act = act_of(pairs[0].verb, contact.kind)
    if any(p.shares == i for p in spec.persons) and contact.kind.group == "seat":
        contact.spot = -0.22
    box = target_box(pairs[0], contact, seed, config.jitter, r)
    contacts = [contact]
    acts = [own_view(act, contact)]
    for pair in pairs[
        1:
    ]:  # a hand-held object of someone seated or laden: in front of them, where their chest is
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
    if any(
        p.shares == i for p in spec.persons
    ):  # room for who comes to the same object, from its other side or onto it
        whole = (
            whole[0],
            min(whole[1], -1.15),
            whole[2] + (0.4 if contact.kind.group == "pet" else 0.0),
            whole[3],
        )
    return Draft(look, acts, body, extent, whole, seed, act.back, contacts)


def arrange(drafts: dict[int, Draft], people: int, config: WorldConfig, rng) -> None:
    """Sizes and depths: side by side with little overlap, heads inside the image, the nearer the lower and larger."""
    width, height = config.size
    low, high = (
        ((0.4, 0.6) if people > 3 else (0.56, 0.94))
        if config.person_scale is None
        else config.person_scale
    )
    front = rng.uniform(0.92, 0.98) * height
    for d in drafts.values():
        tall = min(d.extent[3] - d.extent[1], 1.05)
        d.scale = min(rng.uniform(low, high) * height / max(tall, 0.68), 0.95 * height)
    total = sum(d.scale * (d.whole[2] - d.whole[0]) for d in drafts.values())
    shrink = min(1.0, (0.97 if len(drafts) == 1 else 1.1) * width / total)
    for d in drafts.values():
        d.scale = max(d.scale * shrink, 0.33 * height)
        d.scale = min(d.scale, 0.97 * width / (d.whole[2] - d.whole[0]))
        d.ground = (
            front
            - (rng.uniform(0, 0.05) * height if len(drafts) > 1 else 0.0)
            - max(0.0, 0.08 * (height - d.scale))
        )
        d.scale = min(d.scale, (d.ground - 3) / max(-d.whole[1], 0.1))
        least = MIN_OBJECT_PIXELS * width / 448 / d.scale
        if any(
            c.size < least for c in d.contacts
        ):  # too small to be seen: larger, and the pose again
            for c in d.contacts + [c for _, c in d.acts]:
                c.size = max(c.size, least)
            d.body = fit(d.acts, d.seed, config.jitter, mirrored(d.extent) if d.back else d.extent)
