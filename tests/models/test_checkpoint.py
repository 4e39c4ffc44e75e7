"""What a checkpoint from elsewhere holds beside weights is bounded."""

import pytest
import torch

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.checkpoint import (
    CHECKPOINT_FORMAT,
    MAX_NAME,
    plain_vocabulary,
    read_checkpoint,
    read_vocabulary,
)
from rmlr_lightning.vocabulary import hicodet

pytestmark = pytest.mark.fault


def test_a_vocabulary_is_read_as_it_was_written():
    assert read_vocabulary(plain_vocabulary(hicodet())) == hicodet()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"verbs": [str(i) for i in range(10**5)], "objects": ["a"] * 101}, "not distinct"),
        ({"verbs": [str(i) for i in range(10**6)]}, "combinations of verbs and objects"),
        ({"objects": ["person" * MAX_NAME]}, "a name of more than 1000 characters"),
    ],
)
def test_a_vocabulary_that_would_fill_the_memory_is_refused(changes, match):
    with pytest.raises(ValueError, match=match):
        read_vocabulary(plain_vocabulary(hicodet()) | changes)


def nested(depth: int) -> list:
    """A list of some nodes that has 10 ** depth members."""
    return [nested(depth - 1)] * 10 if depth else []


@pytest.mark.parametrize("huge", [nested(12), "a" * 2_000_000], ids=["lists", "text"])
def test_a_configuration_of_any_size_is_refused_at_once(huge, tmp_path):
    config = {"task": {}, "data": {}, "model": huge}
    vocabulary = plain_vocabulary(hicodet())
    content = {"state_dict": {}, "format": CHECKPOINT_FORMAT, "vocabulary": vocabulary}
    torch.save(content | {"config": config}, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match=r"a\.ckpt: its configuration is larger than any"):
        read_checkpoint(tmp_path / "a.ckpt")
