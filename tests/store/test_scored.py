"""Finished episodes for tables: what is counted from turns, what clembench counted, and what is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from finished import Played, put
from tiny_game import Script, new_match

from players.base import Identity
from players.driver import drive
from players.ports import Place
from store import trainings
from store.errors import BadCondition
from store.filters import Filters
from store.log import Log
from store.scored import LeftOut, Requests


async def play(log, asker, teller=None, **place):
    match = new_match()
    await drive(match, {"asker": asker, "teller": teller or Script(name="bob")}, log.recorder, place=Place(**place))
    return log.queries.recent(1)[0].id


async def test_requests_are_counted_from_turns_and_verdicts(log):
    run = log.new_run("self_play", {"game": "tiny"})
    episode = await play(log, Script("a", "!", "win", name="ada"), Script("b", name="bob"), run=run, slot=0, group="g")
    (found,) = log.queries.scored(Filters())
    assert (found.episode, found.run, found.group, found.game) == (episode, run, "g", "tiny")
    assert found.players == {"asker": "ada", "teller": "bob"} and found.kinds == dict.fromkeys(found.players, "bot")
    assert (found.outcome, found.main, found.reason) == ("success", 100.0, "said") and found.played and found.success
    assert found.by_role == {"asker": Requests(3, 2, 1), "teller": Requests(1, 1, 0)}
    assert found.requests == Requests(4, 3, 1) and found.key == "tiny:en:moon" and found.experiment == "easy"


async def test_a_model_that_never_sat_down_leaves_others_their_names(log):
    def make(player, sampling):
        player.identity = Identity("model", "mine", "r1", "", sampling)
        return player

    await play(log, make(Script("a", "win"), {"temperature": 0}), Script("b", name="bob"))
    log.write(lambda db: trainings.player(db, Identity("model", "mine", "r1")))
    assert [row.players["asker"] for row in log.queries.scored(Filters())] == ["mine"]
    await play(log, make(Script("a", "win"), {"temperature": 1}), Script("b", name="bob"))
    assert len({row.players["asker"] for row in log.queries.scored(Filters())} - {"mine"}) == 2


async def test_why_it_was_aborted(log):
    await play(log, Script("!", "!", name="ada"))
    put(log, [Played("old", "i", {"player": "ada"}, "aborted", None, turns=(("player", "illegal", "no tag"),))])
    found = {row.game: row for row in log.queries.scored(Filters())}
    assert found["tiny"].reason == "format" and found["old"].reason == "no tag"
    assert found["tiny"].main is None and not found["tiny"].played


def test_imported_episodes_have_clembenchs_own_counts(log):
    metrics = {"Request Count": 5, "Violated Request Count": 2.0, "Parsed Request Count": 3, "Main Score": 50.0}
    seats = {"Player 1": "m", "Player 2": "m"}
    put(
        log,
        [
            Played("clem:taboo", "a", seats, metrics=metrics, turns=(("Player 1", "ok", ""),)),
            Played("clem:taboo", "b", {"Player 1": "m"}, metrics={"Request Count": 4}),
            Played("clem:map", "c", {"Player 1": "m"}, metrics={"Main Score": 1.0}),
        ],
    )
    first, second, third = log.queries.scored(Filters(games=("clem:*",)))
    assert first.requests == Requests(5, 3, 2) and first.by_role == {} and first.imported
    assert second.requests == Requests(4, 4, 0) and third.requests == Requests(0, 0, 0)


async def test_what_is_left_out_is_counted(log):
    whole = await play(log, Script("win", name="ada"))
    with pytest.raises(Exception, match=r"."):
        await play(log, Script("half", name="ada"))
    seats = {"asker": Script("lose", name="ada"), "teller": Script(name="bob")}
    await drive(new_match(), seats, log.recorder, place=Place(parent=whole, fork_ply=0))
    put(log, [Played("tiny", "i", {"asker": "x"}, turns=(("asker", "ok", ""),))])
    log.write(lambda c: c.execute("INSERT INTO players (id, kind, name) VALUES ('other', 'model', 'other')"))
    log.write(
        lambda c: c.execute(
            "INSERT INTO turns (id, episode_id, ply, round, role, player_id, text, verdict, created_at) SELECT 'new', "
            "episode_id, 9, 1, role, 'other', 'x', 'ok', created_at FROM turns ORDER BY seq DESC LIMIT 1"
        )
    )
    found = log.queries.scored(Filters())
    assert [row.episode for row in found] == [whole]
    left = log.queries.left_out(Filters(), len(found))
    assert left == LeftOut(1, 1, 1)
    assert str(left) == "1 unfinished, 1 branches, 1 whose seats changed hands" and not str(LeftOut(0, 0, 0))


def test_names_tell_apart_assisted_players_and_those_of_one_name(log):
    one = Played("g", "a", {"player": "m"}, turns=(("player", "ok", ""),))
    put(log, [one, replace(one, instance="b", assisted=True), replace(one, instance="c", kind="bot")])
    assert [row.players["player"] for row in log.queries.scored(Filters())] == ["m", "m+assist", "m"]
    log.write(lambda c: c.execute("INSERT INTO players (id, kind, name) VALUES ('zzz', 'model', 'm')"))
    seat = "INSERT INTO seats (episode_id, role, player_id) SELECT id, 'other', 'zzz' FROM episodes LIMIT 1"
    log.write(lambda c: c.execute(seat))
    names = [row.players["player"] for row in log.queries.scored(Filters())]
    assert names[0].startswith("m#") and names[1].endswith("+assist") and len(names[0]) == 8


def test_filters_and_wrong_ones(log):
    put(log, [Played("g", "a", {"player": "m"}), Played("h", "b", {"player": "n"}, "failure", 0.0)])
    assert [row.game for row in log.queries.scored(Filters(models=("n",)))] == ["h"]
    assert [row.game for row in log.queries.scored(Filters(where="r.main > 50"))] == ["g"]
    for ask in (log.queries.scored, lambda wrong: log.queries.left_out(wrong, 0)):
        with pytest.raises(BadCondition, match="no condition that SQLite understands"):
            ask(Filters(where="nothing at all"))


async def test_the_hash_is_of_the_content_not_of_the_file(log, path, tmp_path):
    empty = log.queries.content_hash()
    await play(log, Script("win", name="ada"))
    full = log.queries.content_hash()
    assert full != empty and len(full) == 64 and log.queries.content_hash() == full
    copy = tmp_path / "copy.sqlite"
    log.write(lambda c: None)
    reader = log.reader()
    reader.execute("VACUUM INTO ?", (str(copy),))
    with Log.open(copy) as other:
        assert other.queries.content_hash() == full
        put(other, [Played("g", "a", {"player": "m"})])
        assert other.queries.content_hash() != full
