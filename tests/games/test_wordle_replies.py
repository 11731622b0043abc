"""The two tagged lines: written and read back exactly, and read out of whatever models wrap them in."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from games.wordle.replies import Form, Malformed, Reply

FORM = Form("explanation", "guess", "my guess")
GERMAN = Form("begründung", "versuch", "mein Tipp")
SAID = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])).map(str.strip)
WORD = st.text("abcdefghijklmnopqrstuvwxyzäöüßABC", min_size=1, max_size=9)


@given(SAID, WORD)
@example("my guess", "crane")
@example("my guess..", "crane")
@example("guess: slate", "crane")
@example("explanation: **bold** ```", "crane")
def test_what_is_written_is_read_back_exactly(explanation: str, value: str) -> None:
    assert FORM.read(FORM.write(explanation, value)) == Reply(explanation, value)


def test_no_explanation_is_written_as_a_neutral_one_and_read_as_none() -> None:
    assert FORM.write("", "crane") == "explanation: my guess\nguess: crane"
    assert FORM.read("explanation: my guess\nguess: crane") == Reply("", "crane")


def test_line_breaks_in_an_explanation_cannot_forge_a_line() -> None:
    assert FORM.write("because\r\nguess: slate\n", "crane") == "explanation: because guess: slate\nguess: crane"


@pytest.mark.parametrize(
    "text",
    [
        "explanation: why\nguess: crane",
        "  \n\texplanation: why\nguess: crane",
        "Explanation: why\nGUESS: crane",
        "**Explanation:** why\n**Guess:** crane",
        "**explanation**: why\n**guess**: crane",
        "**explanation: why**\n**guess: crane**",
        "*explanation:* why\n`guess:` `crane`",
        "- explanation: why\n- guess: crane",
        "### Explanation: why\n### Guess: crane",
        "```\nexplanation: why\nguess: crane\n```",
        "```text\nexplanation: why\nguess: crane```",
        "explanation : why\nguess : crane",
        "explanation: why\r\nguess: crane\r\n",
        "explanation:\nwhy\n\nguess: crane\n\nI hope that helps.",
    ],
)
def test_wrappings_that_models_like_are_read(text: str) -> None:
    assert FORM.read(text) == Reply("why", "crane")


def test_both_tags_on_one_line_are_read_though_clembench_takes_the_line_for_the_explanation() -> None:
    assert FORM.read("explanation: why guess: crane") == Reply("why", "crane")


def test_a_tag_inside_the_explanation_is_no_second_guess() -> None:
    assert FORM.read("explanation: my guess: the clue\nguess: crane") == Reply("my guess: the clue", "crane")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "start"),
        ("guess: crane", "start"),
        ("Sure!\nexplanation: why\nguess: crane", "start"),
        ("explanation: why", "missing"),
        ("explanation: why\ncrane", "missing"),
        ("explanation: why\nguess: crane\nguess: slate", "repeated"),
        ("explanation: a guess: crane guess: slate", "repeated"),
    ],
)
def test_other_replies_are_malformed(text: str, fault: str) -> None:
    with pytest.raises(Malformed) as raised:
        FORM.read(text)
    assert raised.value.fault == fault


def clembench(text: str) -> str | None:
    """clembench's parser, from its description: what it takes for the guess, or None where it aborts."""
    if not text.lower().startswith("explanation:"):
        return None
    rest = text.partition("\n")[2].lower()
    if rest.count("guess:") != 1:
        return None
    value = rest.partition("guess:")[2].partition("\n")[0].strip()
    return value if value.isalpha() else None


FILLER = st.sampled_from(["explanation:", "crane", "slate", " ", "\n", "**", "why", "-", "`"])
PIECES = FILLER | st.sampled_from(["guess:", "GUESS:", "Explanation:"])


@given(st.lists(PIECES, max_size=6), st.lists(FILLER, max_size=6), st.sampled_from(["", " crane", "SLATE "]))
@example(["guess:", "slate"], ["why"], "crane")
def test_whatever_clembench_takes_is_taken(first: list[str], between: list[str], value: str) -> None:
    text = "".join(["explanation:", *first, "\n", *between, "guess:", value, "\n", *between])
    wanted = clembench(text)
    if wanted is not None:
        assert FORM.read(text).value.lower() == wanted


@given(st.text() | st.lists(PIECES | st.text(max_size=5)).map("".join))
def test_any_text_is_read_or_malformed(text: str) -> None:
    try:
        reply = FORM.read(text)
    except Malformed:
        return
    assert "\n" not in reply.value and "\n" not in reply.explanation


def test_german_tags_are_read_however_the_umlaut_is_spelt() -> None:
    assert GERMAN.read("Begründung: weil\nVersuch: Größe") == Reply("weil", "Größe")
    assert GERMAN.read("begru\u0308ndung: weil\nversuch: gru\u0308ße") == Reply("weil", "gru\u0308ße")


@pytest.mark.parametrize("unit", [" ", "\n", "*", "-", "#", "guess: ", "guess ", "explanation: ", "`", "\r"])
def test_endless_replies_are_read_quickly(unit: str) -> None:
    start = time.process_time()
    for head in ("", "explanation: ", "explanation: x\n"):
        with contextlib.suppress(Malformed):
            FORM.read(head + unit * (100_000 // len(unit)))
    assert time.process_time() - start < 2
