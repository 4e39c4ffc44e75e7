import torch

from rmlr_lightning.ops.pairing import pair
from rmlr_lightning.ops.postprocess import detections
from rmlr_lightning.vocabulary import hicodet
from tests.scenes import random_entities


def test_every_valid_verb_of_every_pair_once_by_falling_score():
    entities, valid_pairs = random_entities(2, 6, seed=0), hicodet().valid_pairs()
    pairs = pair(entities, valid_pairs)
    valid = valid_pairs[pairs.object_class] & pairs.mask[..., None]
    scores = torch.rand(valid.shape) * valid
    found = detections(scores, entities, pairs, torch.tensor([[120, 160], [60, 80]]))
    for image in range(2):
        assert len(found[image].scores) == valid[image].sum()
        assert (found[image].scores.diff() <= 0).all()
    best = torch.nonzero(scores[1] == scores[1].max())[0]
    human = pairs.human[1, best[0]]
    torch.testing.assert_close(
        found[1].boxes_h[0], entities.boxes[1, human] * torch.tensor([80.0, 60.0, 80.0, 60.0])
    )
    assert found[1].verbs[0] == best[1]


def test_max_detections_is_per_image():
    entities, valid_pairs = random_entities(1, 6), hicodet().valid_pairs()
    pairs = pair(entities, valid_pairs)
    (found,) = detections(
        torch.rand(*pairs.mask.shape, 117),
        entities,
        pairs,
        torch.tensor([[10, 10]]),
        max_detections=4,
    )
    assert all(len(field) == 4 for field in found)
