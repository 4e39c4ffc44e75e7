"""What a prediction of one image returns: triplets, a drawing, and other formats."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from rmlr_lightning.drawing.triplets import draw_triplets
from rmlr_lightning.errors import UserError, counted
from rmlr_lightning.hub.named_detections import Interaction
from rmlr_lightning.types import Detections
from rmlr_lightning.vocabulary import Vocabulary

if TYPE_CHECKING:
    import supervision


class Result:
    """The interactions of an image, best first; `for triplet in result` loops over them.

    Args:
        image: RGB.
        name: of the image, such as its file name.
        triplets: sorted by falling score.
        vocabulary: of the model.
    """

    def __init__(
        self,
        image: Image.Image,
        name: str,
        triplets: list[Interaction],
        vocabulary: Vocabulary,
    ) -> None:
        self.image, self.name, self.triplets, self.vocabulary = image, name, triplets, vocabulary

    def __iter__(self) -> Iterator[Interaction]:
        return iter(self.triplets)

    def __len__(self) -> int:
        return len(self.triplets)

    def __repr__(self) -> str:
        return f"<Result {self.name}: {counted(len(self), 'triplet')}, {len(self.likely)} likely>"

    @property
    def likely(self) -> list[Interaction]:
        """The triplets whose probability reaches the threshold of their verb."""
        return self.from_probability(None)

    def from_probability(self, minimum: float | None) -> list[Interaction]:
        """The triplets from this probability on (score, where the model has no calibration).

        Args:
            minimum: None takes the likely ones.
        """
        if minimum is None:
            return [triplet for triplet in self.triplets if triplet.likely]
        return [triplet for triplet in self.triplets if certainty(triplet) >= minimum]

    def plot(
        self, min_probability: float | None = None, caption: str = "", width: int = 800
    ) -> Image.Image:
        """A drawing of the likely triplets, and of nothing else; a PIL image, which notebooks show.

        Args:
            min_probability: draw from this probability on instead.
            caption: a line below the image.
            width: a narrower image is enlarged to this width, in pixels.
        """
        return draw_triplets(
            self.image,
            _as_drawn(self.from_probability(min_probability)),
            self.vocabulary,
            score_threshold=0.0,
            caption=caption,
            width=width,
        )

    def to_dict(self) -> dict[str, Any]:
        """All triplets as plain values, for JSON. Boxes are xyxy in pixels."""
        return {
            "image": self.name,
            "height": self.image.height,
            "width": self.image.width,
            "triplets": [_plain(triplet) for triplet in self.triplets],
        }

    def to_supervision(self, min_probability: float | None = None) -> "supervision.Detections":
        """The likely triplets as `supervision.Detections`, two rows each: human, then object.

        `confidence` is the probability (the score, where the model has no calibration), `class_id`
        the verb. `data` has "class_name" (the verb), "role" ("human" or "object"), "object" (the
        object's class) and "triplet", the number that both rows share.

        Raises:
            UserError: the package supervision is not installed.
        """
        try:
            import supervision
        except ImportError as error:
            raise UserError(
                "to_supervision needs the package supervision: pip install supervision"
            ) from error
        # supervision has one box per row, a triplet two
        found = self.from_probability(min_probability)
        rows = [row for row in found for _ in range(2)]
        boxes = [box for row in found for box in (row.box_h, row.box_o)]
        return supervision.Detections(
            xyxy=np.array(boxes, dtype=np.float32).reshape(-1, 4),
            confidence=np.array([certainty(row) for row in rows], dtype=np.float32),
            class_id=np.array([row.verb_index for row in rows], dtype=int),
            data={
                "class_name": np.array([row.verb for row in rows], dtype=str),
                "role": np.array(["human", "object"] * len(found), dtype=str),
                "object": np.array([row.object for row in rows], dtype=str),
                "triplet": np.arange(len(rows)) // 2,
            },
        )


def certainty(triplet: Interaction) -> float:
    """The probability of a triplet; its score where the model has no calibration."""
    return triplet.score if triplet.probability is None else triplet.probability


def _plain(triplet: Interaction) -> dict[str, Any]:
    probability = triplet.probability
    return {
        "box_h": [round(value, 2) for value in triplet.box_h],
        "verb": triplet.verb,
        "object": triplet.object,
        "box_o": [round(value, 2) for value in triplet.box_o],
        "score": round(triplet.score, 6),
        "probability": None if probability is None else round(probability, 4),
        "likely": triplet.likely,
    }


def _as_drawn(triplets: Sequence[Interaction]) -> Detections:
    """As a drawing takes them, with the number that is written beside the verb."""
    return Detections(
        torch.tensor([row.box_h for row in triplets]).reshape(-1, 4),
        torch.tensor([row.box_o for row in triplets]).reshape(-1, 4),
        torch.tensor([row.object_index for row in triplets], dtype=torch.long),
        torch.tensor([row.verb_index for row in triplets], dtype=torch.long),
        torch.tensor([certainty(row) for row in triplets]),
    )
