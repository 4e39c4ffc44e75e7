"""The phrases, as they were proofread and kept in files, and what must hold for all of them."""

import re
from pathlib import Path

import pytest

from rmlr_lightning.errors import UserError
from rmlr_lightning.text.lexicon_details import detail_clause
from rmlr_lightning.text.prompts import (
    detailed_phrase,
    fill_template,
    gerund,
    main,
    plain_phrase,
    vocabulary_phrases,
)
from rmlr_lightning.vocabulary import COCO_OBJECTS, hicodet, vcoco

FUNCTION = "a an the any and of pair another their something".split()
HERE = Path(__file__).parent
BOTH = pytest.mark.parametrize("vocabulary", [hicodet(), vcoco()], ids=["hicodet", "vcoco"])


@pytest.mark.parametrize("name", ["hicodet", "vcoco"])
def test_every_phrase_is_the_one_that_was_read(name, capsys):
    main([name])
    assert capsys.readouterr().out == (HERE / f"{name}_phrases.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "verb, expected",
    [
        ("ride", "riding"),
        ("lie", "lying"),
        ("tie", "tying"),
        ("control", "controlling"),
        ("exit", "exiting"),
        ("open", "opening"),
        ("lasso", "lassoing"),
        ("drag", "dragging"),
        ("ski", "skiing"),
        ("snowboard", "snowboarding"),
    ],
)
def test_gerunds(verb, expected):
    assert gerund(verb) == expected


@BOTH
@pytest.mark.parametrize("phrase", [plain_phrase, detailed_phrase])
def test_phrases_of_a_vocabulary_differ(vocabulary, phrase):
    texts = [one.text for (one,) in vocabulary_phrases(vocabulary, phrase=phrase)]
    assert len(set(texts)) == len(vocabulary.hois)


@BOTH
def test_articles_agree_with_the_sound_that_follows(vocabulary):
    for (one,) in vocabulary_phrases(vocabulary):
        for article, after in zip(one.words, one.words[1:], strict=False):
            if article in ("a", "an"):
                assert (article == "an") == (after[0] in "aeiou"), one.text


@BOTH
def test_content_is_verb_particle_and_object(vocabulary):
    for (verb, obj), (one,) in zip(vocabulary.hois, vocabulary_phrases(vocabulary), strict=True):
        content = [word for word, flag in zip(one.words, one.content, strict=True) if flag]
        assert content == [w for w in one.words[5:] if w not in FUNCTION]
        shown = {"tv": "TV", "hair drier": "dryer", "carrot": "carrot"}.get(
            COCO_OBJECTS[obj], COCO_OBJECTS[obj]
        )
        assert any(shown.split()[-1] in word for word in content), one.text
        assert len(content) >= 2, vocabulary.verbs[verb]


def test_particles_and_both_words_of_an_object_are_content():
    one = plain_phrase("talk_on", "cell phone")
    assert one.words == ("talking", "on", "a", "cell", "phone")
    assert one.content == (True, True, False, True, True)


def test_the_object_person_is_content_and_the_subject_is_not():
    one = fill_template("a photo of a person {interaction}", plain_phrase("hug", "person"))
    flags = [flag for word, flag in zip(one.words, one.content, strict=True) if word == "person"]
    assert flags == [False, True]


def test_punctuation_is_no_word():
    assert plain_phrase("no_interaction", "apple").words == (
        "and",
        "an",
        "apple",
        "without",
        "any",
        "interaction",
    )


@BOTH
def test_spans_cut_the_words_out_of_the_text(vocabulary):
    for (one,) in vocabulary_phrases(
        vocabulary, ["Look: a person {interaction}."], detailed_phrase
    ):
        assert " ".join(one.words) == " ".join(re.sub("[.,:]", " ", one.text).split())


def test_details_start_as_the_plain_phrase_and_mark_their_own_content():
    more = detailed_phrase("ride", "bicycle")
    assert more.text.startswith(f"{plain_phrase('ride', 'bicycle').text}, ")
    flags = dict(zip(more.words, more.content, strict=True))
    assert flags["handlebars"] and flags["astride"] and not flags["it"] and not flags["with"]


@BOTH
def test_every_verb_has_a_clause(vocabulary):
    assert all(
        detail_clause(vocabulary.verbs[verb], COCO_OBJECTS[obj]) for verb, obj in vocabulary.hois
    )


def test_objects_with_a_plural_name_are_them():
    assert "them" in detailed_phrase("carry", "skis").words
    assert "it" in detailed_phrase("carry", "snowboard").words


def test_one_phrase_per_template():
    row = vocabulary_phrases(hicodet(), ["{interaction}", "someone {interaction} outdoors"])[0]
    assert [one.text for one in row] == [
        "boarding an airplane",
        "someone boarding an airplane outdoors",
    ]


@pytest.mark.parametrize(
    "templates",
    [["a photo of a person"], [], "a photo {interaction}", ["{interaction} {interaction}"]],
)
def test_a_wrong_template_is_one_clear_line(templates):
    with pytest.raises(UserError, match="interaction"):
        vocabulary_phrases(hicodet(), templates)


def test_a_verb_outside_the_dictionary_is_inflected_by_rule():
    assert plain_phrase("nudge_along", "chair").text == "nudging along a chair"
