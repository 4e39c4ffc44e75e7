"""Types of verbs, by the visible cue: contact, posture, gaze, instrument, or none (abstract).

The table, `verb_types.json`, is our own: one type for each of HICO-DET's 117 verbs, by the
cue that distinguishes it from the other verbs of the same object. The synthetic benchmark has 34
of them.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from rmlr_lightning.errors import UserError
from rmlr_lightning.metrics.hicodet_metric import HICODetMeanAP
from rmlr_lightning.tasks.hoi import HOITask
from rmlr_lightning.types import Batch
from rmlr_lightning.vocabulary import Vocabulary

TABLE = Path(__file__).with_name("verb_types.json")


@cache
def definitions() -> dict[str, str]:
    """The types, with one line of definition each."""
    return _read()["types"]


@cache
def type_of() -> dict[str, str]:
    """Verb -> type, for HICO-DET's verbs."""
    return {verb: kind for kind, verbs in _read()["verbs"].items() for verb in verbs}


def hoi_types(vocabulary: Vocabulary) -> dict[str, np.ndarray]:
    """For each type which of the vocabulary's HOIs have it, (C,) bool; every HOI has one.

    Raises:
        UserError: a verb that is none of HICO-DET's.
    """
    unknown = sorted(set(vocabulary.verbs) - type_of().keys())
    if unknown:
        raise UserError(
            f"verb_types.json: no type for {', '.join(unknown)}; it has HICO-DET's verbs"
        )
    types = np.array([type_of()[vocabulary.verbs[verb]] for verb, _ in vocabulary.hois])
    return {kind: types == kind for kind in definitions()}


def class_ap(task: HOITask, dataset: Dataset, batches: Iterable[Batch]) -> dict[str, float]:
    """AP of each HOI that is annotated, by its name.

    Args:
        task: in evaluation mode.
        dataset: holds the annotations of the batches' images.
        batches: of the data set.
    """
    metric = HICODetMeanAP(task.vocabulary, known_object=False)
    with torch.inference_mode():
        for batch in batches:
            targets = [dataset.target(image_id) for image_id in batch.image_ids]
            metric.update(task.detect(task(batch.inputs)), targets)
    by_class = metric.per_class()
    rows = enumerate(zip(by_class["ap"], by_class["positives"], strict=True))
    return {task.vocabulary.hoi_name(hoi): float(ap) for hoi, (ap, count) in rows if count > 0}


def by_type(values: Mapping[str, float], vocabulary: Vocabulary) -> dict[str, float]:
    """Means over the HOIs of each type, and over "all".

    Args:
        values: by name of the HOI; HOIs without a value are left out.
        vocabulary: of the HOIs.
    """
    names = [vocabulary.hoi_name(hoi) for hoi in range(len(vocabulary.hois))]
    column = np.array([values.get(name, np.nan) for name in names])
    has_value = ~np.isnan(column)
    groups = hoi_types(vocabulary) | {"all": np.ones(len(column), dtype=bool)}
    return {
        kind: float(column[members & has_value].mean())
        for kind, members in groups.items()
        if (members & has_value).any()
    }


@cache
def _read() -> dict:
    return json.loads(TABLE.read_text(encoding="utf-8"))
