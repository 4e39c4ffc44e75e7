"""The image tower of a CLIP model of transformers, by hub id or local folder."""

from jaxtyping import Float
from torch import Tensor, nn

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.pixel_network import Level, PixelNetwork

# CLIP's own normalisation of pixels (arXiv 2103.00020)
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


class PatchEmbeddings(nn.Module):
    """Patches in the joint space of images and texts: last norm and projection of each patch.

    CLIP projects the class token only. That the patches go the same way follows ADA-CM (arXiv
    2309.03696).
    """

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pixels: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B C h w"]]:
        vision = self.tower.vision_model
        patch = self.tower.config.patch_size
        states = vision(pixel_values=pixels, interpolate_pos_encoding=True).last_hidden_state
        patches = self.tower.visual_projection(vision.post_layernorm(states[:, 1:]))
        cells = (pixels.shape[2] // patch, pixels.shape[3] // patch)
        return [patches.transpose(1, 2).unflatten(2, cells)]


def clip_network(name: str) -> PixelNetwork:
    """The image tower of a CLIP model; its one map is that of the patches.

    Args:
        name: a folder in the Hugging Face layout, or a hub id, as `text.encoder.name`.

    Raises:
        UserError: it cannot be loaded, or is no CLIP with an image tower.
    """
    from transformers import AutoConfig, CLIPVisionModelWithProjection

    try:
        config = AutoConfig.from_pretrained(name)
        if config.model_type not in ("clip", "clip_vision_model"):
            raise UserError(
                f"model.remine.name={name!r}: a {config.model_type}, not a CLIP with an image "
                "tower; model/remine=backbone takes the networks of timm"
            )
        tower, report = CLIPVisionModelWithProjection.from_pretrained(
            name, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split()).split(". ")[0][:160]
        raise UserError(
            f"model.remine.name={name!r}: neither a folder nor found on the hub ({reason})"
        ) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise UserError(
            f"model.remine.name={name!r}: {len(missing)} weights of the image tower are missing, "
            f"such as {missing[0]}"
        )
    levels = [Level(tower.config.projection_dim, tower.config.patch_size)]
    # maps and stores are named by the folder, not by where it lies
    short = name.rstrip("/").rpartition("/")[2]
    return PixelNetwork(PatchEmbeddings(tower), short, levels, MEAN, STD, patches=True)
