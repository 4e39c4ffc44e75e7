"""Candidate pairs of detected entities: all that precedes the trained stages."""

from typing import NamedTuple

from jaxtyping import Bool, Int
from torch import Tensor

from rmlr_lightning.ops.object_classes import with_object_classes
from rmlr_lightning.ops.pairing import pair
from rmlr_lightning.ops.selection import Selection, select_entities
from rmlr_lightning.types import Pairs, Scene


class Rules(NamedTuple):
    """What decides on the candidates. No weight of the model does.

    A loading process follows them as well as the model: then a GPU need not wait for the numbers
    of entities and pairs, which are sizes of tensors.
    """

    selection: Selection
    subject: int | None  # object class of the humans; None: any
    valid_pairs: Bool[Tensor, "O V"]
    object_index: Int[Tensor, " classes"]  # see `ops.object_classes.class_index`

    def cpu(self) -> "Rules":
        """The same rules for a loading process."""
        return self._replace(
            valid_pairs=self.valid_pairs.cpu(), object_index=self.object_index.cpu()
        )


def select_and_pair(scene: Scene, rules: Rules) -> tuple[Scene, Pairs]:
    """The scene after selection, and its candidate pairs.

    Args:
        scene: its labels are the vocabulary's (`with_vocabulary_classes`).
    """
    selection = rules.selection
    entities = select_entities(scene.entities, selection, rules.subject)
    valid_pairs = None if selection.pair_all else rules.valid_pairs
    pairs = pair(entities, valid_pairs, rules.subject)
    return scene._replace(entities=entities), pairs


def with_vocabulary_classes(scene: Scene, rules: Rules) -> Scene:
    """The scene of a detector, or of a cache, with the object classes of the vocabulary."""
    return scene._replace(entities=with_object_classes(scene.entities, rules.object_index))
