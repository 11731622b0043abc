"""A run that is written into the form, and the command that says the same, are one and the same plan."""

from __future__ import annotations

import shlex
from dataclasses import replace

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playpen_tui.cli.selfplay import _draft, selfplay, wished
from playpen_tui.selfplay import Wish, outlook
from playpen_tui.selfplay_wish import NO, PAIRINGS, YES, Draft, words, written
from playpen_tui.workbench import Workbench

NUMBERS = st.one_of(st.just(""), st.integers(1, 4096).map(str))
DRAFTS = st.builds(
    Draft,
    games=st.sampled_from(["taboo", "taboo wordle", " wordle,taboo "]),
    players=st.sampled_from(["bot", "bot:random smollm2", "'llamacpp:my own.gguf?temperature=0.5&seed=1'"]),
    seats=st.sampled_from(["", "guesser=bot", "describer=bot:random, guesser=smollm2"]),
    pairing=st.sampled_from(PAIRINGS),
    split=st.sampled_from(["train", "validation", "test"]),
    language=st.sampled_from(["", "en", "de"]),
    episodes=NUMBERS,
    siblings=NUMBERS,
    seed=st.one_of(st.just(""), st.integers(0, 2**31 - 1).map(str)),
    at_once=NUMBERS,
    tokens=NUMBERS,
    assist=st.sampled_from([NO, YES]),
)


def asked(command: str) -> dict:
    """What the command line makes of it."""
    words = shlex.split(command)
    assert words[:2] == ["playpen-tui", "selfplay"]
    with selfplay.make_context("selfplay", words[2:], parent=click.Context(selfplay, obj={})) as context:
        return dict(context.params)


@given(DRAFTS)
def test_the_command_plays_what_the_form_says(draft):
    assert wished(asked(draft.command(None))) == Wish(draft.plan(), None, draft.concurrency(), draft.limits())


@given(DRAFTS.filter(lambda draft: draft.episodes))
def test_options_without_a_game_are_written_into_the_form(draft):
    written = _draft(asked(draft.command(None)))
    assert replace(written, games=draft.games).plan() == draft.plan()


def test_the_command_names_the_log_and_quotes_what_needs_it():
    command = Draft(players="bot").command("my logs/a b.sqlite")
    assert command == "playpen-tui selfplay taboo --player bot --episodes 20 --concurrency 16 --db 'my logs/a b.sqlite'"


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1), max_size=4))
def test_names_in_a_field_are_read_as_they_were_written(names):
    assert words(written(names)) == names


async def test_an_outlook_counts_tables_and_instances(tmp_path):
    async with Workbench(tmp_path / "episodes.sqlite") as bench:
        found = outlook(Draft("taboo wordle", "bot bot:random", pairing=PAIRINGS[1], episodes="").plan(), bench)
    (taboo, many, tables), (wordle, words, single) = found.games
    assert (taboo, len(tables), wordle, len(single)) == ("taboo", 4, "wordle", 2)
    assert found.episodes == many * 4 + words * 2


@pytest.mark.parametrize("text", ["-1", "1.5", "٣", "99999999999", "x"])
def test_a_number_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match=r"episodes: a whole number from 1 to 2,147,483,647, not "):
        Draft(episodes=text).plan()
