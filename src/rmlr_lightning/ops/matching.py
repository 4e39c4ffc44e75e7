"""Matching of candidate pairs to annotated pairs, and the labels that follow from it."""

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.nn import functional as F

from rmlr_lightning.ops.boxes import batched_iou
from rmlr_lightning.ops.masked import can_count, gather_rows
from rmlr_lightning.types import Entities, Pairs, Positives, Truth


def match_pairs(
    entities: Entities,
    pairs: Pairs,
    truth: Truth,
    min_overlap: float = 0.5,
    same_object: bool = True,
) -> Bool[Tensor, "B P V"]:
    """True verbs of each pair: of all annotated pairs with min(IoU_h, IoU_o) >= `min_overlap`.

    Args:
        same_object: the object classes must agree, too. Our reading: UPT matches by overlap alone,
            so that a misclassified object is taught the verb, although evaluation counts it as
            a false positive.
    """
    annotated = torch.cat([truth.boxes_h, truth.boxes_o], 1)
    fits = batched_iou(entities.boxes.float(), annotated) >= min_overlap  # B N 2G
    fits_h, fits_o = fits.chunk(2, 2)

    match = gather_rows(fits_h, pairs.human) & gather_rows(fits_o, pairs.object)  # B P G
    match &= truth.mask[:, None] & pairs.mask[..., None]
    if same_object:
        match &= pairs.object_class[..., None] == truth.objects[:, None]

    # a product counts the annotated pairs of each verb; any of them is enough
    return torch.bmm(match.float(), truth.verbs.float()) > 0


def select_positives(
    verbs: Bool[Tensor, "B P V"],
    pairs: Pairs,
    phrase_verbs: Tensor,
    phrase_objects: Tensor,
    max_per_image: int = 32,
) -> Positives:
    """The interacting pairs of each image and their true phrases.

    On a CPU there are as many rows per image as the fullest image needs. Elsewhere there are
    always `max_per_image` (`ops.masked.can_count`), or as many as there are pairs; in compiled
    code with fewer pairs, too.

    Args:
        verbs: true verbs of valid object-verb pairs.
        phrase_verbs, phrase_objects: verb and object class of each phrase, (T,).
        max_per_image: further interacting pairs of an image are left out.
    """
    # On a CPU `any` over the last axis takes three times as long as a maximum of bytes. Compiled
    # code (torch 2.15) views booleans as other bytes than 0 and 1.
    is_fast = can_count(verbs)
    interacts = verbs.view(torch.uint8).amax(-1).bool() if is_fast else verbs.any(-1)
    interacts = interacts & pairs.mask
    rows = max_per_image
    if can_count(interacts) and interacts.numel():
        rows = min(rows, max(1, int(interacts.sum(1).max())))

    candidates = interacts.to(torch.uint8)
    if torch.compiler.is_compiling():
        candidates = F.pad(candidates, (0, rows))  # one graph, whether there are as many or not
    found, index = candidates.sort(dim=1, descending=True, stable=True)
    mask, index = found[:, :rows].bool().flatten(), index[:, :rows]
    if torch.compiler.is_compiling():
        index = index.clamp(max=interacts.shape[1] - 1)
    objects = gather_rows(pairs.object_class, index).flatten()

    has_verb = gather_rows(verbs, index).flatten(0, 1)[:, phrase_verbs]  # R T
    phrases = has_verb & (objects[:, None] == phrase_objects) & mask[:, None]
    return Positives(index, mask, objects, phrases)
