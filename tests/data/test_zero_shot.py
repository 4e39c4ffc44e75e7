import pytest

from rmlr_lightning.data.zero_shot import unseen_hois
from rmlr_lightning.errors import UserError
from rmlr_lightning.vocabulary import COCO_OBJECTS, NO_INTERACTION, hicodet


def test_unseen_verbs_objects_and_compositions_hide_exactly_their_hois():
    vocabulary = hicodet()
    hidden = unseen_hois(vocabulary, verbs=["ride"], objects=["zebra"], hois=["talk on cell phone"])
    for hoi, (verb, obj) in enumerate(vocabulary.hois):
        named = vocabulary.hoi_name(hoi) == "talk on cell phone"
        assert (hoi in hidden) is (
            vocabulary.verbs[verb] == "ride" or COCO_OBJECTS[obj] == "zebra" or named
        )


def test_drawn_verbs_depend_on_the_seed_alone_and_are_interactions():
    vocabulary = hicodet()
    drawn = [unseen_hois(vocabulary, draw=20, seed=seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    verbs = {vocabulary.hois[hoi][0] for hoi in drawn[0]}
    assert len(verbs) == 20 and vocabulary.verbs.index(NO_INTERACTION) not in verbs
    assert drawn[0] == {hoi for hoi, (verb, _) in enumerate(vocabulary.hois) if verb in verbs}


def test_what_training_may_see_is_the_rest():
    vocabulary = hicodet()
    hidden = unseen_hois(vocabulary, draw=5)
    seen = {(verb, obj) for obj, verb in vocabulary.valid_pairs(hidden).nonzero().tolist()}
    assert seen == {pair for hoi, pair in enumerate(vocabulary.hois) if hoi not in hidden}


@pytest.mark.parametrize(
    "wrong",
    [
        {"verbs": ["teleport"]},
        {"objects": ["unicorn"]},
        {"hois": ["ride"]},
        {"draw": 117},
        {"draw": -1},
    ],
)
def test_what_the_vocabulary_has_not_is_refused_in_one_line(wrong):
    with pytest.raises(UserError, match=f"^unseen.{next(iter(wrong))}[^\n]*$"):
        unseen_hois(hicodet(), **wrong)
