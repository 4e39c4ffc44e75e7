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
RF_DETR = {
    "backbone_config": {
        "model_type": "rf_detr_dinov2",
        "hidden_size": 16,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "patch_size": 8,
        "num_windows": 2,
        "image_size": 64,
        "out_features": ["stage1", "stage3"],
    },
    "d_model": 16,
    "decoder_layers": 2,
    "decoder_ffn_dim": 32,
    "decoder_self_attention_heads": 2,
    "decoder_cross_attention_heads": 2,
    "num_queries": 12,
    "group_detr": 3,
}
# model type: its configuration, the finest map's stride
FAMILY = {
    "detr": (DETR, 32),
    "conditional_detr": (DETR, 32),
    "deformable_detr": (DEFORMABLE, 8),
    "rt_detr": (RT_DETR, 8),
    "rt_detr_v2": (RT_DETR, 8),
    "d_fine": (RT_DETR, 8),
    "rf_detr": (RF_DETR, 8),
}
OBJECTS = ["person", "bicycle", "car", "motorcycle"]


def tiny_detector(model_type: str = "rt_detr_v2", frozen: bool = True) -> TransformersDetector:
    """A random detector of 16 channels and 12 queries; four classes."""
    torch.manual_seed(0)
    config, _ = FAMILY[model_type]
    return TransformersDetector.from_config(model_type, OBJECTS, frozen, **config)
