import pytest

from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.precision import check_precision


@pytest.mark.parametrize("value", ["32-true", 32, "bf16-mixed", "16-mixed", "64-true"])
def test_precisions_that_keep_boxes_are_accepted(value):
    check_precision(value)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("16-true", "would round boxes"),
        ("bf16-true", "would round boxes"),
        ("fp16", "choose one of 32-true"),
        (None, "choose one of"),
    ],
)
def test_others_are_refused_with_the_reason(value, reason):
    with pytest.raises(UserError, match=f"^trainer.precision={value}: {reason}"):
        check_precision(value)
