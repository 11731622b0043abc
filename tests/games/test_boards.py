"""Boards are data: equal when their content is, and searched to the bottom for leaks."""

from __future__ import annotations

import dataclasses

import pytest

from games.boards import Board, Card, Facts, Field, Grid, Keys, Lines, Tile, Tiles, strings

FULL = Board(
    "status",
    (
        Card("title", "head", "label", ("item", "other item")),
        Tiles(((Tile("a", "here"), Tile("b")),)),
        Keys(("qwe",), {"q": "absent"}),
        Grid("grid", (("X", "."),)),
        Facts((("name", "value"),), "facts"),
        Lines("lines", ("first", "second")),
    ),
)


def test_every_string_on_a_board_is_found() -> None:
    found = list(strings(FULL))
    wanted = "status title head label item,other item,a,here,b,empty,qwe,q,absent,grid,X,.,name,value,facts,lines,first"
    for text in ("status", "title", "head", "label", *wanted.split(",")[1:], "second"):
        assert text in found, text


@pytest.mark.parametrize("where", range(len(FULL.panels)))
def test_a_secret_in_any_panel_is_found(where: int) -> None:
    """Put a word into each text field of each panel in turn: none of them may hide it."""
    panel = FULL.panels[where]
    for field in dataclasses.fields(panel):
        value = getattr(panel, field.name)
        if isinstance(value, str):
            assert "secret" in strings(Board("", (dataclasses.replace(panel, **{field.name: "secret"}),)))
        elif isinstance(value, tuple):
            nested: object = ("secret",)
            assert "secret" in strings(Board("", (dataclasses.replace(panel, **{field.name: (*value, nested)}),)))


def test_what_is_no_text_is_no_string() -> None:
    assert list(strings((1, None, True, 2.5, ("x",), ["y"], {"k": 3}))) == ["x", "y", "k"]
    assert list(strings(Board)) == []


def test_fields_are_searched_too() -> None:
    assert list(strings(Field("name", "label", "hint", ("a", "b")))) == ["name", "label", "hint", "a", "b"]


def test_boards_are_values() -> None:
    assert dataclasses.replace(FULL) == FULL and dataclasses.replace(FULL, status="other") != FULL
    with pytest.raises(dataclasses.FrozenInstanceError):
        FULL.status = "x"  # type: ignore[misc]
