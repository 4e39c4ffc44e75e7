"""The plan of a world: which act is drawn in which image, with twins, shared objects and crowds."""

from collections.abc import Callable

import numpy as np

from rmlr_lightning.synthetic.config import ImageSpec, PairSpec, PersonSpec, WorldConfig
from rmlr_lightning.synthetic.objects import KINDS
from rmlr_lightning.synthetic.pool import pool_of, take_twins

SPLITS = ("train", "val", "test")

# Groups of objects and objects so wide that an image has room for one.
WIDE = {"bike", "mount", "bench", "couch"}

# Share of images with up to 6 people, and the limits of the others.
CROWD_SHARE = 0.06
MAX_PEOPLE_CROWD = 6
MAX_PEOPLE = 4
MAX_PEOPLE_WIDE = 3

# How many images are compared for each unit.
CANDIDATES = 40

# One person, or two who share an object.
Unit = tuple[PersonSpec, ...]

# The people of an image, whether it is the second of a twin pair, and its zones.
ImageDraft = tuple[tuple[PersonSpec, ...], bool, tuple[str, ...]]


def schedule(config: WorldConfig) -> list[ImageSpec]:
    """The specifications of all images of all splits; a function of the config alone."""
    specs = []
    for index, split in enumerate(SPLITS):
        if getattr(config, split) > 0:
            specs += schedule_split(config, index, split)
    return specs


def schedule_split(config: WorldConfig, index: int, split: str) -> list[ImageSpec]:
    """The images of one split, in the order of their numbers."""
    seeds = np.random.SeedSequence([config.seed, index, 77])
    rng = np.random.Generator(np.random.PCG64(seeds))
    size = getattr(config, split)

    pool = pool_of(config, split, rng)
    couples = take_twins(pool, round(config.twins * size / 2), rng)
    units = units_of(pool, rng)
    images: list[list[Unit]] = [[] for _ in range(size - 2 * len(couples))]
    fill(units, images, rng)

    # An image without units has one person without an object.
    drafts: list[ImageDraft] = [(join(units) or (PersonSpec(()),), False, ()) for units in images]
    for a, b, zones in couples:
        # The others are in both images, where a pair of theirs would count twice: they have none.
        bystanders = int(rng.choice(3, p=[0.6, 0.3, 0.1]))
        others = tuple(PersonSpec(()) for _ in range(bystanders))
        drafts.append(((PersonSpec((a,)), *others), False, zones))
        drafts.append(((PersonSpec((b,)), *others), True, zones))

    numbers = (rng.permutation(len(drafts)) + 1).tolist()

    # Twins come last: each needs its sibling, the draft before it.
    order = sorted(range(len(drafts)), key=lambda k: drafts[k][1])
    specs: dict[int, ImageSpec] = {}
    for k in order:
        persons, is_twin, zones = drafts[k]
        sibling = specs[k - 1] if is_twin else None
        if sibling is not None:
            seed, distractors = sibling.seed, sibling.distractors
        else:
            seed = int(np.random.SeedSequence([config.seed, index, k]).generate_state(1)[0])
            distractors = int(rng.poisson(0.55 * config.clutter))
        specs[k] = ImageSpec(split, numbers[k], seed, persons, sibling, zones, distractors)
    return sorted(specs.values(), key=lambda spec: spec.number)


def units_of(pool: list[PairSpec], rng) -> list[Unit]:
    """People with their pairs: mostly one each; some have two objects, some share one."""
    remaining = list(pool)
    units: list[Unit] = []
    while remaining:
        pair = remaining.pop()
        units.append(unit_of(pair, remaining, rng))
    return units


def unit_of(pair: PairSpec, remaining: list[PairSpec], rng) -> Unit:
    """A pair's person, at times with a second pair or person out of `remaining`."""
    group = KINDS[pair.object].group

    # A second object in the hands of somebody who sits or wears a backpack.
    is_seated = pair.verb == "sit_on" and group in ("seat", "chair")
    if (is_seated or pair.verb == "wear") and rng.random() < 0.45:
        second = take(remaining, lambda other: can_hold(other, is_seated))
        if second is not None:
            return (PersonSpec((pair, second)),)

    # A second person with the same object. The chances are in the order of the stream.
    partner = None
    if pair.object in ("bench", "couch") and pair.verb == "sit_on" and rng.random() < 0.06:
        partner = take(remaining, lambda other: is_act(other, pair.object, "sit_on"))
    elif group == "mount" and pair.verb in ("pet", "feed", "walk") and rng.random() < 0.4:
        partner = take(remaining, lambda other: is_act(other, pair.object, "ride"))
    elif pair.object == "dog" and pair.verb == "walk" and rng.random() < 0.3:
        partner = take(remaining, lambda other: is_act(other, "dog", "pet", "no_interaction"))

    if partner is None:
        return (PersonSpec((pair,)),)
    return PersonSpec((pair,)), PersonSpec((partner,), shares=0)


def take(pairs: list[PairSpec], test: Callable[[PairSpec], bool]) -> PairSpec | None:
    """Takes the first pair that passes the test out of the list; None if there is none."""
    # The pool is in random order: the first one is a random one.
    for k, pair in enumerate(pairs):
        if test(pair):
            return pairs.pop(k)
    return None


def is_act(pair: PairSpec, obj: str, *verbs: str) -> bool:
    """Whether a pair has this object and one of these verbs."""
    return pair.object == obj and pair.verb in verbs


def can_hold(pair: PairSpec, is_seated: bool) -> bool:
    """Whether a pair can be the second one of a person: its arms and head are enough for it."""
    if KINDS[pair.object].group != "hand" or pair.verb in ("hug", "kiss", "type_on"):
        return False

    # To carry is to walk.
    return not (is_seated and pair.verb == "carry")


def is_wide(unit: Unit) -> bool:
    """Whether a unit has a wide object."""
    for person in unit:
        for pair in person.pairs:
            if pair.object in WIDE or KINDS[pair.object].group in WIDE:
                return True
    return False


def join(units: list[Unit]) -> tuple[PersonSpec, ...]:
    """The people of several units; `shares` becomes an index among all of them."""
    people: list[PersonSpec] = []
    for unit in units:
        first = len(people)
        for person in unit:
            shares = None if person.shares is None else person.shares + first
            people.append(PersonSpec(person.pairs, shares))
    return tuple(people)


def fill(units: list[Unit], images: list[list[Unit]], rng) -> None:
    """Distributes units to images in place: one each, then the rest where there is room.

    An image has at most 4 people, 3 with a wide object, 6 in a few crowds, and one wide object;
    more where no image of the candidates has room.
    """
    is_crowd = (rng.random(len(images)) < CROWD_SHARE).tolist()

    # Every image gets one unit.
    order = rng.permutation(len(images)).tolist()
    rest = units[len(order) :]
    for unit in units[: len(order)]:
        images[order.pop()].append(unit)

    # Wide ones first, while there is room for them.
    rest.sort(key=is_wide, reverse=True)
    people = [sum(map(len, image)) for image in images]
    has_wide = [any(map(is_wide, image)) for image in images]
    for unit in rest:
        candidates = rng.permutation(len(images))[:CANDIDATES].tolist()
        unit_is_wide = is_wide(unit)

        # The emptiest image with room, with some chance; crowds count as emptier.
        best_load, target = float("inf"), candidates[0]
        for i in candidates:
            if is_crowd[i]:
                limit = MAX_PEOPLE_CROWD
            elif has_wide[i] or unit_is_wide:
                limit = MAX_PEOPLE_WIDE
            else:
                limit = MAX_PEOPLE

            total = people[i] + len(unit)
            if total > limit or (unit_is_wide and has_wide[i]):
                continue
            load = total - (2.5 if is_crowd[i] else 0) + rng.random() * 1.6
            if load < best_load:
                best_load, target = load, i

        images[target].append(unit)
        people[target] += len(unit)
        has_wide[target] = has_wide[target] or unit_is_wide
