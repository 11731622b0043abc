"""Finding clue and guess in raw replies, and comparing guesses."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from games.taboo.replies import content, guessed, with_tag


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("CLUE: big", "big"),
        ("CLUE:big", "big"),
        ("CLUE : big", "big"),
        ("clue: big", "big"),
        ("Clue：big", "big"),
        ("\n\n  CLUE: big\n", "big"),
        ("CLUE:\nbig\nand grey", "big\nand grey"),
        ("**CLUE:** big", "big"),
        ("**CLUE**: big", "big"),
        ("**CLUE: big**", "big"),
        ("__CLUE:__ big", "big"),
        ("*CLUE:* *big*", "*big*"),
        ("`CLUE: big`", "big"),
        ("# CLUE: big", "big"),
        ("> CLUE: big", "big"),
        ("```\nCLUE: big\n```", "big"),
        ("```text\nCLUE: big\n```", "big"),
        ("```CLUE: big```", "big"),
        ("CLUE: CLUE: clue : big", "big"),
        ("CLUE: **big**", "**big**"),
        ("CLUE:", ""),
        ("**CLUE:**", ""),
        ("CLUE: ", ""),
        ("CLUE: CLUE:", ""),
        ("CLUE: a CLUE: b", "a CLUE: b"),
    ],
)
def test_tag_and_what_follows(text: str, inner: str) -> None:
    assert content(text, "CLUE") == inner


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "big",
        "CLUE",
        "CLUE big",
        "CLUES: big",
        "A CLUE: big",
        "GUESS: big",
        "```\n```",
        "**",
        ": big",
        "(CLUE: big)",
    ],
)
def test_no_tag(text: str) -> None:
    assert content(text, "CLUE") is None


@pytest.mark.parametrize(
    ("said", "compared"),
    [
        ("Elephant", "elephant"),
        ("  the elephant!! ", "elephant"),
        ("“An elephant”", "elephant"),
        ("a", "a"),
        ("the a", "a"),
        ("ele-phant", "elephant"),
        ("big elephant", "big elephant"),
        ("éléphant", "elephant"),
        ("elephant\u200b", "elephant"),
        ("…", ""),
    ],
)
def test_guesses_as_they_are_compared(said: str, compared: str) -> None:
    assert guessed(said, "en") == compared


def test_german_guesses_as_they_are_compared() -> None:
    assert guessed("der Bär.", "de") == guessed("BAER", "de") == "baer"
    assert guessed("Straße", "de") == guessed("strasse", "de")
    assert guessed("the Bär", "de") != "baer"


@given(st.text(max_size=40), st.sampled_from(["CLUE", "GUESS", "HINWEIS"]))
def test_what_is_tagged_is_found(said: str, tag: str) -> None:
    inner = content(with_tag(tag, said), tag)
    assert inner is not None and content(with_tag(tag, inner), tag) == inner


@given(st.text(max_size=80))
def test_any_text_is_read(text: str) -> None:
    inner = content(text, "CLUE")
    assert inner is None or (inner == inner.strip() and len(inner) < len(text))


@pytest.mark.parametrize("unit", ["CLUE: ", " ", "*", "`", "```\n", "CLUE", ":", "CLUE:\n", "# ", "** CLUE: "])
def test_endless_replies_are_read_in_no_time(unit: str) -> None:
    started = time.perf_counter()
    text = (unit * 100_000)[:100_000]
    for one in (text, f"CLUE: {text}", f"**{text}"):
        content(one, "CLUE")
        with_tag("CLUE", one)
        guessed(one, "en")
    assert time.perf_counter() - started < 10
