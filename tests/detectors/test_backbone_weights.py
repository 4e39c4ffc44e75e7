from pathlib import Path

import pytest
import torch

import rmlr_lightning
from rmlr_lightning.detectors.transformers import TransformersDetector
from rmlr_lightning.detectors.weights import load_network
from rmlr_lightning.errors import UserError

SHIPPED = Path(rmlr_lightning.__file__).parent / "weights" / "detector_synthetic.safetensors"
BACKBONE = {
    "model_type": "rt_detr_resnet",
    "embedding_size": 32,
    "hidden_sizes": [32, 64, 128, 256],
    "depths": [1, 1, 1, 1],
    "layer_type": "basic",
    "out_features": ["stage3"],
}
SIZES = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_ffn_dim": 16,
    "decoder_ffn_dim": 16,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "num_queries": 4,
}


def conditional(**backbone) -> TransformersDetector:
    return TransformersDetector.from_config(
        "conditional_detr",
        ["person", "dog"],
        backbone_weights=SHIPPED,
        backbone_config=BACKBONE | backbone,
        **SIZES,
    )


def test_a_copied_backbone_computes_the_same_features():
    pixels = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    trained, _ = load_network(SHIPPED)
    old, new = (
        network.eval().model.backbone.model(pixels).feature_maps
        for network in (trained, conditional().network)
    )
    # The shipped network has stages 2, 3 and 4; only stage 3 is configured here.
    assert torch.allclose(new[-1], old[1], atol=1e-4)


def test_a_backbone_of_other_layers_is_refused():
    with pytest.raises(UserError, match="its backbone has other layers than the detector's"):
        conditional(hidden_sizes=[32, 64, 128, 128])
