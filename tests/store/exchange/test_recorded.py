"""Imported episodes are watched from their messages, and neither played on nor judged by rules that are not here."""

from __future__ import annotations

import pytest
from clem_trees import TABOO, episode, interactions, tree
from click.testing import CliRunner

from games.engine import Message
from playpen_tui.cli import cli
from store.errors import Foreign
from store.exchange.clembench import import_clembench
from store.keep import check
from store.recorded import RecordedGame, positions


@pytest.fixture
def imported(log, tmp_path):
    """The id of one imported episode."""
    log_ = interactions([*TABOO, [">1 no", "<1 what", "!invalid format: no tag"]], Aborted=1)
    episode(tmp_path / "m" / "taboo" / "high_en" / "instance_00000", log_, scored=False)
    import_clembench(log, tmp_path / "m")
    return log.queries.recent(1)[0].id


def test_every_position_of_it_can_be_shown(log, imported):
    detail = log.queries.detail(imported)
    steps = positions(detail)
    assert [match.ply for match in steps] == list(range(len(detail.turns) + 1))
    assert [match.turn for match in steps] == [*(turn.role for turn in detail.turns), None]
    assert steps[-1].texts == [turn.text for turn in detail.turns]
    assert (steps[-1].over, steps[-1].state.outcome) == (True, "aborted")
    assert steps[-1].game.verdict(steps[-1]) == "aborted (invalid format)"
    assert [step.verdict for step in steps[-1].steps][-1] == "illegal"
    assert list(steps[-1].heard["WordGuesser"]) == log.queries.perspective(imported, "WordGuesser")
    assert steps[0].heard["WordDescriber"] == (Message("user", "describe APPLE"),)
    board = steps[1].game.board(steps[1].state, "WordGuesser")
    assert [panel.lines for panel in board.panels] == [("guess",)]
    assert len(steps[1].game.board(steps[1].state, None).panels) == 2


def test_it_is_neither_played_on_nor_judged(log, imported):
    logged = log.history.episode(imported)
    with pytest.raises(Foreign, match="was imported, and its game's code is not here"):
        log.history.match(imported, RecordedGame(log.queries.detail(imported)))
    with pytest.raises(Foreign):
        log.history.require_code(logged)
    report = check(log)
    assert report.ok and report.replayed == 0
    assert report.skipped == {"recorded by another program, and shown from its messages": 1}


def test_the_command_line_says_so_in_a_sentence_and_shows_it(log, imported, path):
    run = CliRunner().invoke
    shown = run(cli, ["--db", str(path), "spectate", "--episode", imported, "--plain"])
    assert shown.exit_code == 0 and "GUESS: apple" in shown.output and "aborted (invalid format)" in shown.output
    seen = run(cli, ["--db", str(path), "spectate", "--episode", imported, "--plain", "--eyes", "WordGuesser"])
    assert "what" not in seen.output
    resumed = run(cli, ["--db", str(path), "play", "--resume", imported, "--plain"])
    assert isinstance(resumed.exception, Foreign)


def test_replaying_our_own_episodes_is_not_crowded_out(log, tmp_path):
    import_clembench(log, tree(tmp_path, 5))
    report = check(log, sample=1)
    assert report.ok and report.skipped == {"recorded by another program, and shown from its messages": 5}
