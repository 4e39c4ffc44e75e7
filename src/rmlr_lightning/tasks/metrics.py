"""What is measured on a split: mAP over HOIs, and V-COCO's role AP and the accuracy on twins where there is truth."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from rmlr_lightning.annotations.vcoco_official import read_vcoco_official
from rmlr_lightning.metrics.hicodet_metric import HICODetMeanAP
from rmlr_lightning.metrics.twins import TwinAccuracy, read_twins
from rmlr_lightning.metrics.vcoco_metric import VCOCORoleAP, role_detections
from rmlr_lightning.metrics.vcoco_truth import vcoco_truth
from rmlr_lightning.types import Detections, Target
from rmlr_lightning.vocabulary import Vocabulary


class SplitScores(nn.Module):
    """The metrics of one split.

    Args:
        split: "val" or "test"; test also reports the Known Object setting.
        vocabulary: of the data.
        twins: a world.json of the embedded world.
        role_truth: the official V-COCO files of this split (annotations, instances, ids).
        unseen: HOIs that training did not show.
    """

    def __init__(
        self,
        split: str,
        vocabulary: Vocabulary,
        twins: str | None = None,
        role_truth: Mapping[str, Any] | None = None,
        unseen: frozenset[int] = frozenset(),
    ) -> None:
        super().__init__()
        self.split = split
        self.metrics = nn.ModuleDict(
            {"hoi": HICODetMeanAP(vocabulary, known_object=split == "test", unseen=unseen)}
        )
        if twins is not None:
            self.metrics["twins"] = TwinAccuracy(read_twins(twins, split, vocabulary))
        if role_truth is not None:
            official = read_vcoco_official(
                role_truth["annotations"], role_truth["instances"], role_truth.get("ids")
            )
            self.metrics["role"] = VCOCORoleAP(
                vcoco_truth(official.coco, official.actions, official.ids)
            )

    def update(
        self,
        targets: Sequence[Target],
        found: Sequence[Detections],
        image_hois: Sequence[frozenset] | None,
    ) -> None:
        """One batch."""
        self.metrics["hoi"].update(
            list(found), list(targets), list(image_hois) if image_hois is not None else None
        )
        if "twins" in self.metrics:
            self.metrics["twins"].update([target.file_name for target in targets], found)
        if "role" in self.metrics:
            self.metrics["role"].update(
                [role_detections(t.image_id, f) for t, f in zip(targets, found, strict=True)]
            )

    def compute(self) -> dict[str, Tensor]:
        """All figures, named `split/figure`; the metrics start anew."""
        values = {}
        for metric in self.metrics.values():
            values |= {
                f"{self.split}/{name}": value.float() for name, value in metric.compute().items()
            }
            metric.reset()
        return values
