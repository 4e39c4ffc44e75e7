"""How near phrases are to each other: for soft targets."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def phrase_similarity(sentences: Float[Tensor, "T E"]) -> Float[Tensor, "T T"]:
    """Cosine between all phrases after their mean is taken away: what they share ("a photo of a person") says nothing.

    Values in [-1, 1], 1 on the diagonal; a phrase that is exactly the mean is at 0 to all, itself too.
    """
    centred = F.normalize(sentences - sentences.mean(0), dim=-1)
    return (centred @ centred.T).clamp(-1, 1)
