"""`annotate label` and `annotate edit`: the same rows as by keys, one sentence for what cannot be."""

from __future__ import annotations

import asyncio
import json

import pytest
from click.testing import CliRunner

from playpen_tui.cli.annotate_turns import edit, label
from playpen_tui.sitting import BadSetup, Setup
from playpen_tui.workbench import Workbench
from store.errors import UnknownEpisode, UnknownTurn
from store.filters import Filters
from store.judged import judged
from store.log import Log


@pytest.fixture
def played(tmp_path, monkeypatch):
    """A log with one game of bots; the path and the episode."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = tmp_path / "e.sqlite"

    async def play() -> str:
        async with Workbench(path) as bench:
            seats = {"describer": "bot", "guesser": "bot"}
            sitting = await bench.deal(Setup("taboo", seats, instance="high-en-031", seed=1))
            await sitting.play()
            return sitting.episode or ""

    return path, asyncio.run(play())


def run(command, path, *arguments):
    done = CliRunner().invoke(command, [*arguments, "--db", str(path)], obj={})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def found(path):
    with Log.open(path, readonly=True) as log:
        return [(one.kind, one.annotator, one.chosen.message[3], one.label) for one in judged(log.reader(), Filters())]


def test_a_label_is_written_and_taken_back(played):
    path, episode = played
    told = json.loads(run(label, path, episode[:20], "0", "-", "--json").stdout)
    assert (told["episode"], told["ply"], told["label"], told["changed"]) == (episode, 0, "-", True)
    ((kind, who, _, good),) = found(path)
    assert (kind, who, good) == ("label", told["judge"], False)
    assert json.loads(run(label, path, episode, "0", "-", "--json").stdout)["changed"] is False
    assert "no label" in run(label, path, episode, "0", "none").stdout
    assert found(path) == []


def test_a_correction_is_composed_checked_and_taken_back(played):
    path, episode = played
    told = json.loads(run(edit, path, episode, "0", "it lives in a bowl", "--as", "kind-owl-1", "--json").stdout)
    assert told["corrected"] == "CLUE: it lives in a bowl" and told["judge"] == "kind-owl-1"
    assert found(path) == [("edit", "kind-owl-1", "CLUE: it lives in a bowl", None)]
    with pytest.raises(BadSetup, match=r"not kept: .*fish"):
        run(edit, path, episode, "0", "a fish in a bowl", "--as", "kind-owl-1")
    same = told["said"].removeprefix("CLUE: ")
    assert json.loads(run(edit, path, episode, "0", same, "--as", "kind-owl-1", "--json").stdout)["corrected"] is None
    assert found(path) == []


def test_what_is_not_there_is_a_sentence(played):
    path, episode = played
    with pytest.raises(UnknownTurn, match="has no turn 99"):
        run(label, path, episode, "99", "+")
    with pytest.raises(UnknownEpisode, match="no episode 'ZZZ'"):
        run(label, path, "ZZZ", "0", "+")
    with pytest.raises(BadSetup, match="no part 'colour'"):
        run(edit, path, episode, "0", "x", "--field", "colour=red")
    assert run(label, path, episode, "0", "good").exit_code == 2
