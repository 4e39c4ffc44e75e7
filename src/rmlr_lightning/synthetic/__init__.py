"""The embedded world: rendered people whose pose and contact, not boxes, say what they do. See docs/WORLD.md."""

from rmlr_lightning.synthetic.config import ImageSpec, PairSpec, PersonSpec, WorldConfig


def __getattr__(name: str):
    # Workers that draw must start without torch, so what needs the vocabulary is imported when asked for.
    if name == "schedule":
        from rmlr_lightning.synthetic.plan import schedule

        return schedule
    if name == "render":
        from rmlr_lightning.synthetic.scene import render

        return render
    if name == "write_world":
        from rmlr_lightning.synthetic.write import write_world

        return write_world
    raise AttributeError(name)


__all__ = [
    "ImageSpec",
    "PairSpec",
    "PersonSpec",
    "WorldConfig",
    "render",
    "schedule",
    "write_world",
]
