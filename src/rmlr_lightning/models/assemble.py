"""From parts that hold their own sizes to a model that fits the detector and the vocabulary."""

from collections.abc import Callable, Sequence

from jaxtyping import Int
from torch import Tensor, nn

from rmlr_lightning.detectors.base import Detector
from rmlr_lightning.detectors.feature_maps import give_maps
from rmlr_lightning.detectors.second_network import WithSecondNetwork
from rmlr_lightning.errors import UserError
from rmlr_lightning.models.hoi import MAX_PAIRS, HOIModel
from rmlr_lightning.ops.nms import MAX_CLASSES
from rmlr_lightning.ops.object_classes import class_index
from rmlr_lightning.ops.selection import Selection
from rmlr_lightning.types import TextEmbeddings
from rmlr_lightning.vocabulary import MAX_TABLE, Vocabulary


def assemble(
    vocabulary: Vocabulary,
    detector: Detector,
    selection: Selection,
    remine: Callable[..., nn.Module],
    ire: Callable[..., nn.Module],
    irm: Callable[..., nn.Module],
    power: float = 2.8,
    compiled: bool = False,
    max_pairs: int = MAX_PAIRS,
    bank: Callable[[], TextEmbeddings] | None = None,
) -> HOIModel:
    """An HOIModel. Other arguments: see there.

    Args:
        vocabulary: verbs and valid object-verb pairs.
        remine, ire, irm: constructors that lack only what follows from the part before them.
        bank: text embeddings of the phrases, for an IRM that classifies by them.

    Raises:
        UserError: too many classes, or a detector that lacks the subjects' class.
    """
    # NMS gives each class a place of its own
    if len(vocabulary.objects) > MAX_CLASSES:
        raise UserError(
            f"the data set has {len(vocabulary.objects)} object classes; at most {MAX_CLASSES} work"
        )
    if len(vocabulary.objects) * len(vocabulary.verbs) > MAX_TABLE:
        raise UserError(
            f"the data set has {len(vocabulary.verbs):,} verbs and {len(vocabulary.objects):,} "
            f"object classes; at most {MAX_TABLE:,} combinations work"
        )
    detector, extractor = first_stage(detector, remine)
    encoder = ire(
        token_dim=detector.token_dim, map_dim=extractor.dim, memory_dim=detector.memory_dim
    )
    reasoner = irm(dim=encoder.dim, vocabulary=vocabulary, bank=bank)
    return HOIModel(
        detector,
        selection,
        extractor,
        encoder,
        reasoner,
        vocabulary.valid_pairs(),
        object_index(detector.objects, vocabulary),
        vocabulary.subject,
        power,
        compiled,
        max_pairs,
    )


def object_index(classes: Sequence[str], vocabulary: Vocabulary) -> Int[Tensor, " classes"]:
    """The vocabulary's object class of each of a detector's classes; -1 where it has none.

    Args:
        classes: names of the detector's.

    Raises:
        UserError: the detector finds no subjects, or none of the objects.
    """
    index = class_index(classes, vocabulary.objects)
    # without humans there would be no pair, and a result of zero without a word
    subject = vocabulary.subject_name
    if subject is not None and subject not in classes:
        raise UserError(
            f"model.detector: it has no class {subject!r}, which the data set's interactions need; "
            f"it has {len(classes)}, such as {', '.join(classes[:3])}; fine-tune it on the data "
            "set's boxes"
        )
    interacting = {obj for _, obj in vocabulary.hois}
    if not interacting.intersection(index.tolist()):
        raise UserError(
            "model.detector: it has none of the data set's object classes, such as "
            f"{vocabulary.objects[min(interacting)]!r}; fine-tune it on the data set's boxes"
        )
    return index


def first_stage(detector: Detector, remine: Callable[..., nn.Module]) -> tuple[Detector, nn.Module]:
    """The detector that gives the maps which the extractor reads, and the extractor.

    A frozen network of the extractor becomes a part of the detector.

    Raises:
        UserError: the detector has no such map.
    """
    map_dims = getattr(detector, "map_dims", {})
    extractor = remine(memory_dim=detector.memory_dim, map_dims=map_dims)
    # maps of its own networks are not asked of the detector
    networks = getattr(extractor, "frozen_networks", ())
    others = {name for network in networks for name in network.maps}
    give_maps(detector, [name for name in getattr(extractor, "maps", ()) if name not in others])
    for network in networks:
        detector = WithSecondNetwork(detector, network)
    return detector, extractor
