"""Branch runs without a screen: what is sampled and kept, every rollout exactly once, values that are means."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from games import catalog
from players.base import Call, Called, Identity, PlayerError, Reply
from players.opening import Table
from players.plan import BadPlan, Plan
from playpen_tui import branch_view
from playpen_tui.branching import BranchWish, chosen, composed, open_branching, points_in
from playpen_tui.selfplay import Wish, open_selfplay
from playpen_tui.workbench import Workbench
from store import branches
from store.branches import Branch, Rollout
from store.errors import BadPoint, Foreign, UnknownRun

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def calm(monkeypatch, tmp_path):
    for name in ("CONFIG", "DATA", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "e.sqlite"


def rows(path, sql, *values):
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql, values).fetchall()


async def played(bench, games=("taboo",), episodes=3, players=("bot:random",)) -> list[str]:
    await (await open_selfplay(bench, Wish(Plan(games, players, episodes=episodes, seed=4)))).run()
    log = await bench.log()
    return [row.id for row in reversed(log.queries.recent(episodes))]


MEANS = """
SELECT c.id, c.value, avg(json_extract(x.rewards, '$."' || c.role || '"')), count(*)
FROM candidates c JOIN rollouts o ON o.candidate_id = c.id JOIN results x ON x.episode_id = o.episode_id
GROUP BY c.id"""


def sound(path) -> None:
    """What holds of every log with branches, read past the program."""
    for id, value, mean, _ in rows(path, MEANS):
        assert value == pytest.approx(mean), id
    assert not rows(
        path, "SELECT 1 FROM candidates WHERE value IS NOT NULL AND id NOT IN (SELECT candidate_id FROM rollouts)"
    )
    firsts = rows(
        path,
        "SELECT t.text, c.text, e.parent_id, c.episode_id, e.fork_ply, c.ply, u.kind, e.seed, p.seed, "
        "t.seen_hash, c.seen_hash "
        "FROM rollouts o JOIN episodes e ON e.id = o.episode_id JOIN candidates c ON c.id = o.candidate_id "
        "JOIN turns t ON t.episode_id = e.id AND t.ply = e.fork_ply JOIN runs u ON u.id = e.run_id "
        "JOIN episodes p ON p.id = e.parent_id",
    )
    assert len(firsts) == rows(path, "SELECT count(*) FROM rollouts")[0][0]
    for said, text, parent, of, fork, ply, kind, seed, siblings, seen, before in firsts:
        assert (said, parent, fork, kind, seed, seen) == (text, of, ply, "branch", siblings, before)


async def test_candidates_are_played_on_and_valued(path):
    async with Workbench(path) as bench:
        (one, two, three) = await played(bench)
        wish = BranchWish(
            ((one, 1), (two, 2), (three, 0)), 3, 4, ("bot:random", "bot"), ("tiger",), said=True, everybody="bot:random"
        )
        opened = await open_branching(bench, wish)
        tally = await opened.run()
        assert tally.done == tally.planned and not tally.failed
        log = await bench.log()
        for grown in opened.points:
            tree = branches.tree(log.reader(), *grown.where.key)
            texts = [one.text for one in tree.branches]
            assert len(texts) == len(set(texts)) >= 3
            assert all(len(one.rewards) == 4 for one in tree.branches)
            assert [one.said for one in tree.branches] == [True] + [False] * (len(texts) - 1)
            typed = tree.branches[1]
            assert (typed.kind, typed.copies) == ("human", 0) and typed.person
            assert sum(one.copies for one in tree.branches) >= 3
        assert log.queries.run(opened.run_id).progress.state == "done"
        slots = rows(path, "SELECT count(*), count(DISTINCT slot) FROM episodes WHERE run_id = ?", opened.run_id)
        assert slots == [(tally.done, tally.done)]
        groups = rows(
            path,
            "SELECT count(DISTINCT group_id), count(DISTINCT parent_id) FROM episodes WHERE run_id = ?",
            opened.run_id,
        )
        assert groups == [(3, 3)]
    sound(path)


async def test_equal_texts_are_one_candidate_and_copies_are_counted(path):
    async with Workbench(path) as bench:
        (one,) = await played(bench, ("wordle",), 1)
        opened = await open_branching(bench, BranchWish(((one, 0),), 5, 2, ("bot",), everybody="bot"))
        await opened.run()
        log = await bench.log()
        (only,) = branches.tree(log.reader(), one, 0).branches
        assert only.copies > 1 and len(only.rollouts) == 2
        again = await open_branching(bench, BranchWish(((one, 0),), 2, 3, ("bot",), everybody="bot"))
        await again.run()
        (same,) = branches.tree(log.reader(), one, 0).branches
        assert same.candidate == only.candidate and len(same.rollouts) == 5 and same.copies > only.copies
    sound(path)


async def test_illegal_candidates_are_kept_and_marked(path):
    async with Workbench(path) as bench:
        (one,) = await played(bench, ("wordle",), 1)
        wish = BranchWish(((one, 0),), 0, 2, texts=("guess: nonsense!\x1b[2J",), everybody="bot")
        opened = await open_branching(bench, wish)
        await opened.run()
        (bad,) = branches.tree((await bench.log()).reader(), one, 0).branches
        assert branch_view.wrong(opened.points[0].where.match, bad) == "not legal"
        assert bad.verdict == "illegal" and len(bad.rewards) == 2
        assert "\x1b" not in "\n".join(
            branch_view.lines(branches.tree((await bench.log()).reader(), one, 0), opened.points[0].where)
        )
    sound(path)


async def test_luck_is_shared_over_candidates_and_differs_between_rollouts(path, monkeypatch):
    seeds: dict[str, list[int]] = {}
    async with Workbench(path) as bench:
        (one,) = await played(bench, episodes=1)
        table = Table(bench.registry)

        class Heard:
            identity = Identity("bot", "bot:heard")

            async def speak(self, heard, ask):
                seeds.setdefault(str(ask.ply), []).append(ask.seed)
                return Reply(
                    "CLUE: a thing" if ask.role == "describer" else f"GUESS: word{'abcdefghij'[ask.seed % 10]}"
                )

        async def seat(spec, **more):
            return Heard()

        monkeypatch.setattr(table, "seat", seat)
        wish = BranchWish(((one, 1),), 0, 3, texts=("tiger", "lion"), everybody="bot")
        await (await open_branching(bench, wish, table=table)).run()
    counts = Counter(seeds["2"])
    assert len(counts) == 3 and set(counts.values()) == {2}, "three lucks, each met by both candidates"


async def test_more_rollouts_have_new_luck(path):
    async with Workbench(path) as bench:
        (one,) = await played(bench, episodes=1)
        await (await open_branching(bench, BranchWish(((one, 1),), 2, 2, everybody="bot:random"))).run()
        log = await bench.log()
        first = branches.tree(log.reader(), one, 1).branches[0]
        wish = BranchWish(((one, 1),), 0, 2, chosen=(first.candidate,), everybody="bot:random")
        await (await open_branching(bench, wish)).run()
        tree = branches.tree(log.reader(), one, 1)
        assert [len(one.rewards) for one in tree.branches] == [4, 2]
        ends = [tuple(log.history.episode(each.episode).texts) for each in tree.branches[0].rollouts]
        assert len(set(ends)) == 4
    sound(path)


async def test_a_branch_of_a_branch_and_a_point_before_its_fork(path):
    async with Workbench(path) as bench:
        (one,) = await played(bench, episodes=1)
        log = await bench.log()
        await (await open_branching(bench, BranchWish(((one, 2),), 1, 1, everybody="bot:random"))).run()
        rollout = branches.tree(log.reader(), one, 2).branches[0].rollouts[0]
        for ply in (0, 1, 2):
            assert branches.point(log, rollout.episode, ply).key == (one, ply)
        assert branches.point(log, rollout.episode, 3).key == (rollout.episode, 3)
        await (await open_branching(bench, BranchWish(((rollout.episode, 3),), 1, 2, everybody="bot:random"))).run()
        deep = branches.tree(log.reader(), rollout.episode, 3).branches[0]
        assert len(deep.rewards) == 2
        texts = log.history.episode(deep.rollouts[0].episode).texts
        assert texts[:3] == log.history.episode(rollout.episode).texts[:3] and texts[3] == deep.text
    sound(path)


async def test_what_cannot_be_branched_says_so(path):
    async with Workbench(path) as bench:
        (one,) = await played(bench, episodes=1)
        log = await bench.log()
        long = len(log.history.episode(one).texts)
        with pytest.raises(BadPoint, match="is over at ply"):
            await open_branching(bench, BranchWish(((one, long),), everybody="bot"))
        with pytest.raises(BadPoint, match="there is no ply 99"):
            await open_branching(bench, BranchWish(((one, 99),), everybody="bot"))
        with pytest.raises(BadPlan, match="nothing to branch"):
            await open_branching(bench, BranchWish(((one, 0),), 0, 1, everybody="bot"))
        with pytest.raises(BadPlan, match="cannot play unattended"):
            await open_branching(bench, BranchWish(((one, 0),), everybody="human"))
        with pytest.raises(LookupError, match="has no role 'gueser'"):
            await open_branching(bench, BranchWish(((one, 0),), seats={"gueser": "bot"}))
        with pytest.raises(UnknownRun, match="is no branch run"):
            await open_branching(bench, resume=log.queries.runs(1)[0].id)
        log.write(lambda db: db.execute("UPDATE episodes SET game_version = 0, game = 'clem:taboo'").rowcount)
        with pytest.raises(Foreign, match=r"imported.*not resumed or branched"):
            await open_branching(bench, BranchWish(((one, 0),), everybody="bot"))


async def test_a_person_in_a_seat_must_be_replaced_by_name(path):
    async with Workbench(path) as bench:
        log = await bench.log()
        me = log.people.add("local").id
        match_game = catalog.get("taboo")
        from games.engine import Match
        from players.driver import drive
        from players.human import HumanPlayer
        from players.scripted import BotPlayer

        bot = BotPlayer(match_game, "random", match_game.bots()["random"])

        class Person(HumanPlayer):
            async def speak(self, heard, ask):
                return Reply(match_game.bots()["competent"](ask.view, Random(1)))

        match = Match.new(match_game, match_game.instances("en")[300], 1)
        await drive(match, {"describer": Person(me), "guesser": bot}, log.recorder)
        (row,) = log.queries.recent(1)
        with pytest.raises(BadPlan, match=r"a person sat at describer.*--player describer=bot"):
            await open_branching(bench, BranchWish(((row.id, 1),), 2, 2))
        opened = await open_branching(bench, BranchWish(((row.id, 1),), 2, 2, seats={"describer": "bot"}))
        await opened.run()
        assert opened.scheduler.tally.done
    sound(path)


class Failing:
    """A model that fails now and then, floods, or breaks."""

    identity = Identity("model", "adversary")
    assist = False
    parallel = 4

    def __init__(self, how):
        self.how, self.asked = how, 0

    async def speak(self, heard, ask):
        self.asked += 1
        ask.emit(Called(ask.role, Call(tuple(heard), "x", "stop", tokens_out=1)))
        await asyncio.sleep(0)
        if self.how == "always" or (self.how == "sometimes" and self.asked % 3 == 0):
            raise PlayerError("rejected", "no")
        if self.how == "crash" and self.asked % 2:
            raise RuntimeError("a bug")
        if self.how == "flood":
            return Reply("GUESS: " + "a" * 300_000)
        return Reply(f"GUESS: {'abcdefgh'[ask.seed % 8] * 5}")


@pytest.mark.parametrize("how", ["always", "sometimes", "crash", "flood"])
async def test_adversarial_players_cost_only_their_own_rollouts(path, how, monkeypatch):
    async with Workbench(path) as bench:
        (one,) = await played(bench, ("wordle",), 1)
        table, failing = Table(bench.registry), Failing(how)

        async def seat(spec, **more):
            return failing

        monkeypatch.setattr(table, "seat", seat)
        wish = BranchWish(((one, 1),), 4, 3, texts=("crane",), everybody="bot")
        opened = await open_branching(bench, wish, table=table)
        tally = await opened.run()
        assert tally.done + tally.failed == tally.planned
        tree = branches.tree((await bench.log()).reader(), one, 1)
        assert any(each.kind == "human" for each in tree.branches)
        if how == "always":
            assert opened.unsampled["rejected"] and len(tree.branches) == 1
        calls = rows(path, "SELECT count(*) FROM calls WHERE episode_id = ? AND ply = 1 AND turn_id IS NULL", one)
        assert calls[0][0] >= len(tree.branches) - 1, "what was sampled is logged"
    sound(path)


KILLED = """
import asyncio, sys
from playpen_tui.branching import BranchWish, open_branching
from playpen_tui.workbench import Workbench
from pathlib import Path

async def main():
    async with Workbench(Path(sys.argv[1])) as bench:
        log = await bench.log()
        points = tuple((id, 1) for id in sys.argv[2].split(","))
        opened = await open_branching(bench, BranchWish(points, 3, 8, everybody="bot:random", concurrency=4))
        print(opened.run_id, flush=True)
        await opened.run()

asyncio.run(main())
"""


@pytest.mark.slow
async def test_killed_at_any_moment_every_rollout_is_there_exactly_once(path, tmp_path):
    async with Workbench(path) as bench:
        episodes = await played(bench, episodes=6)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path), ",".join(episodes)],
        stdout=subprocess.PIPE,
        text=True,
        env=env,
        cwd=tmp_path,
    )
    run = child.stdout.readline().strip()
    wanted = 10
    while rows(path, "SELECT count(*) FROM rollouts")[0][0] < wanted:
        assert child.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    for _ in range(2):  # the second time nothing is left to do
        async with Workbench(path) as bench:
            opened = await open_branching(bench, resume=run)
            tally = await opened.run()
            assert tally.done == tally.planned
    planned = rows(path, "SELECT 8 * count(*) FROM branches WHERE run_id = ?", run)[0][0]
    found = rows(
        path, "SELECT count(*), count(DISTINCT e.slot), count(x.episode_id), count(o.episode_id) FROM episodes e "
        "LEFT JOIN results x ON x.episode_id = e.id LEFT JOIN rollouts o ON o.episode_id = e.id WHERE e.run_id = ?", run
    )  # fmt: skip
    assert found == [(planned,) * 4]
    assert rows(
        path, "SELECT count(*) FROM (SELECT candidate_id, count(*) AS n FROM rollouts GROUP BY 1) WHERE n <> 8"
    ) == [(0,)]
    sound(path)


async def test_a_run_that_is_stopped_goes_on(path):
    async with Workbench(path) as bench:
        episodes = await played(bench, episodes=4)
        wish = BranchWish(tuple((id, 1) for id in episodes), 2, 4, everybody="bot:random", concurrency=2)
        opened = await open_branching(bench, wish)
        opened.scheduler.listen(lambda lane, event: opened.stop() if opened.scheduler.tally.done >= 3 else None)
        tally = await opened.run()
        assert 3 <= tally.done < tally.planned
        log = await bench.log()
        assert log.queries.run(opened.run_id).progress.state == "stopped"
        again = await open_branching(bench, resume=opened.run_id)
        tally = await again.run()
        assert tally.done == tally.planned and tally.before >= 3
    sound(path)


def test_a_wish_comes_back_from_the_log():
    wish = BranchWish(
        (("A", 3),), 2, 5, ("bot",), ("x",), ("C",), True, {"guesser": "bot"}, "bot", None, False, 3, 2, "me"
    )
    assert BranchWish.from_json(json.loads(json.dumps(wish.as_json()))) == wish
    with pytest.raises(BadPlan, match="another version"):
        BranchWish.from_json({"points": []})


@given(st.integers(0, 40), st.integers(0, 50), st.sampled_from(["every", "random", "last"]))
def test_chosen_plies_are_some_of_them_in_order(there, number, which):
    plies = list(range(0, 2 * there, 2))
    found = chosen(plies, number, which, "seed")
    assert found == sorted(set(found)) and set(found) <= set(plies)
    assert len(found) == (len(plies) if not number else min(number, len(plies)))
    if which == "last" and number:
        assert found == plies[-number:]


async def test_points_are_the_turns_of_the_roles(path):
    async with Workbench(path) as bench:
        episodes = await played(bench)
        log = await bench.log()
        found = points_in(log, episodes, ("guesser",), 0, "every", 0)
        assert found and all(ply % 2 == 1 for _, ply in found)
        assert len(points_in(log, episodes, (), 1, "last", 0)) == 3


async def test_what_is_typed_needs_no_tags(path):
    async with Workbench(path) as bench:
        (one,) = await played(bench, episodes=1)
        log = await bench.log()
        match = branches.point(log, one, 1).match
        assert composed(match, "tiger") == "GUESS: tiger" == composed(match, "GUESS: tiger")


def a_branch(*rewards, **more):
    rollouts = tuple(Rollout(f"E{n}", "R", "success" if r else "failure", "", r, 3) for n, r in enumerate(rewards))
    told = {
        "verdict": "ok",
        "player": "m",
        "kind": "model",
        "person": None,
        "said": False,
        "assisted": False,
        "copies": 1,
    }
    value = sum(rewards) / len(rewards) if rewards else None
    return Branch("C", "text", **{**told, **more}, value=value, rollouts=rollouts)


def test_an_interval_stands_only_beside_five_or_more():
    assert branch_view.value(a_branch()) is None
    assert branch_view.number(branch_view.value(a_branch(1.0, 0.0, 0.0, 1.0))) == "0.50"
    five = branch_view.value(a_branch(1.0, 0.0, 0.0, 1.0, 0.5))
    assert five.low < five.value == 0.5 < five.high
    assert branch_view.number(five).startswith("0.50 [0.")


@given(st.lists(st.floats(0, 1), max_size=20), st.integers(0, 40))
def test_the_bar_is_as_wide_as_asked(rewards, cells):
    assert len(branch_view.bar(branch_view.value(a_branch(*rewards)), cells)) == cells


def test_marks_count_outcomes():
    assert branch_view.marks(a_branch(1.0, 0.0, 1.0).rollouts) == "✓2 ✗1"
    assert (
        branch_view.author(a_branch(player="smollm2?temperature=0.8", assisted=True, copies=3)) == "smollm2 assisted ×3"
    )
