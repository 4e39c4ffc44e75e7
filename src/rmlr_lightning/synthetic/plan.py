"""Which act goes into which image: exact counts for the long tail, a flat test set, twins, shared objects, crowds."""

from collections import defaultdict

import numpy as np

from rmlr_lightning.synthetic.acts import act_of, zones_of
from rmlr_lightning.synthetic.config import ImageSpec, PairSpec, PersonSpec, WorldConfig
from rmlr_lightning.synthetic.objects import KINDS
from rmlr_lightning.synthetic.world import (
    POSE_OF,
    TAIL,
    classes,
    held_count,
    label_counts,
    labels,
    reference_acts,
)

SPLITS = ("train", "val", "test")
LEAST = 20  # test pairs of each HOI in a test split of 1,200 images
WIDE = {"bike", "mount"} | {"bench", "couch"}


def rivals(verb: str, obj: str) -> tuple[str, ...]:
    """The verbs of the world that share their boxes with this one, itself included."""
    family = act_of(POSE_OF.get(verb, verb), KINDS[obj]).family
    poses = {POSE_OF.get(v, v) for v in TAIL[obj]}
    return tuple(sorted(v for v in poses if act_of(v, KINDS[obj]).family == family))


def act_counts(config: WorldConfig, split: str) -> dict[tuple[str, str], int]:
    """How often each act (verb, object) is drawn in a split.

    Training: the table, with non-rare acts scaled to the size; rare ones keep their counts (from 500 images up).
    Validation and test: nearly flat, so that each HOI gets its 20 test pairs at 1,200 images.
    """
    acts = reference_acts()
    size = max(getattr(config, split), 100)  # tiny splits are cut from the pool of a small one
    if split == "train":
        rare = {classes().hois[i] for i in classes().rare}
        scale = size / 1000
        fixed = min(1.0, size / 500)
        return {
            pair: max(round(n * fixed), 1)
            if pair in rare or (n < 10 and pair[0] not in POSE_OF)
            else round(n * scale)
            for pair, n in acts.items()
        }
    share = {"hold": 10, "no_interaction": 26, **dict.fromkeys(POSE_OF, 18)}
    flat = {pair: share.get(pair[0], LEAST) for pair in acts}
    for pair in sorted(
        classes().hois
    ):  # labels that come from other acts count, what lacks is added
        lack = LEAST - label_counts(flat).get(pair, 0)
        if lack > 0:
            flat[pair] += lack
    scale = max(size / 1200, 1.0) if size >= 1000 else size / 1200
    return {pair: max(round(n * scale), 1) for pair, n in flat.items()}


def pool_of(config: WorldConfig, split: str, rng) -> list[PairSpec]:
    """All pairs of a split in random order."""
    pairs = []
    for (verb, obj), n in act_counts(config, split).items():
        held = held_count(verb, obj, n)
        pose = POSE_OF.get(verb, verb)
        pairs += [
            PairSpec(pose, obj, k < held, labels(verb, obj, k < held), rivals(verb, obj))
            for k in range(n)
        ]
    order = rng.permutation(len(pairs))
    size = getattr(config, split)
    most = 3 * size if size >= 100 else 2 * size
    return [pairs[i] for i in order[:most]]


def zones(pair: PairSpec) -> set[str]:
    return set(zones_of(pair.verb, KINDS[pair.object]))


def take_twins(
    pool: list[PairSpec], couples: int, rng
) -> list[tuple[PairSpec, PairSpec, tuple[str, ...]]]:
    """Takes couples of pairs out of the pool: one object, two verbs that can share their boxes."""
    by_object = defaultdict(list)
    for pair in pool:
        by_object[pair.object].append(pair)
    out = []
    for _ in range(20 * couples):
        if len(out) == couples or len(pool) < 2:
            break
        a = pool[rng.integers(len(pool))]
        others = [
            b
            for b in by_object[a.object]
            if a.labels
            and b.labels
            and b.labels != a.labels
            and b.verb in a.rivals
            and zones(a) & zones(b)
        ]
        verbs = sorted({b.verb for b in others})
        if not verbs:
            continue
        verb = verbs[rng.integers(len(verbs))]
        b = next(b for b in others if b.verb == verb)
        for pair in (a, b):
            pool.remove(pair)
            by_object[a.object].remove(pair)
        out.append((a, b, tuple(sorted(zones(a) & zones(b)))))
    return out


def units_of(pool: list[PairSpec], rng) -> list[tuple[PersonSpec, ...]]:
    """People with their pairs: mostly one each; some have two objects, some share one."""
    free = list(pool)
    units = []

    def find(test) -> PairSpec | None:
        for k, pair in enumerate(free):
            if test(pair):
                return free.pop(k)
        return None

    while free:
        a = free.pop()
        group = KINDS[a.object].group
        mate = None
        if (
            (a.verb == "sit_on" and group in ("seat", "chair")) or a.verb == "wear"
        ) and rng.random() < 0.45:
            still = a.verb != "wear"
            mate = find(
                lambda p, still=still: (
                    KINDS[p.object].group == "hand"
                    and p.verb not in ("hug", "kiss", "type_on")
                    and not (still and p.verb == "carry")
                )
            )
            if mate:
                units.append((PersonSpec((a, mate)),))
                continue
        if a.object in ("bench", "couch") and a.verb == "sit_on" and rng.random() < 0.06:
            mate = find(lambda p, o=a.object: p.object == o and p.verb == "sit_on")
        elif group == "mount" and a.verb in ("pet", "feed", "walk") and rng.random() < 0.4:
            mate = find(lambda p, o=a.object: p.object == o and p.verb == "ride")
        elif a.object == "dog" and a.verb == "walk" and rng.random() < 0.3:
            mate = find(lambda p: p.object == "dog" and p.verb in ("pet", "no_interaction"))
        units.append((PersonSpec((a,)), PersonSpec((mate,), 0)) if mate else (PersonSpec((a,)),))
    return units


def wide(unit: tuple[PersonSpec, ...]) -> bool:
    return any(
        KINDS[p.object].group in WIDE or p.object in WIDE for person in unit for p in person.pairs
    )


def join(units: list[tuple[PersonSpec, ...]]) -> tuple[PersonSpec, ...]:
    out: list[PersonSpec] = []
    for unit in units:
        base = len(out)
        out += [PersonSpec(p.pairs, None if p.shares is None else p.shares + base) for p in unit]
    return tuple(out)


def fill(units: list, images: list[list], rng) -> None:
    """Deal units to images: each one first, then the rest where there is room.

    At most 4 people, 6 in a few crowds; one wide thing.
    """
    crowd = rng.random(len(images)) < 0.06
    order = [i for i in rng.permutation(len(images)) if not images[i]]
    rest = []
    for unit in units:
        if order:
            images[order.pop()].append(unit)
        else:
            rest.append(unit)
    rest.sort(key=wide, reverse=True)
    crowd = crowd.tolist()
    there = [sum(map(len, units)) for units in images]
    taken = [any(map(wide, units)) for units in images]  # by a wide thing
    for unit in rest:
        candidates = rng.permutation(len(images))[:40].tolist()
        broad, best = wide(unit), None
        for i in candidates:
            people = there[i] + len(unit)
            limit = 6 if crowd[i] else 3 if taken[i] or broad else 4
            if people <= limit and not (broad and taken[i]):
                load = people - (2.5 if crowd[i] else 0) + rng.random() * 1.6
                if best is None or load < best[0]:
                    best = (load, i)
        to = best[1] if best else candidates[0]
        images[to].append(unit)
        there[to], taken[to] = there[to] + len(unit), taken[to] or broad


def schedule(config: WorldConfig) -> list[ImageSpec]:
    """All image specs of all splits; depends on nothing but the config."""
    out = []
    for s, split in enumerate(SPLITS):
        size = getattr(config, split)
        if size == 0:
            continue
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([config.seed, s, 77])))
        pool = pool_of(config, split, rng)
        couples = take_twins(pool, round(config.twins * size / 2), rng)
        plain = size - 2 * len(couples)
        units = units_of(pool, rng)
        images: list[list] = [[] for _ in range(plain)]
        fill(units, images, rng)
        specs = [(join(units) or (PersonSpec(()),), None, ()) for units in images]
        for (
            a,
            b,
            where,
        ) in couples:  # the other people are on both images, so what they do would count twice: they do nothing
            others = tuple(PersonSpec(()) for _ in range(int(rng.choice(3, p=[0.6, 0.3, 0.1]))))
            specs += [
                ((PersonSpec((a,)), *others), None, where),
                ((PersonSpec((b,)), *others), "twin", where),
            ]
        places = rng.permutation(len(specs)).tolist()
        made: dict[int, ImageSpec] = {}
        for k in sorted(range(len(specs)), key=lambda k: specs[k][1] is not None):
            persons, twin, where = specs[k]
            sibling = made[k - 1] if twin else None
            seed = (
                sibling.seed
                if sibling
                else int(np.random.SeedSequence([config.seed, s, k]).generate_state(1)[0])
            )
            extra = sibling.distractors if sibling else int(rng.poisson(0.55 * config.clutter))
            made[k] = ImageSpec(split, places[k] + 1, seed, persons, sibling, where, extra)
        out += sorted(made.values(), key=lambda spec: spec.number)
    return out
