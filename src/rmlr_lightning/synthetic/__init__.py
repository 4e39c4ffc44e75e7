"""The synthetic benchmark: drawn people whose pose and contact, not boxes, determine the verb.

See docs/WORLD.md. This room imports nothing else of the package, and no torch: each of the
processes that draw images imports it again.
"""

from rmlr_lightning.synthetic.config import ImageSpec, PairSpec, PersonSpec, WorldConfig
from rmlr_lightning.synthetic.plan import schedule
from rmlr_lightning.synthetic.rendering import render
from rmlr_lightning.synthetic.write import write_world

__all__ = [
    "ImageSpec",
    "PairSpec",
    "PersonSpec",
    "WorldConfig",
    "render",
    "schedule",
    "write_world",
]
