"""People with their objects, posed but not yet placed: contacts, boxes, sizes and depths."""

from dataclasses import dataclass, field

import numpy as np

from rmlr_lightning.synthetic.acts import Act, act_of, zones_of
from rmlr_lightning.synthetic.chance import streams, weighted
from rmlr_lightning.synthetic.config import ImageSpec, PairSpec, WorldConfig
from rmlr_lightning.synthetic.contact import Contact
from rmlr_lightning.synthetic.objects import KINDS, MIN_OBJECT_PIXELS
from rmlr_lightning.synthetic.person import Look
from rmlr_lightning.synthetic.places import place, turned
from rmlr_lightning.synthetic.pose import Acts, Box, fit, pose_once, widened
from rmlr_lightning.synthetic.skeleton import Body

# Poses that cannot adapt much. Where a family has some, its boxes come from them, and the other
# poses adapt.
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

# Width over height of a person's box: log-normal around this.
ASPECT, ASPECT_SPREAD = 0.48, 0.16

# Neck of the default body. Second objects are placed relative to it.
DEFAULT_NECK = -0.775j

# Where the first of two people on one seat sits, in sizes of the seat from its middle.
FIRST_SPOT = -0.22


@dataclass
class Draft:
    """A person with own objects, posed but not yet placed.

    `acts` are in the body's own frame; `contacts`, `extent` (of the body) and `whole` (of body and
    objects) in the frame where the first object is at +x. `scale` (pixels) and `ground` (y in
    pixels) are set by `arrange`.
    """

    look: Look
    acts: Acts
    body: Body
    extent: Box
    whole: Box
    seed: int
    back: bool
    contacts: list[Contact] = field(default_factory=list)
    scale: float = 0.0
    ground: float = 0.0

    @property
    def width(self) -> float:
        """Width of body and objects in body units."""
        return self.whole[2] - self.whole[0]


def contact_for(pair: PairSpec, config: WorldConfig, rng, zones: tuple[str, ...] = ()) -> Contact:
    """A place for the object: in a zone of the verb's family; nothing else depends on the verb.

    `zones` limits the zones, if any of them fits.
    """
    kind = KINDS[pair.object]
    weights = zones_of(pair.verb, kind)
    names = [name for name in weights if name in zones] or list(weights)
    zone = names[weighted(rng, tuple(weights[name] for name in names))]
    size = rng.uniform(*kind.size) * config.object_scale
    return place(kind, zone, pair.held, size, rng)


def own_view(act: Act, contact: Contact) -> tuple[Act, Contact]:
    """The contact in the frame of the person, who may face away from it."""
    return act, turned(contact) if act.back else contact


def mirrored(box: Box) -> Box:
    """The box mirrored in x."""
    return (-box[2], box[1], -box[0], box[3])


def extent_of(body: Body, act: Act) -> Box:
    """The box of a body in the frame where the object is at +x."""
    return mirrored(body.box()) if act.back else body.box()


def target_box(pair: PairSpec, contact: Contact, seed: int, jitter: float, rng) -> Box:
    """The box that the person has to fill: independent of which verb of the family it is.

    It is that of a random verb of the family, at a random aspect.
    """
    kind = contact.kind
    able = [verb for verb in pair.rivals if contact.zone in zones_of(verb, kind)] or [pair.verb]
    able = [verb for verb in able if verb in RIGID] or able
    act = act_of(able[rng.integers(len(able))], kind)
    body = pose_once([own_view(act, contact)], seed, jitter)
    x0, y0, x1, y1 = extent_of(body, act)

    # Room for hands on the far side of the object, and at the back of a chair.
    if kind.group in ("hand", "pack", "ball") or contact.zone == "arms":
        x1 = max(x1, contact.place.real + 0.9 * kind.half.real * contact.size + 0.037)
    if contact.zone == "front" and kind.group == "chair":
        x1 = max(x1, contact.grip("back").real + 0.06)

    aspect = float(np.exp(rng.normal(np.log(ASPECT), ASPECT_SPREAD)))
    return widened((x0, y0, x1, y1), aspect, contact.place.real)


def union(boxes: list[Box]) -> Box:
    """The smallest box around all."""
    b = np.array(boxes)
    return (*b[:, :2].min(0), *b[:, 2:].max(0))


def contact_box(c: Contact) -> Box:
    """The box of an object in body units."""
    half = c.kind.half
    signs = ((-1, -1), (-1, 1), (1, -1), (1, 1))
    corners = [c.point(complex(sx * half.real, sy * half.imag)) for sx, sy in signs]
    xs = [p.real for p in corners]
    ys = [p.imag for p in corners]
    return (min(xs), min(ys), max(xs), max(ys))


def draft(spec: ImageSpec, i: int, config: WorldConfig) -> Draft:
    """The person with index `i` of an image; a function of its arguments."""
    rng = streams(spec.seed, 1, i)
    look = Look.draw(rng)
    seed = int(rng.integers(2**31))
    pairs = spec.persons[i].pairs
    if not pairs:
        return draft_alone(look, seed, config)

    contact = contact_for(pairs[0], config, rng, spec.zones if i == 0 else ())
    act = act_of(pairs[0].verb, contact.kind)
    is_shared = any(person.shares == i for person in spec.persons)
    if is_shared and contact.kind.group == "seat":
        contact.spot = FIRST_SPOT
    box = target_box(pairs[0], contact, seed, config.jitter, rng)

    acts = [own_view(act, contact)]
    contacts = [contact]
    for pair in pairs[1:]:
        second = contact_for(pair, config, rng)

        # Somebody seated or laden holds it at the height of their own chest.
        body = pose_once(acts[:1], seed, 0.0)
        second.place += body.neck - DEFAULT_NECK
        acts.append((act_of(pair.verb, second.kind), second))
        contacts.append(turned(second) if act.back else second)

    # On a chair the box of one act has no room for a second one.
    if len(pairs) > 1 and contact.kind.group == "chair":
        box = pose_once(acts, seed, config.jitter).box()
    body = fit(acts, seed, config.jitter, mirrored(box) if act.back else box)

    extent = extent_of(body, act)
    whole = union([extent] + [contact_box(c) for c in contacts])
    if is_shared:
        # Room for the person who comes to the object, from its other side or onto it.
        extra = 0.4 if contact.kind.group == "pet" else 0.0
        whole = (whole[0], min(whole[1], -1.15), whole[2] + extra, whole[3])
    return Draft(look, acts, body, extent, whole, seed, act.back, contacts)


def draft_alone(look: Look, seed: int, config: WorldConfig) -> Draft:
    """A person without an object: one who ignores a cup far away."""
    cup = KINDS["cup"]
    act = act_of("no_interaction", cup)
    body = pose_once([(act, Contact(cup, 3 - 0.5j, 0.1))], seed, config.jitter)
    return Draft(look, [], body, body.box(), body.box(), seed, False)


def arrange(drafts: dict[int, Draft], people: int, config: WorldConfig, rng) -> None:
    """Sets sizes and depths, in place.

    People stand side by side with little overlap, heads inside the image, the nearer the lower
    and larger. `people` counts all in the image, with those who share an object.
    """
    width, height = config.size
    if config.person_scale is not None:
        low, high = config.person_scale
    else:
        low, high = (0.4, 0.6) if people > 3 else (0.56, 0.94)
    front = rng.uniform(0.92, 0.98) * height

    # The wanted height over the body's own: of those who sit or lie as if they were 0.68 tall.
    for d in drafts.values():
        tall = min(d.extent[3] - d.extent[1], 1.05)
        d.scale = min(rng.uniform(low, high) * height / max(tall, 0.68), 0.95 * height)

    total = sum(d.scale * d.width for d in drafts.values())
    share = 0.97 if len(drafts) == 1 else 1.1
    shrink = min(1.0, share * width / total)

    for d in drafts.values():
        d.scale = max(d.scale * shrink, 0.33 * height)
        d.scale = min(d.scale, 0.97 * width / d.width)

        # Small people stand farther back, which is higher in the image.
        depth = rng.uniform(0, 0.05) * height if len(drafts) > 1 else 0.0
        d.ground = front - depth - max(0.0, 0.08 * (height - d.scale))
        d.scale = min(d.scale, (d.ground - 3) / max(-d.whole[1], 0.1))
        enlarge_small_objects(d, config)


def enlarge_small_objects(d: Draft, config: WorldConfig) -> None:
    """Makes objects at least MIN_OBJECT_PIXELS large, in place, and poses the person anew."""
    min_size = MIN_OBJECT_PIXELS * config.size[0] / 448 / d.scale
    if all(contact.size >= min_size for contact in d.contacts):
        return

    for contact in d.contacts + [contact for _, contact in d.acts]:
        contact.size = max(contact.size, min_size)
    d.body = fit(d.acts, d.seed, config.jitter, mirrored(d.extent) if d.back else d.extent)
