import torch
from torchvision.ops import box_iou

from rmlr_lightning.ops.matching import match_pairs
from rmlr_lightning.ops.pairing import pair
from rmlr_lightning.vocabulary import hicodet
from tests.scenes import random_entities, target_of

SCALE = torch.tensor([160.0, 120.0, 160.0, 120.0])


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
            got = match_pairs(entities, pairs, targets, 5, same_object=same_object)
            assert torch.equal(got, slow_labels(entities, pairs, targets, 5, same_object))
            assert got.any()


def test_images_without_interactions_have_no_label():
    entities = random_entities(2, 5)
    pairs = pair(entities, hicodet().valid_pairs())
    assert not match_pairs(entities, pairs, [target_of([], [], [], [])] * 2, 5).any()


def test_empty_roles_are_no_pairs():
    entities = random_entities(1, 5)
    pairs = pair(entities, hicodet().valid_pairs())
    target = target_of([[0, 0, 160, 120]], [[float("nan")] * 4], [-1], [2])
    assert not match_pairs(entities, pairs, [target], 5).any()
