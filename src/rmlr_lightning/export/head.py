"""The trained head with fixed sizes, as a module of plain tensors that can be exported.

The head is re-mining, IRE, IRM and the scores. The detector has exporters of its own, and NMS,
selection and pairing have no fixed shape: both stay outside (`ops.selection`, `ops.pairing`).
"""

import re
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.hoi import HOIModel
from rmlr_lightning.models.remine import remined
from rmlr_lightning.ops.masked import gather_rows
from rmlr_lightning.ops.prior import log_prior, verb_scores
from rmlr_lightning.types import Entities, Images, Pairs, Scene

OUTPUTS = ("logits", "scores")  # both B P V
MAP = "map_"  # before the names of further maps of the detector


class Capacity(NamedTuple):
    """Entities and pairs per image; fewer are padded and masked."""

    entities: int
    pairs: int


def full_capacity(model: HOIModel) -> Capacity:
    """The largest numbers that the model's selection can give: no pair is ever cut off."""
    # Humans are paired with every other entity, of both groups; relation data has one group.
    limit = model.selection.max_instances
    groups = 1 if model.subject is None else 2
    entities = min(groups * limit, model.detector.num_queries)
    humans = min(limit, entities)
    return Capacity(entities, humans * max(entities - 1, 1))


class ExportableHead(nn.Module):
    """An HOIModel from selected entities and pairs to logits and scores.

    The order of the inputs is that of `head_inputs`. Padding is 0 and False.
    """

    def __init__(self, model: HOIModel) -> None:
        super().__init__()
        self.remine, self.ire, self.irm = model.remine, model.ire, model.irm
        self.power = model.power
        self.register_buffer("valid_pairs", model.valid_pairs)
        self.eval().requires_grad_(False)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and scores, "B P V"; both are 0 on padding."""
        # positional, because ONNX has a flat list of inputs
        boxes, confidence, labels, tokens, real, memory, memory_mask, sizes = tensors[:8]
        human, object_, pair_mask, *more = tensors[8:]
        images = None
        if self.remine.needs_pixels:
            pixels, pixels_mask, *more = more
            images = Images(pixels, pixels_mask, sizes)

        maps = dict(zip(maps_of(self.remine), more, strict=True))
        entities = Entities(boxes, confidence, labels, tokens, real)
        scene = Scene(entities, memory, memory_mask, sizes, maps)
        pairs = Pairs(human, object_, gather_rows(labels, object_), pair_mask)
        scene, features = remined(self.remine, scene, images)
        ire_tokens = self.ire(scene, pairs, features)
        _, logits = self.irm(ire_tokens, scene, pairs)

        # An image without pairs has no key to attend to, and some runtimes give NaN there.
        logits = torch.where(pair_mask[..., None], logits.float(), 0)
        prior = log_prior(scene.entities, pairs, self.valid_pairs, self.power)
        return logits, verb_scores(logits, prior)


def map_input(name: str) -> str:
    """The input of a map. Its name is an identifier, which that of a network's map is not."""
    return MAP + re.sub(r"\W", "_", name)


def maps_of(remine: nn.Module) -> list[str]:
    """Names of the maps that an extractor reads beside the memory, in order.

    Of the detector's backbone, or of a frozen network beside it (`detectors.second_network`).
    """
    return sorted(getattr(remine, "maps", ()))


def head_inputs(
    model: HOIModel, scene: Scene, pairs: Pairs, capacity: Capacity, images: Images | None = None
) -> dict[str, Tensor]:
    """The inputs of an `ExportableHead` by name, in its order, padded to its capacity.

    Args:
        scene: after selection, as in `Prediction`.
        pairs: of these entities.
        images: used by an extractor that reads pixels; else None will do.

    Raises:
        UserError: more entities or pairs than the capacity.
    """
    # Cut pairs would be missing from the results without a word.
    entities = scene.entities
    for name, count, limit in zip(
        Capacity._fields, (entities.mask.shape[1], pairs.mask.shape[1]), capacity, strict=True
    ):
        if count > limit:
            raise UserError(f"{count} {name}, but the exported head has a capacity of {limit}")

    inputs = {
        "boxes": padded(entities.boxes.float(), capacity.entities),
        "detection_scores": padded(entities.scores.float(), capacity.entities),
        "labels": padded(entities.labels, capacity.entities),
        "tokens": padded(entities.tokens.float(), capacity.entities),
        "entities_mask": padded(entities.mask, capacity.entities),
        "memory": scene.memory.float(),
        "memory_mask": scene.memory_mask,
        "sizes": scene.sizes.long(),
        "pairs_human": padded(pairs.human, capacity.pairs),
        "pairs_object": padded(pairs.object, capacity.pairs),
        "pairs_mask": padded(pairs.mask, capacity.pairs),
    }
    if model.remine.needs_pixels:
        inputs |= {"pixels": images.pixels, "pixels_mask": images.mask}
    return inputs | {map_input(name): scene.maps[name].float() for name in maps_of(model.remine)}


def padded(values: Tensor, count: int) -> Tensor:
    """(B, N, ...) to (B, count, ...), with zeros or False."""
    missing = count - values.shape[1]
    return F.pad(values, [0, 0] * (values.ndim - 2) + [0, missing])
