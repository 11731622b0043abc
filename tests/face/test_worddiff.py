"""Word by word, where two texts differ."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from playpen_tui.worddiff import MOST, differing

texts = st.text(alphabet=st.sampled_from("ab \n\té"), max_size=40) | st.text(max_size=40)


@given(texts, texts)
def test_pieces_make_up_the_texts(left, right):
    for text, parts in zip((left, right), differing(left, right), strict=True):
        assert "".join(piece for piece, _ in parts) == text
        assert all(one[1] != other[1] for one, other in pairwise(parts))


@given(texts, texts)
def test_what_is_shared_is_the_same_words_on_both_sides(left, right):
    shared = [" ".join(piece for piece, new in parts if not new).split() for parts in differing(left, right)]
    assert shared[0] == shared[1]


@given(texts)
def test_a_text_does_not_differ_from_itself(text):
    assert all(not new for parts in differing(text, text) for _, new in parts)


def test_only_the_words_that_differ_are_marked():
    left, right = differing("a large animal in Africa", "a grey animal of  Africa")
    assert left == [("a ", False), ("large ", True), ("animal ", False), ("in ", True), ("Africa", False)]
    assert right == [("a ", False), ("grey ", True), ("animal ", False), ("of  ", True), ("Africa", False)]


def test_very_long_texts_are_compared_as_far_as_is_quick():
    text = "word " * (MOST + 10)
    left, _ = differing(text, text)
    assert [new for _, new in left] == [False, True]
