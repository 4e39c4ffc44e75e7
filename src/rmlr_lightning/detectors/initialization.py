"""Initial weights of a DETR: what the papers' code sets and transformers 5 leaves out.

transformers expects these networks to be filled from a checkpoint. Trained from its own random
weights, Conditional and Deformable DETR give every class a high score in every query, and learn
hardly anything else for thousands of steps.
"""

import math

import torch
from torch import nn
from transformers import PreTrainedModel

# The RT-DETR line and D-FINE start as their authors' code does; these three do not.
NEED_INITIALIZATION = ("detr", "conditional_detr", "deformable_detr")

# Probability of a class in a query before training (focal loss, arXiv 1708.02002).
INITIAL_PROBABILITY = 0.01

# Layers with an initialisation of their own, which transformers does set.
ALREADY_INITIALIZED = ("backbone", "sampling_offsets", "attention_weights")


@torch.no_grad()
def initialize_for_training(network: PreTrainedModel) -> None:
    """Set the initial weights of a network that is trained from scratch, in place.

    Gains of batch normalisation are set to one: transformers 5 draws them from N(0, 0.01), with
    which nothing trains. The networks of `NEED_INITIALIZATION` get the initial weights of the code
    of arXiv 2005.12872, 2108.06152 and 2010.04159: linear layers by Xavier's rule, box offsets of
    zero, and for networks that score classes by sigmoids a bias for `INITIAL_PROBABILITY`.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)

    model_type = network.config.model_type
    if model_type not in NEED_INITIALIZATION:
        return

    linear = {name: part for name, part in network.named_modules() if isinstance(part, nn.Linear)}
    for name, layer in linear.items():
        if not any(part in name for part in ALREADY_INITIALIZED):
            nn.init.xavier_uniform_(layer.weight)

    # DETR scores classes by a softmax and has no reference points, so it needs neither of these.
    if model_type == "detr":
        return
    for name, layer in linear.items():
        if "class_embed" in name or "class_labels_classifier" in name:
            odds = INITIAL_PROBABILITY / (1 - INITIAL_PROBABILITY)
            nn.init.constant_(layer.bias, math.log(odds))
        elif layer.out_features == 4 and ("bbox_embed" in name or "bbox_predictor" in name):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
