import pytest
import torch
from torchvision.ops import box_iou

from rmlr_lightning.ops.matching import match_pairs, select_positives
from rmlr_lightning.ops.pairing import pair
from rmlr_lightning.vocabulary import hicodet
from tests.scenes import random_entities, target_of, truth_of_targets

SCALE = torch.tensor([160.0, 120.0, 160.0, 120.0], dtype=torch.float64)


def jittered_targets(entities, pairs, seed):
    """True pairs near candidate pairs, so that about half overlap enough."""
    g = torch.Generator().manual_seed(seed)
    targets = []
    for image in range(len(pairs.mask)):
        real = torch.nonzero(pairs.mask[image]).flatten()[::2]
        h, o = pairs.human[image, real], pairs.object[image, real]
        noise = [0.04 * torch.randn(len(real), 4, generator=g) for _ in range(2)]
        verbs = torch.randint(0, 5, (len(real),), generator=g)
        targets.append(
            target_of(
                ((entities.boxes[image, h] + noise[0]) * SCALE).tolist(),
                ((entities.boxes[image, o] + noise[1]) * SCALE).tolist(),
                entities.labels[image, o].tolist(),
                verbs.tolist(),
            )
        )
    return targets


def slow_labels(entities, pairs, targets, verbs, same_object):
    labels = torch.zeros(*pairs.mask.shape, verbs, dtype=torch.bool)
    for image, target in enumerate(targets):
        for p in torch.nonzero(pairs.mask[image]).flatten().tolist():
            h, o = pairs.human[image, p], pairs.object[image, p]
            for t in range(len(target.verbs)):
                iou_h = box_iou(
                    entities.boxes[image, h][None] * SCALE, target.boxes_h[t][None]
                ).item()
                iou_o = box_iou(
                    entities.boxes[image, o][None] * SCALE, target.boxes_o[t][None]
                ).item()
                same = not same_object or entities.labels[image, o] == target.objects[t]
                if min(iou_h, iou_o) >= 0.5 and same:
                    labels[image, p, target.verbs[t]] = True
    return labels


def test_agrees_with_a_loop_over_pairs_and_targets():
    for seed in range(10):
        entities = random_entities(3, 8, seed)
        pairs = pair(entities, hicodet().valid_pairs())
        targets = jittered_targets(entities, pairs, seed)
        for same_object in (True, False):
            got = match_pairs(
                entities, pairs, truth_of_targets(targets, 5), same_object=same_object
            )
            assert torch.equal(got, slow_labels(entities, pairs, targets, 5, same_object))
            assert got.any()


def test_images_without_interactions_have_no_label():
    entities = random_entities(2, 5)
    pairs = pair(entities, hicodet().valid_pairs())
    truth = truth_of_targets([target_of([], [], [], [])] * 2, 5)
    assert not match_pairs(entities, pairs, truth).any()


def test_empty_roles_are_no_pairs():
    entities = random_entities(1, 5)
    pairs = pair(entities, hicodet().valid_pairs())
    target = target_of([[0, 0, 160, 120]], [[float("nan")] * 4], [-1], [2])
    assert not match_pairs(entities, pairs, truth_of_targets([target], 5)).any()


@pytest.mark.parametrize("min_overlap", [0.3, 0.6])
def test_the_threshold_is_the_smaller_iou_of_both_boxes(min_overlap):
    entities = random_entities(1, 4, seed=1)._replace(
        boxes=torch.tensor([[[0.0, 0, 0.5, 1]] + [[0.5, 0, 1, 1]] * 3]),
        labels=torch.tensor([[0, 1, 1, 1]]),
        mask=torch.ones(1, 4, dtype=torch.bool),
    )
    pairs = pair(entities, hicodet().valid_pairs())
    # the human box overlaps by 1, the object box by one half
    target = target_of([[0, 0, 80, 120]], [[80, 0, 160, 60]], [1], [2])
    matched = match_pairs(entities, pairs, truth_of_targets([target], 5), min_overlap)
    assert matched[..., 2].any().item() is (min_overlap <= 0.5)


@pytest.mark.parametrize("code", ["CPU", "GPU", "compiled"])
@pytest.mark.parametrize("max_per_image", [1, 3, 32, 100])
def test_positives_are_the_first_interacting_pairs_of_each_image(max_per_image, code, monkeypatch):
    monkeypatch.setattr("rmlr_lightning.ops.matching.can_count", lambda values: code == "CPU")
    monkeypatch.setattr("torch.compiler.is_compiling", lambda: code == "compiled")
    vocabulary = hicodet()
    entities = random_entities(3, 8, seed=2)
    pairs = pair(entities, vocabulary.valid_pairs())
    g = torch.Generator().manual_seed(0)
    valid = vocabulary.valid_pairs()[pairs.object_class] & pairs.mask[..., None]
    verbs = valid & (torch.rand(valid.shape, generator=g) < 0.02)
    phrase_verbs, phrase_objects = torch.tensor(vocabulary.hois).unbind(1)
    found = select_positives(verbs, pairs, phrase_verbs, phrase_objects, max_per_image)

    rows = found.mask.view(3, -1)
    if code == "compiled":  # one number of rows, also beyond that of pairs
        assert rows.shape[1] == max_per_image
    phrases = found.phrases.view(3, rows.shape[1], -1)
    for image in range(3):
        expected = [p for p in range(verbs.shape[1]) if verbs[image, p].any()][:max_per_image]
        assert found.index[image][rows[image]].tolist() == expected
        for row, p in enumerate(expected):
            object_class = int(pairs.object_class[image, p])
            names = {
                vocabulary.hoi_of[v, object_class] for v in verbs[image, p].nonzero()[:, 0].tolist()
            }
            assert set(phrases[image, row].nonzero()[:, 0].tolist()) == names
    assert not found.phrases[~found.mask].any()


def at_one_box(boxes_h, boxes_o, labels, mask):
    """One image: a person with one object, and one annotated pair that is both whole image."""
    entities = random_entities(1, 2)._replace(
        boxes=torch.tensor([[boxes_h, boxes_o]]),
        labels=torch.tensor([labels]),
        mask=torch.tensor([mask]),
    )
    return entities, pair(entities, hicodet().valid_pairs())


def test_an_overlap_of_exactly_the_threshold_is_a_match():
    entities, pairs = at_one_box([0.0, 0, 0.5, 1], [0.0, 0, 1, 0.5], [0, 1], [True, True])
    target = target_of([[0, 0, 160, 120]], [[0, 0, 160, 120]], [1], [2])
    assert match_pairs(entities, pairs, truth_of_targets([target], 5))[0, 0, 2]


@pytest.mark.parametrize("padding", ["pair", "truth"])
def test_padding_matches_nothing_whatever_it_holds(padding):
    entities, pairs = at_one_box([0.0, 0, 1, 1], [0.0, 0, 1, 1], [0, 1], [True, True])
    truth = truth_of_targets([target_of([[0, 0, 160, 120]], [[0, 0, 160, 120]], [1], [2])], 5)
    assert match_pairs(entities, pairs, truth).any()
    if padding == "pair":
        pairs = pairs._replace(mask=torch.zeros_like(pairs.mask))
    else:
        truth = truth._replace(mask=torch.zeros_like(truth.mask))
    assert not match_pairs(entities, pairs, truth).any()


def test_at_most_32_positives_of_an_image_are_taken():
    entities = random_entities(1, 9)._replace(
        labels=torch.zeros(1, 9, dtype=torch.long), mask=torch.ones(1, 9, dtype=torch.bool)
    )
    pairs = pair(entities, None)
    verbs = torch.ones(1, 72, 2, dtype=torch.bool)
    found = select_positives(verbs, pairs, torch.tensor([0, 1]), torch.tensor([0, 0]))
    assert found.index.tolist() == [list(range(32))] and found.mask.all()


def test_pairs_of_another_object_match_only_on_demand():
    entities, pairs = at_one_box([0.0, 0, 1, 1], [0.0, 0, 1, 1], [0, 1], [True, True])
    truth = truth_of_targets([target_of([[0, 0, 160, 120]], [[0, 0, 160, 120]], [3], [2])], 5)
    assert not match_pairs(entities, pairs, truth).any()
    assert match_pairs(entities, pairs, truth, same_object=False).any()


@pytest.mark.parametrize(("interacting", "rows"), [([], 1), ([0], 1), ([1, 4, 5], 3)])
def test_on_a_cpu_there_are_as_many_rows_as_the_fullest_image_needs(interacting, rows):
    entities = random_entities(2, 3)._replace(
        labels=torch.zeros(2, 3, dtype=torch.long), mask=torch.ones(2, 3, dtype=torch.bool)
    )
    verbs = torch.zeros(2, 6, 2, dtype=torch.bool)
    verbs[1, interacting, 1] = True
    phrases = torch.tensor([0, 1]), torch.tensor([0, 0])
    found = select_positives(verbs, pair(entities, None), *phrases)
    assert found.index.shape == (2, rows)
    assert found.mask.tolist() == [False] * rows + [bool(interacting)] * rows
