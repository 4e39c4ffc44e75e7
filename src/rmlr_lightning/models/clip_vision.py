"""The image tower of a CLIP model of transformers, by hub id or local folder."""

import json
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoConfig, CLIPModel, CLIPVisionConfig, CLIPVisionModelWithProjection

from rmlr_lightning.errors import UserError
from rmlr_lightning.files import ask_hub
from rmlr_lightning.models.pixel_network import Level, PixelNetwork
from rmlr_lightning.ops.finite import check_weights

# CLIP's own normalisation of pixels (arXiv 2103.00020)
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)

CLASSES = {"clip": CLIPModel, "clip_vision_model": CLIPVisionModelWithProjection}


class PatchEmbeddings(nn.Module):
    """Patches in the joint space of images and texts: last norm and projection of each patch.

    CLIP projects the class token alone. That the patches go the same way is our reading.
    """

    def __init__(self, tower: nn.Module, projection: nn.Linear) -> None:
        super().__init__()
        self.tower, self.projection = tower, projection

    def forward(self, pixels: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B C h w"]]:
        patch = self.tower.config.patch_size
        # positions are interpolated to the canvas
        states = self.tower(pixel_values=pixels, interpolate_pos_encoding=True).last_hidden_state
        patches = self.projection(self.tower.post_layernorm(states[:, 1:]))
        cells = (pixels.shape[2] // patch, pixels.shape[3] // patch)
        return [patches.transpose(1, 2).unflatten(2, cells)]


def clip_network(name: str) -> PixelNetwork:
    """The image tower of a CLIP model; its one map is that of the patches.

    Args:
        name: a folder in the Hugging Face layout, or a hub id, as `text.encoder.name`.

    Raises:
        UserError: it cannot be loaded, or is no CLIP with an image tower.
    """
    try:
        ask_hub(name)
        kind = AutoConfig.from_pretrained(name).model_type
        if kind not in CLASSES:
            raise UserError(
                f"model.remine.name={name!r}: a {kind}, not a CLIP with an image tower; "
                "model/remine=backbone takes the networks of timm"
            )
        clip, report = CLASSES[kind].from_pretrained(
            name, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split()).split(". ")[0][:160]
        raise UserError(
            f"model.remine.name={name!r}: neither a folder nor found on the hub ({reason})"
        ) from error

    # transformers fills what is missing with random numbers
    missing = sorted(report["missing_keys"])
    if missing:
        raise UserError(
            f"model.remine.name={name!r}: weights missing: {len(missing)}, such as {missing[0]}"
        )
    check_weights(clip.state_dict(), f"model.remine.name={name!r}")
    # maps and stores are named by the folder, not by where it lies
    return _pixel_network(clip, name.rstrip("/").rpartition("/")[2])


def clip_structure(name: str, config: dict[str, Any]) -> PixelNetwork:
    """As `clip_network`, with random weights, from plain values: reads no file.

    Args:
        name: for the name of its map.
        config: of the image tower, a CLIPVisionConfig of transformers.
    """
    return _pixel_network(
        CLIPVisionModelWithProjection(CLIPVisionConfig.from_dict(config)).eval(), name
    )


def _pixel_network(clip: nn.Module, name: str) -> PixelNetwork:
    tower, projection = clip.vision_model, clip.visual_projection
    # complete, so that another version of transformers with other defaults reads the same
    config = json.loads(tower.config.to_json_string(use_diff=False))
    # a whole CLIP keeps the width of the joint space elsewhere
    config["projection_dim"] = projection.out_features
    structure = {
        "_target_": f"{__name__}.{clip_structure.__name__}",
        "name": name,
        "config": config,
    }
    levels = [Level(projection.out_features, tower.config.patch_size)]
    body = PatchEmbeddings(tower, projection)
    return PixelNetwork(body, name, levels, MEAN, STD, patches=True, structure=structure)
