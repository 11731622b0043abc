"""Seats that are open to other terminals: codes, signs of who is there, closing and opening again."""

from __future__ import annotations

import re

import pytest
from tiny_game import Script, new_match

from players.ports import Place
from store import log as module
from store.errors import ReadOnly, Taken
from store.log import Log
from store.records import Progress


async def episode(log, run=None) -> str:
    seats = {"asker": Script().identity, "teller": Script().identity}
    return await log.recorder.begin(new_match(), seats, Place(run=run))


async def test_a_seat_gets_a_code_that_is_easily_read_out_and_has_only_one(log):
    one = await episode(log)
    code = await log.invite(one, "asker")
    assert re.fullmatch("[B-DF-HJ-NP-TV-XZ]{3}-[B-DF-HJ-NP-TV-XZ]{3}", code)
    assert await log.invite(one, "asker") == code == await log.invite(one, "asker", "OTHER")
    assert log.queries.invitation(f" {code.lower()} ").role == "asker"
    assert [seat.code for seat in log.queries.invitations(one)] == [code]
    assert log.queries.invitation("NOB-ODY") is None


async def test_a_code_of_ones_own_is_taken_once(log):
    one, other = await episode(log), await episode(log)
    assert await log.invite(one, "asker", " tea ") == "TEA"
    with pytest.raises(Taken, match="the code TEA is used already; choose another"):
        await log.invite(other, "asker", "tea")
    with pytest.raises(Taken):
        await log.invite(one, "teller", "TEA")


async def test_a_closed_seat_takes_no_signs_and_opens_again_under_its_code(log):
    one = await episode(log)
    code = await log.invite(one, "asker")
    assert (await log.attend(code)).open
    await log.withdraw(code)
    seen = log.queries.invitation(code).seen_at
    assert not (await log.attend(code)).open and log.queries.invitation(code).seen_at == seen
    assert log.queries.invitations(one) == [] and log.queries.invitation(code).closed_at
    assert await log.invite(one, "asker", code) == code
    assert (await log.attend(code)).open and log.queries.invitation(code).closed_at is None
    assert not (await log.attend("NOB-ODY")).open


async def test_signs_of_another_terminal_at_the_same_seat_are_noticed(log, monkeypatch):
    moments = (f"2026-01-01T00:00:{second:02}.000Z" for second in range(60))
    code = await log.invite(await episode(log), "asker")
    monkeypatch.setattr(module, "now", lambda: next(moments))
    mine = await log.attend(code)
    mine = await log.attend(code, mine.at)
    assert not mine.other
    theirs = await log.attend(code)
    assert not theirs.other, "who comes back after a kill finds an old sign of their own"
    mine = await log.attend(code, mine.at)
    theirs = await log.attend(code, theirs.at)
    assert mine.other and theirs.other
    assert not (await log.attend(code, theirs.at)).other


async def test_who_sits_at_the_table_beside_the_one_who_joined(log):
    ann, ben = (log.people.add().id for _ in range(2))
    seats = {
        "asker": Script(kind="human", person=ann).identity,
        "teller": Script(kind="human", person=ben).identity,
    }
    one = await log.recorder.begin(new_match(), seats, Place())
    code = await log.invite(one, "teller")
    assert ann in log.queries.others_at(log.queries.invitation(code))


async def test_the_run_of_an_episode_tells_whether_its_host_is_there(log):
    run = log.new_run("play", {})
    one = await episode(log, run)
    assert log.queries.run_of(one) == run and log.queries.run_of(await episode(log)) is None
    assert log.queries.run_of("01NOBODY") is None and log.queries.progress(run) is None
    await log.beat(run, Progress("running", 1, 0, 0, 1, host="here", pid=1))
    assert log.queries.progress(run).beat_at


async def test_a_log_that_is_only_read_invites_nobody(log, path):
    one = await episode(log)
    with Log.open(path, readonly=True) as reader, pytest.raises(ReadOnly):
        await reader.invite(one, "asker")
