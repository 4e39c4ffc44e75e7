import math

import torch

from rmlr_lightning.ops.spatial import SPATIAL_DIM, pixel_encoding, spatial_encoding


def by_hand(human, thing, size, eps=1e-6):
    """The 18 features of SCG in pixels, one pair."""
    height, width = size
    h = [human[0] * width, human[1] * height, human[2] * width, human[3] * height]
    o = [thing[0] * width, thing[1] * height, thing[2] * width, thing[3] * height]
    wh, hh, wo, ho = h[2] - h[0], h[3] - h[1], o[2] - o[0], o[3] - o[1]
    xh, yh, xo, yo = (h[0] + h[2]) / 2, (h[1] + h[3]) / 2, (o[0] + o[2]) / 2, (o[1] + o[3]) / 2
    cross = max(0, min(h[2], o[2]) - max(h[0], o[0])) * max(0, min(h[3], o[3]) - max(h[1], o[1]))
    dx, dy = (xo - xh) / wh, (yo - yh) / hh
    values = [
        xh / width,
        yh / height,
        xo / width,
        yo / height,
        wh / width,
        hh / height,
        wo / width,
        ho / height,
    ]
    values += [
        wh * hh / (width * height),
        wo * ho / (width * height),
        wo * ho / (wh * hh),
        wh / hh,
        wo / ho,
    ]
    values += [
        cross / (wh * hh + wo * ho - cross),
        max(dx, 0),
        max(-dx, 0),
        max(dy, 0),
        max(-dy, 0),
    ]
    return values + [math.log(v + eps) for v in values]


def test_agrees_with_the_formula_in_pixels():
    human, thing = [0.1, 0.2, 0.5, 0.9], [0.4, 0.1, 0.8, 0.6]
    got = spatial_encoding(
        torch.tensor([[human]]), torch.tensor([[thing]]), torch.tensor([[120, 160]])
    )
    assert got.shape == (1, 1, SPATIAL_DIM)
    torch.testing.assert_close(
        got[0, 0], torch.tensor(by_hand(human, thing, (120, 160))), atol=1e-4, rtol=1e-4
    )


def test_padding_boxes_stay_finite():
    zero = torch.zeros(1, 2, 4)
    assert torch.isfinite(spatial_encoding(zero, zero, torch.tensor([[120, 160]]))).all()


def test_the_encoding_in_pixels_differs_in_its_bound_alone():
    human, thing = [0.1, 0.2, 0.5, 0.9], [0.4, 0.1, 0.8, 0.6]
    boxes_h, boxes_o = torch.tensor([[human]]), torch.tensor([[thing]])
    got = pixel_encoding(boxes_h, boxes_o, torch.tensor([[120, 160]]))[0, 0]
    expected = torch.tensor(by_hand(human, thing, (120, 160), eps=1e-10))
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)
    assert got.min() < -23  # the logarithm of a distance in the other direction
