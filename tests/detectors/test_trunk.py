from pathlib import Path

import pytest
import torch

import rmlr_lightning
from rmlr_lightning.detectors.transformers import Detector
from rmlr_lightning.detectors.weights import load_network
from rmlr_lightning.errors import UserError

SHIPPED = Path(rmlr_lightning.__file__).parent / "weights" / "detector_synthetic.safetensors"
TRUNK = {
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
}


def conditional(**trunk) -> Detector:
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "num_queries": 4}
    config = {**SIZES, **heads, "backbone_config": TRUNK | trunk}
    return Detector.fresh("conditional_detr", ["person", "dog"], trunk=SHIPPED, stride=16, **config)


def test_a_trunk_sees_what_it_saw_where_it_was_trained():
    pixels = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    source, _ = load_network(SHIPPED)
    old, new = (
        n.eval().model.backbone.model(pixels).feature_maps for n in (source, conditional().network)
    )
    assert torch.allclose(new[-1], old[1], atol=1e-4)  # stage2 and stage4 are not asked for


def test_a_trunk_of_another_shape_is_refused():
    with pytest.raises(UserError, match="its backbone has other layers than the detector's"):
        conditional(hidden_sizes=[32, 64, 128, 128])
