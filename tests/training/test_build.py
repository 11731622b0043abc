"""From the log to frozen rows: leaks held back, facts that add up, sentences where nothing is left."""

from __future__ import annotations

import json
import sqlite3

import pytest

from games import catalog
from games.engine import Match
from players.driver import drive
from players.plan import Plan
from players.scripted import BotPlayer
from store.datasets import freeze, records
from store.errors import LogError
from store.filters import Filters
from store.log import Log
from training.build import NothingToTrain, build_labels, build_pairs, build_sft, read_general
from training.pairs import Mining
from training.selection import Selection


@pytest.fixture
async def log(tmp_path):
    """Taboo by competent and random bots, several times on the same instances, validation and test among them."""
    game = catalog.get("taboo")
    with Log.open(tmp_path / "e.sqlite") as opened:
        for split, many in (("train", 6), ("validation", 2), ("test", 2)):
            for instance in catalog.instances(game, split=split)[:many]:
                for seed, name in ((1, "competent"), (2, "random"), (3, "random")):
                    seats = {role: BotPlayer(game, name, game.bots()[name]) for role in game.roles}
                    await drive(Match.new(game, instance, seed), seats, opened.recorder)
        yield opened


async def test_validation_and_test_never_get_in(log):
    built = build_sft(log.reader(), Filters(), Selection(keep="all"))
    keys = {row[0] for row in log.reader().execute("SELECT key FROM instances WHERE split = 'train'")}
    episodes = {row.episode for row in built.rows}
    used = {
        key
        for (key,) in log.reader().execute(
            "SELECT i.key FROM episodes e JOIN instances i ON i.id = e.instance_id "
            "WHERE e.id IN (SELECT value FROM json_each(?))",
            (json.dumps(sorted(episodes)),),
        )
    }
    assert used == keys and len(built.leaks) == 4 == len(built.facts["leaks"])
    assert {leak.why for leak in built.leaks} == {"validation material", "test material"}


async def test_test_content_under_another_game_is_held_back_too(log):
    sql = """INSERT INTO instances SELECT id || 'x', 'clem:taboo', name, key, experiment, language, 'test', NULL, data
      FROM instances WHERE split = 'train' ORDER BY id LIMIT 1"""
    log.write(lambda db: db.execute(sql).rowcount)
    built = build_sft(log.reader(), Filters(), Selection(keep="all"))
    assert any(leak.why == "test material elsewhere" for leak in built.leaks) and len(built.leaks) == 5


async def test_what_our_own_games_keep_stays_kept_whatever_an_import_says(log):
    """A manifest may make an imported tree train material, but not what the games here measure with."""
    kept = catalog.kept()
    assert set(kept.values()) == {"validation", "test"}

    def as_imported(db):
        db.execute("UPDATE instances SET game = 'clem:taboo', split = 'train'")
        return db.execute("UPDATE episodes SET game = 'clem:taboo'").rowcount

    before = build_sft(log.reader(), Filters(splits=("train",)), Selection(keep="all"))
    log.write(as_imported)
    built = build_sft(log.reader(), Filters(splits=("train",)), Selection(keep="all"))
    assert len(built.rows) == len(before.rows) and len(built.leaks) == 4 and not before.leaks
    assert {leak.key for leak in built.leaks} <= set(kept)
    assert {leak.why for leak in built.leaks} == {"validation material elsewhere", "test material elsewhere"}


async def test_the_same_wish_freezes_the_same_rows(log):
    one, two = (build_sft(log.reader(), Filters(), Selection(unit="turn")) for _ in range(2))
    assert one.rows == two.rows and one.facts == two.facts
    frozen = freeze(log, "sft", one.rows, one.facts)
    assert frozen.content_hash == freeze(log, "sft", two.rows, two.facts).content_hash
    found = list(records(log.reader(), frozen.id))
    assert len(found) == one.facts["rows"] == sum(one.facts["cells"].values())
    assert all(record["messages"][place]["role"] == "assistant" for record in found for place in record["loss"])
    turns = [row.trained[-1] for row in one.rows]
    assert turns == sorted(turns)  # as the log has them; the trainer draws its own order
    few, others = (build_sft(log.reader(), Filters(), Selection(unit="turn", seed=seed, limit=4)) for seed in (0, 1))
    assert few.rows != others.rows and len(few.rows) == 4


async def test_pairs_and_labels(log):
    pairs = build_pairs(log.reader(), Filters(), Mining())
    assert pairs.rows and pairs.facts["kinds"] and all(row.why and row.rejected and row.prompt for row in pairs.rows)
    for record in records(log.reader(), freeze(log, "dpo", pairs.rows, {}).id):
        assert record["prompt"][-1]["role"] == "user" and record["chosen"] != record["rejected"]
    labels = build_labels(log.reader(), Filters(), Selection())
    assert set(labels.facts["labels"]) == {"good", "bad"}
    for record in records(log.reader(), freeze(log, "kto", labels.rows, {}).id):
        assert [one["role"] for one in record["completion"]] == ["assistant"] and record["label"] in (True, False)
    with pytest.raises(NothingToTrain, match="labels need both kinds"):
        build_labels(log.reader(), Filters(outcomes=("success",)), Selection())


async def test_nothing_left_says_where_it_went(log):
    with pytest.raises(
        NothingToTrain, match=r"0 episodes fit the filters \(the log has no game 'wordle', but taboo\); widen them"
    ):
        build_sft(log.reader(), Filters(games=("wordle",)), Selection())
    with pytest.raises(NothingToTrain, match=r"hold validation or test material"):
        build_sft(log.reader(), Filters(splits=("test",)), Selection())


async def test_general_data_beside_the_games(log, tmp_path):
    path = tmp_path / "general.jsonl"
    talk = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]
    path.write_text("\n".join(json.dumps({"messages": talk}) for _ in range(50)))
    general = read_general(path)
    built = build_sft(log.reader(), Filters(), Selection(), general, 0.25)
    assert built.facts["general"] == round(len(built.rows) * 0.25)
    assert {"messages": talk, "loss": [1]} in list(records(log.reader(), freeze(log, "sft", built.rows, {}).id))
    with pytest.raises(ValueError, match="and the file has 1"):
        build_sft(log.reader(), Filters(), Selection(), general[:1], 0.9)
    path.write_text('{"messages": [{"role": "user"}]}')
    with pytest.raises(ValueError, match="line 1: this is no dialogue"):
        read_general(path)
    path.write_text(json.dumps({"messages": talk[:1]}))
    with pytest.raises(ValueError, match="nobody answers"):
        read_general(path)
    for odd in ({"role": "tool", "content": "4"}, {"role": "assistant", "content": None}):
        path.write_text(json.dumps({"messages": [talk[0], odd]}))
        with pytest.raises(ValueError, match="line 1: a message is text of system, user or assistant"):
            read_general(path)
    path.write_bytes(b"\xff\xfe{")
    with pytest.raises(ValueError, match="is no UTF-8 text"):
        read_general(path)
    with pytest.raises(ValueError, match=r"cannot be read: .*No such file"):
        read_general(tmp_path / "none.jsonl")


async def test_a_corrupt_row_costs_its_dialogue_or_is_named(log):
    def lose(db):
        db.execute("INSERT INTO redactions (id, reason, opened_at) VALUES ('r', 'test', 'now')")
        db.execute("PRAGMA foreign_keys = OFF")
        return db.execute(
            "DELETE FROM messages WHERE hash = (SELECT hash FROM heard ORDER BY episode_id LIMIT 1)"
        ).rowcount

    every = build_sft(log.reader(), Filters(splits=("train",)), Selection(keep="all"))
    with sqlite3.connect(log.path) as db:
        assert lose(db) == 1
    rest = build_sft(log.reader(), Filters(splits=("train",)), Selection(keep="all"))
    assert len(rest.rows) < len(every.rows)
    assert rest.facts["left_out"]["words were erased, or the dialogue is not whole"] >= 1
    with sqlite3.connect(log.path) as db:
        (episode,) = db.execute("SELECT episode_id FROM results ORDER BY episode_id LIMIT 1").fetchone()
        db.execute("PRAGMA ignore_check_constraints = ON")
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute("UPDATE results SET rewards = '{broken' WHERE episode_id = ?", (episode,))
    with pytest.raises(LogError, match=f"what episode {episode} was worth cannot be read"):
        build_sft(log.reader(), Filters(), Selection(keep="all"))


def test_plans_take_train_instances_by_default():
    assert Plan(("taboo",), ("bot",)).split == "train"


@pytest.mark.parametrize(
    ("filters", "roles", "why"),
    [
        (Filters(games=("tabu",)), (), "the log has no game 'tabu', but taboo"),
        (Filters(games=("tab*",), roles=("asker",)), (), "the log has no role 'asker', but describer, guesser"),
        (Filters(models=("bit",)), (), "the log has no player 'bit', but bot"),
        (Filters(partners=("human",)), (), "the log has no player 'human', but bot"),
        (Filters(), ("giver",), "the log has no role 'giver', but describer, guesser"),
    ],
)
async def test_a_name_that_the_log_does_not_know_is_said_with_those_it_knows(log, filters, roles, why):
    with pytest.raises(NothingToTrain) as told:
        build_sft(log.reader(), filters, Selection(roles=roles))
    assert why in str(told.value)
