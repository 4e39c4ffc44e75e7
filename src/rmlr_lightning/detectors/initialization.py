"""How a DETR starts: what the papers' code sets and transformers 5 leaves out.

transformers makes these networks to be filled from a file. Trained from its own random weights, Conditional and
Deformable DETR hold every class for likely in every query, and hardly learn anything else for thousands of steps.
"""

import math

import torch
from torch import nn
from transformers import PreTrainedModel

PAPERS = (
    "detr",
    "conditional_detr",
    "deformable_detr",
)  # the RT-DETR line starts as its authors' code does
RATE = 0.01  # of a class in a query, before anything is learned (focal loss, arXiv 1708.02002)


@torch.no_grad()
def start(network: PreTrainedModel) -> None:
    """Set the initial values of a network that will be trained from scratch, in place.

    Gains of batch normalisation start at one: transformers 5 draws them from N(0, .01), with which nothing trains. In
    the networks of `PAPERS` projections start by Xavier's rule, boxes at their reference points, and classes scored by
    sigmoids at `RATE`, as in the code of arXiv 2005.12872, 2108.06152 and 2010.04159.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    if network.config.model_type not in PAPERS:
        return
    linear = {name: part for name, part in network.named_modules() if isinstance(part, nn.Linear)}
    for name, part in linear.items():
        if (
            "backbone" not in name
            and "sampling_offsets" not in name
            and "attention_weights" not in name
        ):
            nn.init.xavier_uniform_(part.weight)
    if network.config.model_type == "detr":  # classes by a softmax; boxes start anywhere
        return
    for name, part in linear.items():
        if "class_embed" in name or "class_labels_classifier" in name:
            nn.init.constant_(part.bias, -math.log((1 - RATE) / RATE))
        elif part.out_features == 4 and ("bbox_embed" in name or "bbox_predictor" in name):
            nn.init.zeros_(part.weight)
            nn.init.zeros_(part.bias)
