"""vocabulary.json: the classes of a data set of your own, in one order for all of its splits.

Keys: `objects` and `verbs` (names), `subject` (the name of the subjects' class, or null: any),
`hois` ([verb, object] by name) and `train_pairs` (training pairs of each HOI).
"""

import json
from os import PathLike
from pathlib import Path

from rmlr_lightning.annotations.columns import LARGEST_ID, integers_of
from rmlr_lightning.annotations.file import AnnotationFile, shown
from rmlr_lightning.vocabulary import Vocabulary

NAME = "vocabulary.json"
RARE = 10  # an HOI with fewer training pairs is rare
_EXPECTED = "a vocabulary.json with objects, verbs, subject, hois and train_pairs"
_HINT = "`rmlr-prepare custom FOLDER` writes it"


def read_vocabulary(path: str | PathLike[str]) -> Vocabulary:
    """Read a vocabulary.json.

    Raises:
        AnnotationError: the file is missing or broken, or names a class that it does not list.
    """
    file = AnnotationFile(Path(path), _EXPECTED, _HINT)
    document = file.json()
    objects = file.names(document, "objects")
    verbs = file.names(document, "verbs")
    object_index = {name: i for i, name in enumerate(objects)}
    verb_index = {name: i for i, name in enumerate(verbs)}

    # by name: people can read what an HOI is, and no number can be off by one
    hois = []
    for entry in file.member(document, "hois", list):
        names = entry if isinstance(entry, list) else []
        is_pair = len(names) == 2 and all(isinstance(name, str) for name in names)
        if not is_pair or names[0] not in verb_index or names[1] not in object_index:
            raise file.error(f"'hois' holds {str(entry)[:60]}, not a listed [verb, object]")
        hois.append((verb_index[entry[0]], object_index[entry[1]]))
    if len(set(hois)) < len(hois):
        raise file.error("'hois' holds an HOI twice")

    # counts, not the rare HOIs themselves: other limits than 10 can be tried
    counts = file.member(document, "train_pairs", list)
    if len(counts) != len(hois):
        raise file.error(f"{len(hois)} hois but {len(counts)} train_pairs")
    counts = integers_of(file, [counts], ["train_pairs"], "count", 0, LARGEST_ID, noun="key")
    rare = frozenset(hoi for hoi, count in enumerate(counts.tolist()) if count < RARE)

    subject = file.member(document, "subject", object)
    is_known = isinstance(subject, str) and subject in object_index
    if subject is not None and not is_known:
        raise file.error(f"'subject' is {shown(subject)}, not one of the objects")
    return Vocabulary(
        tuple(verbs), tuple(hois), rare, tuple(objects), object_index.get(subject, None)
    )


def vocabulary_json(vocabulary: Vocabulary, train_pairs: list[int]) -> bytes:
    """The content of a vocabulary.json; `rare` follows from `train_pairs`, one count per HOI."""
    hois = [(vocabulary.verbs[verb], vocabulary.objects[obj]) for verb, obj in vocabulary.hois]
    document = {
        "objects": vocabulary.objects,
        "verbs": vocabulary.verbs,
        "subject": vocabulary.subject_name,
        "hois": hois,
        "train_pairs": train_pairs,
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode()
