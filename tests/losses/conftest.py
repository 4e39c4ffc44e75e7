"""A small vocabulary with random text embeddings, and random predictions with their labels."""

import torch
from torch import Tensor
from torch.nn import functional as F

from rmlr_lightning.ops.matching import select_positives
from rmlr_lightning.types import Entities, Labels, Pairs, Prediction, TextEmbeddings
from rmlr_lightning.vocabulary import Vocabulary
from tests.scenes import random_scene

# objects 0 to 3; verb 0 is valid with all of them, (4, 3) is the only phrase of its verb, and
# (1, 0) is no HOI
HOIS = ((0, 0), (0, 1), (1, 1), (2, 1), (0, 2), (1, 2), (3, 2), (0, 3), (2, 3), (4, 3))
VOCABULARY = Vocabulary(("hold", "ride", "wash", "drive", "repair"), HOIS, frozenset())
DIM, WIDTH = 8, 12


def bank() -> TextEmbeddings:
    """Phrases share a direction, as those of one template do.

    Phrase 0 has one word, phrase 1 one content word.
    """
    g = torch.Generator().manual_seed(5)
    count, longest = len(HOIS), 4
    lengths = torch.tensor([1, 3] + [2, 3, 4, 4, 3, 2, 4, 3])
    mask = torch.arange(longest) < lengths[:, None]
    content = mask & (torch.rand(count, longest, generator=g) < 0.6)
    content[1] = False
    content[:, 0] = True
    words = (torch.randn(count, longest, WIDTH, generator=g) + 1) * mask[..., None]
    return TextEmbeddings(torch.randn(count, WIDTH, generator=g) + 1, words, mask, content)


def labels_of(pairs: Pairs, verbs: Tensor, log_prior: Tensor, max_positives: int = 32) -> Labels:
    """Labels of these true verbs; verbs that the prior excludes are left out."""
    valid = log_prior > -torch.inf
    phrase_verbs, phrase_objects = torch.tensor(HOIS).unbind(1)
    positives = select_positives(verbs & valid, pairs, phrase_verbs, phrase_objects, max_positives)
    return Labels(verbs & valid, valid, log_prior, positives)


def random_batch(
    images: int = 3, pairs: int = 6, seed: int = 0, max_positives: int = 32
) -> tuple[Prediction, Labels]:
    """A prediction whose tokens require gradients, and zero to several true verbs per pair."""
    g = torch.Generator().manual_seed(seed)
    scene = random_scene(images, 5, seed)
    human, object_ = torch.randint(0, 5, (2, images, pairs), generator=g)
    mask = torch.rand(images, pairs, generator=g) < 0.8
    verbs = (torch.rand(images, pairs, 5, generator=g) < 0.35) & mask[..., None]
    ire, irm = (torch.randn(images, pairs, DIM, generator=g).requires_grad_() for _ in range(2))
    logits = torch.randn(images, pairs, 5, generator=g)

    object_class = torch.gather(scene.entities.labels, 1, object_)
    valid = VOCABULARY.valid_pairs()[object_class] & mask[..., None]
    log_prior = torch.where(valid, torch.rand(images, pairs, 5, generator=g).log(), -torch.inf)
    candidates = Pairs(human, object_, object_class, mask)
    prediction = Prediction(scene, candidates, ire, irm, logits)
    return prediction, labels_of(candidates, verbs, log_prior, max_positives)


def reordered(
    batch: tuple[Prediction, Labels], images: Tensor | None = None, pairs: Tensor | None = None
) -> tuple[Prediction, Labels]:
    """The same batch with its images, or the pairs of all images, in another order."""
    (scene, candidates, ire, irm, logits, _), labels = batch
    images = torch.arange(len(labels.verbs)) if images is None else images
    pairs = torch.arange(labels.verbs.shape[1]) if pairs is None else pairs
    scene = scene._replace(entities=Entities(*(field[images] for field in scene.entities)))
    candidates = Pairs(*(field[images][:, pairs] for field in candidates))
    ire, irm, logits, verbs, log_prior = (
        field[images][:, pairs] for field in (ire, irm, logits, labels.verbs, labels.log_prior)
    )
    prediction = Prediction(scene, candidates, ire, irm, logits)
    return prediction, labels_of(candidates, verbs, log_prior)


def padded(
    batch: tuple[Prediction, Labels], pairs: int = 0, images: int = 0
) -> tuple[Prediction, Labels]:
    """The same batch with pairs and images that are not real but full of garbage."""
    (scene, candidates, ire, irm, logits, _), labels = batch

    def grown(field: Tensor, value: float) -> Tensor:
        return F.pad(field, (*[0, 0] * (field.ndim - 2), 0, pairs, 0, images), value=value)

    entities = Entities(
        *(
            torch.cat([field, field[:1].expand(images, *field.shape[1:])])
            for field in scene.entities
        )
    )
    candidates = Pairs(
        grown(candidates.human, 1),
        grown(candidates.object, 2),
        grown(candidates.object_class, 3),
        grown(candidates.mask, False),
    )
    tokens = (grown(field, 50.0) for field in (ire, irm, logits))
    prediction = Prediction(scene._replace(entities=entities), candidates, *tokens)
    log_prior = grown(labels.log_prior, -torch.inf)
    return prediction, labels_of(candidates, grown(labels.verbs, True), log_prior)
