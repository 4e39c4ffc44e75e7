"""From parts that hold their own sizes to a model that fits the detector and the vocabulary."""

from collections.abc import Callable

from torch import nn

from rmlr_lightning.detectors.base import Detector
from rmlr_lightning.detectors.feature_maps import give_maps
from rmlr_lightning.models.hoi import HOIModel
from rmlr_lightning.ops.selection import Selection
from rmlr_lightning.types import TextEmbeddings
from rmlr_lightning.vocabulary import Vocabulary


def assemble(
    vocabulary: Vocabulary,
    detector: Detector,
    selection: Selection,
    remine: Callable[..., nn.Module],
    ire: Callable[..., nn.Module],
    irm: Callable[..., nn.Module],
    power: float = 2.8,
    compiled: bool = False,
    bucket: int = 1,
    bank: Callable[[], TextEmbeddings] | None = None,
) -> HOIModel:
    """An HOIModel. Other arguments: see there.

    Args:
        vocabulary: verbs and valid object-verb pairs.
        remine, ire, irm: constructors that lack only what follows from the part before them.
        bank: text embeddings of the phrases, for an IRM that classifies by them.
    """
    extractor = extractor_for(detector, remine)
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
        power,
        compiled,
        bucket,
    )


def extractor_for(detector: Detector, remine: Callable[..., nn.Module]) -> nn.Module:
    """The extractor; the detector gives the maps that it reads from now on.

    Raises:
        UserError: the detector has no such map.
    """
    map_dims = getattr(detector, "map_dims", {})
    extractor = remine(memory_dim=detector.memory_dim, map_dims=map_dims)
    give_maps(detector, getattr(extractor, "maps", ()))
    return extractor
