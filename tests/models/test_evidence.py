import torch

from rmlr_lightning.models.attention import Attention, sine_position
from rmlr_lightning.models.evidence import pool_boxes
from rmlr_lightning.models.upt import Cooperative


def test_pooling_a_linear_map_reads_the_centres_of_the_cells():
    x = torch.arange(40.0).expand(1, 1, 30, 40) + 0.5  # value = place in cells
    boxes = torch.tensor([[[0.25, 0.2, 0.75, 0.8]]])
    cells = pool_boxes(x, boxes, 5).view(5, 5)
    expected = 10 + 20 * (torch.arange(5) + 0.5) / 5
    torch.testing.assert_close(cells, expected.expand(5, 5))


def test_attention_without_keys_gives_the_output_bias_and_finite_gradients():
    attention = Attention(16, 4)
    query = torch.randn(2, 3, 16, requires_grad=True)
    mask = torch.tensor([[True, False, False], [False, False, False]])
    out = attention(query, query, mask)
    out.sum().backward()
    torch.testing.assert_close(out[1], attention.out.bias.expand(3, -1))
    assert torch.isfinite(query.grad).all()


def test_attention_is_softmax_over_real_keys():
    attention = Attention(8, 1)
    query, keys = torch.randn(1, 2, 8), torch.randn(1, 5, 8)
    mask = torch.tensor([[True, True, False, True, False]])
    q = attention.query(query[0])
    k, v = attention.key_value(keys[0]).chunk(2, -1)
    weights = (q @ k[mask[0]].T / 8**0.5).softmax(-1)
    torch.testing.assert_close(attention(query, keys, mask)[0], attention.out(weights @ v[mask[0]]))


def test_positions_are_relative_to_the_real_part():
    small = torch.ones(1, 3, 4, dtype=torch.bool)
    padded = torch.nn.functional.pad(small, (0, 5, 0, 2))
    torch.testing.assert_close(sine_position(padded, 16)[:, :3, :4], sine_position(small, 16))


def test_cooperative_layer_against_loops_over_entities_and_heads():
    torch.manual_seed(0)
    layer = Cooperative(16, 8, heads=2).eval()
    tokens, places = torch.randn(1, 4, 16), torch.randn(1, 4, 4, 8)
    mask = torch.tensor([[True, True, True, False]])
    x, y = torch.relu(layer.unary(tokens[0])), torch.relu(layer.pairwise(places[0]))
    read = torch.zeros(3, 16)
    for i in range(3):
        for head in range(2):
            part = slice(8 * head, 8 * head + 8)
            weights = torch.stack(
                [layer.weigh(torch.cat([x[i, part], x[j, part], y[i, j, part]])) for j in range(3)]
            ).softmax(0)
            read[i, part] = sum(weights[j] * layer.message(x[j, part] * y[i, j, part]) for j in range(3))
    expected = layer.norm_attend(tokens[0, :3] + layer.out(torch.relu(read)))
    expected = layer.norm_feed(expected + layer.feed(expected))
    torch.testing.assert_close(layer(tokens, places, mask)[0, :3], expected, atol=1e-5, rtol=1e-5)
