"""What messages for users have in common."""

import pytest

from rmlr_lightning.errors import counted


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, ("image",), "0 images"),
        (1, ("image",), "1 image"),
        (1, ("box", "boxes"), "1 box"),
        (2, ("box", "boxes"), "2 boxes"),
        (1234, ("pair",), "1,234 pairs"),
    ],
)
def test_nouns_agree_with_their_numbers(number, noun, text):
    assert counted(number, *noun) == text
