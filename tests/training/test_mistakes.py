"""Mistakes that can be shown: feedback ignored, a guess made twice; and what only looks like one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from games.engine import Message
from games.wordle.feedback import Try, colour
from games.wordle.game import coloured
from store.ids import chain
from store.perspectives import Perspective, Spoken
from training.mistakes import Heard
from training.pairs import Mining, mine


def guess(word, tag="guess"):
    return f"explanation: because\n{tag}: {word}"


def seat(*words, target="crane", outcome="failure", game="wordle", role="guesser", language="en", wins=None):
    """A game of Wordle: guesses, with the colours each gets."""
    messages = [Message("user", "find the word")]
    for word in words:
        told = coloured(Try(word, colour(word, target)), language)
        messages += [Message("assistant", guess(word)), Message("user", told)]
    return dialogue(messages, f"wordle:{language}:{target}", outcome, game, role, language)


def dialogue(messages, key, outcome="failure", game="wordle", role="guesser", language="en"):
    places = tuple(at for at, one in enumerate(messages) if one.role == "assistant")
    lines = tuple(chain(messages))
    spoken = tuple(
        Spoken(f"{lines[at][0]}{outcome}", n, n, "ada", "model", None, False, "ok", None) for n, at in enumerate(places)
    )
    return Perspective(
        "e", None, game, key, key, key, "x", language, "train", 1, role, outcome, "", 0.0, 0.0, len(places),
        lines, spoken, places,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("sloth", "s is not in the word"),  # slate: s red, l red, a green, t red, e green
        ("brine", "place 3 was a already"),
        ("bravo", "place 5 was e already"),
        ("crane", ""),
        ("brake", ""),
        ("shape", "s is not in the word"),
    ],
)
def test_what_a_guess_makes_nothing_of(word, why):
    one = seat("slate", word)
    assert Heard(one, 3).ignored(guess(word)) == why


def test_a_yellow_letter_in_its_old_place_or_left_out():
    one = seat("ocean", "crane")  # o red, c e n yellow, a yellow
    heard = Heard(one, 3)
    assert heard.ignored(guess("honey")) == "o is not in the word"
    assert heard.ignored(guess("scarf")) == "c is not in place 2"
    assert heard.ignored(guess("crank")) == "e is in the word"
    assert heard.ignored(guess("crane")) == heard.ignored("no guess at all") == heard.ignored(guess("cranes")) == ""


def test_nothing_is_known_before_colours_were_shown():
    first = seat("slate", "crane")
    assert Heard(first, 1).tries == () and Heard(first, 1).ignored(guess("slate")) == ""
    refused = [*first.messages[:2], Message("user", "that is no word; once more")]
    assert Heard(dialogue(refused, first.key), 3).tries == (), "a refused guess got no colours"


def test_clembenchs_own_wordle_is_judged_alike():
    talk = [Message("user", "go"), Message("assistant", guess("slate"))]
    talk.append(Message("user", "guess_feedback: s<red> l<red> a<green> t<red> e<green>\n\nguess again"))
    one = dialogue(talk, "wordle:en:crane", game="clem:wordle", role="WordGuesser")
    assert Heard(one, 3).tries == (Try("slate", "rrgrg"),) and Heard(one, 3).ignored(guess("stale"))


def test_german_wordle_has_its_own_tags():
    talk = [Message("user", "los"), Message("assistant", "begründung: so\nversuch: lampe")]
    talk.append(Message("user", coloured(Try("lampe", colour("lampe", "birne")), "de")))
    heard = Heard(dialogue(talk, "wordle:de:birne", language="de"), 3)
    assert heard.ignored("begründung: so\nversuch: lappe") and not heard.ignored("begründung: so\nversuch: birne")


def test_another_game_or_language_knows_no_colours():
    one = seat("slate", "sloth")
    assert Heard(replace(one, game="textmapworld"), 3).tries == Heard(replace(one, language="fr"), 3).tries == ()


def test_to_make_a_proposal_ones_guess_is_no_repetition_but_a_guess_twice_is():
    proposal = [Message("user", "go"), Message("assistant", guess("slate")), Message("user", "agreed. decide")]
    heard = Heard(dialogue(proposal, "wordle:en:crane", game="wordle_withcritic"), 3)
    assert not heard.repeated(guess("slate"))
    assert Heard(seat("slate", "slate"), 3).repeated("explanation: other words\nguess: SLATE")


def test_whoever_answers_may_say_the_same_again():
    talk = [Message("user", "q"), Message("assistant", "ANSWER: no"), Message("user", "q")]
    one = dialogue(talk, "clem:guesswhat:x", game="clem:guesswhat", role="Answerer")
    assert not Heard(one, 3).repeated("ANSWER: no")
    assert Heard(replace(one, role="Guesser"), 3).repeated("answer: NO")


def test_an_ignoring_guess_loses_against_one_that_heeds_what_was_shown():
    heeds, ignores = seat("slate", "brake"), seat("slate", "sloth")
    (pair,) = mine([heeds, ignores], Mining()).pairs
    assert pair.kind == "ignored" and pair.prefix == 3 and pair.chosen.perspective is heeds
    assert pair.why == "the other made nothing of what it had been told: s is not in the word"
    assert mine([heeds, ignores], Mining(kinds=("repeat", "turn"))).pairs == []


def test_a_word_tried_on_purpose_that_won_is_no_mistake():
    heeds, probes = seat("slate", "brake"), seat("slate", "sloth", "crane", outcome="success")
    assert mine([heeds, probes], Mining(kinds=("ignored",))).pairs == []
