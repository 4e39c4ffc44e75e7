from PIL import Image

from rmlr_lightning.drawing.curves import draw_curves


def test_curves_write_a_png(tmp_path):
    history = {"train/loss": [(1, 0.5), (2, 0.3)], "val/map_full": [(1, 0.2), (2, 0.4)]}
    draw_curves(history, tmp_path / "a" / "curves.png")
    with Image.open(tmp_path / "a" / "curves.png") as image:
        assert image.width > 500
