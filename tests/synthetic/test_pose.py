"""Poses: limbs of two bones, and bodies fitted to a box."""

import pytest

from rmlr_lightning.synthetic.acts import act_of
from rmlr_lightning.synthetic.chance import streams
from rmlr_lightning.synthetic.objects import KINDS
from rmlr_lightning.synthetic.places import place
from rmlr_lightning.synthetic.pose import fit, overlap, pose_once, widened
from rmlr_lightning.synthetic.skeleton import two_bones


def test_a_limb_within_reach_ends_at_the_target_with_bones_of_their_length():
    joint, end = two_bones(0j, 0.2 + 0.1j, first=0.165, second=0.155, bend=1.0)
    assert end == pytest.approx(0.2 + 0.1j)
    assert abs(joint) == pytest.approx(0.165)
    assert abs(end - joint) == pytest.approx(0.155)


def test_a_limb_out_of_reach_stretches_by_at_most_30_percent():
    _, end = two_bones(0j, 5 + 0j, first=0.1, second=0.1, bend=1.0)
    assert abs(end) == pytest.approx(0.995 * 0.2 * 1.3)


def test_bend_chooses_the_side_of_the_joint():
    down, _ = two_bones(0j, 0.2 + 0j, 0.15, 0.15, bend=1.0)
    up, _ = two_bones(0j, 0.2 + 0j, 0.15, 0.15, bend=-1.0)
    assert down.imag > 0 > up.imag and down.real == pytest.approx(up.real)


def test_widened_keeps_the_relative_place_of_the_anchor():
    box = widened((0.0, 0.0, 1.0, 1.0), aspect=1.2, anchor=0.25)
    assert box == pytest.approx((-0.05, 0.0, 1.15, 1.0))


def test_overlap_is_iou():
    assert overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 1, 1), (2, 2, 3, 3)) == 0


@pytest.mark.parametrize("verb", ["hold", "eat", "drink_with", "smell", "no_interaction"])
def test_verbs_of_a_family_fit_one_box_while_the_object_stays(verb):
    kind = KINDS["cup"]
    held = verb != "no_interaction"
    contact = place(kind, "face", held, 0.16, streams(0, 5))
    box = pose_once([(act_of("drink_with", kind), contact)], seed=3, jitter=0.0).box()

    before = (contact.place, contact.size, contact.angle)
    body = fit([(act_of(verb, kind), contact)], seed=3, jitter=0.0, box=box, tries=16)
    assert overlap(body.box(), box) > 0.9
    assert (contact.place, contact.size, contact.angle) == before


@pytest.mark.parametrize("verb", ["hold", "eat", "talk_on"])
def test_a_hand_meets_a_held_object(verb):
    kind = KINDS["cell phone"] if verb == "talk_on" else KINDS["apple"]
    contact = place(kind, "face", True, kind.size[0], streams(1, 5))
    body = pose_once([(act_of(verb, kind), contact)], seed=4, jitter=0.0)
    assert min(abs(hand - contact.grip("hand")) for hand in body.hand) < 0.02
