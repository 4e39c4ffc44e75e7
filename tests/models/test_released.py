"""Released heads are mapped key by key; what does not fit is named."""

import pytest
import torch

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.released import released_head
from tests.recorded_heads import RecordedHead


@pytest.fixture(scope="module", params=["upt", "pvic"])
def state(request):
    """The head's part of a released checkpoint."""
    return RecordedHead(request.param).state()


def test_kind_and_number_of_verbs_follow_from_the_weights(state):
    detector = {"detector.class_embed.bias": torch.zeros(81)}
    head = released_head(state | detector)
    assert head.kind == ("upt" if "interaction_head.mbf.fc_1.0.weight" in state else "pvic")
    assert head.verbs == 117
    assert all(name.startswith(("ire.", "irm.")) for name in head.weights)


def test_a_missing_key_is_named(state):
    key = next(key for key in state if "fc_2.3.bias" in key or "layers.1.ln1" in key)
    with pytest.raises(UserError, match=f"the head has no weight {key}"):
        released_head({name: value for name, value in state.items() if name != key}, "best.pth")


def test_an_unknown_key_is_named(state):
    with pytest.raises(
        UserError, match=r"best\.pth: the head has 1 unknown weights: extra\.weight"
    ):
        released_head(state | {"extra.weight": torch.zeros(1)}, "best.pth")


def test_windows_of_another_size_are_refused():
    state = RecordedHead("pvic").state()
    table = "feature_head.layers.1.blocks.0.attn.relative_coords_table"
    with pytest.raises(UserError, match="not of 8 x 8 cells"):
        released_head(state | {table: torch.zeros(1, 13, 13, 2)})


def test_other_models_are_refused():
    with pytest.raises(UserError, match="neither UPT's nor PViC's"):
        released_head({"detector.class_embed.bias": torch.zeros(81)})
