"""V-COCO's role AP as a metric of a run, from the official files."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rmlr_lightning.annotations.file import AnnotationFile
from rmlr_lightning.annotations.held_out import SHARE, is_held_out
from rmlr_lightning.annotations.vcoco_official import (
    EXPECTED,
    HINT,
    VCOCOOfficial,
    is_official,
    parsed_official,
)
from rmlr_lightning.metrics.vcoco_metric import VCOCORoleAP
from rmlr_lightning.metrics.vcoco_truth import vcoco_truth
from rmlr_lightning.vocabulary import Vocabulary


def role_ap_of_files(
    files: Mapping[str, Mapping[str, Any]],
    vocabulary: Vocabulary,
    unseen: frozenset[int],
    split: str,
) -> VCOCORoleAP | None:
    """Role AP of a split; None where the split has no files, or files of another layout.

    UPT's and QPIC's files lack people without actions, whom the official script counts: role AP
    from them would be another number.

    Args:
        files: by split the paths `annotations`, `instances` and `ids` (see `read_vcoco_official`),
            and `held_out` and `share` as in `HOIDataset`: which images are scored.
        vocabulary: not used: the verbs of the data must be those of `vocabulary.vcoco()`.
        unseen: not used: role AP is over all actions.
        split: "val" or "test".

    Raises:
        AnnotationError: a file is missing or damaged.
    """
    paths = files.get(split)
    if paths is None:
        return None
    file = AnnotationFile(Path(paths["annotations"]), EXPECTED, HINT)
    document = file.json()
    if not is_official(document):
        print(
            f"note: no role AP on the {split} split: {file.path} is not an official file; it needs "
            f"vcoco_*.json and COCO's instances (metrics.roles.files.{split})",
            file=sys.stderr,
        )
        return None

    # images without detections count, so the images of the other side must go
    official = parsed_official(file, document, paths.get("instances"), paths.get("ids"))
    if paths.get("held_out") is not None:
        official = _one_side(official, paths["held_out"], paths.get("share", SHARE))
    return VCOCORoleAP(vcoco_truth(official.coco, official.actions, official.ids))


def _one_side(official: VCOCOOfficial, held_out: bool, share: float) -> VCOCOOfficial:
    name_of = {image["id"]: image["file_name"] for image in official.coco["images"]}
    ids = [
        image_id for image_id in official.ids if is_held_out(name_of[image_id], share) == held_out
    ]
    return official._replace(ids=ids)
