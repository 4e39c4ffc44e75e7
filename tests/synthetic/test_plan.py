"""The plan of a world: the long tail, the flat test split, determinism and twins."""

from collections import Counter

import pytest

from rmlr_lightning.synthetic import WorldConfig, schedule
from rmlr_lightning.synthetic.world import classes


def label_counts(specs, split):
    counts = Counter()
    for spec in specs:
        if spec.split != split:
            continue
        for person in spec.persons:
            for pair in person.pairs:
                counts.update((verb, pair.object) for verb in pair.labels)
    return counts


@pytest.fixture(scope="module")
def default_schedule():
    return schedule(WorldConfig())


def test_train_has_a_long_tail_and_test_is_flat(default_schedule):
    names = classes()
    train = label_counts(default_schedule, "train")
    test = label_counts(default_schedule, "test")
    rare = {i for i, pair in enumerate(names.hois) if train[pair] < 10}

    assert rare == set(names.rare)
    assert 0.2 < len(rare) / len(names.hois) < 0.45
    assert sum(train[names.hois[i]] <= 3 for i in rare) >= 5
    assert all(train[pair] >= 1 and test[pair] >= 20 for pair in names.hois)


@pytest.mark.parametrize("train", [500, 4000])
def test_counts_of_rare_hois_do_not_depend_on_the_size(train, default_schedule):
    counts = label_counts(schedule(WorldConfig(train=train, val=0, test=0)), "train")
    reference = label_counts(default_schedule, "train")
    for i in classes().rare:
        assert counts[classes().hois[i]] == reference[classes().hois[i]]


def test_schedule_is_a_function_of_the_config():
    config = WorldConfig(train=40, val=8, test=12)
    assert schedule(config) == schedule(config)
    assert schedule(config) != schedule(WorldConfig(train=40, val=8, test=12, seed=1))


def test_images_are_numbered_from_one():
    for spec_split, size in (("train", 40), ("val", 8), ("test", 12)):
        specs = schedule(WorldConfig(train=40, val=8, test=12))
        numbers = [spec.number for spec in specs if spec.split == spec_split]
        assert numbers == list(range(1, size + 1))


def test_twins_have_one_seed_one_object_and_different_labels():
    config = WorldConfig(train=200, val=0, test=0, twins=0.4)
    twins = [spec for spec in schedule(config) if spec.sibling is not None]
    assert len(twins) > 20
    for spec in twins:
        first = spec.sibling.persons[0].pairs[0]
        second = spec.persons[0].pairs[0]
        assert spec.seed == spec.sibling.seed
        assert first.object == second.object
        assert first.labels != second.labels


def test_a_person_shares_the_first_object_of_an_earlier_one(default_schedule):
    shared = 0
    for spec in default_schedule:
        for i, person in enumerate(spec.persons):
            if person.shares is not None:
                owner = spec.persons[person.shares]
                assert person.shares < i
                assert owner.pairs[0].object == person.pairs[0].object
                shared += 1
    assert shared > 0


def test_people_per_image_are_limited(default_schedule):
    people = [len(spec.persons) for spec in default_schedule]
    assert min(people) >= 1 and max(people) <= 6
    assert sum(n > 4 for n in people) < 0.1 * len(people)
