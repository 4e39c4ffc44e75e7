"""The pairs of a split: exact counts for the long tail, nearly flat counts for val and test."""

from collections import defaultdict

from rmlr_lightning.synthetic.acts import act_of, zones_of
from rmlr_lightning.synthetic.config import PairSpec, WorldConfig
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

# Pairs of each HOI in a test split of 1,200 images.
MIN_TEST_PAIRS = 20

# Counts of acts in a test split of 1,200 images that differ from MIN_TEST_PAIRS: `hold` is also
# true in other acts, and the two ways of not interacting are many.
TEST_ACTS = {"hold": 10, "no_interaction": 26, **dict.fromkeys(POSE_OF, 18)}

TwinPairs = tuple[PairSpec, PairSpec, tuple[str, ...]]


def rivals(verb: str, obj: str) -> tuple[str, ...]:
    """The poses that share their boxes with this verb's, itself included, in alphabetical order."""
    kind = KINDS[obj]
    family = act_of(POSE_OF.get(verb, verb), kind).family

    # All verbs of the table with this object, by their pose.
    poses = {POSE_OF.get(other, other) for other in TAIL[obj]}
    return tuple(sorted(pose for pose in poses if act_of(pose, kind).family == family))


def act_counts(config: WorldConfig, split: str) -> dict[tuple[str, str], int]:
    """How often each act, by (verb, object), is drawn in a split.

    Training: the table of the world with the non-rare acts scaled to the size; rare ones keep
    their counts from 500 images up. Validation and test: nearly flat.
    """
    # Tiny splits are cut from the pairs of a small one, so that they still have several acts.
    size = max(getattr(config, split), 100)
    return train_counts(size) if split == "train" else flat_counts(size)


def train_counts(size: int) -> dict[tuple[str, str], int]:
    """Counts of acts in a training split of `size` images."""
    rare_pairs = {classes().hois[i] for i in classes().rare}
    counts = {}
    for pair, n in reference_acts().items():
        # An act under 10 that is not rare as an HOI gets labels from other acts, too: those vary.
        is_rare = pair in rare_pairs or (n < 10 and pair[0] not in POSE_OF)
        if is_rare:
            counts[pair] = max(round(n * min(1.0, size / 500)), 1)
        else:
            counts[pair] = round(n * (size / 1000))
    return counts


def flat_counts(size: int) -> dict[tuple[str, str], int]:
    """Counts of acts in a validation or test split of `size` images."""
    flat = {pair: TEST_ACTS.get(pair[0], MIN_TEST_PAIRS) for pair in reference_acts()}

    # Labels that come from other acts count; what an HOI still lacks is added.
    for pair in sorted(classes().hois):
        missing = MIN_TEST_PAIRS - label_counts(flat).get(pair, 0)
        if missing > 0:
            flat[pair] += missing

    # From 1,000 images up no HOI has fewer pairs than at 1,200: AP needs them.
    scale = max(size / 1200, 1.0) if size >= 1000 else size / 1200
    return {pair: max(round(n * scale), 1) for pair, n in flat.items()}


def pool_of(config: WorldConfig, split: str, rng) -> list[PairSpec]:
    """All pairs of a split in random order."""
    pairs = []
    for (verb, obj), n in act_counts(config, split).items():
        held = held_count(verb, obj, n)
        for k in range(n):
            is_held = k < held
            pose = POSE_OF.get(verb, verb)
            verbs = labels(verb, obj, is_held)
            pairs.append(PairSpec(pose, obj, is_held, verbs, rivals(verb, obj)))

    # No more than fit into the images.
    order = rng.permutation(len(pairs))
    size = getattr(config, split)
    limit = 3 * size if size >= 100 else 2 * size
    return [pairs[i] for i in order[:limit]]


def zones(pair: PairSpec) -> set[str]:
    """The zones where the object of a pair can be."""
    return set(zones_of(pair.verb, KINDS[pair.object]))


def take_twins(pool: list[PairSpec], count: int, rng) -> list[TwinPairs]:
    """Takes up to `count` couples of pairs out of the pool: one object, two verbs.

    The two verbs can share their boxes.

    Returns:
        Both pairs of each couple, and the zones that both verbs have.
    """
    by_object = defaultdict(list)
    for pair in pool:
        by_object[pair.object].append(pair)

    couples: list[TwinPairs] = []
    for _ in range(20 * count):
        if len(couples) == count or len(pool) < 2:
            break
        a = pool[rng.integers(len(pool))]
        others = [b for b in by_object[a.object] if can_be_twins(a, b)]
        if not others:
            continue

        # First a verb, then a pair with it: common verbs are no more likely than others.
        verbs = sorted({b.verb for b in others})
        verb = verbs[rng.integers(len(verbs))]
        b = next(b for b in others if b.verb == verb)

        for pair in (a, b):
            pool.remove(pair)
            by_object[a.object].remove(pair)
        couples.append((a, b, tuple(sorted(zones(a) & zones(b)))))
    return couples


def can_be_twins(a: PairSpec, b: PairSpec) -> bool:
    """Whether two pairs with one object are annotated, differ in labels and can share boxes."""
    if not a.labels or not b.labels or a.labels == b.labels:
        return False
    return b.verb in a.rivals and bool(zones(a) & zones(b))
