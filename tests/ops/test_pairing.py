import torch

from rmlr_lightning.ops.pairing import pair
from rmlr_lightning.vocabulary import hicodet
from tests.scenes import random_entities


def test_every_person_with_every_other_entity_in_order():
    entities = random_entities(5, 9, seed=3)
    valid_pairs = hicodet().valid_pairs()
    pairs = pair(entities, valid_pairs)
    for image in range(5):
        real = [i for i in range(9) if entities.mask[image, i]]
        expected = [(h, o) for h in real for o in real if h != o and entities.labels[image, h] == 0]
        got = list(
            zip(
                pairs.human[image][pairs.mask[image]].tolist(),
                pairs.object[image][pairs.mask[image]].tolist(),
                strict=True,
            )
        )
        assert got == expected


def test_objects_without_a_valid_verb_are_left_out():
    entities = random_entities(2, 8)
    valid_pairs = torch.zeros(80, 3, dtype=torch.bool)
    valid_pairs[2, 1] = True
    pairs = pair(entities, valid_pairs)
    labels = torch.gather(entities.labels, 1, pairs.object)
    assert torch.equal(labels, pairs.object_class)
    assert (labels[pairs.mask] == 2).all()
    assert pairs.mask.any()


def test_all_objects_are_paired_on_demand():
    entities = random_entities(2, 8)._replace(mask=torch.ones(2, 8, dtype=torch.bool))
    people = (entities.labels == 0).sum(1)
    assert pair(entities, None).mask.sum(1).tolist() == (people * 7).tolist()


def test_no_person_no_pair():
    entities = random_entities(2, 6)._replace(labels=torch.full((2, 6), 3))
    assert not pair(entities, hicodet().valid_pairs()).mask.any()


def test_without_a_subject_class_every_entity_is_a_human():
    entities = random_entities(1, 5)._replace(mask=torch.ones(1, 5, dtype=torch.bool))
    pairs = pair(entities, torch.ones(80, 3, dtype=torch.bool), subject=None)
    assert pairs.mask.sum() == 5 * 4


def test_there_are_as_many_rows_as_the_fullest_image_needs():
    entities = random_entities(2, 4)._replace(
        labels=torch.tensor([[0, 1, 1, 1], [0, 1, 1, 1]]),
        mask=torch.tensor([[True] * 4, [True, True, False, False]]),
    )
    pairs = pair(entities, hicodet().valid_pairs())
    assert pairs.mask.tolist() == [[True] * 3, [True, False, False]]
    assert pairs.human.tolist() == [[0] * 3] * 2 and pairs.object.tolist() == [[1, 2, 3], [1, 0, 0]]


def test_a_single_entity_has_no_pair_and_padding_refers_to_it():
    pairs = pair(random_entities(1, 1)._replace(labels=torch.zeros(1, 1, dtype=torch.long)), None)
    assert not pairs.mask.any() and not pairs.human.any() and not pairs.object.any()
