"""Identifiers sort, hashes tell everything apart, and any text at all survives the way into the log and back."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_game import Script, Tiny, new_match, riddle, train

from games.engine import Match, Message
from players.base import Call, Identity, Reply
from players.driver import drive
from players.ports import Place
from store.ids import chain, clean, content_id, digest, message_hash, new_id, now, numbers_json, to_json
from store.log import Log

HOSTILE = [
    "",
    "\x00",
    "a\x00b",
    "\ud800 lone \udfff",
    "\x1b]0;title\x07\x1b[31m",
    "\u202eright to left",
    "'; DROP TABLE turns; --",
    '"quoted" \\ back {json: [1]}',
    "\r\n\t\x0b\x0c\x85\u2028",
    "x" * 100_000,
    "\U0001f600\u0301" * 1000,
]
texts = st.one_of(st.text(alphabet=st.characters(codec=None), max_size=60), st.sampled_from(HOSTILE))
conversations = st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), texts), max_size=6)


def test_ids_are_ulids_that_rise():
    ids = [new_id() for _ in range(5000)]
    assert ids == sorted(ids) and len(set(ids)) == 5000
    assert all(re.fullmatch("[0-7][0-9A-HJKMNP-TV-Z]{25}", one) for one in ids)


def test_now_is_utc_to_the_millisecond():
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", now())
    assert sorted([a := now(), b := now()]) == [a, b]


def test_the_recipe_of_hashes_stays():
    """These strings are in files of other people: whoever changes them breaks every log."""
    assert message_hash(None, "user", "Ask.") == "1a2c2e94e7e8d84f8e239f06a2abcd37"
    assert digest("a", "bc") == "a4d2502de3aca3ac159bba2d99ea81a8"
    assert content_id({"b": 1, "a": "ü"}) == "b3802163f6d52aec37b69b86ea0a7a46"


@given(conversations, conversations)
def test_two_conversations_have_one_hash_only_if_they_are_equal(a, b):
    def name(messages):
        rows = chain(messages)
        return rows[-1][0] if rows else None

    cleaned = [[(m.role, clean(m.content)) for m in messages] for messages in (a, b)]
    assert (name(a) == name(b)) == (cleaned[0] == cleaned[1])


@given(conversations, st.data())
def test_a_chain_may_be_written_in_pieces(messages, data):
    cut = data.draw(st.integers(0, len(messages)))
    head = chain(messages[:cut])
    assert head + chain(messages[cut:], head[-1][0] if head else None) == chain(messages)


@given(st.lists(texts, max_size=4), st.lists(texts, max_size=4))
def test_digest_keeps_parts_apart(a, b):
    a, b = [clean(x) for x in a], [clean(x) for x in b]
    assert (digest(*a) == digest(*b)) == (a == b)


def test_json_says_null_for_what_it_cannot_say():
    assert json.loads(to_json({"a": float("nan"), "b": [float("inf"), 1.5], "c": Path("x"), 3: "\ud800"})) == {
        "a": None,
        "b": [None, 1.5],
        "c": "x",
        "3": "?",
    }
    assert content_id({"a": 1, "b": 2}) == content_id({"b": 2, "a": 1}) != content_id({"a": 1, "b": 3})


@settings(max_examples=25, deadline=None)
@given(st.lists(texts, min_size=1, max_size=5), texts, texts)
def test_any_text_survives_the_log(lines, answer, reasoning):
    """The round trip: what each role heard, what was said, what was sent, all equal but for lone surrogates."""

    async def play(log):
        match = Match.new(Tiny(), riddle(answer=clean(answer)), 3)
        who = Identity("model", "m", sampling={"stop": answer})
        episode = await log.recorder.begin(match, {"asker": who, "teller": who}, Place())
        for line in lines:
            if match.over:
                break
            role = match.turn
            prompt = (Message("system", reasoning), *match.heard[role])
            call = Call(
                prompt, line, "stop", reasoning=reasoning, error=answer, raw={"x": reasoning, "n": float("nan")}
            )
            match = match.play(line)
            await log.recorder.turn(episode, match, match.steps[-1], who, Reply(line, call=call))
        if match.over:
            await log.recorder.result(episode, match, match.scores())
        return episode, match

    with tempfile.TemporaryDirectory() as folder, Log.open(Path(folder) / "e.sqlite", split_of=train) as log:
        episode, match = asyncio.run(play(log))
        assert log.history.match(episode, Tiny()).heard == match.heard
        detail = log.queries.detail(episode)
        assert [t.text for t in detail.turns] == match.texts
        assert [t.says for t in detail.turns] == [step.says for step in match.steps]
        for turn, call in zip(detail.turns, detail.calls, strict=True):
            heard = log.queries.conversation(turn.seen_hash)
            assert tuple(heard) == match.heard[turn.role][: len(heard)]
            assert match.heard[turn.role][len(heard)] == Message("assistant", turn.text)
            assert log.queries.conversation(call.prompt_hash) == [Message("system", clean(reasoning)), *heard]
            assert call.reasoning == clean(reasoning) and call.error == clean(answer)
        if match.over:
            for role in match.game.roles:
                assert log.queries.perspective(episode, role) == list(match.heard[role])


async def test_hostile_lines_played_by_the_driver(log):
    lines = [line for line in HOSTILE if not line.startswith("!")]
    for first in lines:
        await drive(new_match(), {"asker": Script(first, "lose"), "teller": Script(first)}, log.recorder)
    found = {log.queries.detail(row.id).turns[0].text for row in log.queries.recent(50)}
    assert found == {clean(line) for line in lines}


@pytest.mark.parametrize(
    "value",
    [
        {"main": 1.5, "many": 3, "tiny": 1e-9, "vast": 1e300, 'ü"': 0.1},
        {"nan": float("nan"), "inf": float("-inf")},
        [(0, "describer", 1.0)],
        {"a\ud800": 1.0},
        {"half": Fraction(1, 2), "all": True},
        {},
    ],
)
def test_numbers_are_written_as_other_values_are(value):
    assert json.loads(numbers_json(value)) == json.loads(to_json(value))


@given(st.dictionaries(st.text(), st.floats() | st.integers() | st.booleans()))
def test_any_numbers_are_read_back_as_they_were(value):
    assert json.loads(numbers_json(value)) == json.loads(to_json(value))
