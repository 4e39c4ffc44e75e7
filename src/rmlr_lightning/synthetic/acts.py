"""What a person can do with an object: which pose a verb takes with which group of objects, what is drawn over what.

Verbs of one family share one distribution of boxes: where the object is relative to the person, and how large the
person's box is, do not depend on the verb. That is what makes the pose, not the boxes, tell it.
"""

from collections.abc import Callable
from typing import NamedTuple

from rmlr_lightning.synthetic import verbs_body as vb
from rmlr_lightning.synthetic import verbs_hand as vh
from rmlr_lightning.synthetic import verbs_pets as vp
from rmlr_lightning.synthetic.objects import Kind

NOTHING = "no_interaction"


class Act(NamedTuple):
    pose: Callable
    # held: object between body and near hand; astride: between the legs; before: under the person; after: over
    order: str
    family: str = "hand"
    back: bool = False  # the person faces away from the object
    zones: tuple[str, ...] = ()  # the zones of the family it can be in; empty: all
    anchor: str = ""  # a grip that carries the body: it cannot move away from there


ACTS: dict[str, dict[str, Act]] = {
    "hand": {
        "hold": Act(vh.hold, "held"),
        "carry": Act(vh.carry, "held"),
        "eat": Act(vh.eat, "held"),
        "drink_with": Act(vh.drink_with, "held"),
        "smell": Act(vh.smell, "held"),
        "inspect": Act(vh.inspect, "held"),
        "read": Act(vh.read, "held"),
        "text_on": Act(vh.text_on, "held"),
        "talk_on": Act(vh.talk_on, "held"),
        "open": Act(vh.open_up, "held"),
        "type_on": Act(vh.type_on, "held"),
        "hug": Act(vh.hug, "held"),
        "kiss": Act(vh.kiss, "held"),
        NOTHING: Act(vh.near, "held"),
    },
    "ball": {
        "hold": Act(vh.hold, "held"),
        "carry": Act(vh.carry, "held"),
        "throw": Act(vh.throw, "held"),
        "catch": Act(vh.catch, "held"),
        "dribble": Act(vb.dribble, "held"),
        "inspect": Act(vh.inspect, "held", zones=("air",)),
        "kick": Act(vb.kick, "after", zones=("knee",)),
        NOTHING: Act(vh.near, "held"),
    },
    "long": {
        "hold": Act(vh.hold, "held"),
        "carry": Act(vh.carry, "held"),
        "swing": Act(vh.swing, "held"),
        "wield": Act(vh.wield, "held"),
        "open": Act(vh.open_up, "held"),
        NOTHING: Act(vh.near, "held"),
    },
    "bike": {
        "ride": Act(vb.ride, "astride", anchor="seat"),
        "straddle": Act(vb.straddle, "astride", anchor="seat"),
        "sit_on": Act(vb.sit_on, "before", anchor="seat"),
        "walk": Act(vb.walk, "after"),
        "hold": Act(vb.keep, "after"),
        "push": Act(vb.push, "after"),
        NOTHING: Act(vb.beside, "after"),
    },
    "mount": {
        "ride": Act(vb.ride, "astride", "rider", anchor="seat"),
        "straddle": Act(vb.straddle, "astride", "rider", anchor="seat"),
        "race": Act(vb.race, "astride", "rider", anchor="seat"),
        "walk": Act(vp.walk, "before", "head", back=True),
        "pet": Act(vp.pet, "held", "head"),
        "feed": Act(vp.feed, "held", "head"),
        "hug": Act(vp.embrace, "held", "head"),
        "kiss": Act(vp.peck, "before", "head"),
        "watch": Act(vp.watch, "before", "head"),
        NOTHING: Act(vb.beside, "before", "head"),
    },
    "pet": {
        "carry": Act(vb.lug, "held", "arms"),
        "hold": Act(vp.cradle, "held", "arms"),
        "hug": Act(vp.embrace, "held", "arms"),
        "kiss": Act(vp.peck, "held", "arms"),
        "pet": Act(vp.pet, "held", "ground"),
        "feed": Act(vp.feed, "held", "ground"),
        "walk": Act(vp.walk, "before", "ground"),
        NOTHING: Act(vb.beside, "before", "ground"),
    },
    "board": {
        "ride": Act(vb.ride, "before", "deck", anchor="top"),
        "stand_on": Act(vb.stand_on, "before", "deck", anchor="top"),
        "jump": Act(vb.jump, "before", "deck", anchor="top"),
        NOTHING: Act(vb.beside, "after", "deck"),
        "hold": Act(vb.keep, "held", "arm"),
        "carry": Act(vb.lug, "held", "arm"),
        "off": Act(vb.beside, "held", "arm"),
    },
    "chair": {
        "sit_on": Act(vb.sit_on, "before", "seat", anchor="seat"),
        "hold": Act(vb.keep, "after", "beside"),
        NOTHING: Act(vb.beside, "after", "beside"),
    },
    "seat": {
        "sit_on": Act(vb.sit_on, "before", "seat", anchor="seat"),
        "lie_on": Act(vb.lie_on, "before", "seat", anchor="seat"),
    },
    "case": {
        "hold": Act(vb.keep, "held"),
        "carry": Act(vb.lug, "held"),
        "drag": Act(vb.drag, "held", back=True),
        NOTHING: Act(vb.beside, "held"),
    },
    "pack": {
        "wear": Act(vb.wear, "before", back=True),
        "hold": Act(vh.hold, "held"),
        "carry": Act(vh.carry, "held"),
        "open": Act(vh.open_up, "held"),
        "inspect": Act(vh.inspect, "held"),
        NOTHING: Act(vh.near, "held"),
    },
}

# Where the objects of a family are, with weights: by object where it has its own, else by group.
WHERE: dict[tuple[str, str], dict[str, float]] = {
    ("hand", "hand"): {"face": 1.0},
    ("laptop", "hand"): {"chest": 1.0},
    ("book", "hand"): {"face": 0.5, "chest": 0.5},
    ("ball", "hand"): {"air": 0.4, "knee": 0.6},
    ("frisbee", "hand"): {"air": 1.0},
    ("long", "hand"): {"long": 1.0},
    ("bike", "hand"): {"bike": 1.0},
    ("mount", "rider"): {"under": 1.0},
    ("mount", "head"): {"meet": 1.0},
    ("pet", "arms"): {"arms": 1.0},
    ("pet", "ground"): {"front": 1.0},
    ("cat", "ground"): {"stool": 1.0},
    ("board", "deck"): {"under": 1.0},
    ("board", "arm"): {"upright": 1.0},
    ("chair", "seat"): {"under": 1.0},
    ("chair", "beside"): {"front": 1.0},
    ("seat", "seat"): {"under": 1.0},
    ("case", "hand"): {"side": 1.0},
    ("pack", "hand"): {"pack": 1.0},
}


def act_of(verb: str, kind: Kind) -> Act:
    return ACTS[kind.group][verb]


def zones_of(verb: str, kind: Kind) -> dict[str, float]:
    """The zones of the verb's family, with weights."""
    act = act_of(verb, kind)
    where = WHERE.get((kind.name, act.family)) or WHERE[kind.group, act.family]
    return {zone: weight for zone, weight in where.items() if not act.zones or zone in act.zones}
