"""V-COCO's role AP as a metric of a run, from the official files."""

from collections.abc import Mapping

from rmlr_lightning.annotations.vcoco_official import read_vcoco_official
from rmlr_lightning.metrics.vcoco_metric import VCOCORoleAP
from rmlr_lightning.metrics.vcoco_truth import vcoco_truth
from rmlr_lightning.vocabulary import Vocabulary


def role_ap_of_files(
    files: Mapping[str, Mapping[str, str | None]],
    vocabulary: Vocabulary,
    unseen: frozenset[int],
    split: str,
) -> VCOCORoleAP | None:
    """Role AP of a split; None where the split has no files.

    Args:
        files: by split the paths `annotations`, `instances` and `ids` (see `read_vcoco_official`).
        vocabulary: not used: the verbs of the data must be those of `vocabulary.vcoco()`.
        unseen: not used: role AP is over all actions.
        split: "val" or "test".

    Raises:
        AnnotationError: a file is missing or damaged.
    """
    paths = files.get(split)
    if paths is None:
        return None
    official = read_vcoco_official(paths["annotations"], paths.get("instances"), paths.get("ids"))
    return VCOCORoleAP(vcoco_truth(official.coco, official.actions, official.ids))
