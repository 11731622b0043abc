"""Decision points: from the log or the catalog, without what is kept, and back from the log as they were."""

from __future__ import annotations

import sqlite3

import pytest
from tiny import laid

from games import catalog
from games.engine import Match
from players.base import Identity
from players.driver import drive
from players.scripted import BotPlayer
from store import datasets, trainings
from store.errors import LogError
from store.filters import Filters
from store.keep import check
from store.log import Log
from training.build import NothingToTrain
from training.decisions import build_decisions, load, trained_keys
from training.guards import Refused

TRAIN = Filters(splits=("train",))


def wish(roles=(), seed=0, **rollouts):
    return laid(selection={"roles": list(roles), "seed": seed}, rollouts=rollouts)


@pytest.fixture
async def log(tmp_path):
    """Taboo by bots, each instance twice with another seed; validation and test among them."""
    game = catalog.get("taboo")
    with Log.open(tmp_path / "e.sqlite") as opened:
        for split, many in (("train", 6), ("validation", 2), ("test", 2)):
            for instance in catalog.instances(game, split=split)[:many]:
                for seed, name in ((1, "competent"), (2, "random")):
                    seats = {role: BotPlayer(game, name, game.bots()[name]) for role in game.roles}
                    await drive(Match.new(game, instance, seed), seats, opened.recorder)
        yield opened


def frozen(log, built):
    return datasets.freeze(log, "grpo", built.rows, built.facts)


def keys(log, split):
    return {key for (key,) in log.reader().execute("SELECT key FROM instances WHERE split = ?", (split,))}


@pytest.mark.parametrize("filters", [Filters(), TRAIN])
async def test_points_of_the_log_come_back_as_they_stood(log, filters):
    built = build_decisions(log.reader(), filters, wish())
    data = frozen(log, built)
    found = load(log.reader(), data.id, 0)
    assert built.facts["source"] == "log" and len(found) == len(built.rows) == data.rows
    describers = [one for one in found if one.role == "describer"]
    guessers = [one for one in found if one.role == "guesser"]
    assert len(describers) == 6, "what two seeds deal alike is one point"
    assert 6 < len(guessers) <= 12 and all(len(one.texts) == 1 for one in guessers)
    assert {one.instance.key for one in found} <= keys(log, "train")
    for one, record in zip(found, datasets.records(log.reader(), data.id), strict=True):
        match = one.match()
        assert match.turn == one.role and match.ply == len(one.texts)
        assert [dict(m._asdict()) for m in match.heard[one.role]] == record["prompt"]
    assert len(built.leaks) == (4 if filters == Filters() else 0)
    again = build_decisions(log.reader(), filters, wish())
    assert datasets.content_hash(again.rows) == data.content_hash
    assert check(log, game_of=catalog.get).ok


async def test_only_so_many_points_of_some_roles(log):
    built = build_decisions(log.reader(), TRAIN, wish(["guesser"], points=3))
    assert built.facts["cells"] == {"taboo · guesser": 3} and {row.role for row in built.rows} == {"guesser"}
    other = build_decisions(log.reader(), TRAIN, wish(["guesser"], points=3, seed=8))
    assert {row.instance for row in other.rows} != {row.instance for row in built.rows}


@pytest.mark.parametrize(
    ("partner", "why"),
    [
        ("bot:clever", "taboo has no bot 'clever'"),
        ("nobody-here", "cannot take the seat"),
        ("transformers:", "cannot take the seat"),
        ("human", "answers no rollouts"),
        ("replay:01ABC", "answers no rollouts"),
    ],
)
async def test_a_partner_who_cannot_sit_there_is_refused_before_rows_are_frozen(log, partner, why):
    with pytest.raises(Refused, match=why):
        build_decisions(log.reader(), TRAIN, wish(partner=partner))
    assert build_decisions(log.reader(), TRAIN, wish(partner="bot:patient")).rows


async def test_the_catalog_where_the_log_has_none(log):
    filters = Filters(games=("wordle_withcritic",), splits=("train",))
    built = build_decisions(log.reader(), filters, wish(points=40))
    data = frozen(log, built)
    found = load(log.reader(), data.id, 0)
    assert built.facts["source"] == "catalog" and len(found) == 40
    assert datasets.games(log.reader(), data.id) == {("wordle_withcritic", "en"): 40}
    assert datasets.keys(log.reader(), data.id) == [one.instance.key for one in found]
    game = catalog.get("wordle_withcritic")
    assert all(one.game == game and not one.texts and one.episode is None for one in found)
    assert {catalog.split_of(game, one.instance) for one in found} == {"train"}
    for one, record in zip(found, datasets.records(log.reader(), data.id), strict=True):
        heard = one.match().heard[one.role]
        assert [dict(m._asdict()) for m in heard] == record["prompt"]
    with pytest.raises(NothingToTrain, match="no decision point"):
        build_decisions(log.reader(), filters, wish(source="log"))
    with pytest.raises(catalog.UnknownGame, match="did you mean"):
        build_decisions(log.reader(), Filters(games=("wordl",)), wish())


async def test_kept_content_is_not_dealt_and_what_was_dealt_counts_as_trained(log):
    game = catalog.get("taboo")
    kept = catalog.instances(game, split="train")[0]
    sql = """INSERT INTO instances SELECT 'x', 'clem:taboo', name, key, experiment, language, 'test', NULL, data
      FROM instances WHERE key = ?"""
    log.write(lambda db: db.execute(sql, (kept.key,)).rowcount)
    built = build_decisions(log.reader(), TRAIN, wish(["describer"], source="catalog"))
    train = {one.key for one in catalog.instances(game, split="train")}
    data = frozen(log, built)
    dealt = {one.instance.key for one in load(log.reader(), data.id, 0) if one.game == game}
    assert kept.key not in dealt and dealt == train - {kept.key}
    instance = next(i for i in catalog.instances(game, split="train") if i.key in dealt)
    seats = {role: BotPlayer(game, "competent", game.bots()["competent"]) for role in game.roles}
    from players.ports import Place

    await drive(Match.new(game, instance, 5), seats, log.recorder, place=Place(run=log.new_run("eval", {})))
    leaks = log.reader().execute("SELECT key, dataset FROM leakage").fetchall()
    assert leaks == [(instance.key, data.id)]


async def test_what_the_learner_was_trained_on_is_left_out(log):
    first = build_decisions(log.reader(), TRAIN, wish(["guesser"], points=2))
    base, middle = Identity("model", "base"), Identity("model", "middle")
    run = log.new_run("train", {})
    one = trainings.begin(log, run, "sft", base, frozen(log, first).id)
    trainings.end(log, one, "done", middle)
    second = build_decisions(log.reader(), TRAIN, wish(["describer"], points=1, unseen=True), "middle")
    seen = trained_keys(log.reader(), "middle")
    dealt = {row.instance for row in second.rows}
    two = trainings.begin(log, run, "grpo", middle, frozen(log, second).id)
    trainings.end(log, two, "done", Identity("model", "last"))
    both = trained_keys(log.reader(), "last")
    assert seen < both and len(both) == len(seen) + len(dealt) and trained_keys(log.reader(), "base") == frozenset()
    third = build_decisions(log.reader(), TRAIN, wish(unseen=True), "last")
    found = load(log.reader(), frozen(log, third).id, 0)
    assert found and not both & {one.instance.key for one in found}
    assert third.facts["left_out"]["the learner was trained on it"] > 0


async def test_words_that_were_erased_and_games_that_changed(log, monkeypatch):
    built = build_decisions(log.reader(), TRAIN, wish(["guesser"], points=1))
    data = frozen(log, built)
    with sqlite3.connect(log.path) as db:
        for (trigger,) in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'turns'"
        ).fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        db.execute("UPDATE turns SET seen_hash = NULL WHERE role = 'guesser'")
    with pytest.raises(LogError, match="row 0 of data set"):
        load(log.reader(), data.id, 0)
    monkeypatch.setattr(type(catalog.get("taboo")), "version", 7)
    with pytest.raises(NothingToTrain, match="plays differently now"):
        build_decisions(log.reader(), TRAIN, wish(source="log"))
