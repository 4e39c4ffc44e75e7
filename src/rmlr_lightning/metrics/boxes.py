"""Pixel-counting IoU, as both official evaluators define it."""

import numpy as np


def inclusive(boxes: np.ndarray) -> np.ndarray:
    """Continuous 0-based corners to 1-based inclusive pixels: (x1 + 1, y1 + 1, x2, y2), in float64.

    HICO-DET's files are 1-based inclusive. Reading them into `Target` is exactly the inverse, so
    the annotated boxes come back unchanged.

    Args:
        boxes: (N, 4) xyxy, any float type.

    Returns:
        (N, 4) float64.
    """
    out = boxes.astype(np.float64)
    out[:, :2] += 1.0
    return out


def pixel_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Row-wise IoU of inclusive boxes: a side has x2 - x1 + 1 pixels.

    The intersection is 0 unless both of its sides are > 0. An empty box overlaps no box, not even
    an equal one.

    Args:
        first, second: (N, 4) float64 xyxy, both corners inclusive. NaN (an empty role) gives 0.

    Returns:
        (N,) float64.
    """
    ax1, ay1, ax2, ay2 = first.T
    bx1, by1, bx2, by2 = second.T
    width = np.minimum(ax2, bx2) - np.maximum(ax1, bx1) + 1.0
    height = np.minimum(ay2, by2) - np.maximum(ay1, by1) + 1.0
    meets = (width > 0) & (height > 0)
    shared = np.where(meets, width * height, 0.0)
    area_a = (ax2 - ax1 + 1.0) * (ay2 - ay1 + 1.0)
    area_b = (bx2 - bx1 + 1.0) * (by2 - by1 + 1.0)
    # Boxes that intersect have positive sides and a positive union; the others could divide by 0.
    return shared / np.where(meets, area_a + area_b - shared, 1.0)
