"""External detections in place of the detector's own: another detector's, or the true boxes."""

from rmlr_lightning.ops.roi import map_extents, roi_align
from rmlr_lightning.types import Entities, Scene


def with_external_detections(scene: Scene, detections: Entities) -> Scene:
    """The scene with these detections as its entities, "B N" as in the detections.

    Tokens are pooled from the scene's memory (RoIAlign to one cell), so memory and tokens must be
    of equal width, as in the whole DETR family. Trained heads expect decoder states as tokens: with
    pooled tokens they rely on the re-mined feature map.
    """
    extents = map_extents(scene.memory_mask, scene.memory)
    tokens = roi_align(scene.memory.float(), detections.boxes.float(), size=1, extents=extents)
    return scene._replace(entities=detections._replace(tokens=tokens))
