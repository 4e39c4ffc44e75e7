"""Images with pairs as Weights & Biases shows them: boxes by class, with a slider for the score."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from PIL import Image

from rmlr_lightning.types import Detections, Target
from rmlr_lightning.vocabulary import Vocabulary


class BoxedPair(NamedTuple):
    """A pair on an image; boxes are corners in pixels."""

    hoi: int
    human: Sequence[float]
    object: Sequence[float]
    score: float | None = None  # None: annotated


def annotated_pairs(target: Target) -> list[BoxedPair]:
    """The annotated pairs of an image that are HOIs."""
    rows = zip(target.hois.tolist(), target.boxes_h.tolist(), target.boxes_o.tolist(), strict=True)
    return [BoxedPair(hoi, human, obj) for hoi, human, obj in rows if hoi >= 0]


def detected_pairs(
    found: Detections, vocabulary: Vocabulary, threshold: float, limit: int
) -> list[BoxedPair]:
    """The best detections of an image, from `threshold` on, at most `limit`."""
    hois = vocabulary.hoi_table()[found.objects.numpy(), found.verbs.numpy()].tolist()
    rows = zip(
        hois, found.boxes_h.tolist(), found.boxes_o.tolist(), found.scores.tolist(), strict=True
    )
    pairs = [BoxedPair(*row) for row in rows if row[0] >= 0 and row[3] >= threshold]
    return sorted(pairs, key=lambda pair: -pair.score)[:limit]


def wandb_image(
    image: Image.Image,
    size: tuple[int, int],
    groups: dict[str, Iterable[BoxedPair]],
    vocabulary: Vocabulary,
    caption: str = "",
) -> Any:
    """A `wandb.Image`. Each group has its humans and its objects as boxes that can be switched.

    Args:
        image: at any size.
        size: (height, width) that the boxes belong to.
        groups: pairs by name, such as "detected" and "annotated".
        vocabulary: names of the HOIs, which are the classes of the boxes.
        caption: text below it.
    """
    import wandb

    names = {hoi: vocabulary.hoi_name(hoi) for hoi in range(len(vocabulary.hois))}
    boxes = {}
    for name, pairs in groups.items():
        pairs = list(pairs)
        for part in ("human", "object"):
            boxes[f"{name} {part}"] = {
                "class_labels": names,
                "box_data": [
                    box
                    for pair in pairs
                    if (box := _box(getattr(pair, part), pair, names, size)) is not None
                ],
            }
    return wandb.Image(image, boxes=boxes, caption=caption)


def _box(
    corners: Sequence[float], pair: BoxedPair, names: dict[int, str], size: tuple[int, int]
) -> dict[str, Any] | None:
    height, width = size
    # Parts outside of the image would be drawn over its neighbours.
    x1, y1, x2, y2 = (
        min(max(x / side, 0.0), 1.0)
        for x, side in zip(corners, (width, height, width, height), strict=True)
    )
    if not (x2 > x1 and y2 > y1):  # an empty role has NaN boxes
        return None
    box = {
        "position": {"minX": x1, "minY": y1, "maxX": x2, "maxY": y2},
        "class_id": pair.hoi,
        "box_caption": names[pair.hoi],
    }
    if pair.score is not None:
        box["box_caption"] += f" {pair.score:.2f}"
        box["scores"] = {"score": pair.score}
    return box
