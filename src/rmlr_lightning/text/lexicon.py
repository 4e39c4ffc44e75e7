"""Nouns with their articles, and verbs with their prepositions, for `prompts.plain_phrase`.

Verbs are in their base form; gerunds are made by rule. Only what a rule cannot know is listed.
Where a class name of HICO-DET is ambiguous ("jump boat", "stick fork"), the phrase is our reading.
"""

# Noun phrases in which the article does not follow from the first letter
NOUN_PHRASES: dict[str, str] = {
    "person": "another person",
    "umbrella": "an umbrella",
    "skis": "a pair of skis",
    "scissors": "a pair of scissors",
    "broccoli": "broccoli",
    "tv": "a TV",
    "mouse": "a computer mouse",
    "remote": "a remote control",
    "hair drier": "a hair dryer",
}
# Objects whose pronoun is "them"
PLURALS = ("skis", "scissors", "person")

# Verb phrases that are neither "VERB an OBJECT" nor "VERB PARTICLE an OBJECT"
VERB_PHRASES: dict[str, str] = {
    "no_interaction": "and {object}, without any interaction",
    "blow": "blow out the candles on {object}",
    "brush_with": "brush their teeth with {object}",
    "grind": "grind on {object}",
    "hose": "hose down {object}",
    "jump": "jump on {object}",
    "light": "light the candles on {object}",
    "pay": "pay at {object}",
    "pour": "pour from {object}",
    "run": "run with {object}",
    "sip": "sip from {object}",
    "stick": "stick {object} into something",
    "toast": "toast with {object}",
    "wave": "wave at {object}",
    "zip": "zip up {object}",
    # V-COCO: "obj" is what the action is done to, "instr" what it is done with or on
    "sit instr": "sit on {object}",
    "look obj": "look at {object}",
    "hit instr": "hit something with {object}",
    "eat instr": "eat with {object}",
    "jump instr": "jump on {object}",
    "lay instr": "lie on {object}",
    "talk_on_phone instr": "talk on {object}",
    "cut instr": "cut with {object}",
    "work_on_computer instr": "work on {object}",
    "ski instr": "ski on {object}",
    "surf instr": "surf on {object}",
    "skateboard instr": "skateboard on {object}",
    "drink instr": "drink from {object}",
    "snowboard instr": "snowboard on {object}",
    "point instr": "point at {object}",
}

# Phrases of one verb with one object; V-COCO's roles use those of the verb of the same name
VERB_OBJECT_PHRASES: dict[tuple[str, str], str] = {
    ("cook", "carrot"): "cook carrots",
    ("eat", "cake"): "eat cake",
    ("eat", "pizza"): "eat pizza",
    ("herd", "cow"): "herd cows",
    ("herd", "sheep"): "herd sheep",
    ("jump", "bicycle"): "jump with a bicycle",  # "on" would be "hop_on"
    ("jump", "motorcycle"): "jump with a motorcycle",
    ("jump", "boat"): "jump off a boat",
    ("jump", "car"): "jump with a car",
    ("jump", "horse"): "jump a horse",
    ("read", "cell phone"): "read on a cell phone",
    ("read", "laptop"): "read on a laptop",
    ("ride", "airplane"): "ride in an airplane",
    ("ride", "boat"): "ride in a boat",
    ("ride", "bus"): "ride on a bus",
    ("ride", "car"): "ride in a car",
    ("ride", "skis"): "ride on a pair of skis",
    ("ride", "train"): "ride on a train",
    ("ride", "truck"): "ride in a truck",
    ("set", "umbrella"): "set up an umbrella",
    ("sit_on", "airplane"): "sit in an airplane",
    ("sit_on", "boat"): "sit in a boat",
    ("stir", "bowl"): "stir in a bowl",
    ("stir", "carrot"): "stir carrots",
    ("tie", "boat"): "tie up a boat",
    ("watch", "tv"): "watch TV",
}

# Words without a meaning of their own; all other words of an interaction are content
FUNCTION_WORDS = frozenset("a an the any and of pair another their something".split())
CLAUSE_FUNCTION_WORDS = FUNCTION_WORDS | frozenset(
    "it its them one both is or to at from by as in on for with while that into all own other each "
    "through".split()
)
