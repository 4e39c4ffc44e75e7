"""A small vocabulary with a bank of random vectors, and random predictions with many-to-many labels."""

import torch
from torch.nn import functional as F

from rmlr_lightning.types import Entities, Pairs, Prediction, TextEmbeddings
from rmlr_lightning.vocabulary import Vocabulary
from tests.scenes import random_scene

# objects 0 to 3; verb 0 goes with all of them, (4, 3) is the only phrase of its verb, (1, 0) is no HOI
HOIS = ((0, 0), (0, 1), (1, 1), (2, 1), (0, 2), (1, 2), (3, 2), (0, 3), (2, 3), (4, 3))
VOCABULARY = Vocabulary(("hold", "ride", "wash", "drive", "repair"), HOIS, frozenset())
DIM, WIDTH = 8, 12


def bank() -> TextEmbeddings:
    """Phrases share a direction, as those of one template do; phrase 0 has one word, phrase 1 one content word."""
    g = torch.Generator().manual_seed(5)
    count, longest = len(HOIS), 4
    lengths = torch.tensor([1, 3] + [2, 3, 4, 4, 3, 2, 4, 3])
    mask = torch.arange(longest) < lengths[:, None]
    content = mask & (torch.rand(count, longest, generator=g) < 0.6)
    content[1] = False
    content[:, 0] = True
    words = (torch.randn(count, longest, WIDTH, generator=g) + 1) * mask[..., None]
    return TextEmbeddings(torch.randn(count, WIDTH, generator=g) + 1, words, mask, content)


def random_batch(
    images: int = 3, pairs: int = 6, seed: int = 0
) -> tuple[Prediction, torch.Tensor, torch.Tensor]:
    """A prediction whose tokens want gradients, labels of zero to several verbs a pair, and a prior."""
    g = torch.Generator().manual_seed(seed)
    scene = random_scene(images, 5, seed)
    human, thing = torch.randint(0, 5, (2, images, pairs), generator=g)
    mask = torch.rand(images, pairs, generator=g) < 0.8
    labels = (torch.rand(images, pairs, 5, generator=g) < 0.35) & mask[..., None]
    ire, irm = (torch.randn(images, pairs, DIM, generator=g).requires_grad_() for _ in range(2))
    logits = torch.randn(images, pairs, 5, generator=g)
    possible = (
        VOCABULARY.valid_pairs()[torch.gather(scene.entities.labels, 1, thing)] & mask[..., None]
    )
    prior = torch.where(possible, torch.rand(images, pairs, 5, generator=g).log(), -torch.inf)
    return Prediction(scene, Pairs(human, thing, mask), ire, irm, logits), labels, prior


def reordered(batch, images=None, pairs=None):
    """The same batch with its images, or the pairs of all images, in another order."""
    (scene, candidates, ire, irm, logits), labels, prior = batch
    images = torch.arange(len(labels)) if images is None else images
    pairs = torch.arange(labels.shape[1]) if pairs is None else pairs
    scene = scene._replace(entities=Entities(*(field[images] for field in scene.entities)))
    candidates = Pairs(*(field[images][:, pairs] for field in candidates))
    ire, irm, logits, labels, prior = (
        field[images][:, pairs] for field in (ire, irm, logits, labels, prior)
    )
    return Prediction(scene, candidates, ire, irm, logits), labels, prior


def padded(batch, pairs=0, images=0):
    """The same batch with pairs and images that are not real but full of garbage."""
    (scene, candidates, ire, irm, logits), labels, prior = batch

    def grown(field, value):
        return F.pad(field, (*[0, 0] * (field.ndim - 2), 0, pairs, 0, images), value=value)

    entities = Entities(
        *(
            torch.cat([field, field[:1].expand(images, *field.shape[1:])])
            for field in scene.entities
        )
    )
    candidates = Pairs(
        grown(candidates.human, 1), grown(candidates.object, 2), grown(candidates.mask, False)
    )
    tokens = (grown(field, 50.0) for field in (ire, irm, logits))
    prediction = Prediction(scene._replace(entities=entities), candidates, *tokens)
    return prediction, grown(labels, True), grown(prior, -torch.inf)
