"""Plans: every episode decided by numbers, the same on every machine, split over shards without a rest."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from games import catalog
from players.plan import (
    BadPlan,
    Plan,
    fingerprint,
    jobs,
    names_of,
    parse_shard,
    protocols,
    size,
    specs,
    tables,
    with_protocol,
)

TABOO = catalog.get("taboo")
WORDLE = catalog.get("wordle")


def table(plan, game=TABOO):
    return [tuple(seats.values()) for seats in tables(plan, game)]


def test_each_player_plays_with_itself():
    assert table(Plan(("taboo",), ("a", "b"))) == [("a", "a"), ("b", "b")]


def test_cross_play_is_everybody_with_everybody_in_every_seat():
    assert table(Plan(("taboo",), ("a", "b"), cross=True)) == [("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")]
    assert table(Plan(("wordle",), ("a", "b"), cross=True), WORDLE) == [("a",), ("b",)]


def test_seats_are_kept_and_players_take_the_rest():
    assert table(Plan(("taboo",), ("a", "b"), {"guesser": "bot"})) == [("a", "bot"), ("b", "bot")]
    assert table(Plan(("taboo",), (), {"guesser": "bot", "describer": "x"})) == [("x", "bot")]
    assert table(Plan(("taboo",), ("a",), {"guesser": "bot"}, swap=True)) == [("a", "bot"), ("bot", "a")]
    assert table(Plan(("taboo",), ("a",), swap=True)) == [("a", "a")]  # nothing to swap


def test_an_empty_seat_and_a_role_of_no_game_are_refused():
    with pytest.raises(BadPlan, match="nobody sits at describer of taboo"):
        list(jobs(Plan(("taboo",), (), {"guesser": "bot"})))
    with pytest.raises(BadPlan, match="no role 'gueser' in taboo; did you mean guesser"):
        list(jobs(Plan(("taboo",), ("bot",), {"gueser": "bot"})))


def test_episodes_are_dealt_game_by_game_and_are_exactly_so_many():
    found = list(jobs(Plan(("taboo", "wordle"), ("bot",), episodes=101)))
    assert [job.slot for job in found] == list(range(101))
    assert Counter(job.game.name for job in found) == {"taboo": 51, "wordle": 50}
    assert [job.game.name for job in found[:4]] == ["taboo", "wordle", "taboo", "wordle"]
    assert all(catalog.split_of(job.game, job.instance) == "train" for job in found)
    assert len({job.instance.key for job in found if job.game is found[0].game}) == 51


def test_without_a_number_every_instance_is_played_once():
    plan = Plan(("taboo", "wordle"), ("a", "b"), split="validation", per_instance=2)
    there = {name: len(catalog.instances(catalog.get(name), split="validation")) for name in plan.games}
    found = list(jobs(plan))
    assert len(found) == size(plan) == 4 * sum(there.values())
    each = Counter((job.game.name, job.instance.name) for job in found)
    assert set(each.values()) == {4} and len(each) == sum(there.values())


def test_more_episodes_than_instances_go_round_with_other_luck():
    plan = Plan(("taboo",), ("bot",), split="validation", episodes=200)
    found = list(jobs(plan))
    there = len(catalog.instances(TABOO, split="validation"))
    again = [job for job in found if job.instance == found[0].instance]
    assert len(again) == -(-200 // there) and len({job.seed for job in again}) == len(again)


def test_siblings_share_instance_luck_and_group_but_not_the_sampling():
    found = list(jobs(Plan(("taboo",), ("a", "b"), cross=True, per_instance=3, episodes=24), run="R"))
    first, second = found[:12], found[12:]
    for group in (first, second):
        assert len({(job.instance.name, job.seed, job.group) for job in group}) == 1
        tables = {tuple(job.seats.items()): [] for job in group}
        for job in group:
            tables[tuple(job.seats.items())].append(job.luck)
        assert len(tables) == 4 and len(set(map(tuple, tables.values()))) == 1  # the same at every table
        assert len({job.luck for job in group}) == 3  # and another for each sibling
    assert not {job.luck for job in first} & {job.luck for job in second}
    assert first[0].group == "R:1" and second[0].group == "R:2" and first[0].seed != second[0].seed
    assert [job.group for job in jobs(Plan(("taboo",), ("a",), episodes=3))] == [None] * 3


@settings(max_examples=25, deadline=None)
@given(
    shards=st.integers(1, 7),
    episodes=st.one_of(st.none(), st.integers(1, 60)),
    per_instance=st.integers(1, 3),
    cross=st.booleans(),
    seed=st.integers(0, 5),
)
def test_shards_are_the_whole_plan_without_a_rest(shards, episodes, per_instance, cross, seed):
    plan = Plan(("taboo", "wordle"), ("a", "b"), cross=cross, split="validation", episodes=episodes)
    plan = Plan(**{**plan.as_json(), "per_instance": per_instance, "seed": seed})
    whole = [(j.slot, j.instance.name, j.seed, j.luck, tuple(j.seats.items())) for j in jobs(plan)]
    assert len(whole) == size(plan)
    parts = []
    for number in range(1, shards + 1):
        part = list(jobs(Plan(**{**plan.as_json(), "shard": (number, shards)}), run="R"))
        parts += [(j.slot, j.instance.name, j.seed, j.luck, tuple(j.seats.items())) for j in part]
    assert sorted(parts) == whole


def test_a_plan_survives_the_log_and_gives_the_same_jobs():
    plan = Plan(("taboo", "wordle"), ("bot", "bot:random"), {"guesser": "bot"}, True, seed=7, episodes=40, shard=(2, 3))
    again = Plan.from_json(json.loads(json.dumps(plan.as_json())))
    assert again == plan and list(jobs(again)) == list(jobs(plan)) and fingerprint(again) == fingerprint(plan)
    with pytest.raises(BadPlan, match="another version"):
        Plan.from_json({**plan.as_json(), "new": 1})
    with pytest.raises(BadPlan, match="another version"):
        Plan.from_json({"games": ["taboo"]})


def test_other_seeds_are_other_orders_and_other_material_another_fingerprint():
    plan, other = (Plan(("taboo",), ("bot",), seed=seed, episodes=20) for seed in (1, 2))
    assert [job.instance for job in jobs(plan)] != [job.instance for job in jobs(other)]
    assert fingerprint(plan) != fingerprint(other) != fingerprint(Plan(("wordle",), ("bot",)))


def test_a_protocol_fixes_decoding_instances_and_seats():
    assert "clembench-3" in protocols()
    plan = with_protocol(Plan(("taboo",), ("openai:m", "bot"), {"guesser": "smollm2?temperature=0"}), "clembench-3")
    assert plan.players == ("openai:m?temperature=0&max_tokens=5000&thinking=off", "bot")
    assert plan.seats == {"guesser": "smollm2?temperature=0&max_tokens=5000&thinking=off"}
    found = list(jobs(plan))
    assert [job.instance for job in found[::2]] == list(TABOO.benchmark("en"))
    assert all(catalog.split_of(job.game, job.instance) == "test" for job in found)
    with pytest.raises(BadPlan, match="clembench-3 fixes 0"):
        with_protocol(Plan(("taboo",), ("openai:m?temperature=1",)), "clembench-3")


def test_unknown_protocols_and_broken_files_are_a_sentence(tmp_path):
    with pytest.raises(BadPlan, match="no protocol 'clembench3'; did you mean clembench-3"):
        with_protocol(Plan(("taboo",)), "clembench3")
    broken = tmp_path / "mine.toml"
    broken.write_text("[decoding\n")
    with pytest.raises(BadPlan, match="cannot be read"):
        with_protocol(Plan(("taboo",)), str(broken))
    broken.write_text("split = 'validation'\n[decoding]\ntemperature = 0.5\n")
    plan = with_protocol(Plan(("taboo",), ("openai:m",)), str(broken))
    assert plan.split == "validation" and not plan.benchmark and plan.players == ("openai:m?temperature=0.5",)


def test_specs_name_everybody_once_for_every_seat_they_take():
    plan = Plan(("taboo", "wordle"), ("a", "b"), {"guesser": "c"}, cross=True)
    assert sorted((spec, game.name, role) for spec, game, role in specs(plan)) == [
        ("a", "taboo", "describer"),
        ("b", "taboo", "describer"),
        ("c", "taboo", "guesser"),
        ("c", "wordle", "guesser"),
    ]
    assert names_of(plan) == ["c", "a", "b"]


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/", "-1/3", "1/3/5", "1/0"])
def test_a_shard_is_i_of_n_from_one(text):
    with pytest.raises(BadPlan, match="I/N"):
        parse_shard(text)
    assert parse_shard("2/8") == (2, 8)
