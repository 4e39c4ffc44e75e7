"""External detections in place of the detector's own: another detector's, or the true boxes."""

from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.roi import map_extents, roi_align
from rmlr_lightning.types import Entities, Scene


def with_external_detections(scene: Scene, detections: Entities) -> Scene:
    """The scene with these detections as its entities, "B N" as in the detections.

    Tokens are pooled from the scene's memory (RoIAlign to one cell), so memory and tokens must be
    of equal width, as in the whole DETR family. Trained heads expect decoder states as tokens: with
    pooled tokens they rely on the re-mined feature map.

    Raises:
        UserError: memory and tokens are of different width.
    """
    width, memory_width = scene.entities.tokens.shape[-1], scene.memory.shape[1]
    if width != memory_width:
        raise UserError(
            "external detections need a detector whose tokens are as wide as its memory, "
            f"not {width} and {memory_width}"
        )
    extents = map_extents(scene.memory_mask, scene.memory)
    tokens = roi_align(scene.memory.float(), detections.boxes.float(), size=1, extents=extents)
    return scene._replace(entities=detections._replace(tokens=tokens))
