"""A natural English phrase for every HOI, with its content words marked.

python -m rmlr_lightning.text.prompts [hicodet | vcoco] [plain | detailed]      prints them
"""

import argparse
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

from lemminflect import getInflection

from rmlr_lightning.errors import UserError
from rmlr_lightning.text.lexicon import (
    CLAUSE_FUNCTION_WORDS,
    FUNCTION_WORDS,
    NOUN_PHRASES,
    VERB_OBJECT_PHRASES,
    VERB_PHRASES,
)
from rmlr_lightning.text.lexicon_details import detail_clause
from rmlr_lightning.vocabulary import NO_INTERACTION, Vocabulary, hicodet, vcoco

SLOT = "{interaction}"
TEMPLATE = "a photo of a person {interaction}"
WORD = re.compile(r"[\w'-]+")


class Phrase(NamedTuple):
    """A text and its words; punctuation is no word."""

    text: str
    spans: tuple[tuple[int, int], ...]  # (start, end) of each word, in characters
    content: tuple[bool, ...]  # per word: True for verb, particle and object

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.text[start:end] for start, end in self.spans)


PhraseFunction = Callable[[str, str], Phrase]  # (verb, object) -> the text for a template's slot


def split_words(text: str, function_words: frozenset[str]) -> Phrase:
    """A phrase in which all words are content except the function words."""
    matches = list(WORD.finditer(text))
    return Phrase(
        text,
        spans=tuple(match.span() for match in matches),
        content=tuple(match[0].lower() not in function_words for match in matches),
    )


def noun_phrase(obj: str) -> str:
    """The object with its article: "an apple", "a pair of skis", "another person"."""
    if obj in NOUN_PHRASES:
        return NOUN_PHRASES[obj]
    return f"{'an' if obj[0] in 'aeio' else 'a'} {obj}"


@cache
def gerund(verb: str) -> str:
    """ "riding", "lying", "controlling"; by dictionary, and by rule for words it does not have."""
    return getInflection(verb, "VBG")[0]


def plain_phrase(verb: str, obj: str) -> Phrase:
    """Verb and object as English has them, such as "riding a bicycle" or "talking on a cell phone".

    `no_interaction` gives "and an apple, without any interaction".
    """
    name = verb.removesuffix(" obj").removesuffix(" instr")  # V-COCO's roles
    base = (
        VERB_OBJECT_PHRASES.get((name, obj))
        or VERB_PHRASES.get(verb)
        or f"{name.replace('_', ' ')} {{object}}"
    )
    text = base.replace("{object}", noun_phrase(obj))
    if verb != NO_INTERACTION:
        first, rest = text.split(" ", 1)
        text = f"{gerund(first)} {rest}"
    return split_words(text, FUNCTION_WORDS)


def detailed_phrase(verb: str, obj: str) -> Phrase:
    """The plain phrase and a clause on body part, contact and instrument.

    Example: "riding a bicycle, sitting astride it with both hands on the handlebars ...".
    """
    phrase = plain_phrase(verb, obj)
    clause = detail_clause(verb, obj)
    if clause is None:
        return phrase
    return concatenate(phrase, split_words(f", {clause}", CLAUSE_FUNCTION_WORDS))


def concatenate(left: Phrase, right: Phrase) -> Phrase:
    """One after the other, without a space."""
    shift = len(left.text)
    moved = tuple((start + shift, end + shift) for start, end in right.spans)
    return Phrase(left.text + right.text, left.spans + moved, left.content + right.content)


def fill_template(template: str, interaction: Phrase) -> Phrase:
    """The interaction in the template's slot; the template's own words are not content.

    Raises:
        UserError: the template does not have exactly one slot.
    """
    if template.count(SLOT) != 1:
        raise UserError(f"text template {template!r} must have one {SLOT}, as in {TEMPLATE!r}")
    before, after = (split_words(part, frozenset()) for part in template.split(SLOT))
    before = before._replace(content=(False,) * len(before.spans))
    after = after._replace(content=(False,) * len(after.spans))
    return concatenate(concatenate(before, interaction), after)


def vocabulary_phrases(
    vocabulary: Vocabulary,
    templates: Sequence[str] = (TEMPLATE,),
    phrase: PhraseFunction = plain_phrase,
) -> tuple[tuple[Phrase, ...], ...]:
    """Per HOI, in the vocabulary's order, one phrase per template.

    Raises:
        UserError: there is no template, or one without exactly one slot.
    """
    if isinstance(templates, str) or not templates:
        raise UserError(
            f"text templates={templates!r}: give a list with at least one, as in [{TEMPLATE!r}]"
        )
    rows = []
    for verb, obj in vocabulary.hois:
        interaction = phrase(vocabulary.verbs[verb], vocabulary.objects[obj])
        rows.append(tuple(fill_template(template, interaction) for template in templates))
    return tuple(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a vocabulary's phrases, one per line."""
    vocabularies = {"hicodet": hicodet, "vcoco": vcoco}
    styles = {"plain": plain_phrase, "detailed": detailed_phrase}
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("vocabulary", nargs="?", choices=vocabularies, default="hicodet")
    parser.add_argument("style", nargs="?", choices=styles, default="plain")
    args = parser.parse_args(arguments)
    for (phrase,) in vocabulary_phrases(vocabularies[args.vocabulary](), phrase=styles[args.style]):
        print(phrase.text)


if __name__ == "__main__":
    main()
