"""The table of verb types, and means over it."""

import json

import pytest
from support.verb_types import TABLE, by_type, definitions, hoi_types, type_of

from rmlr_lightning.errors import UserError
from rmlr_lightning.synthetic.world import classes
from rmlr_lightning.vocabulary import Vocabulary, hicodet


def test_every_verb_of_hicodet_has_one_type():
    hois = hicodet().hois
    assert type_of().keys() == set(hicodet().verbs)
    assert sum(mine.astype(int) for mine in hoi_types(hicodet()).values()).tolist() == [1] * len(
        hois
    )


def test_no_verb_is_listed_twice():
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    listed = [verb for verbs in table["verbs"].values() for verb in verbs]
    assert len(listed) == len(set(listed)) == 117
    assert table["verbs"].keys() == definitions().keys()


def test_the_embedded_world_has_every_type():
    assert {type_of()[verb] for verb, _ in classes().hois} == set(definitions())


def test_an_unknown_verb_is_named():
    with pytest.raises(UserError, match="juggle"):
        hoi_types(Vocabulary(("juggle",), ((0, 32),), frozenset()))


def test_means_by_type_skip_what_has_no_value():
    vocabulary = Vocabulary(("hold", "ride", "hug"), ((0, 1), (1, 1), (2, 1), (0, 3)), frozenset())
    found = by_type({"hold bicycle": 0.2, "hug bicycle": 0.6, "ride bicycle": 0.5}, vocabulary)
    assert found == pytest.approx({"contact": 0.4, "posture": 0.5, "all": 1.3 / 3})
