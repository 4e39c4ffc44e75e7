"""DETR checkpoints in the layout of its authors' code, as transformers' network.

That layout is also that of the fine-tuned detectors of UPT and PViC. Weights are mapped key by key;
all that the keys and shapes determine is read from them.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForObjectDetection, PreTrainedModel

from rmlr_lightning.detectors.checkpoint_file import read_weights, shortened
from rmlr_lightning.detectors.class_names import COCO_91, chosen_classes
from rmlr_lightning.errors import UserError
from rmlr_lightning.files import sha256_file
from rmlr_lightning.vocabulary import COCO_OBJECTS

# Rows of the class head, the last of which is "no object", and the classes of the others. DETR's
# are COCO's category ids. UPT and PViC keep the 80 rows in use, in the order of the ids, and
# convert HICO-DET's object numbers to that order for training: theirs is not HICO-DET's order.
CLASSES_OF_HEAD: dict[int, Sequence[str | None]] = {92: COCO_91, 81: COCO_OBJECTS}

# Bottleneck blocks of the four stages -> timm's name.
RESNETS = {(3, 4, 6, 3): "resnet50", (3, 4, 23, 3): "resnet101"}

# Stride or dilation in the last stage (DC5) changes no key and no shape. The four official files
# are recognised by their content: the start of their SHA-256, as in their published names.
DILATION_OF_OFFICIAL = {"e632da11": False, "2c7b67e5": False, "f0fb7ef5": True, "a2e86def": True}

# Not visible in keys or shapes. All published DETRs have these.
HEADS, LAYERS = 8, 6

PARTS = ("encoder", "decoder")

# Names of transformers -> names of DETR's authors.
RENAMED = (
    (r"^model\.backbone\.(?:conv_encoder\.)?model\.", "backbone.0.body."),
    (r"^model\.query_position_embeddings\.", "query_embed."),
    (r"^model\.input_projection\.", "input_proj."),
    (r"^model\.decoder\.layernorm\.", "transformer.decoder.norm."),
    (r"^model\.(encoder|decoder)\.layers\.", r"transformer.\1.layers."),
    (r"^class_labels_classifier\.", "class_embed."),
    (r"^bbox_predictor\.", "bbox_embed."),
    (r"\.self_attn_layer_norm\.", ".norm1."),
    (r"\.encoder_attn_layer_norm\.", ".norm2."),
    (r"(encoder\.layers\.\d+)\.final_layer_norm\.", r"\1.norm2."),
    (r"(decoder\.layers\.\d+)\.final_layer_norm\.", r"\1.norm3."),
    (r"\.encoder_attn\.", ".multihead_attn."),
    (r"_attn\.o_proj\.", "_attn.out_proj."),
    (r"\.(?:mlp\.)?fc([12])\.", r".linear\1."),
)
PROJECTION = re.compile(r"\.([qkv])_proj\.(weight|bias)$")  # one third of the rows of "in_proj_"


class DETRKind(NamedTuple):
    """What keys and shapes determine of a network."""

    backbone: str  # timm's name
    width: int
    queries: int
    outputs: int  # rows of the class head
    feed_forward: tuple[int, int]  # of encoder and decoder
    layers: tuple[int, int]


def load_detr(
    path: Path, dilation: bool | None = None, objects: Sequence[str | None] | None = None
) -> tuple[PreTrainedModel, list[str | None]]:
    """DETR (arXiv 2005.12872) from the official files, or from those of UPT and PViC.

    Args:
        dilation: stride 16 by dilation in the last stage (DC5); None: from the file.
        objects: names of the classes in the head's order, None for one not in use; by default
            COCO's ids for a head of 92 rows, and COCO's 80 objects for one of 81.

    Returns:
        The network in float32, and the names of its classes.

    Raises:
        UserError: not such a file; keys are missing, unexpected or of other shapes; dilation or
            class order are unknown, or differ from what the file states.
    """
    weights, options = read_weights(path)
    weights = {key: value for key, value in weights.items() if "num_batches_tracked" not in key}
    kind = kind_of(weights, path)
    expected = (options.get("enc_layers", LAYERS), options.get("dec_layers", LAYERS))
    if kind.layers != expected:
        raise UserError(
            f"{path}: {kind.layers[0]} encoder and {kind.layers[1]} decoder layers instead of "
            f"{expected[0]} and {expected[1]}; keys of whole layers are missing"
        )

    # what keys and shapes leave open
    names = _classes(kind.outputs, objects, path)
    dilation = _dilation(path, dilation, options, kind.backbone)
    heads = options.get("nheads", HEADS)
    if heads < 1 or kind.width % heads:
        raise UserError(f"{path}: width {kind.width} is not divisible by {heads} heads")
    network = _network(kind, names, dilation, heads)
    network.load_state_dict(_mapped(weights, network, path), strict=True, assign=True)
    return network, names


def kind_of(weights: dict[str, Tensor], path: Path) -> DETRKind:
    """Recognise a DETR from its keys and shapes.

    Raises:
        UserError: it is none, or one with an unknown backbone.
    """
    if "transformer.level_embed" in weights or "class_embed.0.weight" in weights:
        raise UserError(
            f"{path}: a Deformable DETR or H-DETR (it has transformer.level_embed or "
            "class_embed.0.weight), which opens only as a transformers folder"
        )
    blocks = tuple(
        _count(weights, rf"backbone\.0\.body\.layer{stage}\.(\d+)\.conv3\.weight$")
        for stage in (1, 2, 3, 4)
    )
    encoder, decoder = (f"transformer.{part}.layers.0.linear1.weight" for part in PARTS)
    needed = ("query_embed.weight", "class_embed.weight", encoder, decoder)
    missing = [key for key in needed if key not in weights or weights[key].ndim != 2]
    if missing:
        raise UserError(
            f"{path}: not a DETR: no {', '.join(missing)}; its keys are {shortened(weights)}"
        )
    width = weights["query_embed.weight"].shape[1]
    if not len(weights["query_embed.weight"]):
        raise UserError(f"{path}: query_embed.weight has no rows")
    if width % (2 * HEADS):
        raise UserError(f"{path}: query_embed.weight has width {width}, not a multiple of 16")
    if blocks not in RESNETS:
        raise UserError(
            f"{path}: a backbone with {blocks} bottleneck blocks (backbone.0.body.layer1 to "
            f"layer4); only {', '.join(RESNETS.values())} are known"
        )

    layers = [_count(weights, rf"transformer\.{part}\.layers\.(\d+)\.") for part in PARTS]
    return DETRKind(
        RESNETS[blocks],
        width,
        len(weights["query_embed.weight"]),
        len(weights["class_embed.weight"]),
        (len(weights[encoder]), len(weights[decoder])),
        (layers[0], layers[1]),
    )


def _count(weights: dict[str, Tensor], pattern: str) -> int:
    """One more than the highest number that the pattern's group finds in the keys."""
    found = (re.match(pattern, key) for key in weights)
    return max((int(match[1]) for match in found if match), default=-1) + 1


def _classes(outputs: int, objects: Sequence[str | None] | None, path: Path) -> list[str | None]:
    if objects is not None:
        return chosen_classes(objects, outputs - 1, f"class_embed.weight of {path}")
    if outputs not in CLASSES_OF_HEAD:
        raise UserError(
            f"{path}: class_embed.weight has {outputs} rows; only heads of 92 (COCO's ids) and of "
            f"81 (COCO's 80 objects) have a known order: list the {outputs - 1} names in "
            "model.detector.objects"
        )
    return list(CLASSES_OF_HEAD[outputs])


def _dilation(path: Path, configured: bool | None, options: dict[str, Any], backbone: str) -> bool:
    """Whether the last stage is dilated: from the file where it states it, else as configured."""
    stated = options.get("dilation")
    if stated is None:
        stated = DILATION_OF_OFFICIAL.get(sha256_file(path)[:8])
    if stated is None and configured is None:
        name = backbone.replace("resnet", "r")
        raise UserError(
            f"{path}: DETR with and without dilation (DC5) have weights of the same keys and "
            f"shapes, and this file does not state which it is; use model/detector=detr_{name} or "
            f"detr_dc5_{name}"
        )
    if None not in (stated, configured) and stated != configured:
        raise UserError(
            f"{path}: trained {'with' if stated else 'without'} dilation (DC5), but "
            f"model.detector.dilation={str(configured).lower()}"
        )
    return bool(configured if stated is None else stated)


def _network(
    kind: DETRKind, names: Sequence[str | None], dilation: bool, heads: int
) -> PreTrainedModel:
    """The network without values: parameters on the meta device."""
    labels = {index: name or "N/A" for index, name in enumerate(names)}
    config = AutoConfig.for_model(
        "detr",
        backbone=kind.backbone,
        dilation=dilation,
        d_model=kind.width,
        num_queries=kind.queries,
        encoder_layers=kind.layers[0],
        decoder_layers=kind.layers[1],
        encoder_ffn_dim=kind.feed_forward[0],
        decoder_ffn_dim=kind.feed_forward[1],
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        id2label=labels,
        label2id={},
    )
    with torch.device("meta"):
        return AutoModelForObjectDetection.from_config(config)


def _mapped(weights: dict[str, Tensor], network: PreTrainedModel, path: Path) -> dict[str, Tensor]:
    """The weights under the network's names: one value for each name, and no key left over."""
    mapped, used, wrong, damaged = {}, set(), [], []
    for name, own in network.state_dict().items():
        key, part = _original(name)
        used.add(key)
        if key not in weights:
            continue
        value = weights[key]
        # queries, keys and values are one matrix in the original
        if part is not None and value.ndim and len(value) == 3 * len(own):
            value = value[part * len(own) : (part + 1) * len(own)]
        if value.shape != own.shape or not value.is_floating_point():
            # not copied: one stored number can claim any shape
            wrong.append(f"{key} {tuple(weights[key].shape)}")
            continue
        if not value.isfinite().all():
            damaged.append(key)
        mapped[name] = value.to(torch.float32, copy=True).contiguous()

    # in the names of the file, which the user can look up there
    problems = {
        "missing": [key for key in dict.fromkeys(used) if key not in weights],
        "unexpected": [key for key in weights if key not in used],
        "of another shape or type": list(dict.fromkeys(wrong)),
        "not finite": list(dict.fromkeys(damaged)),
    }
    found = [f"{what}: {shortened(sorted(keys))}" for what, keys in problems.items() if keys]
    if found:
        raise UserError(f"{path}: not the weights of a DETR; {'; '.join(found)}")
    return mapped


def _original(name: str) -> tuple[str, int | None]:
    """The key of DETR's authors for a name of transformers, and which third of its rows."""
    for pattern, replacement in RENAMED:
        name = re.sub(pattern, replacement, name)
    projection = PROJECTION.search(name)
    if projection is None:
        return name, None
    letter, kind = projection.groups()
    return name[: projection.start()] + f".in_proj_{kind}", "qkv".index(letter)
