import torch

from rmlr_lightning.ops.masked import compact, gather_rows, masked_mean, resized_mask


def test_masked_mean_ignores_padding_and_survives_an_empty_image():
    values = torch.randn(2, 5, 3)
    mask = torch.tensor([[True, False, True, True, False], [False] * 5])
    mean = masked_mean(values, mask)
    torch.testing.assert_close(mean[0], values[0, mask[0]].mean(0))
    assert mean[1].abs().max() == 0


def test_compact_keeps_order_and_drops_unneeded_columns():
    mask = torch.tensor([[False, True, True, False], [True, False, False, False]])
    index, real = compact(mask)
    assert index.shape == (2, 2)
    assert index[0].tolist() == [1, 2]
    assert index[1, 0] == 0
    assert real.tolist() == [[True, True], [True, False]]


def test_compact_of_nothing_has_one_column_and_no_real_row():
    index, real = compact(torch.zeros(3, 4, dtype=torch.bool))
    assert index.shape == (3, 1)
    assert not real.any()


def test_gather_rows_follows_each_images_own_index():
    values = torch.arange(12.0).reshape(2, 3, 2)
    rows = gather_rows(values, torch.tensor([[2, 0], [1, 1]]))
    assert rows.tolist() == [[[4, 5], [0, 1]], [[8, 9], [8, 9]]]


def test_a_mask_of_another_size_covers_the_same_share():
    mask = torch.zeros(2, 4, 6, dtype=torch.bool)
    mask[0, :2, :3], mask[1] = True, True
    finer = resized_mask(mask, (8, 12))
    assert finer[0].sum() == 4 * 6 and finer[0, :4, :6].all() and finer[1].all()
    assert resized_mask(mask, (2, 2))[0].tolist() == [[True, False], [False, False]]
    assert torch.equal(resized_mask(mask, (4, 6)), mask)
