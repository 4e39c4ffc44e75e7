"""RmLR in PyTorch Lightning: language-guided two-stage human-object interaction detection."""

from typing import Any

__version__ = "0.1.0"
__all__ = ["HOIDetector", "Interaction", "Result"]


def __getattr__(name: str) -> Any:
    # When they are asked for: processes that draw the synthetic benchmark must not load torch.
    if name == "HOIDetector":
        from rmlr_lightning.hub.detector import HOIDetector

        return HOIDetector
    if name == "Interaction":
        from rmlr_lightning.hub.named_detections import Interaction

        return Interaction
    if name == "Result":
        from rmlr_lightning.hub.result import Result

        return Result
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
