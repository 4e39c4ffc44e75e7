"""Named feature maps of a detector's backbone: c3, c4 and c5, beside its memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor, nn

from rmlr_lightning.errors import UserError


class Stage(NamedTuple):
    """A stage of a backbone, whose output is a map."""

    module: nn.Module
    dim: int  # channels
    stride: int  # pixels per cell


def backbone_stages(network: nn.Module) -> dict[str, Stage]:
    """The stages of a convolutional backbone of transformers' DETR family, by name of their map.

    c2 to c5 are the stages of a ResNet after its stem. A network whose backbone is a transformer
    has none of them.
    """
    # The classes of the family differ, but their backbones lie at the same place.
    encoder = getattr(getattr(network, "model", None), "backbone", None)
    backbone = getattr(encoder, "model", None)
    if hasattr(backbone, "feature_info"):  # of timm
        modules = dict(backbone.named_children())
        stages = [
            Stage(modules[info["module"]], info["num_chs"], info["reduction"])
            for info in backbone.feature_info.info
            if info["module"] in modules
        ][1:]  # without the stem
    elif hasattr(getattr(backbone, "encoder", None), "stages"):  # of transformers
        stages = [
            Stage(module, backbone.num_features[number + 1], 4 * 2**number)
            for number, module in enumerate(backbone.encoder.stages)
        ]
    else:
        stages = []
    return {f"c{number}": stage for number, stage in enumerate(stages, 2)}


def finest_stride(network: nn.Module) -> int:
    """Pixels per cell of the finest feature map that the decoder reads, from the configuration.

    It is 32 for DETR and 16 where its last stage is dilated (DC5). Of several levels it is the
    first one's.
    """
    config = network.config
    if hasattr(config, "feat_strides"):  # the RT-DETR line and D-FINE
        return config.feat_strides[0]
    backbone = network.model.backbone
    if not hasattr(backbone, "model"):  # RF-DETR: a ViT
        return config.backbone_config.patch_size

    backbone = backbone.model
    if hasattr(backbone, "feature_info"):  # of timm
        strides = backbone.feature_info.reduction()
    else:  # of transformers
        strides = [2 * 2 ** int(name.removeprefix("stage")) for name in backbone.out_features]
    return strides[0] if getattr(config, "num_feature_levels", 1) > 1 else strides[-1]


def encoder_outputs(outputs: Any) -> Tensor | Sequence[Tensor]:
    """The maps that the decoder reads. RF-DETR has no encoder: its decoder reads the backbone."""
    if "backbone_features" in outputs:
        return [outputs.backbone_features]
    return outputs.encoder_last_hidden_state


def input_size(network: nn.Module, size: Sequence[int]) -> tuple[int, int]:
    """(height, width) that a network reads an image of this size at, both in pixels.

    The RT-DETR line and D-FINE add maps of different strides, so sides are multiples of the
    coarsest stride. RF-DETR divides images into windows of patches. Both choose their queries among
    the cells, of which there must be as many. Sides are rounded up.
    """
    config = network.config
    backbone = getattr(config, "backbone_config", None)
    if hasattr(config, "feat_strides"):
        strides = list(config.feat_strides)
        unit = strides[-1]
    elif hasattr(backbone, "num_windows"):
        strides = [backbone.patch_size]
        unit = backbone.patch_size * backbone.num_windows
    else:
        return size[0], size[1]

    height, width = (-(-side // unit) * unit for side in size)
    while sum((height // step) * (width // step) for step in strides) < config.num_queries:
        height, width = 2 * height, 2 * width
    return height, width


@contextmanager
def captured(modules: dict[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """The outputs of these modules, by name, as soon as they have run."""
    outputs: dict[str, Tensor] = {}

    def keep(name: str, module: nn.Module, inputs: tuple, output: Tensor) -> None:
        outputs[name] = output

    handles = [
        module.register_forward_hook(partial(keep, name)) for name, module in modules.items()
    ]
    try:
        yield outputs
    finally:
        # A hook that stays would keep the maps of the last batch in memory.
        for handle in handles:
            handle.remove()


def give_maps(detector: nn.Module, maps: Sequence[str]) -> None:
    """Let a detector add these maps to its Scenes (`detectors.base.GivesMaps`).

    Raises:
        UserError: it has no map of that name.
    """
    known = getattr(detector, "map_dims", {})
    for name in maps:
        if name not in known:
            raise UserError(
                f"model.remine: this detector has no map {name!r}; choose from "
                f"{', '.join(['memory', *known])}"
            )
    # A detector without maps may lack the attribute.
    if known:
        detector.maps = tuple(maps)
