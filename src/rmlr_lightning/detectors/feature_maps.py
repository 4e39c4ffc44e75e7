"""Named feature maps of a detector's backbone: c3, c4 and c5, beside its memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

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
    encoder = getattr(getattr(network, "model", None), "backbone", None)
    backbone = getattr(encoder, "model", None)
    if hasattr(backbone, "feature_info"):  # of timm
        modules = dict(backbone.named_children())
        stages = [
            Stage(modules[info["module"]], info["num_chs"], info["reduction"])
            for info in backbone.feature_info.info
            if info["module"] in modules
        ][1:]
    elif hasattr(getattr(backbone, "encoder", None), "stages"):  # of transformers
        stages = [
            Stage(module, backbone.num_features[number + 1], 4 * 2**number)
            for number, module in enumerate(backbone.encoder.stages)
        ]
    else:
        stages = []
    return {f"c{number}": stage for number, stage in enumerate(stages, 2)}


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
    if known:
        detector.maps = tuple(maps)
