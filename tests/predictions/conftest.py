"""Results of made detections, without a model."""

import pytest
from PIL import Image

from rmlr_lightning.hub.named_detections import Interaction
from rmlr_lightning.hub.result import Result
from rmlr_lightning.vocabulary import Vocabulary

HUMAN, OBJECT = (10.0, 10.0, 60.0, 90.0), (40.0, 30.0, 80.0, 70.0)


@pytest.fixture
def make_result():
    """A result with one triplet per (verb, object, probability)."""

    def make(*rows: tuple[str, str, float], name: str = "a.jpg") -> Result:
        vocabulary = Vocabulary(
            tuple(dict.fromkeys(row[0] for row in rows)),
            (),
            frozenset(),
            ("person", *dict.fromkeys(row[1] for row in rows)),
        )
        triplets = [
            Interaction(
                probability**2,
                verb,
                obj,
                HUMAN,
                OBJECT,
                vocabulary.verbs.index(verb),
                vocabulary.objects.index(obj),
                probability,
                probability >= 0.5,
            )
            for verb, obj, probability in rows
        ]
        return Result(Image.new("RGB", (100, 100), "gray"), name, triplets, vocabulary)

    return make
