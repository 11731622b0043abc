"""What the face does without a screen: seating, setups, cleaned text, boards in words, settings, transcripts."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from games import catalog
from games.boards import Board, Card, Facts, Grid, Keys, Tile, Tiles
from games.engine import Match
from playpen_tui.plain_board import lines
from playpen_tui.plain_text import clean, one_line, plain, short
from playpen_tui.settings import Settings
from playpen_tui.sitting import BadSetup, Setup, Sitting, choose, seating
from playpen_tui.transcript import entries

TABOO = catalog.get("taboo")


@pytest.mark.parametrize(
    ("role", "partner", "named", "expected"),
    [
        (None, None, {}, ("human", "smollm2")),
        (None, "bot", {}, ("human", "bot")),
        ("guesser", "bot", {}, ("bot", "human")),
        ("guesser", None, {}, ("smollm2", "human")),
        (None, "bot", {"describer": "llama"}, ("llama", "bot")),
        (None, None, {"describer": "llama"}, ("llama", "human")),
        (None, None, {"describer": "bot", "guesser": "bot"}, ("bot", "bot")),
        (None, "human", {}, ("human", "human")),
    ],
)
def test_who_sits_where(role, partner, named, expected) -> None:
    assert tuple(seating(TABOO, role, partner, named, "smollm2").values()) == expected


def test_a_role_that_the_game_has_not() -> None:
    with pytest.raises(BadSetup, match="did you mean guesser"):
        seating(TABOO, "gueser", None, {}, "bot")


def test_swap_again_and_next_are_new_setups() -> None:
    setup = Setup("taboo", {"describer": "human", "guesser": "bot"}, instance="high-en-001", seed=4)
    assert setup.swapped().seats == {"describer": "bot", "guesser": "human"}
    assert setup.swapped().instance is None and setup.again().instance == "high-en-001"
    models = Setup("taboo", {"describer": "bot", "guesser": "m"}, instance="high-en-001")
    assert models.swapped().instance == "high-en-001", "nobody has learned what it hides"
    assert setup.again().seed is None, "other luck"
    assert setup.following().instance is None
    assert setup.has_people
    assert not Setup("taboo", {"describer": "bot", "guesser": "bot"}).has_people


def test_an_instance_comes_from_the_split_by_the_seed_and_not_twice_in_a_row() -> None:
    setup = Setup("taboo", seed=5)
    instance, seed = choose(setup, TABOO)
    assert (instance, seed) == choose(setup, TABOO)
    assert catalog.split_of(TABOO, instance) == "train"
    assert choose(setup, TABOO, avoid=instance.name)[0] != instance


def test_the_command_that_goes_on() -> None:
    match = Match.new(TABOO, catalog.instance(TABOO, "high-en-001"), 1)
    setup = Setup("taboo", {"describer": "human", "guesser": "bot"})
    sitting = Sitting(setup, match, {}, episode="01XYZ")
    assert sitting.command() == "playpen-tui play --resume 01XYZ"
    assert sitting.command("my log.sqlite").endswith("--db 'my log.sqlite'")


HOSTILE = st.text(st.characters(codec=None), max_size=80)


@given(HOSTILE)
def test_cleaned_text_cannot_steer_a_terminal_and_stays_as_it_is(text: str) -> None:
    found = clean(text)
    assert not {c for c in found if unicodedata.category(c) in ("Cc", "Cs") and c != "\n"}
    assert not {c for c in found if c in "\u202e\u2066\u200b\u200f\ufeff"}
    assert clean(found) == found


@given(HOSTILE, st.integers(1, 60))
def test_short_text_fits_its_width_on_one_line(text: str, width: int) -> None:
    assert len(short(text, width)) <= width
    assert "\n" not in short(text, width) + one_line(text) + plain(text)


def test_long_text_is_cut_with_a_count() -> None:
    assert clean("x" * 100_000).endswith("… and 96,000 characters more")


def test_a_board_in_words() -> None:
    board = Board(
        "round 1",
        (
            Card("Describe", "elephant", "without", ("trunk", "tusk"), private=True),
            Tiles(((Tile("a", "here"), Tile("b", "absent")),), width=2),
            Keys(("ab",), {"a": "here", "b": "absent"}),
            Facts((("clue", "a \x1b[2J beast"),)),
            Grid("first", (("x", "."), (".", "x")), target=True),
        ),
    )
    text = "\n".join(lines(board))
    assert "only you see this:\n  Describe elephant without trunk, tusk" in text
    assert "1. AB: A here, B not in it" in text
    assert "letters not in it: b" in text
    assert "\x1b" not in text
    assert "first (the one to describe):" in text


def test_settings_are_kept_and_a_spoilt_file_costs_only_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "x" / "settings.toml"
    assert Settings(path).theme == "playpen-dark"
    assert Settings(path).keep(theme='a "quoted" \\ name', person="amber-otter-417")
    assert Settings(path).theme == 'a "quoted" \\ name'
    assert Settings(path).get("person") == "amber-otter-417"
    path.write_text("= = =")
    assert Settings(path).theme == "playpen-dark"


def test_people_read_no_tags_and_only_what_reached_them() -> None:
    bot = TABOO.bots()["competent"]
    match = Match.new(TABOO, catalog.instance(TABOO, "high-en-001"), 1)
    match = match.play(bot(match.view("describer"), Random(1))).play("GUESS: nonsense")
    for eyes in ("describer", "guesser", None):
        found = entries(match, eyes)
        assert [e.role for e in found] == ["describer", "guesser"]
        assert not any("CLUE" in e.text or "GUESS" in e.text for e in found)
    broken = match.play("no tag at all")
    assert entries(broken, None)[-1].raw
    assert "GUESS:" not in entries(broken, None)[-1].broken


def test_a_critic_reads_the_proposal_and_nothing_else_before_it() -> None:
    game = catalog.get("wordle_withcritic")
    match = Match.new(game, game.instances("en")[0], 1)
    match = match.play("explanation: it is common\nguess: crane")
    assert [(e.text, e.extra) for e in entries(match, "critic")] == [("crane", "it is common")]
