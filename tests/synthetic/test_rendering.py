"""Images and annotations of single specifications."""

import numpy as np

from rmlr_lightning.synthetic import WorldConfig, render, schedule


def test_render_is_deterministic_and_boxes_are_inside():
    config = WorldConfig(train=24, val=0, test=0)
    width, height = config.size
    for spec in schedule(config):
        image, annotations = render(spec, config)
        again, annotations_again = render(spec, config)
        assert image.shape == (height, width, 3) and image.dtype == np.uint8
        assert np.array_equal(image, again) and annotations == annotations_again

        boxes = annotations["persons"] + [obj["box"] for obj in annotations["objects"]]
        for x0, y0, x1, y1 in boxes:
            assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height

        for pair in annotations["pairs"]:
            assert pair["person"] < len(annotations["persons"])
            assert pair["object"] < len(annotations["objects"])


def test_slack_moves_boxes_but_no_pixel():
    exact = WorldConfig(train=4, val=0, test=0, slack=0.0)
    loose = WorldConfig(train=4, val=0, test=0, slack=0.05)
    for spec in schedule(exact):
        image, annotations = render(spec, exact)
        same_image, other = render(spec, loose)
        assert np.array_equal(image, same_image)
        assert annotations["persons"] != other["persons"]
        assert annotations["joints"] == other["joints"]
