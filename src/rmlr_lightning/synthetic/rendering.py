"""One image of a world from its specification."""

import numpy as np

from rmlr_lightning.synthetic.backgrounds import paint_place
from rmlr_lightning.synthetic.camera import photograph
from rmlr_lightning.synthetic.chance import streams
from rmlr_lightning.synthetic.compose import compose
from rmlr_lightning.synthetic.config import ImageSpec, WorldConfig
from rmlr_lightning.synthetic.paint import paint_scene


def render(spec: ImageSpec, config: WorldConfig) -> tuple[np.ndarray, dict]:
    """Draws one image; a function of its arguments.

    Returns:
        The image, (H, W, 3) uint8 RGB; and its annotations as `paint_scene` gives them.
    """
    scene = compose(spec, config)

    rng = streams(spec.seed, 2)
    image = paint_place(scene.place, config.size, config.clutter, rng)
    annotations = paint_scene(image, scene, spec, config, rng)
    return photograph(image, config.noise, rng), annotations
