"""From parts that know their own sizes to a model whose sizes fit the detector and the vocabulary."""

from collections.abc import Callable

from torch import nn

from rmlr_lightning.detectors.transformers import Detector
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
    """An HOIModel. `remine`, `ire` and `irm` are constructors that lack only what follows from the part before them.

    `bank` gives the vectors of the vocabulary's phrases to an IRM that classifies by them.
    """
    map_maker = remine(memory_dim=detector.memory_dim)
    encoder = ire(
        token_dim=detector.token_dim, map_dim=map_maker.dim, memory_dim=detector.memory_dim
    )
    reasoner = irm(dim=encoder.dim, vocabulary=vocabulary, bank=bank)
    return HOIModel(
        detector,
        selection,
        map_maker,
        encoder,
        reasoner,
        vocabulary.valid_pairs(),
        power,
        compiled,
        bucket,
    )
