"""Boxes from elsewhere: another detector's, or the true ones."""

from rmlr_lightning.models.evidence import pool_boxes
from rmlr_lightning.types import Entities, Scene


def with_given(scene: Scene, given: Entities) -> Scene:
    """The scene with given boxes in place of the detector's; tokens are pooled from its memory (one RoIAlign cell).

    Memory and tokens must have one width, as in the whole DETR family. Trained heads expect decoder states as tokens:
    with pooled ones they rely on the re-mined map.
    """
    tokens = pool_boxes(scene.memory.float(), given.boxes.float(), 1)
    return scene._replace(entities=given._replace(tokens=tokens))
