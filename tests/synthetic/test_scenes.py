"""The embedded world's promises: legal HOIs, the long tail, determinism, boxes, twins."""

from collections import Counter

import numpy as np
import pytest

from rmlr_lightning.synthetic import WorldConfig, render, schedule
from rmlr_lightning.synthetic.world import classes
from rmlr_lightning.vocabulary import COCO_INDEX, hicodet


def label_counts(specs, split):
    return Counter(
        (verb, pair.object)
        for spec in specs
        if spec.split == split
        for person in spec.persons
        for pair in person.pairs
        for verb in pair.labels
    )


@pytest.fixture(scope="module")
def default_schedule():
    return schedule(WorldConfig())


def test_classes_are_real_and_many():
    names, real = classes(), hicodet()
    legal = {(real.verbs[verb], obj) for verb, obj in real.hois}
    assert all((verb, COCO_INDEX[obj]) in legal for verb, obj in names.hois)
    assert len(names.objects) >= 20 and len(names.verbs) >= 20 and len(names.hois) >= 100
    assert list(names.objects) == sorted(names.objects) and list(names.verbs) == sorted(names.verbs)


def test_long_tail_and_flat_test_split(default_schedule):
    names = classes()
    train, test = label_counts(default_schedule, "train"), label_counts(default_schedule, "test")
    rare = {i for i, pair in enumerate(names.hois) if train[pair] < 10}
    assert rare == set(names.rare)
    assert 0.2 < len(rare) / len(names.hois) < 0.45
    assert sum(train[names.hois[i]] <= 3 for i in rare) >= 5
    assert all(train[pair] >= 1 and test[pair] >= 20 for pair in names.hois)


@pytest.mark.parametrize("train", [500, 4000])
def test_rare_counts_do_not_depend_on_size(train, default_schedule):
    counts = label_counts(schedule(WorldConfig(train=train, val=0, test=0)), "train")
    reference = label_counts(default_schedule, "train")
    for i in classes().rare:
        assert counts[classes().hois[i]] == reference[classes().hois[i]]


def test_schedule_is_a_function_of_the_seed():
    config = WorldConfig(train=40, val=8, test=12)
    assert schedule(config) == schedule(config)
    assert schedule(config) != schedule(WorldConfig(train=40, val=8, test=12, seed=1))
    numbers = [spec.number for spec in schedule(config) if spec.split == "train"]
    assert numbers == list(range(1, 41))


def test_render_repeats_and_boxes_stay_inside():
    config = WorldConfig(train=24, val=0, test=0)
    width, height = config.size
    for spec in schedule(config):
        image, facts = render(spec, config)
        again, facts_again = render(spec, config)
        assert image.shape == (height, width, 3) and image.dtype == np.uint8
        assert np.array_equal(image, again) and facts == facts_again
        for x0, y0, x1, y1 in facts["persons"] + [thing["box"] for thing in facts["objects"]]:
            assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
        for pair in facts["pairs"]:
            assert pair["person"] < len(facts["persons"]) and pair["object"] < len(facts["objects"])


def test_twins_share_people_place_and_object():
    config = WorldConfig(train=200, val=0, test=0, twins=0.4)
    twins = [spec for spec in schedule(config) if spec.sibling is not None]
    assert len(twins) > 20
    for spec in twins:
        first, second = spec.sibling.persons[0].pairs[0], spec.persons[0].pairs[0]
        assert (
            spec.seed == spec.sibling.seed
            and first.object == second.object
            and first.labels != second.labels
        )


@pytest.mark.parametrize(
    "wrong", [{"train": 0, "val": 0, "test": 0}, {"train": -1}, {"size": (64, 48)}, {"twins": 1.0}]
)
def test_wrong_settings_say_so_in_one_line(wrong):
    with pytest.raises(ValueError) as error:
        WorldConfig(**wrong)
    assert "\n" not in str(error.value)
