"""The official evaluations: HICO-DET (Default, Known Object) and V-COCO (Scenario 1, 2 and agent).

Pure functions on arrays, and thin torchmetrics classes. The classes are imported on first access:
importing torchmetrics takes 3 seconds, which `rmlr-score` and `rmlr-report` do without.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rmlr_lightning.metrics.detected_roles import RoleDetections, role_detections
from rmlr_lightning.metrics.hicodet import HICODetResult, PairTable, score_hicodet
from rmlr_lightning.metrics.vcoco import RoleTable, VCOCOResult, score_vcoco
from rmlr_lightning.metrics.vcoco_truth import VCOCOTruth, vcoco_truth

if TYPE_CHECKING:
    from rmlr_lightning.metrics.hicodet_metric import HICODetMeanAP
    from rmlr_lightning.metrics.vcoco_metric import VCOCORoleAP

__all__ = [
    "HICODetMeanAP",
    "HICODetResult",
    "PairTable",
    "RoleDetections",
    "RoleTable",
    "VCOCOResult",
    "VCOCORoleAP",
    "VCOCOTruth",
    "role_detections",
    "score_hicodet",
    "score_vcoco",
    "vcoco_truth",
]

_LAZY = {
    "HICODetMeanAP": "hicodet_metric",
    "VCOCORoleAP": "vcoco_metric",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
