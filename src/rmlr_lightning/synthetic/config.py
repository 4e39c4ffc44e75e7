"""The settings of a world, and the specifications of its images before they are drawn."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

# Version of the generator: raised by any change of pixels or labels.
VERSION = 3


NUMBERS = ("clutter", "noise", "jitter", "occlusion", "slack", "object_scale", "twins")


def _check_type(name: str, value: object, kind: type, count: int) -> None:
    """Raises `ValueError` unless a setting is one number of its kind, or a list of two."""
    if value is None and name == "person_scale":
        return
    values = list(value) if count > 1 and isinstance(value, Sequence) else [value]
    kinds = (int,) if kind is int else (int, float)
    # `type`: a bool is an int, too
    if len(values) != count or not all(type(number) in kinds for number in values):
        expected = "an integer" if kind is int else "a number"
        expected = expected if count == 1 else "two integers" if kind is int else "two numbers"
        raise ValueError(f"{name} {str(value)[:60]!r}: expected {expected}")


@dataclass(frozen=True)
class WorldConfig:
    """Settings of a world. The defaults are the calibrated world of docs/WORLD.md.

    Two worlds of the same settings are equal to the byte.

    Args:
        train: Number of training images; val, test: likewise.
        seed: Of everything random.
        size: Width and height of the images in pixels, at least 160 each.
        clutter: Amount of background details and of unused objects.
        noise: Strength of grain, exposure and blur.
        jitter: Noise of the joints; a quarter of it is the share of faces with a random mouth, and
            of faces with a random gaze.
        object_scale: Size of all objects relative to people.
        person_scale: Range of a person's height over the image's height. None: 0.56 to 0.94, and
            0.4 to 0.6 where more than three people are in the image.
        slack: Noise of the annotated boxes: spread of each edge over the side of the box.
        occlusion: Share of the images with a bush or a post in front.
        twins: Share of the images that come in twin pairs, 0 to 0.8.

    Raises:
        ValueError: a setting is out of range.
    """

    train: int = 1000
    val: int = 300
    test: int = 1200
    seed: int = 0
    size: tuple[int, int] = (448, 320)
    clutter: float = 1.0
    noise: float = 1.6
    jitter: float = 2.5
    object_scale: float = 1.0
    person_scale: tuple[float, float] | None = None
    slack: float = 0.02
    occlusion: float = 0.3
    twins: float = 0.18

    def __post_init__(self) -> None:
        for name, kind, count in (
            ("train", int, 1),
            ("val", int, 1),
            ("test", int, 1),
            ("seed", int, 1),
            ("size", int, 2),
            ("person_scale", float, 2),
            *((name, float, 1) for name in NUMBERS),
        ):
            _check_type(name, getattr(self, name), kind, count)

        counts = (self.train, self.val, self.test)
        if min(counts) < 0 or sum(counts) == 0:
            raise ValueError(
                f"train {self.train}, val {self.val}, test {self.test}: "
                "expected numbers of images, not all zero"
            )

        # Smaller images have no room for hands of some pixels.
        width, height = self.size
        if min(width, height) < 160:
            raise ValueError(f"size {width}x{height}: expected at least 160 pixels a side")

        for name in NUMBERS:
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} {value}: expected a number from 0")

        if not 0 <= self.twins <= 0.8:
            raise ValueError(f"twins {self.twins}: expected a share of the images, 0 to 0.8")

    def as_dict(self) -> dict:
        """The settings as JSON stores them: lists, not tuples."""
        settings = asdict(self)
        settings["size"] = list(self.size)

        # None stays None.
        if self.person_scale is not None:
            settings["person_scale"] = list(self.person_scale)
        return settings


@dataclass(frozen=True)
class PairSpec:
    """One person with one object.

    `labels`: all true HICO-DET verbs; empty where the pair is not annotated. `held`: a hand grasps
    the object. `rivals`: the poses that share their boxes with this one, itself included.
    """

    verb: str
    object: str
    held: bool
    labels: tuple[str, ...]
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True)
class PersonSpec:
    """One person; `shares`: the index of an earlier person whose first object this one uses."""

    pairs: tuple[PairSpec, ...]
    shares: int | None = None


@dataclass(frozen=True)
class ImageSpec:
    """All that determines an image.

    `number` counts from 1 within the split. `sibling` is set on the second image of a twin pair.
    `zones` limits where the first object may be, so that the verbs of both twins are valid there.
    """

    split: str
    number: int
    seed: int
    persons: tuple[PersonSpec, ...]
    sibling: "ImageSpec | None" = None
    zones: tuple[str, ...] = ()
    distractors: int = 0
