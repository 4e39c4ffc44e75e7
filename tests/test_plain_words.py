"""Code, configuration and documentation use the field's terms, not a dialect of our own.

Each `Term` has a pattern for what is not to be written, and what to write in its place. A space in
a pattern matches a line break, too, so that wrapped prose is found.
"""

import io
import json
import keyword
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "src/rmlr_lightning"


# Of words, where the parts of a snake_case name are words, too
BOUNDARY = r"(?:(?<![^\W_])(?=[^\W_])|(?<=[^\W_])(?![^\W_]))"
# A wrapped line of a comment starts with spaces and #
WRAPPED_SPACE = r"\s+(?:#\s*)?"


class Document(NamedTuple):
    """A text file, or one cell of a notebook with its printed text."""

    path: str  # relative to the repository
    text: str
    cell: int | None = None

    def place(self, offset: int) -> str:
        line = self.text.count("\n", 0, offset) + 1
        return f"{self.path}:{line}" if self.cell is None else f"{self.path}:cell {self.cell}"


class Term(NamedTuple):
    """What is not to be written.

    `exceptions` are patterns of text in which the term is right, `rooms` are regular expressions
    for the start of paths in which it is; both have their reason beside them.
    """

    pattern: str
    instead: str
    example: str
    exceptions: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()


# Whatever can be counted or timed, and is written as "ms an image" for "ms per image"
COUNTED = (
    "ms|s|CPU-s|seconds?|minutes?|hours?|kB|MB|GB|bytes|operations|times|one|images|phrases|"
    "files|rows|vectors?|words|clauses?|lines?|threads?|process(?:es)?|channels|pairs|steps"
)
PER = (
    "image|pair|step|epoch|file|run|row|word|phrase|verb|line|pass|core|thread|process|class|HOI|"
    "seed|fit|object|person|split|entity|box|token|cell|item|shard"
)
# Which neither speak nor know
INANIMATE = (
    "tensors?|tokens?|files?|loss(?:es)?|models?|networks?|detectors?|classifiers?|heads?|layers?|"
    "maps?|box(?:es)?|logits|scores?|banks?|rows?|caches?|checkpoints?|config\\w*|stores?|"
    "vectors?|vocabular(?:y|ies)|runs?|callbacks?|metrics?|IRE|IRM|RmLR"
)

TERMS = [
    Term(
        r"\bpictures?\b",
        "image",
        "a picture of a person",
        exceptions=(r"pictures/[\w.]+", r"docs/pictures"),  # the folder of the documentation
    ),
    Term(r"\bthings?\b", "object", "the thing is held"),
    Term(
        r"\w*figures(?:\.json)?\w*",
        "metrics, metrics.json; a figure is a plot",
        "prints the figures",
    ),
    Term(
        r"\bdoubles\b",
        "duplicates, or NMS",
        "suppression of doubles",
        rooms=(r"src/rmlr_lightning/annotations/matlab",),  # MATLAB's number type
    ),
    Term(r"\brooms? (around|of) (both|the pair|a pair)", "union box", "the room around both"),
    Term(r"\bevidence\b", "pair features", "evidence of a pair"),
    Term(
        r"\bgiven boxes\b|\bboxes from elsewhere\b",
        "external detections",
        "works with given boxes",
    ),
    Term(r"\bwhat the (frozen )?detector says\b", "detector outputs", "what the detector says"),
    Term(
        r"\bsource=(auto|cache|pixels)\b", "features=auto, cached or online", "source=cache is read"
    ),
    Term(
        r"\b(say|says|saying|said|unsaid|told)\b",
        "phrase; determined by; a name of the field",
        "told by the pose",
    ),
    Term(
        r"\bteachers?\b|TextTeacher",
        "text encoder, text embeddings",
        "the teacher's bank",
        # the sweep of text encoders and phrases, which are the teachers of a distillation
        exceptions=(r"(?:(?i:sweep)=|multirun/|REPORT_|`)teachers\b",),
        rooms=(r"conf/sweep/teachers\.yaml",),
    ),
    Term(
        r"\b(im)?possible (verbs?|pairs?|hois?|objects?|interactions?)\b"
        r"|\b(allowed|forbidden) (verbs?|pairs?|hois?|objects?|interactions?)\b"
        r"|\bverbs? (that (is|are) )?((im)?possible|allowed|forbidden)\b",
        "valid object-verb pairs",
        "the possible verbs of an object",
    ),
    Term(r"\balike\b", "group_by_size; equal; both", "data.alike=true"),
    Term(r"\b(go|goes|going|went|gone) on\b", "resumes", "the same line goes on"),
    Term(r"\bembedded world\b", "synthetic benchmark", "in the embedded world"),
    Term(
        r"\bthe worlds?\b",
        "the synthetic benchmark",
        "trained on the world",
        rooms=(
            r"src/rmlr_lightning/synthetic/",  # there it is defined
            r"docs/WORLD\.md",  # and there described
        ),
    ),
    Term(
        rf"\b({COUNTED}) an? ({PER})\b",
        "per image, per pair, per step",
        "2.1 ms an image",
    ),
    Term(
        r"\w*recipes?\b",
        "config; training recipe where it means hyperparameters",
        "self.recipe",
        exceptions=(r"\btraining recipes?\b",),  # hyperparameters
    ),
    Term(r"\bby the true pose\b", "given the true pose", "told by the true pose"),
    Term(
        r"\b(least|most)(=(?!=)|: (int|float)\b)|\bselection\.(least|most)\b",
        "min_*, max_*",
        "Selection(least=3)",
    ),
    Term(r"\.Nothing\b", "NoFeatures", "_target_: models.remine.Nothing"),
    Term(r"\blr_of\b", "lr_overrides", "optim.lr_of.remine=1e-5"),
    Term(
        r"\b\d+(\.\d+)? (points? )?above\b|\b(one|two) (layers?|seeds?) above\b",
        '"+0.6 mAP over ..."',
        "0.6 above the baseline",
    ),
    Term(r"\bdear(er)?\b", "expensive, slow", "attention is dear"),
    Term(
        rf"\b({INANIMATE})(?: that| which)? (knows?|sees?|asks?|wants?|tells?|thinks?|likes?)\b",
        "a verb of the field: contains, attends to, reads, requires",
        "a token knows its object",
    ),
]

# Names in Python that do not mean what they hold
UNCLEAR_NAMES = {
    "allowed": "valid",
    "alone": "lock, acquired, single",
    "associate": "match",
    "chosen": "selected",
    "given": "external, annotated",
    "image_states": "states",
    "Nothing": "NoFeatures",
    "turn": "lock",
    "whole_file": "write_atomic",
}
# Names of files and folders that do not mean what is in them
UNCLEAR_MODULES = (
    "alone associate cached chosen command evidence given helpers initial interactions manager "
    "network regions restore scenes scored seeds source turn utils"
).split()
UNCLEAR_KEYS = ("alike", "evidence", "given", "least", "lr_of", "most", "say", "source", "teacher")


@cache
def documents() -> tuple[Document, ...]:
    paths = [
        *sorted((ROOT / "src").rglob("*.py")),
        *sorted((ROOT / "src").rglob("templates/*")),  # of pages that users read
        *sorted((ROOT / "src").rglob("*.j2")),
        *sorted((ROOT / "conf").rglob("*.yaml")),
        *sorted((ROOT / "docs").glob("*.md")),
        ROOT / "README.md",
        ROOT / "Makefile",
    ]
    files = [
        Document(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in paths
    ]
    return (*files, *_notebook_cells())


def _notebook_cells() -> Iterator[Document]:
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for index, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
            printed = (
                line for output in cell.get("outputs", []) for line in output.get("text", "")
            )
            text = "".join([*cell["source"], "\n", *printed])
            yield Document(str(path.relative_to(ROOT)), text, index)


def occurrences(term: Term, text: str) -> Iterator[re.Match]:
    """Matches of the term outside its exceptions."""
    pattern = term.pattern.replace(r"\b", BOUNDARY).replace(" ", WRAPPED_SPACE)
    right = [found.span() for one in term.exceptions for found in re.finditer(one, text)]
    for found in re.finditer(pattern, text, re.IGNORECASE):
        if not any(start <= found.start() and found.end() <= end for start, end in right):
            yield found


def report(hits: list[str], advice: str = "") -> None:
    """Fail with all hits, one per line."""
    if hits:
        pytest.fail("\n".join([f"{advice} ({len(hits)})", *hits]), pytrace=False)


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.example)
def test_a_term_is_found_where_it_is_written(term):
    assert list(occurrences(term, f"{term.example}\n"))
    assert list(occurrences(term, f"# {term.example.replace(' ', chr(10) + '    # ')}\n"))


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.instead)
def test_documents_are_in_plain_words(term):
    hits = []
    for document in documents():
        if not any(re.match(room, document.path) for room in term.rooms):
            for found in occurrences(term, document.text):
                words = " ".join(found[0].split())
                hits.append(f"{document.place(found.start())}: {words!r}")
    report(hits, f"write {term.instead}")


def test_names_in_python_mean_what_they_hold():
    hits = []
    for document in documents():
        if document.path.endswith(".py"):
            for token in tokenize.generate_tokens(io.StringIO(document.text).readline):
                name = token.string
                if token.type != tokenize.NAME or name not in UNCLEAR_NAMES:
                    continue
                if name == "turn" and document.path.startswith(f"{PACKAGE}/synthetic/"):
                    continue  # there it is a rotation
                hits.append(
                    f"{document.path}:{token.start[0]}: {name} (write {UNCLEAR_NAMES[name]})"
                )
    report(hits)


def test_names_of_files_mean_what_is_in_them():
    hits = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / PACKAGE).rglob("*"))
        if path.stem in UNCLEAR_MODULES and (path.is_dir() or path.suffix == ".py")
    ]
    report(hits)


def test_keys_of_the_configuration_mean_what_they_hold():
    hits = []
    for document in documents():
        if document.path.startswith("conf/"):
            pattern = rf"^\s*({'|'.join(UNCLEAR_KEYS)}):"
            for found in re.finditer(pattern, document.text, re.MULTILINE):
                hits.append(f"{document.place(found.start(1))}: {found[1]}")
    report(hits)


def test_unclear_names_are_names():
    assert all(name.isidentifier() and not keyword.iskeyword(name) for name in UNCLEAR_NAMES)
