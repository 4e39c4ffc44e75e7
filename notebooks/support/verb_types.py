"""Types of verbs, by what makes them seen: contact, posture, gaze, instrument, or nothing in one picture (abstract).

The table, `vocab/verb_types.json`, is ours: one type for each of HICO-DET's 117 verbs, by what tells the verb from the
others that go with the same object. The embedded world's verbs are 34 of them.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

import numpy as np
import torch

from rmlr_lightning.errors import UserError
from rmlr_lightning.metrics.hicodet_metric import HICODetMeanAP
from rmlr_lightning.tasks.hoi import HOITask
from rmlr_lightning.types import Batch
from rmlr_lightning.vocabulary import Vocabulary


@cache
def definitions() -> dict[str, str]:
    """The types, each with one line that says what belongs to it."""
    return _read()["types"]


@cache
def type_of() -> dict[str, str]:
    """Verb -> type, for HICO-DET's verbs."""
    return {verb: kind for kind, verbs in _read()["verbs"].items() for verb in verbs}


def hoi_types(vocabulary: Vocabulary) -> dict[str, np.ndarray]:
    """For each type which of the vocabulary's HOIs it has, (C,) bool; every HOI has one.

    Raises:
        UserError: a verb that is none of HICO-DET's.
    """
    odd = sorted(set(vocabulary.verbs) - type_of().keys())
    if odd:
        raise UserError(
            f"vocab/verb_types.json: no type for {', '.join(odd)}; it knows HICO-DET's verbs"
        )
    kinds = np.array([type_of()[vocabulary.verbs[verb]] for verb, _ in vocabulary.hois])
    return {kind: kinds == kind for kind in definitions()}


def class_ap(task: HOITask, batches: Iterable[Batch]) -> dict[str, float]:
    """AP of each HOI that has truth, by its name."""
    metric = HICODetMeanAP(task.vocabulary, known_object=False)
    with torch.inference_mode():
        for batch in batches:
            metric.update(task.detect(task(batch.inputs)), batch.targets)
    found = metric.per_class()
    return {
        task.vocabulary.hoi_name(hoi): float(ap)
        for hoi, (ap, truth) in enumerate(zip(found["ap"], found["positives"], strict=True))
        if truth > 0
    }


def by_type(values: Mapping[str, float], vocabulary: Vocabulary) -> dict[str, float]:
    """Means over the HOIs of each type, and "all"; `values` by name of the HOI. Types without a value are left out."""
    column = np.array(
        [values.get(vocabulary.hoi_name(hoi), np.nan) for hoi in range(len(vocabulary.hois))]
    )
    known = ~np.isnan(column)
    groups = hoi_types(vocabulary) | {"all": np.ones(len(column), dtype=bool)}
    return {
        kind: float(column[mine & known].mean())
        for kind, mine in groups.items()
        if (mine & known).any()
    }


@cache
def _read() -> dict:
    return json.loads(
        files("rmlr_lightning").joinpath("vocab", "verb_types.json").read_text(encoding="utf-8")
    )
