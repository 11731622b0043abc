"""Pairs that were played on and points of branches enter training: same prefix, leak guard, consent, and why."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.disagreement import disagreement
from playpen_tui.branching import BranchWish, open_branching
from playpen_tui.disagreement_view import chances
from playpen_tui.workbench import Workbench
from store import branches, datasets
from store.dossier import gather
from store.filters import Filters
from store.ids import new_id, now
from store.log import Log
from store.render import page
from training import recipe
from training.branched import apart, chance
from training.build import NothingToTrain, build_pairs
from training.decisions import build_decisions, load
from training.pairs import Mining

ONLY = Mining(branched="only", rollouts=4)


@pytest.fixture
async def grown(games_path, tmp_path, monkeypatch):
    """A log of bots, with four rollouts of a right and a wrong guess by a person, and of what was said."""
    for name in ("CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    path = tmp_path / "e.sqlite"
    with Log.open(games_path) as log:
        log.reader().execute("VACUUM INTO ?", (str(path),))
    async with Workbench(path) as bench:
        log = await bench.log()
        log.people.add("local", "calm-hare-1")
        (id, data), *_ = log.reader().execute(
            "SELECT e.id, i.data FROM episodes e JOIN instances i ON i.id = e.instance_id WHERE e.game = 'taboo' "
            "AND i.split = 'train' ORDER BY e.id"
        ).fetchall()  # fmt: skip
        texts = (json.loads(data)["target"], "zebra")
        wish = BranchWish(((id, 1),), 0, 4, texts=texts, everybody="bot:random", person="calm-hare-1")
        await (await open_branching(bench, wish)).run()
        yield log, id


async def test_a_pair_that_was_played_on_is_a_row_that_says_why(grown):
    log, id = grown
    built = build_pairs(log.reader(), Filters(), ONLY)
    (row,) = built.rows
    assert row.why == "played on: 1.00 of 4 against 0.00 of 4" and row.episode == id
    data = datasets.freeze(log, "dpo", built.rows, {}, "")
    (record,) = datasets.records(log.reader(), data.id)
    match = branches.point(log, id, 1).match
    assert record["prompt"] == [one._asdict() for one in match.heard["guesser"]]
    tree = branches.tree(log.reader(), id, 1)
    best, worst = tree.branches
    assert (row.chosen, row.refused) == (best.candidate, worst.candidate)
    assert (record["chosen"][-1]["content"], record["rejected"][-1]["content"]) == (best.text, worst.text)
    assert "kinds" in built.facts and built.facts["kinds"] == {"played on": 1}
    others = build_pairs(log.reader(), Filters(), Mining(branched="without")).rows
    assert others and not any(one.why.startswith("played on") for one in others)


async def test_thresholds_consent_and_kept_content(grown):
    log, _ = grown
    with pytest.raises(NothingToTrain, match="2 played on too seldom"):
        build_pairs(log.reader(), Filters(), Mining(branched="only", rollouts=5))
    with pytest.raises(NothingToTrain, match="somebody who agreed to less"):
        build_pairs(log.reader(), Filters(consent="public"), ONLY)
    key = log.reader().execute(
        "SELECT i.key FROM candidates c JOIN episodes e ON e.id = c.episode_id JOIN instances i ON i.id = e.instance_id"
    ).fetchone()  # fmt: skip
    sql = """INSERT INTO instances SELECT 'x', 'clem:taboo', name, key, experiment, language, 'test', NULL, data
      FROM instances WHERE key = ? LIMIT 1"""
    log.write(lambda db: db.execute(sql, key).rowcount)
    with pytest.raises(NothingToTrain, match="played on, but validation or test material"):
        build_pairs(log.reader(), Filters(), ONLY)


async def test_points_of_branches_are_decision_points(grown):
    log, id = grown
    changes = {"rollouts": {"source": "branches"}}
    built = build_decisions(log.reader(), Filters(), recipe.load("smoke", "grpo", changes))
    assert built.facts["source"] == "branches" and len(built.rows) == 1
    data = datasets.freeze(log, "grpo", built.rows, {}, "")
    (point,) = load(log.reader(), data.id, 0)
    match = point.match()
    assert (point.episode, point.role, match.ply, match.turn) == (id, "guesser", 1, "guesser")
    with pytest.raises(NothingToTrain, match="no decision point"):
        build_decisions(log.reader(), Filters(games=("wordle",)), recipe.load("smoke", "grpo", changes))


async def test_people_and_outcomes_that_disagree_are_found(grown):
    log, id = grown
    best, worst = branches.tree(log.reader(), id, 1).branches

    def vote(chosen, rejected, by):
        row = (new_id(), "preference", chosen, rejected, by, 1, now())
        sql = "INSERT INTO annotations (id, kind, chosen_id, rejected_id, annotator_id, strength, created_at) "
        log.write(lambda db: db.execute(f"{sql}VALUES (?, ?, ?, ?, ?, ?, ?)", row).rowcount)

    vote(best.candidate, worst.candidate, "calm-hare-1")
    found = disagreement(log.reader(), played_on=True)
    assert (found.pairs, found.agree, found.disagree) == (1, 1, 0)
    for n in range(2):
        log.people.add("local", f"calm-hare-{n + 5}")
        vote(worst.candidate, best.candidate, f"calm-hare-{n + 5}")
    (one,) = disagreement(log.reader(), played_on=True).disagreeing
    people, game = one.side(one.preferred), one.side(one.favoured)
    assert (len(one.votes), one.tally[one.preferred], one.measure) == (3, 2, "rollouts")
    assert (people.value, game.value, len(people.rewards)) == (0.0, 1.0, 4)
    assert people.text == worst.text and chances(one) == "beyond chance, p 0.029"


async def test_the_page_of_an_episode_has_the_values_of_its_turns(grown):
    log, id = grown
    branch = branches.tree(log.reader(), id, 1).branches[0].rollouts[0].episode
    pieces = [(one.label, one.text) for one in page(gather(log, branch), "turns", None)]
    assert ("value", "1.00 of 4 played on from here") in pieces
    assert gather(log, id).values == {1: (1.0, 4)}, "the typed guess is what was said there"


def test_chance_is_fishers_test():
    assert chance((1.0,) * 4, (0.0,) * 4) == pytest.approx(2 / 70)
    assert chance((1.0,) * 3 + (0.0,), (1.0,) + (0.0,) * 3) == pytest.approx(34 / 70)
    assert chance((1.0,) * 4, (1.0,) * 4) == 1.0


rewards = st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=10)


@given(rewards, rewards)
def test_chance_is_a_probability_and_the_same_either_way(first, second):
    assert 0 < chance(first, second) <= 1 + 1e-9
    assert chance(first, second) == pytest.approx(chance(second, first))


def test_fractional_rewards_are_shuffled_the_same_way_each_time():
    first, second = (0.9, 0.8, 0.95, 0.85, 0.9), (0.1, 0.2, 0.15, 0.3, 0.1)
    assert chance(first, second) == chance(first, second) < 0.05
    assert apart(first, second, None) and not apart(second, first, None)
    assert apart((0.6,), (0.1,), 0.5) and not apart((0.5,), (0.1,), 0.5)
