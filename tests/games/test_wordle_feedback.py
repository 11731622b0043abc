"""Colours of a guess, and what several of them leave: checked against definitions that work in another way."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from games.wordle import words
from games.wordle.feedback import Try, colour, consistent, fits, known, letters

FEW = st.text("abcß", min_size=5, max_size=5)
"""Words over four letters: nearly all have some letter twice."""


def by_counting(guess: str, target: str) -> str:
    """Yellow is the letter for which the target has more than greens and earlier yellows take. No list is consumed."""
    marks = ""
    for place, letter in enumerate(guess):
        if target[place] == letter:
            marks += "g"
            continue
        greens = sum(g == t == letter for g, t in zip(guess, target, strict=True))
        earlier = sum(guess[n] == letter != target[n] for n in range(place))
        marks += "y" if earlier < target.count(letter) - greens else "r"
    return marks


@given(FEW, FEW)
def test_colours_are_those_of_the_definition(guess: str, target: str) -> None:
    assert colour(guess, target) == by_counting(guess, target)


@given(FEW, FEW)
def test_letters_that_are_not_red_are_those_the_words_share(guess: str, target: str) -> None:
    shared = Counter(guess) & Counter(target)
    told = Counter(letter for letter, mark in zip(guess, colour(guess, target), strict=True) if mark != "r")
    assert told == shared


@pytest.mark.parametrize(
    ("guess", "target", "marks"),
    [
        ("speed", "abide", "rryry"),
        ("speed", "erase", "yryyr"),
        ("speed", "steal", "grgrr"),
        ("allee", "lohle", "ryyrg"),
        ("aabbb", "bbaaa", "yyyyr"),
        ("größe", "grüße", "ggrgg"),
    ],
)
def test_letters_twice(guess: str, target: str, marks: str) -> None:
    assert colour(guess, target) == marks


EVERY = ["".join(word) for word in product("abcß", repeat=5)]


@given(st.lists(FEW, max_size=3), FEW)
def test_the_filter_over_a_list_keeps_exactly_the_words_that_fit(guesses: list[str], target: str) -> None:
    tries = [Try(guess, colour(guess, target)) for guess in guesses]
    assert consistent("\n".join(EVERY), tries) == [word for word in EVERY if fits(word, tries)]


@given(st.lists(FEW, max_size=5), FEW)
def test_the_target_always_fits(guesses: list[str], target: str) -> None:
    tries = [Try(guess, colour(guess, target)) for guess in guesses]
    assert consistent(target, tries) == [target]


def test_the_filter_on_a_real_list() -> None:
    tries = [Try("crane", colour("crane", "brain")), Try("drain", colour("drain", "brain"))]
    found = consistent(words.ranked("en"), tries)
    assert "brain" in found and len(found) < 20
    assert found == [word for word in words.ranked("en").split("\n") if fits(word, tries)]


@given(st.lists(FEW, min_size=1, max_size=4), FEW)
def test_what_is_known_is_true_of_the_target(guesses: list[str], target: str) -> None:
    facts = known(tuple(Try(guess, colour(guess, target)) for guess in guesses))
    assert all(target[place] == letter for place, letter in facts.placed.items())
    assert all(target[place] not in banned for place, banned in facts.banned.items())
    assert all(target.count(letter) >= count for letter, count in facts.least.items())
    assert all(target.count(letter) <= count for letter, count in facts.most.items())
    assert not facts.absent & set(target)


def test_a_keyboard_shows_the_best_that_is_known() -> None:
    tries = [Try("eerie", colour("eerie", "these")), Try("those", colour("those", "these"))]
    assert letters(tries[:1]) == {"e": "here", "r": "absent", "i": "absent"}
    assert letters(tries) == {
        "e": "here",
        "r": "absent",
        "i": "absent",
        "t": "here",
        "h": "here",
        "o": "absent",
        "s": "here",
    }
    assert letters(reversed(tries)) == letters(tries)
