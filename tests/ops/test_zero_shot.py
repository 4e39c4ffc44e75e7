"""Unseen HOIs: chosen, drawn, and the field's fixed lists on the real training pairs."""

import json
import os
import tarfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from rmlr_lightning.data.hoi_dataset import HOIDataset
from rmlr_lightning.data.transforms import ResizeShortest
from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.zero_shot import fixed_split, fixed_splits, unseen_hois, without_pairs
from rmlr_lightning.types import Target
from rmlr_lightning.vocabulary import COCO_OBJECTS, NO_INTERACTION, hicodet, vcoco
from tests.scenes import target_of

SHARED = Path(os.environ.get("RMLR_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
UNSEEN = {"rare_first": 120, "non_rare_first": 120, "unseen_object": 100, "unseen_verb": 84}


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


def test_the_fixed_lists_are_what_their_names_promise():
    vocabulary = hicodet()
    lists = {name: fixed_split(vocabulary, name) for name in fixed_splits()}
    assert {name: len(hois) for name, hois in lists.items()} == UNSEEN | dict.fromkeys(
        ("sg1", "sg2", "sg3"), 60
    )
    assert lists["rare_first"] <= vocabulary.rare
    assert not lists["non_rare_first"] & vocabulary.rare
    # all HOIs of 12 objects, and of 20 verbs
    for name, column, count in (("unseen_object", 1, 12), ("unseen_verb", 0, 20)):
        kinds = {vocabulary.hois[hoi][column] for hoi in lists[name]}
        assert len(kinds) == count
        assert lists[name] == {
            hoi for hoi, pair in enumerate(vocabulary.hois) if pair[column] in kinds
        }


@pytest.mark.skipif(not SHARED.is_dir(), reason="no folder of shared annotation files")
def test_the_fixed_lists_equal_the_published_file():
    published = json.loads((SHARED / "data/hico_zero_shot/hico_unseen_index.json").read_text())
    for name in UNSEEN:
        assert fixed_split(hicodet(), name) == set(published[name])


def test_hois_are_found_by_name_in_another_order_and_in_a_part():
    vocabulary = hicodet()
    turned = vocabulary._replace(hois=vocabulary.hois[::-1][:300])
    hidden = fixed_split(turned, "unseen_verb")
    expected = fixed_split(vocabulary, "unseen_verb")
    assert {599 - hoi for hoi in hidden} == {hoi for hoi in expected if hoi >= 300}


def test_a_fixed_list_is_refused_for_other_hois_and_under_other_names():
    with pytest.raises(UserError, match=r"^unseen=rare_first: a split of HICO-DET, but [^\n]*$"):
        fixed_split(vcoco(), "rare_first")
    with pytest.raises(UserError, match=r"^unseen.name=rare: choose one of rare_first, [^\n]*$"):
        fixed_split(hicodet(), "rare")


A, B, C = [0.0, 0, 8, 8], [5.0, 5, 9, 9], [1.0, 1, 3, 3]


def test_a_pair_leaves_with_all_its_verbs_and_no_other_pair_does():
    target = target_of([A, A, A, B], [B, B, C, B], [1, 1, 1, 1], [3, 4, 3, 3])
    target = target._replace(hois=torch.tensor([10, 11, 12, 13]))
    left = without_pairs(target, frozenset({11}))
    assert left.hois.tolist() == [12, 13] and left.boxes_o.tolist() == [C, B]
    assert without_pairs(target, frozenset()).hois.tolist() == [10, 11, 12, 13]


def data_of(targets, annotations="removed"):
    content = SimpleNamespace(vocabulary=hicodet(), targets=targets)
    return HOIDataset(
        content,
        "nowhere",
        ResizeShortest(),
        only_interacting=True,
        unseen=lambda vocabulary: frozenset({0}),
        unseen_annotations=annotations,
    )


def test_annotations_are_removed_with_their_images_or_masked():
    one = target_of([A], [B], [4], [4])._replace(hois=torch.tensor([0]), file_name="a")
    two = target_of([A, B], [B, C], [4, 4], [4, 4])._replace(hois=torch.tensor([0, 1]))
    assert [len(target.hois) for target in data_of([one, two]).targets] == [1]
    assert [len(target.hois) for target in data_of([one, two], "masked").targets] == [1, 2]
    with pytest.raises(UserError, match="unseen_annotations=hidden: choose removed or masked"):
        data_of([one], "hidden")


# images and pairs of HICO-DET train that stay when annotations are removed
LEFT = {
    "rare_first": (37528, 117309),
    "non_rare_first": (16616, 35104),
    "unseen_object": (31155, 100387),
    "unseen_verb": (35552, 93305),
}


@pytest.mark.slow
def test_removing_annotations_from_the_real_training_pairs():
    """All 117,654 pairs of HICO-DET train, as HAKE publishes them; expected: by one big table."""
    path = SHARED / "data" / "hake_hico" / "hico-det-instance-level.tar.gz"
    if not path.is_file():
        pytest.skip("no folder of shared annotation files")
    name = "hico-det-instance-level/hico-det-training-set-instance-level.json"
    with tarfile.open(path) as archive:
        records = [record["labels"] for record in json.load(archive.extractfile(name)).values()]

    rows = [row for record in records for row in record]
    counts = np.array([len(record) for record in records])
    image = np.repeat(np.arange(len(records)), counts)
    hois = np.array([row["hoi_id"] - 1 for row in rows])
    boxes = np.array([row["human_bbox"] + row["object_bbox"] for row in rows], dtype=np.float64)
    verbs, objects = np.array(hicodet().hois)[hois].T
    assert (len(records), len(rows)) == (38118, 117654)

    columns = (boxes[:, :4], boxes[:, 4:], objects, verbs, hois)
    parts = [torch.from_numpy(column).split(counts.tolist()) for column in columns]
    size = torch.zeros(2, dtype=torch.int64)
    targets = [Target("", i, size, *fields) for i, fields in enumerate(zip(*parts, strict=True))]
    table = np.column_stack([image, boxes, objects])
    _, pair = np.unique(table, axis=0, return_inverse=True)

    left = {}
    for name in UNSEEN:
        hidden = fixed_split(hicodet(), name)
        gone = np.bincount(pair, np.isin(hois, list(hidden)))[pair] > 0
        left[name] = len(np.unique(image[~gone])), int((~gone).sum())
    assert left == LEFT

    kept = [without_pairs(target, hidden).hois for target in targets]  # of the last split
    assert torch.cat(kept).tolist() == hois[~gone].tolist()
