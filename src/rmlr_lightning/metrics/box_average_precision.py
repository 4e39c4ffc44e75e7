"""COCO's average precision of boxes, also per class."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision

from rmlr_lightning.metrics.base import TableRow

# title of the column -> key of `compute` and key of torchmetrics
_SUMMARY = {
    "AP": ("ap", "map"),
    "AP50": ("ap50", "map_50"),
    "AP75": ("ap75", "map_75"),
    "small": ("ap_small", "map_small"),
    "medium": ("ap_medium", "map_medium"),
    "large": ("ap_large", "map_large"),
}


class BoxAveragePrecision(MeanAveragePrecision):
    """AP over IoU 0.50 to 0.95, as pycocotools computes it, with at most 100 boxes per image.

    Small is under 32 x 32 pixels of the file and large over 96 x 96, by the area of the box; COCO
    itself goes by the area of the mask. A class without annotated boxes has no AP.

    Args:
        objects: names of the classes that labels are indices into.
        split: prefix of the keys.
    """

    def __init__(self, objects: Sequence[str], split: str) -> None:
        # The precision of each class is in the extended summary; `class_metrics` would evaluate
        # every class once more.
        # Thresholds in double precision, as pycocotools has them: torchmetrics rounds its own.
        super().__init__(
            iou_thresholds=np.linspace(0.5, 0.95, 10).tolist(),
            rec_thresholds=np.linspace(0, 1, 101).tolist(),
            extended_summary=True,
        )
        self.warn_on_many_detections = False
        self.objects = tuple(objects)
        self.split = split
        columns = {title: f"{split}/{key}" for title, (key, _) in _SUMMARY.items()}
        self.table = (TableRow("boxes", columns),)
        self.class_rows = tuple(
            TableRow(name, {"AP": f"{split}/ap_{key}", "AP50": f"{split}/ap50_{key}"})
            for name, key in ((name, name.replace(" ", "_")) for name in self.objects)
        )

    def compute(self) -> dict[str, Tensor]:
        """Values in [0, 1] by `split/key`; NaN where nothing is annotated."""
        values = super().compute()
        found = {f"{self.split}/{key}": _known(values[name]) for key, name in _SUMMARY.values()}

        # Axes of "precision": IoU thresholds, recalls, classes, areas, detection limits. The first
        # area is all, the last limit 100 boxes; -1 stands for a class without annotations.
        precision = values["precision"][:, :, :, 0, -1]
        for index, label in enumerate(values["classes"].reshape(-1).tolist()):
            row = self.class_rows[label]
            found[row.columns["AP"]] = _known(precision[:, :, index].mean())
            found[row.columns["AP50"]] = _known(precision[0, :, index].mean())
        return found


def _known(value: Tensor) -> Tensor:
    return value.masked_fill(value < 0, float("nan"))
