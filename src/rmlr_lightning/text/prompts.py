"""A natural English phrase for every HOI, with its words marked as content or not.

python -m rmlr_lightning.text.prompts [hicodet | vcoco] [plain | detailed]      prints them
"""

import re
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

from lemminflect import getInflection

from rmlr_lightning.errors import UserError
from rmlr_lightning.text.lexicon import CLAUSE_FUNCTION_WORDS, FUNCTION_WORDS, NOUNS, VERBS, WHOLE
from rmlr_lightning.text.lexicon_details import clause
from rmlr_lightning.vocabulary import COCO_OBJECTS, NO_INTERACTION, Vocabulary, hicodet, vcoco

SLOT = "{interaction}"
TEMPLATE = "a photo of a person {interaction}"
WORD = re.compile(r"[\w'-]+")


class Phrase(NamedTuple):
    """A text and its words; punctuation is no word."""

    text: str
    spans: tuple[tuple[int, int], ...]  # of each word, in characters
    content: tuple[bool, ...]  # of each word: verb, particle or object

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.text[start:end] for start, end in self.spans)


Say = Callable[[str, str], Phrase]  # (verb name, object name) -> what goes into a template


def phrase(text: str, function_words: frozenset[str]) -> Phrase:
    """All words are content but the function words."""
    found = list(WORD.finditer(text))
    return Phrase(
        text,
        tuple(m.span() for m in found),
        tuple(m[0].lower() not in function_words for m in found),
    )


def noun(obj: str) -> str:
    """ "an apple", "a pair of skis", "another person"."""
    return NOUNS.get(obj) or f"{'an' if obj[0] in 'aeio' else 'a'} {obj}"


@cache
def gerund(verb: str) -> str:
    """ "riding", "lying", "controlling"; by dictionary, and by rule for words that it lacks."""
    return getInflection(verb, "VBG")[0]


def plain(verb: str, obj: str) -> Phrase:
    """ "riding a bicycle", "talking on a cell phone", "and an apple, without any interaction"."""
    name = verb.removesuffix(" obj").removesuffix(" instr")
    base = WHOLE.get((name, obj)) or VERBS.get(verb) or f"{name.replace('_', ' ')} {{object}}"
    text = base.replace("{object}", noun(obj))
    if verb != NO_INTERACTION:
        first, rest = text.split(" ", 1)
        text = f"{gerund(first)} {rest}"
    return phrase(text, FUNCTION_WORDS)


def detailed(verb: str, obj: str) -> Phrase:
    """`plain`, and how it looks: "riding a bicycle, sitting astride it with both hands on the handlebars"."""
    start, more = plain(verb, obj), clause(verb, obj)
    return start if more is None else join(start, phrase(f", {more}", CLAUSE_FUNCTION_WORDS))


def join(first: Phrase, second: Phrase) -> Phrase:
    """One after the other, without a space."""
    shift = len(first.text)
    moved = tuple((start + shift, end + shift) for start, end in second.spans)
    return Phrase(first.text + second.text, first.spans + moved, first.content + second.content)


def fill(template: str, interaction: Phrase) -> Phrase:
    """The interaction in its place; words of the template are not content."""
    if template.count(SLOT) != 1:
        raise UserError(f"text template {template!r} must have one {SLOT}, as in {TEMPLATE!r}")
    before, after = (
        Phrase(
            part, tuple(m.span() for m in WORD.finditer(part)), (False,) * len(WORD.findall(part))
        )
        for part in template.split(SLOT)
    )
    return join(join(before, interaction), after)


def phrases(
    vocabulary: Vocabulary, templates: Sequence[str] = (TEMPLATE,), say: Say = plain
) -> tuple[tuple[Phrase, ...], ...]:
    """For each HOI, in the vocabulary's order, its phrase in each template."""
    if isinstance(templates, str) or not templates:
        raise UserError(
            f"text templates={templates!r}: give a list with at least one, as in [{TEMPLATE!r}]"
        )
    said = (say(vocabulary.verbs[verb], COCO_OBJECTS[obj]) for verb, obj in vocabulary.hois)
    return tuple(
        tuple(fill(template, interaction) for template in templates) for interaction in said
    )


def main(which: str = "hicodet", how: str = "plain") -> None:
    """Print a vocabulary's phrases, one a line."""
    vocabularies, ways = (
        {"hicodet": hicodet, "vcoco": vcoco},
        {"plain": plain, "detailed": detailed},
    )
    if which not in vocabularies or how not in ways:
        sys.exit(f"error: {which} {how}: give hicodet or vcoco, then plain or detailed")
    for (one,) in phrases(vocabularies[which](), say=ways[how]):
        print(one.text)


if __name__ == "__main__":
    main(*sys.argv[1:3])
