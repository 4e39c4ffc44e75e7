"""NaN and infinite values are found, whatever tensor they are in."""

import pytest
import torch

from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.finite import check_weights, finite_rows, finite_scenes
from tests.scenes import random_scene

BAD = [float("nan"), float("inf"), -float("inf")]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_a_row_with_a_bad_value_is_found(bad, dtype):
    values = torch.full((3, 4, 5), 60_000.0, dtype=dtype)  # whose sum float16 cannot hold
    values[1, 2, 3] = bad
    assert finite_rows(values).tolist() == [True, False, True]


def test_opposite_infinities_do_not_cancel():
    assert finite_rows(torch.tensor([[torch.inf, -torch.inf]])).tolist() == [False]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("part", ["boxes", "scores", "tokens", "memory", "c4"])
def test_a_scene_with_a_bad_value_is_found(part, bad):
    scene = random_scene(2, 5)._replace(maps={"c4": torch.randn(2, 3, 4, 4)})
    assert finite_scenes(scene).tolist() == [True, True]
    tensors = scene.entities._asdict() | {"memory": scene.memory, **scene.maps}
    tensors[part][1].view(-1)[-1] = bad
    assert finite_scenes(scene).tolist() == [True, False]


@pytest.mark.parametrize("bad", BAD)
def test_bad_weights_are_refused_by_name(bad):
    weights = {"a": torch.ones(3), "count": torch.tensor(2), "b.weight": torch.zeros(2, 2)}
    check_weights(weights, "file")
    weights["b.weight"][0, 1] = bad
    with pytest.raises(UserError, match=r"^file: 1 of 3 weights .* such as b\.weight"):
        check_weights(weights, "file")


def test_large_weights_are_finite():
    check_weights({"a": torch.full((4,), 3e38)}, "file")
