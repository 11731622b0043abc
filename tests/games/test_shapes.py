"""Shapes as regular expressions: exactly what they describe fits."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from games.conformance.replies import from_shape
from games.shapes import Choice, Grid, Literal, Seq, Shape, Text, fits, pattern, strings

LEAF = st.one_of(
    st.text(max_size=10).map(Literal),
    st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=5).map(lambda o: Choice(tuple(o))),
    st.tuples(st.integers(1, 10), st.integers(0, 40)).map(lambda lh: Text("t", lh[0], lh[0] + lh[1])),
    st.tuples(st.integers(1, 4), st.integers(1, 4)).map(lambda rc: Grid(*rc, symbols="X.^]-\\")),
)
SHAPE = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=4).map(lambda parts: Seq(tuple(parts))), max_leaves=6)


@given(SHAPE, st.integers())
def test_what_is_made_from_a_shape_fits_it(shape: Shape, seed: int) -> None:
    assert fits(shape, from_shape(shape, Random(seed)))


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_literal_fits_itself_alone(text: str, other: str) -> None:
    assert fits(Literal(text), text)
    assert fits(Literal(text), other) == (text == other)


@given(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=5), st.text(max_size=6))
def test_a_choice_fits_its_options_alone(options: list[str], other: str) -> None:
    shape = Choice(tuple(options))
    assert all(fits(shape, option) for option in options)
    assert fits(shape, other) == (other in options)


@given(st.text(max_size=8))
def test_text_is_one_line_of_a_length(text: str) -> None:
    assert fits(Text("", 2, 5), text) == (2 <= len(text) <= 5 and "\n" not in text)


@pytest.mark.parametrize("text", ["It's big, isn't it?", "Größe: mittel (etwa)", "so-and-so; so what!", "naïve café’s"])
def test_plain_text(text: str) -> None:
    assert fits(Text(letters=True), text)


@pytest.mark.parametrize("text", ["", "a\nb", "[red]", "a1", "\x1b[0m", "a_b", "<b>", "`x`", "a×b", "a÷b"])
def test_not_plain_text(text: str) -> None:
    assert not fits(Text(letters=True), text)


@pytest.mark.parametrize(
    ("text", "fit"),
    [
        ("X . X\n. . .", True),
        ("X.X\n...", False),
        ("X . X\n. . .\n", False),
        ("X . X", False),
        ("X . Y\n. . .", False),
        ("X . X\n. .", False),
    ],
)
def test_grids(text: str, fit: bool) -> None:
    assert fits(Grid(2, 3, "X."), text) is fit


def test_grids_without_a_gap() -> None:
    assert fits(Grid(2, 2, "01", gap=""), "01\n10")


def test_parts_follow_each_other() -> None:
    shape = Seq((Literal("GUESS: "), Choice(("cat", "catfish"), "guess")))
    assert fits(shape, "GUESS: cat") and fits(shape, "GUESS: catfish")
    assert not fits(shape, "GUESS: cat ") and not fits(shape, "guess: cat")
    assert fits(Seq(()), "") and not fits(Seq(()), " ")


@given(SHAPE)
def test_patterns_compile(shape: Shape) -> None:
    re.compile(pattern(shape))


def test_strings_are_all_that_is_spelled_out() -> None:
    inner = Seq((Choice(("b", "c")), Text("free"), Grid(1, 1, "X")))
    assert strings(Seq((Literal("a"), inner, Literal("d")))) == ("a", "b", "c", "d")
