"""One entry for all weights on disk: the kind of a file follows from its content."""

from collections.abc import Sequence
from pathlib import Path

from rmlr_lightning.detectors.detr_checkpoint import load_detr
from rmlr_lightning.detectors.transformers import IMAGENET_MEAN, IMAGENET_STD, TransformersDetector
from rmlr_lightning.detectors.weights import is_own_file
from rmlr_lightning.errors import UserError


def open_detector(
    path: str | Path,
    backbone: str | None = None,
    dilation: bool | None = None,
    objects: Sequence[str | None] | None = None,
    frozen: bool = True,
) -> TransformersDetector:
    """A detector from a file or a folder: what `model/detector=file` stands for.

    Opens a file of `rmlr-train task=detection`, a folder of transformers, and DETR in the layout of
    its authors: the official files, the fine-tuned ones of UPT and PViC, and whole models of these
    two, of which the detector is taken (`detectors.detr_checkpoint`).

    Args:
        backbone: "resnet50", for example; others are refused. None: any.
        dilation: whether DETR's last stage is dilated (DC5, stride 16); None: from the file.
        objects: names of the network's classes in its order, None for one not in use; by default
            from the file.

    Raises:
        UserError: no such file, or the reason why it does not open.
    """
    path = Path(path)
    if path.is_dir():
        detector = TransformersDetector.from_hub(str(path), objects, frozen)
    elif not path.is_file():
        raise UserError(
            f"{path}: no such detector weights; give a file or a folder, or for a hub id "
            "model/detector=hub model.detector.name=ID"
        )
    elif is_own_file(path):
        detector = TransformersDetector.from_file(path, frozen)
    else:
        network, names = load_detr(path, dilation, objects)
        detector = TransformersDetector(
            network, names, mean=IMAGENET_MEAN, std=IMAGENET_STD, frozen=frozen
        )

    _check_kind(detector, path, backbone, dilation)
    return detector


def _check_kind(
    detector: TransformersDetector, path: Path, backbone: str | None, dilation: bool | None
) -> None:
    """Compare a detector with the kind that the configuration names."""
    config = detector.network.config
    if backbone is not None:
        own = str(getattr(config.backbone_config, "backbone", config.backbone_config.model_type))
        if config.model_type != "detr" or own.partition(".")[0] != backbone:
            raise UserError(
                f"{path}: a {config.model_type} with backbone {own}, not a detr with {backbone}; "
                "model/detector=file opens any"
            )
    # stride, not the option: a folder may state dilation that its backbone does not have
    stride = {None: detector.stride, True: 16, False: 32}[dilation]
    if detector.stride != stride:
        raise UserError(
            f"{path}: its feature map has stride {detector.stride}, but "
            f"model.detector.dilation={str(dilation).lower()} needs {stride}"
        )
