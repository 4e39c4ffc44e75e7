import pytest
import torch

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.attention import Attention, sine_position
from rmlr_lightning.models.pair_features import PairFeatures, RoIFeatures, geometry
from rmlr_lightning.types import Pairs
from tests.scenes import random_scene

PAIRS = Pairs(
    torch.tensor([[0, 2, 1]]),
    torch.tensor([[3, 1, 1]]),
    torch.zeros(1, 3, dtype=torch.long),
    torch.ones(1, 3, dtype=torch.bool),
)


def place(scene, layout, pairs=PAIRS):
    """The geometry of the pairs, with another layout."""
    return geometry(scene, pairs, scene.memory)._replace(layout=layout)


def first_tokens(change_entity=None, change_layout=False, change_coarse=False, map_dim=8):
    """Pair tokens of three pairs, after one of the inputs changed."""
    torch.manual_seed(0)
    pair_features = PairFeatures(16, map_dim, 12, region_size=3, reduced=8).eval()
    scene, layout = random_scene(1, 5), torch.randn(1, 3, 36)
    features, coarse = torch.randn(1, map_dim, 6, 8), torch.randn(1, map_dim, 3, 4)
    if change_entity is not None:
        scene.entities.tokens[0, change_entity] += torch.randn(16)
    layout[0, 0] += change_layout
    return pair_features(
        scene,
        PAIRS,
        place(scene, layout),
        features,
        coarse + torch.randn(1, map_dim, 3, 4) * change_coarse,
    )


@pytest.mark.parametrize("map_dim", [0, 8])
@pytest.mark.parametrize(
    ("entity", "concerned"), [(0, [True, False, False]), (1, [False, True, True])]
)
def test_an_entity_changes_the_tokens_of_its_own_pairs(entity, concerned, map_dim):
    changed = (first_tokens(entity, map_dim=map_dim) - first_tokens(map_dim=map_dim)).abs().amax(
        -1
    ) > 1e-4
    assert changed[0].tolist() == concerned


def test_the_layout_of_a_pair_and_the_coarse_map_reach_its_token():
    assert (
        (first_tokens(change_layout=True) - first_tokens())[0].abs().amax(-1) > 1e-4
    ).tolist() == [
        True,
        False,
        False,
    ]
    assert ((first_tokens(change_coarse=True) - first_tokens())[0].abs().amax(-1) > 1e-4).all()


def test_human_and_object_have_weights_of_their_own():
    torch.manual_seed(0)
    pair_features, scene = (
        PairFeatures(16, 8, 12, region_size=3, reduced=8).eval(),
        random_scene(1, 5),
    )
    layout, features, coarse = (
        torch.zeros(1, 3, 36),
        torch.randn(1, 8, 6, 8),
        torch.randn(1, 8, 3, 4),
    )
    swapped = PAIRS._replace(human=PAIRS.object, object=PAIRS.human)
    one, other = (
        pair_features(scene, pairs, place(scene, layout, pairs), features, coarse)[0]
        for pairs in (PAIRS, swapped)
    )
    assert ((one - other).abs().amax(-1) > 1e-3).tolist() == [
        True,
        True,
        False,
    ]  # the third is an entity with itself


def test_attention_without_keys_gives_the_output_bias_and_finite_gradients():
    attention = Attention(16, 4)
    query = torch.randn(2, 3, 16, requires_grad=True)
    mask = torch.tensor([[True, False, False], [False, False, False]])
    out = attention(query, query, mask)
    out.sum().backward()
    torch.testing.assert_close(out[1], attention.out.bias.expand(3, -1))
    assert torch.isfinite(query.grad).all()


@pytest.mark.parametrize(("heads", "head_dim", "width"), [(1, None, 8), (2, None, 4), (3, 5, 5)])
def test_attention_is_softmax_over_real_keys(heads, head_dim, width):
    attention = Attention(8, heads, head_dim=head_dim)
    query, keys = torch.randn(1, 2, 8), torch.randn(1, 5, 8)
    mask = torch.tensor([[True, True, False, True, False]])
    q = attention.query(query[0])
    k, v = (part[mask[0]] for part in attention.key_value(keys[0]).chunk(2, -1))
    read = []
    for part in torch.arange(heads * width).split(width):
        weights = (q[:, part] @ k[:, part].T / width**0.5).softmax(-1)
        read.append(weights @ v[:, part])
    torch.testing.assert_close(attention(query, keys, mask)[0], attention.out(torch.cat(read, -1)))


def test_heads_that_do_not_share_the_width_evenly_need_a_width_of_their_own():
    with pytest.raises(
        UserError, match="heads=3: must divide the width of the tokens, 8; or set head_dim"
    ):
        Attention(8, 3)
    with pytest.raises(UserError, match="head_dim=0: must be positive"):
        Attention(8, 3, head_dim=0)


def test_positions_are_relative_to_the_real_part():
    small = torch.ones(1, 3, 4, dtype=torch.bool)
    padded = torch.nn.functional.pad(small, (0, 5, 0, 2))
    torch.testing.assert_close(sine_position(padded, 16)[:, :3, :4], sine_position(small, 16))


@pytest.mark.parametrize("extents", [(6.0, 8.0), (4.5, 8.0)])
def test_folding_two_linear_layers_keeps_result_and_gradients(extents):
    torch.manual_seed(0)
    roi, features = (
        RoIFeatures(8, 12, size=3, reduced=20),
        torch.randn(2, 8, 6, 8, requires_grad=True),
    )
    boxes, extents = random_scene(2, 9).entities.boxes, torch.tensor([extents, (6.0, 8.0)])
    weights = [
        features,
        *roi.reduce.parameters(),
        *roi.human.parameters(),
        *roi.object.parameters(),
    ]

    def read(boxes):
        both = roi.entities(features, boxes, extents[: len(boxes)])
        return both, torch.autograd.grad(both.square().sum(), weights)

    apart = [
        roi.entities(features[i : i + 1], boxes[i : i + 1], extents[i : i + 1]) for i in range(2)
    ]  # few boxes
    apart = torch.cat(apart)
    folded, gradients = read(boxes)  # 18 boxes of two images: more than twice the channels
    torch.testing.assert_close(folded, apart)
    for gradient, expected in zip(
        gradients, torch.autograd.grad(apart.square().sum(), weights), strict=True
    ):
        torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-4)
