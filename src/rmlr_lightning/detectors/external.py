"""Boxes from elsewhere: another detector's, or the true ones."""

from rmlr_lightning.ops.roi import extents, roi_align
from rmlr_lightning.types import Entities, Scene


def with_external_detections(scene: Scene, given: Entities) -> Scene:
    """The scene with given boxes in place of the detector's; tokens are pooled from its memory (one RoIAlign cell).

    Memory and tokens must have one width, as in the whole DETR family. Trained heads expect decoder states as tokens:
    with pooled ones they rely on the re-mined map.
    """
    tokens = roi_align(
        scene.memory.float(), given.boxes.float(), 1, extents(scene.memory_mask, scene.memory)
    )
    return scene._replace(entities=given._replace(tokens=tokens))
