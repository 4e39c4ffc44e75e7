"""A detector and a second frozen network on the same pixels, as one first stage."""

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from rmlr_lightning.detectors.base import Detector
from rmlr_lightning.types import Images, Scene


class WithSecondNetwork(nn.Module):
    """The detector's Scenes, with the maps of a frozen network beside its own (`GivesMaps`).

    Whatever holds for the detector's outputs holds for these maps: they are cached, and a
    checkpoint has the hash of the network instead of its weights.

    Args:
        detector: frozen.
        network: images -> maps; has `maps` (by name: channels and stride), `masks(images)` (the
            real cells of each map) and `fingerprint()`.
    """

    def __init__(self, detector: Detector, network: nn.Module) -> None:
        super().__init__()
        self.detector, self.network = detector, network
        self.token_dim, self.memory_dim = detector.token_dim, detector.memory_dim
        self.stride, self.num_queries = detector.stride, detector.num_queries
        self.objects = detector.objects
        # The hash of the weights stands for them in checkpoints and caches: they must not change.
        self.network.requires_grad_(False)
        self.eval()

    @staticmethod
    def apart(detector: Detector) -> tuple[Detector, nn.Module | None]:
        """A detector, and the network beside it if it has one."""
        if isinstance(detector, WithSecondNetwork):
            return detector.detector, detector.network
        return detector, None

    @property
    def maps(self) -> tuple[str, ...]:
        """See `GivesMaps`."""
        return (*getattr(self.detector, "maps", ()), *self.network.maps)

    @property
    def map_dims(self) -> Mapping[str, int]:
        """See `GivesMaps`."""
        ours = {name: level.dim for name, level in self.network.maps.items()}
        return {**getattr(self.detector, "map_dims", {}), **ours}

    @property
    def map_strides(self) -> Mapping[str, int]:
        """See `GivesMaps`."""
        ours = {name: level.stride for name, level in self.network.maps.items()}
        return {**getattr(self.detector, "map_strides", {}), **ours}

    def fingerprint(self) -> dict[str, Any]:
        """The detector's, with the network's; "weights" is a hash of both."""
        first, second = self.detector.fingerprint(), self.network.fingerprint()
        both = hashlib.sha256(f"{first['weights']} {second['weights']}".encode()).hexdigest()
        return {**first, "weights": both, "second_network": second}

    def train(self, mode: bool = True) -> "WithSecondNetwork":
        """Stays in evaluation mode."""
        return super().train(False)

    def forward(self, images: Images) -> Scene:
        """See `Detector`. The second network runs in float32, too."""
        scene = self.detector(images)
        with torch.no_grad(), torch.autocast(images.pixels.device.type, enabled=False):
            maps = self.network(images)
        masks = self.network.masks(images)
        return scene._replace(
            maps=scene.maps | dict(zip(self.network.maps, maps, strict=True)),
            map_masks=scene.map_masks | dict(zip(self.network.maps, masks, strict=True)),
        )
