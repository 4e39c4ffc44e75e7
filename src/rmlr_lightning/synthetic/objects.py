"""The 29 object classes of the world: size, drawing, and the points where people touch them."""

from rmlr_lightning.synthetic import animals
from rmlr_lightning.synthetic import large_objects as large
from rmlr_lightning.synthetic import small_objects as small
from rmlr_lightning.synthetic.contact import Kind

# Pixels at an image width of 448: no object in use is drawn smaller on its longest side.
MIN_OBJECT_PIXELS = 30


def _hand_sized(name, draw, size, half, **grips) -> Kind:
    """A class of the group `hand`: gripped at its rim unless `grips` gives other points."""
    points = {
        "hand": complex(0, 0.75 * half.imag),
        "left": complex(-0.9 * half.real, 0.2 * half.imag),
        "right": complex(0.9 * half.real, 0.2 * half.imag),
        "top": complex(0, -half.imag),
    }
    return Kind(name, "hand", draw, size, half, points | grips)


# Points of a rider: on the saddle, at the bars, at the pedal of the near side.
BICYCLE = {"seat": -0.13 - 0.2j, "bars": 0.2 - 0.28j, "pedal": 0.0 + 0.25j}
MOTORCYCLE = {"seat": -0.2 - 0.18j, "bars": 0.12 - 0.29j, "pedal": 0.02 + 0.22j}

# By name, in no particular order.
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        # In one hand, near the face or the chest.
        _hand_sized(
            "cup", small.cup, (0.15, 0.18), 0.4 + 0.47j, right=0.4 + 0.02j, hand=0.38 + 0.05j
        ),
        _hand_sized("bottle", small.bottle, (0.2, 0.25), 0.19 + 0.5j, hand=0.2j, top=-0.46j),
        _hand_sized(
            "cell phone",
            small.cell_phone,
            (0.15, 0.18),
            0.29 + 0.5j,
            hand=0.3j,
            screen=0.06 - 0.02j,
        ),
        _hand_sized(
            "laptop",
            small.laptop,
            (0.25, 0.31),
            0.48 + 0.37j,
            hand=0.3j - 0.1,
            keys=-0.12 + 0.28j,
            keys_far=0.14 + 0.26j,
            top=0.1 - 0.38j,
        ),
        _hand_sized(
            "book",
            small.book,
            (0.2, 0.25),
            0.5 + 0.35j,
            left=-0.46 + 0.18j,
            right=0.46 + 0.18j,
            hand=0.34j,
        ),
        _hand_sized("apple", small.apple, (0.14, 0.165), 0.46 + 0.42j),
        _hand_sized("banana", small.banana, (0.165, 0.2), 0.5 + 0.2j, hand=0.25j),
        _hand_sized("pizza", small.pizza, (0.17, 0.2), 0.48 + 0.45j, hand=-0.32j),
        _hand_sized("donut", small.donut, (0.14, 0.17), 0.48 + 0.48j),
        _hand_sized("sandwich", small.sandwich, (0.17, 0.2), 0.48 + 0.3j),
        _hand_sized(
            "teddy bear",
            small.teddy_bear,
            (0.25, 0.3),
            0.34 + 0.48j,
            hand=0.3j + 0.1,
            left=-0.2 + 0.15j,
            right=0.22 + 0.15j,
        ),
        # Thrown, caught and kicked.
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
        # Long, with a handle for two hands.
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
        # Ridden; two of them are pushed, two are animals.
        # The only classes with a pedal and bars.
        Kind("bicycle", "bike", large.bicycle, (0.92, 1.02), 0.49 + 0.31j, BICYCLE),
        Kind("motorcycle", "bike", large.motorcycle, (0.95, 1.05), 0.5 + 0.3j, MOTORCYCLE),
        Kind(
            "horse",
            "mount",
            animals.horse,
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
            animals.elephant,
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
        # Animals on the ground or in the arms.
        Kind(
            "dog",
            "pet",
            animals.dog,
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
            animals.cat,
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
        # Under the feet or under the arm.
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
        # To sit and lie on.
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
        # Carried by a handle, or on the back.
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
