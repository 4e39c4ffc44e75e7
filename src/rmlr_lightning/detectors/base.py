"""The interface of a detector. One that is not in transformers implements it, too."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from rmlr_lightning.types import Images, Scene


@runtime_checkable
class Detector(Protocol):
    """The first stage: images -> Scene. Any `nn.Module` with these members can be `model.detector`.

    The HOI model, its checkpoints and the feature cache use these members and no others.
    """

    token_dim: int  # C of `Scene.entities.tokens`
    memory_dim: int  # C of `Scene.memory`
    stride: int  # pixels per cell of `Scene.memory`
    num_queries: int  # upper bound of N, the number of entities per image
    objects: tuple[str, ...]  # names of its classes; labels are indices into them

    def fingerprint(self) -> dict[str, Any]:
        """All that determines the outputs besides the images, as plain JSON values.

        The key "weights" is required: a SHA-256 hash of all weights, by which checkpoints reference
        the detector. Two detectors of equal fingerprints share their cached features, so weights
        alone do not suffice: kind of network, class order, normalisation of pixels and stride
        belong here, too.
        """
        ...

    def forward(self, images: Images) -> Scene:
        """Entities and image features of a batch, before any selection.

        Boxes are xyxy, relative to each image without its padding; the selection cuts off what
        lies outside of [0, 1]. Labels are indices into `objects`. The outputs for an image must not
        depend on the other images of the batch (`ops.same_size`).
        """
        ...


@runtime_checkable
class GivesMaps(Protocol):
    """A detector that can add named feature maps to its Scenes, beside the memory. Optional."""

    map_dims: Mapping[str, int]  # channels of each map it has, such as {"c5": 2048}
    map_strides: Mapping[str, int]  # pixels per cell of each of them
    maps: tuple[str, ...]  # those it adds: the keys of `Scene.maps`; none until it is asked
