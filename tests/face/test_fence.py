"""The last fence before the terminal, and the finer points of cleaned text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.segment import ControlType, Segment
from rich.style import Style
from textual.color import Color

from playpen_tui.plain_text import CONTROLS, clean, one_line, plain, short
from playpen_tui.settings import Settings
from playpen_tui.text import ControlFilter

ANY = st.text(st.characters(codec=None), max_size=200)
BLACK = Color(0, 0, 0)


@given(st.lists(ANY, max_size=6))
def test_no_drawn_segment_can_steer_the_terminal(texts):
    style = Style(bold=True)
    segments = ControlFilter().apply([Segment(text, style) for text in texts], BLACK)
    assert [len(segment.text) for segment in segments] == [len(text) for text in texts]
    for segment in segments:
        assert not CONTROLS.search(segment.text) and segment.style == style
        segment.text.encode()


def test_segments_that_are_commands_of_textual_itself_pass():
    home = Segment("\x1b[H", None, [(ControlType.HOME,)])
    assert ControlFilter().apply([home], BLACK) == [home]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2Jb", "a␛[2Jb"),
        ("a\x00b\x7f", "a␀b␡"),
        ("a\x9bb\x85c", "a�b�c"),
        ("one\r\ntwo\rthree", "one\ntwo␍three"),
        ("a\tb", "a    b"),
        ("a\u202eb\u200bc", "a⟨202E⟩b⟨200B⟩c"),
        ("\ufefftext\u00ad", "⟨FEFF⟩text⟨00AD⟩"),
        ("half \udc80", "half �"),
        ("plain [b]text[/b]", "plain [b]text[/b]"),
        ("漢字 é ✓", "漢字 é ✓"),
    ],
)
def test_what_becomes_of_each_kind(text, shown):
    assert clean(text) == shown


@given(ANY)
def test_lines_are_one_line_and_can_be_written(text):
    for made in (one_line(text), plain(text), short(text, 20)):
        assert "\n" not in made and "\r" not in made
        made.encode()


def test_cutting_counts_what_is_left_out():
    assert clean("abcdef", 4) == "abcd … and 2 characters more"
    assert clean("abcd", 4) == "abcd"
    assert clean("x" * 10_000, None) == "x" * 10_000
    assert short("elephant", 5) == "elep…"


def test_a_hundred_thousand_characters_are_cleaned_at_once():
    text = "\x1b\u202e ab" * 20_000
    assert len(one_line(text)) < 2_000 and len(clean(text)) < 40_000


def test_a_folder_that_cannot_be_written_costs_only_the_memory(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    settings = Settings(blocked / "settings.toml")
    assert settings.keep(theme="playpen-light") is False
    assert settings.theme == "playpen-light"


def test_values_of_other_kinds_in_the_settings_are_passed_over(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text('theme = 3\nperson = "a"\n[more]\nx = 1\n')
    settings = Settings(path)
    assert settings.theme == "playpen-dark" and settings.get("person") == "a"
