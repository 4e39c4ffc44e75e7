"""What the authors' code trains of a DETR, and with which dropout; transformers differs in both."""

import re

from torch import nn
from transformers import PreTrainedModel

from rmlr_lightning.errors import UserError

# Stages 2 to 4 of a ResNet: names of timm, of transformers' ResNets, and of older conversions.
_TRAINED_STAGES = re.compile(r"\b(layer[234]|stages\.[123])\.")

_DETR_TRANSFORMER = ("detr", "conditional_detr", "deformable_detr")


def freeze_stem(network: PreTrainedModel) -> None:
    """Train stages 2 to 4 of the backbone and all behind it, as DETR does (arXiv 2005.12872).

    Statistics and gains of batch normalisation are constants in transformers' DETR, as in the
    authors' code. transformers 5 freezes the stem only for some names of a ResNet, and for others
    the whole backbone.

    Raises:
        UserError: the backbone has no such stages.
    """
    parameters = list(network.model.backbone.named_parameters())
    if not any(_TRAINED_STAGES.search(name) for name, _ in parameters):
        raise UserError(
            "task.module.fine_tune=true: the detector's backbone is not built in stages like a "
            "ResNet; give task.module.fine_tune=false"
        )
    for name, parameter in parameters:
        parameter.requires_grad_(bool(_TRAINED_STAGES.search(name)))


def freeze_unused(network: PreTrainedModel) -> None:
    """Freeze weights that only a pretraining reads: the mask token of RF-DETR's DINOv2.

    Several processes wait for the gradient of every trained weight.
    """
    for name, parameter in network.named_parameters():
        if name.endswith(".mask_token"):
            parameter.requires_grad_(False)


def set_dropout(network: PreTrainedModel, probability: float) -> None:
    """Dropout where the authors' DETR has it: attention weights, feed-forward layers, residuals.

    The configuration of transformers' DETR has it for residuals only, and at the encoder's input,
    where the authors have none. The probabilities are kept in the configuration. Networks without
    DETR's transformer stay as they are: they were trained without dropout.
    """
    if network.config.model_type not in _DETR_TRANSFORMER:
        return
    config = network.config
    config.dropout = config.attention_dropout = config.activation_dropout = probability
    for module in network.modules():
        for name in ("dropout", "attention_dropout", "activation_dropout"):
            if isinstance(getattr(module, name, None), (int, float)):
                setattr(module, name, probability)

    encoder: nn.Module = network.model.encoder
    encoder.dropout = 0.0
