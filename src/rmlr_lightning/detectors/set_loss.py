"""The set loss of DETR and Conditional DETR over all decoder layers, without a change of outputs.

With `auxiliary_loss` transformers 5 normalises the states between the decoder's layers, where the
authors' code normalises a copy of them for the losses: a pretrained network then gives other
boxes. So the option stays off in these networks. The states are collected beside the decoder
instead, and the losses are those of transformers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, distributed
from transformers import PreTrainedModel

# Their decoders change with `auxiliary_loss`; the others of the family are run as they are.
COLLECTED = ("detr", "conditional_detr")


def run_with_loss(
    network: PreTrainedModel,
    pixels: Tensor,
    mask: Tensor,
    labels: list[dict[str, Tensor]],
) -> Any:
    """Run a network on a batch with true boxes; `loss` of its outputs is the sum over all layers.

    The terms are DETR's (arXiv 2005.12872, section 3.1 and appendix A.2): Hungarian matching per
    layer, cross-entropy or focal loss of the classes, L1 and GIoU of the boxes. Sums are divided by
    the number of true boxes, in several processes by their mean number.

    Args:
        network: one of `detectors.weights.FAMILY`, in training mode.
        pixels: "B 3 H W", normalised as the network expects.
        mask: "B H W" integers, 1 on pixels.
        labels: per image "class_labels" "G" and "boxes" "G 4", cxcywh in [0, 1].

    Returns:
        The network's own outputs with `loss`.
    """
    if network.config.model_type not in COLLECTED:
        outputs = network(pixel_values=pixels, pixel_mask=mask, labels=labels)
        # Without a true box there is no denoising. Several processes wait for the gradient of
        # every trained weight, if only 0.
        denoising = getattr(network.model, "denoising_class_embed", None)
        if denoising is not None:
            outputs.loss = outputs.loss + 0 * denoising.weight.sum()
        return outputs

    with _decoder_states(network) as (states, decoded):
        outputs = network(pixel_values=pixels, pixel_mask=mask)
    # Heads and losses in float32 also under autocast: bfloat16 leaves boxes three digits.
    with torch.autocast(pixels.device.type, enabled=False):
        normalised = network.model.decoder.layernorm(torch.stack(states).float())
        logits = network.class_labels_classifier(normalised)
        boxes = network.bbox_predictor(normalised)
        if network.config.model_type == "conditional_detr":
            # Its boxes are offsets from the reference points, "Q B 2" in [0, 1].
            centres = decoded[0].reference_points.float().transpose(0, 1).logit(eps=1e-5)
            boxes = torch.cat([boxes[..., :2] + centres, boxes[..., 2:]], -1)
        outputs.loss = set_loss(network, logits, boxes.sigmoid(), labels)
    return outputs


def set_loss(
    network: PreTrainedModel,
    logits: Float[Tensor, "L B Q K"],
    boxes: Float[Tensor, "L B Q 4"],
    labels: list[dict[str, Tensor]],
) -> Float[Tensor, ""]:
    """The weighted loss of the outputs of all L decoder layers, last layer last.

    Args:
        network: one of `COLLECTED`; its configuration holds the weights and costs.
        boxes: cxcywh in [0, 1].
        labels: see `run_with_loss`.
    """
    config = copy(network.config)
    config.auxiliary_loss = True
    loss, terms, _ = network.loss_function(
        logits[-1], labels, logits.device, boxes[-1], config, logits, boxes
    )
    return _averaged_over_processes(loss, terms, config, labels)


@contextmanager
def _decoder_states(network: PreTrainedModel) -> Iterator[tuple[list[Tensor], list[Any]]]:
    """Lists that fill when the network runs: the states after each layer, the decoder's output."""
    states: list[Tensor] = []
    decoded: list[Any] = []
    decoder = network.model.decoder
    handles = [
        layer.register_forward_hook(lambda _, __, state: states.append(_first(state)))
        for layer in decoder.layers
    ]
    handles.append(decoder.register_forward_hook(lambda _, __, output: decoded.append(output)))
    try:
        yield states, decoded
    finally:
        for handle in handles:
            handle.remove()


def _first(output: Any) -> Tensor:
    return output[0] if isinstance(output, tuple) else output


def _averaged_over_processes(
    loss: Tensor, terms: dict[str, Tensor], config: Any, labels: list[dict[str, Tensor]]
) -> Tensor:
    """The loss as if its sums were divided by the mean number of true boxes of all processes."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return loss
    own = sum(len(label["class_labels"]) for label in labels)
    count = loss.new_tensor(float(own))
    distributed.all_reduce(count)
    mean = (count / distributed.get_world_size()).clamp_min(1)
    ratio = max(own, 1) / mean

    # DETR's cross-entropy is a mean over the queries; a focal loss is divided by the boxes.
    if config.model_type != "detr":
        return loss * ratio
    for name, term in terms.items():
        if name.startswith("loss_bbox"):
            loss = loss + config.bbox_loss_coefficient * (ratio - 1) * term
        elif name.startswith("loss_giou"):
            loss = loss + config.giou_loss_coefficient * (ratio - 1) * term
    return loss
