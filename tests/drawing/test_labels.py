from itertools import combinations

from PIL import Image, ImageDraw, ImageFont

from rmlr_lightning.drawing.labels import place_label


def test_labels_of_one_corner_do_not_overlap_and_stay_on_the_image():
    size = (400, 200)
    draw = ImageDraw.Draw(Image.new("RGB", size), "RGBA")
    font = ImageFont.load_default(13)
    occupied = []
    for text in ("ride 0.90 · horse", "hold 0.80 · horse", "feed 0.70 · horse"):
        place_label(draw, font, size, (390, 190), text, (200, 40, 40), occupied)
    for first, second in combinations(occupied, 2):
        apart = first[2] <= second[0] or second[2] <= first[0]
        apart |= first[3] <= second[1] or second[3] <= first[1]
        assert apart
    assert all(x1 >= 0 and y1 >= 0 and x2 <= 400 and y2 <= 200 for x1, y1, x2, y2 in occupied)
