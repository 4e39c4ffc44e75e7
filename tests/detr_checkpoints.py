"""Checkpoints of the official DETR's structure: its keys and shapes with values made from the keys.

The values are the same in every run, so recorded outputs of the original implementation can be
compared without storing weights.
"""

import zlib
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]

# Bottleneck blocks of the four stages.
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
# Larger and smaller weights than the rule below: queries then differ in class and box.
GAINS = {
    "query_embed": 2.0,
    "self_attn.out_proj": 0.3,
    "multihead_attn.in_proj_weight": 1.5,
    "input_proj": 0.1,
    "class_embed": 2.0,
    "bbox_embed.layers.2": 2.0,
}

LAYERS = 6  # of the encoder and of the decoder
QUERIES, FEED_FORWARD = 100, 2048


def official_shapes(depth: int = 50, outputs: int = 92, width: int = 256) -> Shapes:
    """Keys and shapes of DETR with a ResNet of this depth, in the names of facebookresearch/detr.

    Args:
        depth: of the ResNet; with dilation (DC5) keys and shapes are the same.
        outputs: rows of the class head: COCO's ids 0..90 and "no object" make 92.
        width: of the transformer.
    """
    shapes = dict(_backbone(BLOCKS[depth]))
    shapes["input_proj.weight"] = (width, 2048, 1, 1)
    shapes["input_proj.bias"] = (width,)
    shapes["query_embed.weight"] = (QUERIES, width)

    for number in range(LAYERS):
        encoder = f"transformer.encoder.layers.{number}"
        decoder = f"transformer.decoder.layers.{number}"
        shapes |= _attention(f"{encoder}.self_attn", width) | _feed_forward(encoder, width)
        shapes |= _norms(f"{encoder}.norm1", f"{encoder}.norm2", width=width)
        shapes |= _attention(f"{decoder}.self_attn", width)
        shapes |= _attention(f"{decoder}.multihead_attn", width) | _feed_forward(decoder, width)
        norms = [f"{decoder}.norm{i}" for i in (1, 2, 3)]
        shapes |= _norms(*norms, width=width)
    shapes |= _norms("transformer.decoder.norm", width=width)

    shapes |= _linear("class_embed", width, outputs)
    shapes |= _linear("bbox_embed.layers.0", width, width)
    shapes |= _linear("bbox_embed.layers.1", width, width)
    return shapes | _linear("bbox_embed.layers.2", width, 4)


def seeded(shapes: Shapes) -> dict[str, Tensor]:
    """Values that depend on key and shape only, scaled so that activations stay near 1."""
    return {key: _value(key, shape) for key, shape in shapes.items()}


def zeros(shapes: Shapes) -> dict[str, Tensor]:
    """All values zero and stored once per key: a checkpoint of the real shapes in a small file."""
    return {key: torch.zeros(1).expand(shape) for key, shape in shapes.items()}


def _value(key: str, shape: tuple[int, ...]) -> Tensor:
    # Streams of RandomState are the same in all versions of NumPy.
    values = np.random.RandomState(zlib.crc32(key.encode())).random_sample(shape) * 2 - 1
    name = key.rpartition(".")[2]
    if len(shape) > 1:
        # a uniform distribution of deviation (2 / fan in) ** 0.5
        fan_in = 1 if key == "query_embed.weight" else np.prod(shape[1:])
        gain = next((gain for part, gain in GAINS.items() if part in key), 1.0)
        values = values * gain * (6 / fan_in) ** 0.5
    elif name in ("weight", "running_var"):
        # small gains at the end of a block keep the sum over many blocks small
        values = (1 + values / 2) * (0.3 if key.endswith("bn3.weight") else 1.0)
    else:
        values = values / 10
    return torch.from_numpy(values).float()


def _backbone(blocks: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    body = "backbone.0.body"
    yield f"{body}.conv1.weight", (64, 3, 7, 7)
    yield from _batch_norm(f"{body}.bn1", 64)
    channels = 64
    for stage, count in enumerate(blocks):
        narrow = 64 * 2**stage
        wide = 4 * narrow
        for number in range(count):
            block = f"{body}.layer{stage + 1}.{number}"
            yield f"{block}.conv1.weight", (narrow, channels, 1, 1)
            yield from _batch_norm(f"{block}.bn1", narrow)
            yield f"{block}.conv2.weight", (narrow, narrow, 3, 3)
            yield from _batch_norm(f"{block}.bn2", narrow)
            yield f"{block}.conv3.weight", (wide, narrow, 1, 1)
            yield from _batch_norm(f"{block}.bn3", wide)
            if number == 0:
                yield f"{block}.downsample.0.weight", (wide, channels, 1, 1)
                yield from _batch_norm(f"{block}.downsample.1", wide)
            channels = wide


def _batch_norm(name: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", (channels,)


def _attention(name: str, width: int) -> Shapes:
    projections = {
        f"{name}.in_proj_weight": (3 * width, width),
        f"{name}.in_proj_bias": (3 * width,),
    }
    return projections | _linear(f"{name}.out_proj", width, width)


def _feed_forward(name: str, width: int) -> Shapes:
    up = _linear(f"{name}.linear1", width, FEED_FORWARD)
    return up | _linear(f"{name}.linear2", FEED_FORWARD, width)


def _norms(*names: str, width: int) -> Shapes:
    return {f"{name}.{part}": (width,) for name in names for part in ("weight", "bias")}


def _linear(name: str, inputs: int, outputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
