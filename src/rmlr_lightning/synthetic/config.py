"""What a world is made of: the dials, and the specs of images before they are drawn."""

import math
from dataclasses import asdict, dataclass

VERSION = 3  # of the generator: a change that moves pixels or labels raises it


@dataclass(frozen=True)
class WorldConfig:
    """The dials. The defaults are the calibrated world of docs/WORLD.md."""

    train: int = 1000
    val: int = 300
    test: int = 1200
    seed: int = 0
    size: tuple[int, int] = (448, 320)  # width, height
    clutter: float = 1.0  # things in the background, and unused objects
    noise: float = 1.6  # grain, exposure, blur
    jitter: float = 2.5  # of joints, and how many faces tell nothing (a quarter at 1)
    object_scale: float = 1.0  # of all objects relative to people
    person_scale: tuple[float, float] | None = (
        None  # range of a person's height over the image's; None: .5 to .92, crowds .32 to .55
    )
    slack: float = 0.02  # how loosely boxes are annotated: spread of each edge over the box's side
    occlusion: float = 0.3  # how often something stands in front
    twins: float = 0.18  # part of the images that come as twins

    def __post_init__(self) -> None:
        if min(self.train, self.val, self.test) < 0 or self.train + self.val + self.test == 0:
            raise ValueError(
                f"train {self.train}, val {self.val}, test {self.test}: expected numbers of images, not all zero"
            )
        if min(self.size) < 160:
            raise ValueError(
                f"size {self.size[0]}x{self.size[1]}: expected at least 160 pixels a side"
            )
        dials = {
            name: getattr(self, name)
            for name in ("clutter", "noise", "jitter", "occlusion", "slack")
        }
        for name, value in dials.items():
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} {value}: expected a number from 0")
        if not 0 <= self.twins <= 0.8:
            raise ValueError(f"twins {self.twins}: expected a part of the images, 0 to 0.8")

    def as_dict(self) -> dict:
        return {
            **asdict(self),
            "size": list(self.size),
            "person_scale": None if self.person_scale is None else list(self.person_scale),
        }


@dataclass(frozen=True)
class PairSpec:
    """One person does one thing with one object; `held`: a hand grasps it."""

    verb: str
    object: str
    held: bool
    labels: tuple[str, ...]  # all HICO verbs that are true; empty: not annotated
    rivals: tuple[str, ...] = ()  # verbs that share their boxes with this one


@dataclass(frozen=True)
class PersonSpec:
    pairs: tuple[PairSpec, ...]
    shares: int | None = None  # takes the first object of this earlier person


@dataclass(frozen=True)
class ImageSpec:
    """All that decides an image."""

    split: str
    number: int  # 1-based, within the split
    seed: int
    persons: tuple[PersonSpec, ...]
    sibling: "ImageSpec | None" = None  # this is its twin
    zones: tuple[
        str, ...
    ] = ()  # where the first object may be: both twins' verbs must be possible there
    distractors: int = 0
