"""The acts: which pose a verb takes with which group of objects, and what is drawn over what.

The verbs of a family share one distribution of boxes: neither the place of the object relative to
the person nor the size of the person's box depends on the verb. The pose determines it, not the
boxes.
"""

from collections.abc import Callable
from typing import NamedTuple

from rmlr_lightning.synthetic import verbs_body as vb
from rmlr_lightning.synthetic import verbs_hand as vh
from rmlr_lightning.synthetic import verbs_pets as vp
from rmlr_lightning.synthetic import verbs_ride as vr
from rmlr_lightning.synthetic.contact import Kind
from rmlr_lightning.synthetic.world import NO_INTERACTION


class Act(NamedTuple):
    """A verb with a group of objects.

    `pose(body, contact, rng)` poses a body around the object. `order` is the place of the object
    among the drawn parts of the person: "before" all of it; "astride", between the legs; "held",
    between body and near hand; "after" the body. `back`: the person faces away from the object.
    `zones` limits the zones of the family; empty: all. `anchor` names the grip that carries the
    body, from which it cannot move away.
    """

    pose: Callable
    order: str
    family: str = "hand"
    back: bool = False
    zones: tuple[str, ...] = ()
    anchor: str = ""


# By group of objects, then verb.
ACTS: dict[str, dict[str, Act]] = {
    # Hand-sized objects, near the face or the chest.
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
        NO_INTERACTION: Act(vh.near, "held"),
    },
    # A ball at the knee is not inspected, one in the air not kicked.
    "ball": {
        "hold": Act(vh.hold, "held"),
        "carry": Act(vh.carry, "held"),
        "throw": Act(vh.throw, "held"),
        "catch": Act(vh.catch, "held"),
        "dribble": Act(vb.dribble, "held"),
        "inspect": Act(vh.inspect, "held", zones=("air",)),
        "kick": Act(vb.kick, "after", zones=("knee",)),
        NO_INTERACTION: Act(vh.near, "held"),
    },
    "long": {
        "hold": Act(vh.hold, "held"),
        "carry": Act(vh.carry, "held"),
        "swing": Act(vh.swing, "held"),
        "wield": Act(vh.wield, "held"),
        "open": Act(vh.open_up, "held"),
        NO_INTERACTION: Act(vh.near, "held"),
    },
    # A bike is beside the person or between the legs.
    "bike": {
        "ride": Act(vr.ride, "astride", anchor="seat"),
        "straddle": Act(vr.straddle, "astride", anchor="seat"),
        "sit_on": Act(vb.sit_on, "before", anchor="seat"),
        "walk": Act(vr.walk, "after"),
        "hold": Act(vb.keep, "after"),
        "push": Act(vr.push, "after"),
        NO_INTERACTION: Act(vb.beside, "after"),
    },
    # Riders are on the animal; others meet it face to face.
    "mount": {
        "ride": Act(vr.ride, "astride", "rider", anchor="seat"),
        "straddle": Act(vr.straddle, "astride", "rider", anchor="seat"),
        "race": Act(vr.race, "astride", "rider", anchor="seat"),
        "walk": Act(vp.walk, "before", "head", back=True),
        "pet": Act(vp.pet, "held", "head"),
        "feed": Act(vp.feed, "held", "head"),
        "hug": Act(vp.embrace, "held", "head"),
        "kiss": Act(vp.peck, "before", "head"),
        "watch": Act(vp.watch, "before", "head"),
        NO_INTERACTION: Act(vb.beside, "before", "head"),
    },
    # Animals in the arms, or on the ground in front.
    "pet": {
        "carry": Act(vb.lug, "held", "arms"),
        "hold": Act(vp.cradle, "held", "arms"),
        "hug": Act(vp.embrace, "held", "arms"),
        "kiss": Act(vp.peck, "held", "arms"),
        "pet": Act(vp.pet, "held", "ground"),
        "feed": Act(vp.feed, "held", "ground"),
        "walk": Act(vp.walk, "before", "ground"),
        NO_INTERACTION: Act(vb.beside, "before", "ground"),
    },
    # Boards under the feet, or upright at the arm.
    "board": {
        "ride": Act(vr.ride, "before", "deck", anchor="top"),
        "stand_on": Act(vr.stand_on, "before", "deck", anchor="top"),
        "jump": Act(vr.jump, "before", "deck", anchor="top"),
        NO_INTERACTION: Act(vb.beside, "after", "deck"),
        "hold": Act(vb.keep, "held", "arm"),
        "carry": Act(vb.lug, "held", "arm"),
        "off": Act(vb.beside, "held", "arm"),
    },
    "chair": {
        "sit_on": Act(vb.sit_on, "before", "seat", anchor="seat"),
        "hold": Act(vb.keep, "after", "beside"),
        NO_INTERACTION: Act(vb.beside, "after", "beside"),
    },
    "seat": {
        "sit_on": Act(vb.sit_on, "before", "seat", anchor="seat"),
        "lie_on": Act(vb.lie_on, "before", "seat", anchor="seat"),
    },
    # A case is at the side; who drags it faces the other way.
    "case": {
        "hold": Act(vb.keep, "held"),
        "carry": Act(vb.lug, "held"),
        "drag": Act(vb.drag, "held", back=True),
        NO_INTERACTION: Act(vb.beside, "held"),
    },
    # A backpack is worn behind the back, or held as a hand-sized object.
    "pack": {
        "wear": Act(vb.wear, "before", back=True),
        "hold": Act(vh.hold, "held"),
        "carry": Act(vh.carry, "held"),
        "open": Act(vh.open_up, "held"),
        "inspect": Act(vh.inspect, "held"),
        NO_INTERACTION: Act(vh.near, "held"),
    },
}

# Zones of a family with their weights (places.py), by object or group, and family. An object of
# its own entry comes first.
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
    """The act of a verb with an object; KeyError if there is none."""
    return ACTS[kind.group][verb]


def zones_of(verb: str, kind: Kind) -> dict[str, float]:
    """The zones where an object can be for this verb, with weights."""
    act = act_of(verb, kind)
    weights = WHERE.get((kind.name, act.family)) or WHERE[kind.group, act.family]
    return {zone: weight for zone, weight in weights.items() if not act.zones or zone in act.zones}
