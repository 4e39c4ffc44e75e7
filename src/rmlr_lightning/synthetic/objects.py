"""The object classes: how large, how drawn, where they are touched, and where they can be relative to a person."""

import cmath
from collections.abc import Callable
from dataclasses import dataclass, field

from rmlr_lightning.synthetic import large_objects as large
from rmlr_lightning.synthetic import small_objects as small

SMALL = 30  # pixels: no hand-sized object is drawn smaller on its longest side


@dataclass(frozen=True)
class Kind:
    """An object class. Points are in its own frame (centre 0, longest side 1); sizes in body units."""

    name: str
    group: (
        str  # which verbs' poses it takes: hand ball long bike mount pet board chair seat case pack
    )
    draw: Callable
    size: tuple[float, float]
    half: complex = 0.45 + 0.45j  # half width and height of its body
    grips: dict[str, complex] = field(default_factory=dict)
    tilt: float = 0.15  # spread of its angle in radians


@dataclass
class Contact:
    """One object at a place in a person's body frame, and what a pose needs to know of it."""

    kind: Kind
    place: complex
    size: float
    angle: float = 0.0
    mirror: bool = False  # faces the person
    zone: str = "chest"
    held: bool = True
    spot: float | None = None  # of a seat that two people share: where one of them sits

    def point(self, local: complex) -> complex:
        if self.mirror:
            local = -local.conjugate()
        return self.place + self.size * local * cmath.exp(1j * self.angle)

    def grip(self, name: str) -> complex:
        return self.point(self.kind.grips.get(name, 0j))

    def edge(self, towards: complex, depth: float = 0.0) -> complex:
        """Where its outline is met from `towards`, `depth` (body units) inside."""
        away = (towards - self.place) * cmath.exp(-1j * self.angle) / self.size
        far = max(abs(away), 1e-6)
        d = away / far
        h = self.kind.half
        radius = 1 / max(((d.real / h.real) ** 2 + (d.imag / h.imag) ** 2) ** 0.5, 1e-6)
        radius = max(radius - depth / self.size, 0.0)
        return self.place + self.size * radius * d * cmath.exp(1j * self.angle)


def _hand(name, draw, size, half, **grips) -> Kind:
    points = {"hand": complex(0, 0.75 * half.imag), "left": complex(-0.9 * half.real, 0.2 * half.imag),
              "right": complex(0.9 * half.real, 0.2 * half.imag), "top": complex(0, -half.imag)} | grips  # fmt: skip
    return Kind(name, "hand", draw, size, half, points)


BIKE = {"seat": -0.13 - 0.2j, "bars": 0.2 - 0.28j, "pedal": 0.0 + 0.25j}
MOTO = {"seat": -0.2 - 0.18j, "bars": 0.12 - 0.29j, "pedal": 0.02 + 0.22j}

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        _hand("cup", small.cup, (0.15, 0.18), 0.4 + 0.47j, right=0.4 + 0.02j, hand=0.38 + 0.05j),
        _hand("bottle", small.bottle, (0.2, 0.25), 0.19 + 0.5j, hand=0.2j, top=-0.46j),
        _hand(
            "cell phone",
            small.cell_phone,
            (0.15, 0.18),
            0.29 + 0.5j,
            hand=0.3j,
            screen=0.06 - 0.02j,
        ),
        _hand(
            "laptop",
            small.laptop,
            (0.25, 0.31),
            0.48 + 0.37j,
            hand=0.3j - 0.1,
            keys=-0.12 + 0.28j,
            keys_far=0.14 + 0.26j,
            top=0.1 - 0.38j,
        ),
        _hand(
            "book",
            small.book,
            (0.2, 0.25),
            0.5 + 0.35j,
            left=-0.46 + 0.18j,
            right=0.46 + 0.18j,
            hand=0.34j,
        ),
        _hand("apple", small.apple, (0.14, 0.165), 0.46 + 0.42j),
        _hand("banana", small.banana, (0.165, 0.2), 0.5 + 0.2j, hand=0.25j),
        _hand("pizza", small.pizza, (0.17, 0.2), 0.48 + 0.45j, hand=-0.32j),
        _hand("donut", small.donut, (0.14, 0.17), 0.48 + 0.48j),
        _hand("sandwich", small.sandwich, (0.17, 0.2), 0.48 + 0.3j),
        _hand(
            "teddy bear",
            small.teddy_bear,
            (0.25, 0.3),
            0.34 + 0.48j,
            hand=0.3j + 0.1,
            left=-0.2 + 0.15j,
            right=0.22 + 0.15j,
        ),
        Kind(
            "sports ball",
            "ball",
            small.sports_ball,
            (0.14, 0.18),
            0.49 + 0.49j,
            {"hand": 0.4j, "top": -0.45j},
        ),
        Kind(
            "frisbee",
            "ball",
            small.frisbee,
            (0.17, 0.21),
            0.5 + 0.24j,
            {"hand": -0.4 + 0.1j, "top": -0.4 + 0j},
        ),
        Kind(
            "tennis racket",
            "long",
            small.tennis_racket,
            (0.38, 0.44),
            0.5 + 0.2j,
            {"hand": -0.38 + 0j, "second": -0.24 + 0j},
        ),
        Kind(
            "baseball bat",
            "long",
            small.baseball_bat,
            (0.4, 0.48),
            0.5 + 0.1j,
            {"hand": -0.4 + 0j, "second": -0.26 + 0j},
        ),
        Kind(
            "umbrella",
            "long",
            small.umbrella,
            (0.44, 0.52),
            0.5 + 0.46j,
            {"hand": 0.36j, "second": 0.24j, "top": 0.0j},
        ),
        Kind("bicycle", "bike", large.bicycle, (0.92, 1.02), 0.49 + 0.31j, BIKE),
        Kind("motorcycle", "bike", large.motorcycle, (0.95, 1.05), 0.5 + 0.3j, MOTO),
        Kind(
            "horse",
            "mount",
            large.horse,
            (1.0, 1.12),
            0.47 + 0.48j,
            {
                "seat": -0.03 - 0.17j,
                "bars": 0.22 - 0.24j,
                "pedal": 0.0 + 0.16j,
                "head": 0.41 - 0.35j,
                "mouth": 0.5 - 0.29j,
                "back": 0.08 - 0.14j,
                "neck": 0.3 - 0.26j,
            },
        ),
        Kind(
            "elephant",
            "mount",
            large.elephant,
            (1.15, 1.3),
            0.46 + 0.4j,
            {
                "seat": -0.02 - 0.27j,
                "bars": 0.14 - 0.3j,
                "pedal": 0.05 + 0.02j,
                "head": 0.32 - 0.2j,
                "mouth": 0.45 + 0.12j,
                "back": 0.08 - 0.16j,
                "neck": 0.36 - 0.05j,
            },
        ),
        Kind(
            "dog",
            "pet",
            large.dog,
            (0.42, 0.52),
            0.48 + 0.4j,
            {
                "head": 0.26 - 0.31j,
                "mouth": 0.48 - 0.1j,
                "back": -0.04 - 0.04j,
                "neck": 0.2 - 0.05j,
                "hand": -0.05 + 0.18j,
            },
        ),
        Kind(
            "cat",
            "pet",
            large.cat,
            (0.3, 0.36),
            0.4 + 0.48j,
            {
                "head": 0.12 - 0.33j,
                "mouth": 0.3 - 0.08j,
                "back": -0.16 - 0.02j,
                "neck": 0.12 + 0.04j,
                "hand": 0.0 + 0.3j,
            },
        ),
        Kind(
            "skateboard",
            "board",
            large.skateboard,
            (0.46, 0.54),
            0.48 + 0.14j,
            {"hand": 0.04j, "top": -0.06j},
        ),
        Kind(
            "surfboard",
            "board",
            large.surfboard,
            (0.85, 1.0),
            0.5 + 0.09j,
            {"hand": 0.03j, "top": -0.06j},
        ),
        Kind(
            "chair",
            "chair",
            large.chair,
            (0.55, 0.62),
            0.32 + 0.5j,
            {"seat": 0.02 - 0.02j, "back": -0.25 - 0.48j, "side": 0.3 + 0.05j},
        ),
        Kind(
            "bench",
            "seat",
            large.bench,
            (1.0, 1.15),
            0.5 + 0.27j,
            {"seat": 0.0 - 0.02j, "back": -0.1 - 0.22j},
        ),
        Kind(
            "couch",
            "seat",
            large.couch,
            (1.15, 1.3),
            0.5 + 0.29j,
            {"seat": 0.0 + 0.06j, "back": -0.1 - 0.27j},
        ),
        Kind(
            "suitcase",
            "case",
            large.suitcase,
            (0.34, 0.42),
            0.4 + 0.48j,
            {"hand": -0.46j, "left": -0.37 + 0.1j, "right": 0.37 + 0.1j, "top": -0.34j},
        ),
        Kind(
            "backpack",
            "pack",
            large.backpack,
            (0.3, 0.36),
            0.4 + 0.5j,
            {"hand": 0.36j, "left": -0.38 + 0.15j, "right": 0.38 + 0.15j, "top": -0.42j},
        ),
    )
}
