"""Lists, details, runs, search, and finding an episode by the beginning of its id."""

from __future__ import annotations

import pytest
from tiny_game import Louder, Script, Tiny, new_match

from games.engine import Message
from players.base import Identity, PlayerError
from players.driver import drive
from players.ports import Place
from store.errors import LogError, UnknownEpisode, UnknownRun


@pytest.fixture
async def three(log):
    """Three episodes of a run: won, unfinished, aborted; and one person."""
    run = log.new_run("play", {"game": "tiny"}, seed=5, app_version="1.2")
    me = log.people.add().id
    place = [Place(run=run, slot=n, group="g") for n in range(3)]
    human = {"kind": "human", "name": me, "person": me}
    await drive(new_match(), {"asker": Script("win", **human), "teller": Script()}, log.recorder, place=place[0])
    with pytest.raises(PlayerError):
        seats = {"asker": Script("Grüße, élan", **human), "teller": Script()}
        await drive(new_match(name="riddle-1", answer="sun"), seats, log.recorder, place=place[1])
    await drive(new_match(), {"asker": Script("!", "!"), "teller": Script(name="other")}, log.recorder, place=place[2])
    return run, me


async def test_recent_and_unfinished(log, three):
    run, me = three
    rows = log.queries.recent()
    assert [row.outcome for row in rows] == ["aborted", None, "success"]
    won = rows[2]
    assert (won.run, won.run_kind, won.game, won.version, won.instance) == (run, "play", "tiny", 1, "riddle-0")
    assert won.seats == {"asker": me, "teller": "script"} and won.people == (me,)
    assert (won.plies, won.reason, won.main, won.language) == (1, "said", 100.0, "en")
    assert won.started_at <= won.last_at
    assert log.queries.recent(2) == rows[:2]
    assert log.queries.recent(2, before=rows[1].id) == rows[2:]
    assert log.queries.recent(game="tiny") == rows and log.queries.recent(game="other") == []
    (half,) = log.queries.unfinished()
    assert half == rows[1] and half.plies == 1 and half.main is None
    assert log.queries.unfinished(kinds=["play"]) == [half] and log.queries.unfinished(kinds=["eval"]) == []
    assert log.queries.unfinished(kinds=[]) == []


async def test_counts_and_runs(log, three):
    run, _ = three
    counts = log.queries.counts()
    assert (counts.episodes, counts.finished, counts.unfinished, counts.turns, counts.people) == (3, 2, 1, 4, 1)
    assert log.queries.by_game() == {"tiny": {"aborted": 1, "success": 1, "unfinished": 1}}
    row = log.queries.run(run)
    assert (row.kind, row.seed, row.config, row.app_version) == ("play", 5, {"game": "tiny"}, "1.2")
    assert (row.episodes, row.finished) == (3, 2)
    assert log.queries.run(run[:12].lower()) == row
    assert log.queries.runs() == [row] == log.queries.runs(kind="play") and log.queries.runs(kind="eval") == []
    done, begun = log.queries.slots(run)
    assert done == {0, 2} and list(begun) == [1]
    assert [r.outcome for r in log.queries.of_run(run)] == ["success", None, "aborted"]
    other = log.new_run("eval", {})
    for wish, why in (("", "several|no run"), ("ZZZ", "no run"), (run[:2], "several runs")):
        with pytest.raises(UnknownRun, match=why):
            log.queries.run(wish)
    assert log.queries.run(other).episodes == 0


async def test_what_ended_last_and_what_is_tagged(log, three):
    run, _ = three
    assert [row.outcome for row in log.queries.ended(run)] == ["aborted", "success"]
    (last,) = log.queries.ended(run, 1)
    assert log.queries.ended("another") == []
    everything = [row.id for row in log.queries.recent()]
    assert log.queries.tagged("bookmark", everything) == set()
    await log.tag(last.id, "bookmark")
    assert log.queries.tagged("bookmark", everything) == {last.id} and log.queries.tagged("other", everything) == set()
    assert log.queries.tagged("bookmark", []) == set()


async def test_detail(log, three):
    _, me = three
    half = log.queries.unfinished()[0]
    detail = log.queries.detail(half.id)
    assert detail.row == half
    assert (detail.seed, detail.slot, detail.group, detail.parent, detail.fork_ply) == (7, 1, "g", None, None)
    assert (detail.experiment, detail.split, detail.key) == ("easy", "train", "tiny:en:sun")
    assert detail.seats == {"asker": Identity("human", me, person=me), "teller": Identity("bot", "script")}
    assert detail.turns[0].person == me and detail.turns[0].seen_hash
    assert detail.rewards == {} and detail.winners == () and detail.scores == () and detail.tags == ()
    assert log.queries.perspective(half.id, "asker") == [Message("user", "Ask.")]
    assert log.queries.perspective(half.id, "teller") == []
    log.write(lambda db: db.execute("INSERT INTO tags VALUES (?, 'nice', '')", (half.id,)).rowcount)
    assert log.queries.detail(half.id).tags == ("nice",)
    with pytest.raises(UnknownEpisode):
        log.queries.detail("nope")


async def test_search(log, three):
    half = log.queries.unfinished()[0].id
    assert log.queries.search("GRUSSE elan") == []
    assert log.queries.search("grüße") == [(half, 0, "[Grüße], élan")]
    assert log.queries.search("elan") == [(half, 0, "Grüße, [élan]")], "without its accent too"
    for odd in ("", '"', "* OR (", "NEAR(", "a\x00b", "text:x"):
        log.queries.search(odd)
    assert len(log.queries.search("win")) == 1


async def test_an_episode_by_the_beginning_of_its_id(log, three):
    ids = [row.id for row in log.queries.recent()]
    assert log.history.episode(ids[0]).id == ids[0]
    assert log.history.resolve(f" {ids[1].lower()} ") == ids[1]
    assert log.history.resolve(ids[0][:-1]) == ids[0]
    with pytest.raises(LookupError, match="type more of it"):
        log.history.episode(ids[0][:4])
    for nothing in ("", "7ZZ", "%", "_", "'", ids[0] + "0"):
        with pytest.raises(LookupError, match="no episode"):
            log.history.episode(nothing)


async def test_history_is_enough_to_replay(log, three):
    logged = log.history.episode(log.queries.unfinished()[0].id)
    assert (logged.game, logged.version, logged.seed, logged.outcome) == ("tiny", 1, 7, None)
    assert logged.texts == ["Grüße, élan"] and logged.roles == ["asker"]
    assert logged.instance["answer"] == "sun"
    assert log.history.match(logged.id, Tiny()).turn == "teller"
    changed = Louder()
    type(changed).version = 2
    try:
        with pytest.raises(LogError, match="tiny@1, and here is tiny@2"):
            log.history.match(logged.id, changed)
    finally:
        del type(changed).version


async def test_any_thread_may_ask(log, three):
    import asyncio

    found = await asyncio.gather(*[asyncio.to_thread(log.queries.counts) for _ in range(6)])
    assert {counts.episodes for counts in found} == {3}


async def test_outcomes_say_who_sat_where_all_along(log):
    """A seat that changed hands is nobody's; assisted players and equal names with other settings stand apart."""
    run = log.new_run("self_play", {})
    plain = {"asker": Script("one", "win", name="m", kind="model"), "teller": Script("x", name="t")}
    await drive(new_match(), plain, log.recorder, place=Place(run=run, slot=0))
    helped = {"asker": Script("win", name="m", kind="model", assisted=True), "teller": Script(name="t")}
    await drive(new_match(), helped, log.recorder, place=Place(run=run, slot=1))
    changed = {"asker": Script("one", name="m", kind="model"), "teller": Script("x", name="t")}

    def take_over(match):
        if match.ply == 2:
            changed["asker"] = Script("win", name="other")

    await drive(new_match(), changed, log.recorder, place=Place(run=run, slot=2), advanced=take_over)
    found = log.queries.outcomes(runs=(run,))
    assert [dict(row.players) for row in found] == [
        {"asker": "m", "teller": "t"},
        {"asker": "m+assist", "teller": "t"},
    ]
    assert found[0].competitive and found[0].winners == ("asker",)
    assert found[0].rewards == {"asker": 1.0, "teller": 0.25}
    assert log.queries.outcomes(games=("other",)) == [] and len(log.queries.outcomes(split="train")) == 2
