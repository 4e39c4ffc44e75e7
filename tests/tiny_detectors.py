"""Small random detectors of every network of the DETR family."""

import torch

from rmlr_lightning.detectors.transformers import TransformersDetector

RESNET = {
    "model_type": "rt_detr_resnet",
    "embedding_size": 8,
    "hidden_sizes": [8, 8, 16, 16],
    "depths": [1, 1, 1, 1],
    "layer_type": "basic",
}
RT_DETR = {
    "backbone_config": RESNET | {"out_features": ["stage2", "stage3", "stage4"]},
    "freeze_backbone_batch_norms": False,
    "encoder_in_channels": [8, 16, 16],
    "encoder_hidden_dim": 16,
    "encoder_ffn_dim": 32,
    "encoder_attention_heads": 2,
    "d_model": 16,
    "decoder_in_channels": [16, 16, 16],
    "decoder_ffn_dim": 32,
    "decoder_attention_heads": 2,
    "decoder_layers": 2,
    "num_queries": 12,
    "num_denoising": 6,
}
LAYERS = {
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
}
DETR = LAYERS | {
    "backbone_config": RESNET | {"out_features": ["stage4"]},
    "use_timm_backbone": False,
    "use_pretrained_backbone": False,
    "d_model": 16,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "num_queries": 12,
}
DEFORMABLE = DETR | {
    "d_model": 32,
    "backbone_config": RESNET | {"out_features": ["stage2", "stage3", "stage4"]},
    "num_feature_levels": 3,
}
# model type: its configuration, whether classes are scored by a softmax, the finest map's stride
FAMILY = {
    "detr": (DETR, True, 32),
    "conditional_detr": (DETR, False, 32),
    "deformable_detr": (DEFORMABLE, False, 8),
    "rt_detr": (RT_DETR, False, 8),
    "rt_detr_v2": (RT_DETR, False, 8),
    "d_fine": (RT_DETR, False, 8),
}
OBJECTS = ["person", "bicycle", "car", "motorcycle"]


def tiny_detector(model_type: str = "rt_detr_v2", frozen: bool = True) -> TransformersDetector:
    """A random detector of 16 channels and 12 queries; four classes."""
    torch.manual_seed(0)
    config, softmax, stride = FAMILY[model_type]
    return TransformersDetector.from_config(model_type, OBJECTS, softmax, stride, frozen, **config)
