import pytest
import torch

from rmlr_lightning.detectors.fine_tuning import freeze_stem, set_dropout
from rmlr_lightning.detectors.weights import network_from_config, network_from_hub
from rmlr_lightning.errors import UserError
from tests.tiny_detectors import DETR, LAYERS, RESNET, RF_DETR, RT_DETR

TIMM = {
    "model_type": "timm_backbone",
    "backbone": "resnet18",
    "features_only": True,
    "use_pretrained_backbone": False,
    "out_indices": [1, 2, 3, 4],
}
TRANSFORMERS = {
    "model_type": "resnet",
    "embedding_size": 8,
    "hidden_sizes": [8, 8, 16, 16],
    "depths": [1, 1, 1, 1],
    "layer_type": "basic",
    "out_features": ["stage4"],
}
BACKBONES = {
    "timm": (TIMM, ("layer2.", "layer3.", "layer4.")),
    "resnet": (TRANSFORMERS, ("stages.1.", "stages.2.", "stages.3.")),
    "rt_detr_resnet": (
        RESNET | {"out_features": ["stage4"]},
        ("stages.1.", "stages.2.", "stages.3."),
    ),
}


@pytest.mark.parametrize("kind", BACKBONES)
def test_stem_and_first_stage_of_a_loaded_network_are_frozen(kind, tmp_path):
    backbone, trained = BACKBONES[kind]
    config = DETR | {"backbone_config": backbone}
    network_from_config("detr", num_labels=4, **config).save_pretrained(tmp_path)
    network = network_from_hub(str(tmp_path))
    freeze_stem(network)

    for name, parameter in network.named_parameters():
        in_backbone = "backbone.model" in name
        assert parameter.requires_grad == (not in_backbone or any(s in name for s in trained)), name
    frozen = [p for p in network.model.backbone.parameters() if not p.requires_grad]
    assert frozen, "there is a stem to freeze"


def test_frozen_batch_normalisation_does_not_change_in_training():
    network = network_from_config("detr", num_labels=4, **DETR).train()
    before = {k: v.clone() for k, v in network.named_buffers() if "running" in k}
    network(torch.randn(2, 3, 64, 64))
    assert before
    for name, value in network.named_buffers():
        assert name not in before or torch.equal(value, before[name])


def test_dropout_is_where_the_original_has_it(monkeypatch):
    layers = LAYERS | {"encoder_layers": 1, "decoder_layers": 1, "attn_implementation": "eager"}
    network = network_from_config("detr", num_labels=4, **DETR | layers).train()
    set_dropout(network, 0.25)

    used, dropout = [], torch.nn.functional.dropout
    monkeypatch.setattr(
        torch.nn.functional,
        "dropout",
        lambda x, p=0.5, training=True, inplace=False: (
            used.append(p * training) or dropout(x, p, training, inplace)
        ),
    )
    network(torch.randn(1, 3, 64, 64))
    # Encoder layer: attention weights, attention, hidden units, feed-forward. Decoder layer: the
    # same with two attentions. The encoder's input has none.
    assert sorted(used) == [0.0] + [0.25] * (4 + 6)
    assert network.config.attention_dropout == 0.25


def test_evaluation_has_no_dropout():
    network = network_from_config("detr", num_labels=4, **DETR)
    set_dropout(network, 0.5)
    pixels = torch.randn(1, 3, 64, 64)
    network.train()
    assert not torch.equal(network(pixels).logits, network(pixels).logits)
    network.eval()
    assert torch.equal(network(pixels).logits, network(pixels).logits)


def test_a_backbone_without_stages_is_refused():
    network = network_from_config("rf_detr", num_labels=4, **RF_DETR)
    with pytest.raises(UserError, match=r"task\.module\.fine_tune=false"):
        freeze_stem(network)


def test_other_transformers_keep_their_dropout():
    network = network_from_config("rt_detr_v2", num_labels=4, **RT_DETR)
    set_dropout(network, 0.25)
    assert network.config.dropout == 0.0
