import pytest

from rmlr_lightning.vocabulary import (
    COCO_CATEGORY_IDS,
    COCO_INDEX,
    COCO_OBJECTS,
    NO_INTERACTION,
    hicodet,
    vcoco,
    vcoco_action_roles,
    vcoco_actions,
)


def test_coco_has_80_objects_with_the_gaps_of_the_category_ids():
    assert len(COCO_OBJECTS) == len(set(COCO_OBJECTS)) == len(COCO_CATEGORY_IDS) == 80
    assert COCO_OBJECTS[0] == "person" and COCO_CATEGORY_IDS[0] == 1
    assert COCO_OBJECTS[79] == "toothbrush" and COCO_CATEGORY_IDS[79] == 90
    assert set(range(1, 91)) - set(COCO_CATEGORY_IDS) == {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}


def test_hicodet_has_the_published_counts():
    vocabulary = hicodet()
    assert (len(vocabulary.verbs), len(vocabulary.hois), len(vocabulary.rare)) == (117, 600, 138)
    assert len(set(vocabulary.hois)) == 600
    assert list(vocabulary.verbs) == sorted(vocabulary.verbs)
    idle = [obj for verb, obj in vocabulary.hois if vocabulary.verbs[verb] == NO_INTERACTION]
    assert sorted(idle) == list(range(80))  # every object can be left alone


@pytest.mark.parametrize(
    ("hoi", "name"),  # spot checks against the published list of HOIs
    [
        (0, "board airplane"),
        (152, "race motorcycle"),
        (245, "sit on bench"),
        (599, "no interaction zebra"),
    ],
)
def test_hicodet_is_in_the_official_order(hoi, name):
    assert hicodet().hoi_name(hoi) == name


@pytest.mark.parametrize("vocabulary", [hicodet(), vcoco()], ids=["hicodet", "vcoco"])
def test_the_three_views_of_the_hois_agree(vocabulary):
    assert all(vocabulary.hoi_of[pair] == hoi for hoi, pair in enumerate(vocabulary.hois))
    allowed = vocabulary.valid_pairs()
    assert allowed.shape == (80, len(vocabulary.verbs))
    assert {(verb, obj) for obj, verb in allowed.nonzero().tolist()} == set(vocabulary.hois)
    assert allowed.any(0).all()  # no verb without an object


def test_vcoco_has_26_actions_and_24_action_roles():
    actions = vcoco_actions()
    assert len(actions) == 26
    assert [a.name for a in actions if len(a.roles) == 1] == ["stand", "walk", "run", "smile"]
    assert [a.name for a in actions if len(a.roles) == 3] == ["hit", "eat", "cut"]
    assert all(a.roles[0] == "agent" and len(a.include) == len(a.roles) for a in actions)
    assert len(vcoco_action_roles()) == len(vcoco().verbs) == 24
    assert vcoco().verbs[:8] == (
        *(
            "hold obj",
            "sit instr",
            "ride instr",
            "look obj",
            "hit instr",
            "hit obj",
            "eat obj",
            "eat instr",
        ),
    )
    assert "point instr" not in vcoco().verbs
    assert not vcoco().rare


def test_vcoco_hois_respect_the_roles():
    for verb, obj in vcoco().hois:
        action, role = vcoco_action_roles()[verb]
        include = vcoco_actions()[action].include[role]
        assert not include or COCO_OBJECTS[obj] in include
    assert vcoco().hois == tuple(sorted(vcoco().hois))
    assert (vcoco().verbs.index("talk_on_phone instr"), COCO_INDEX["cell phone"]) in vcoco().hois
