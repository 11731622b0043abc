"""Token-exact, for every shipped game: what carries loss is what the seat said, the end of its turn, no more."""

from __future__ import annotations

import json
import math
from random import Random
from types import SimpleNamespace

import pytest

from games import catalog
from store import datasets
from store.filters import Filters
from training import kto, preferences
from training.build import build_labels, build_pairs, build_sft
from training.pairs import Mining
from training.preferences import Row, margins, split
from training.recipe import checked
from training.selection import Selection
from training.tokens import IGNORED, Encoded, NothingLeft, Template, TooLong

START, END = 256, 257


def shown(ids):
    return b"".join(bytes([one]) if one < START else {START: b"<s>", END: b"</s>"}[one] for one in ids).decode()


def with_loss(side):
    return shown(one for one, label in zip(side.ids, side.labels, strict=True) if label != IGNORED)


def replies(log, turns):
    """The words of these turns as they were said, each with the end of a turn."""
    sql = "SELECT t.text FROM json_each(?) j JOIN turns t ON t.id = j.value ORDER BY j.rowid"
    return "".join(f"{text}</s>" for (text,) in log.reader().execute(sql, (json.dumps(turns),)))


def frozen(log, kind, built):
    made = datasets.freeze(log, kind, built.rows, {})
    return list(zip(built.rows, datasets.records(log.reader(), made.id), strict=True))


@pytest.mark.parametrize("game", catalog.names())
@pytest.mark.parametrize("kinds", [("malformed", "repeat", "ignored", "credit", "turn"), ("dialogue",)])
def test_dpo_trains_the_seats_own_words_only(games_log, tokenizer, game, kinds):
    built = build_pairs(games_log.reader(), Filters(games=(game,)), Mining(kinds=kinds))
    template, several = Template(tokenizer), 0
    for row, record in frozen(games_log, "dpo", built):
        chosen, rejected = preferences.encoded(record, template).sides
        assert with_loss(chosen) == replies(games_log, row.trained)
        assert with_loss(rejected) == replies(games_log, row.against)
        prompt = template.ids(record["prompt"], ask=True)
        assert chosen.ids[: len(prompt)] == rejected.ids[: len(prompt)] == prompt
        assert all(label == IGNORED for label in chosen.labels[: len(prompt)])
        assert chosen.ids[-1] == END == rejected.ids[-1]
        several += len(row.trained) > 1 or len(row.against) > 1
    if kinds == ("dialogue",) and game != "referencegame":  # there each seat speaks once
        assert several, "no dialogue with the game master's words in it was looked at"


@pytest.mark.parametrize("game", catalog.names())
def test_kto_trains_one_reply(games_log, tokenizer, game):
    built = build_labels(games_log.reader(), Filters(games=(game,)), Selection())
    for row, record in frozen(games_log, "kto", built):
        found = preferences.encoded(record, Template(tokenizer))
        (side,) = found.sides
        assert len(row.trained) == 1 and with_loss(side) == replies(games_log, row.trained)
        assert side.ids[: found.prompt] == Template(tokenizer).ids(record["prompt"], ask=True)
        assert found.good == (row.label,) and side.trained == len(side.ids) - found.prompt


@pytest.mark.parametrize("game", catalog.names())
@pytest.mark.parametrize("unit", ["episode", "turn"])
def test_sft_trains_the_seats_own_words_only(games_log, tokenizer, game, unit):
    built = build_sft(games_log.reader(), Filters(games=(game,)), Selection(keep="all", unit=unit))
    for row, record in frozen(games_log, "sft", built):
        side = Template(tokenizer).encode(record["messages"], record["loss"])
        assert with_loss(side) == replies(games_log, row.trained)


def test_in_a_won_dialogue_what_broke_a_rule_is_not_trained(tokenizer):
    talk = ["clue", "cow", "say GUESS", "GUESS: cow", "yes"]
    messages = [{"role": "assistant" if at % 2 else "user", "content": one} for at, one in enumerate(talk)]
    record = {"prompt": messages[:1], "chosen": messages[1:4], "rejected": messages[1:2], "loss": [3]}
    chosen, rejected = preferences.encoded(record, Template(tokenizer)).sides
    assert with_loss(chosen) == "GUESS: cow</s>" and with_loss(rejected) == "cow</s>"


def job(log, recipe, dataset, folder=None):
    return SimpleNamespace(
        log=log, recipe=checked(recipe), told={"dataset": dataset}, training="t", folder=folder, template={}
    )


def test_rows_that_are_too_long_are_cut_counted_and_refused(games_log, tokenizer):
    built = build_pairs(games_log.reader(), Filters(games=("taboo",)), Mining())
    made = datasets.freeze(games_log, "dpo", built.rows, {}).id
    rows, facts = preferences.encode(job(games_log, {"method": "dpo", "steps": {"max_length": 8000}}, made), tokenizer)
    assert facts["rows"] == len(rows) == len(built.rows) and facts["truncated"] == 0.0 == facts["dropped"]
    assert all(row.key.startswith("taboo:en:") for row in rows)
    with pytest.raises(TooLong, match="raise steps"):
        long = max(len(side.ids) for row in rows for side in row.sides)
        preferences.encode(job(games_log, {"steps": {"max_length": long - 1, "truncated": 0.0}}, made), tokenizer)
    with pytest.raises(NothingLeft, match="before its first trained token"):
        preferences.encode(job(games_log, {"steps": {"max_length": 8, "truncated": 1.0}}, made), tokenizer)


def row(key, *goods):
    return Row(key, tuple(Encoded((1, 2), (IGNORED, 2)) for _ in goods), goods, 1)


def test_held_out_are_whole_instances():
    rows = [row(f"k{at % 10}", True, False) for at in range(30)]
    trained, held = split(rows, 0.2, seed=3)
    assert len(held) == 6 and len({one.key for one in held}) == 2 and len(trained) == 24
    assert not {one.key for one in held} & {one.key for one in trained}
    assert split(rows, 0.2, seed=3) == (trained, held) and split(rows, 0.2, seed=4)[1] != held
    assert split(rows, 0.0, seed=3) == (rows, []) and split(rows[:1], 0.5, seed=3) == (rows[:1], [])
    assert len(split(rows, 0.01, seed=3)[1]) == 3, "some are measured whenever it was asked for"


def test_margins_of_pairs_with_an_interval_over_instances():
    rows = [row("a", True, False), row("a", True, False), row("b", True, False)]
    told = margins(rows, [[1.0, 0.0], [1.0, 0.0], [0.5, 0.25]])
    assert told["rewards/margins"] == pytest.approx(0.75) and told["rewards/chosen"] == pytest.approx(2.5 / 3)
    assert told["rewards/accuracies"] == 1.0 and told["instances"] == 2
    assert told["interval"] == [pytest.approx(0.25), pytest.approx(1.0)]
    assert margins(rows[:1], [[0.0, 1.0]]) | {"interval": None} == margins(rows[:1], [[0.0, 1.0]])


def test_margins_of_labels_compare_the_kinds():
    told = margins([row("a", True), row("a", False), row("b", False)], [[1.0], [0.25], [0.75]])
    assert told["rewards/margins"] == pytest.approx(0.5) and "rewards/accuracies" not in told
    one_kind = margins([row("a", True), row("b", True)], [[1.0], [1.0]])
    assert math.isnan(one_kind["rewards/margins"]) and one_kind["interval"] is None


def test_intervals_cover_what_they_should():
    luck, covered = Random(1), 0
    for trial in range(60):
        rows = [row(f"k{at}", True, False) for at in range(30)]
        low, high = margins(rows, [[luck.gauss(0.3, 1.0), 0.0] for _ in rows], seed=trial)["interval"]
        covered += low <= 0.3 <= high
    assert covered >= 50


def test_labels_are_spread_evenly_and_weigh_the_same():
    rows = [row("g", True) for _ in range(4)] + [row("b", False) for _ in range(12)]
    spread = [one.good[0] for one in kto.interleaved(rows)]
    assert sum(spread) == 4 and all(sum(spread[at : at + 4]) == 1 for at in range(0, 16, 4))
    assert kto.weights(4, 12) == (3.0, 1.0) and kto.weights(12, 4) == (1.0, 3.0) and kto.weights(5, 5) == (1.0, 1.0)
