"""The scheduler: every job once, batches full, nobody stalls anybody, and the counts are right whatever players do."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest

from players.base import Call, Called, Failed, Identity, PlayerError, Reply, Said, Token
from players.gate import Limits
from players.scheduler import Job, Scheduler

QUICK = Limits(parallel=4, timeout=0.3, retries=0, backoff=0.001, breaker=10**6, cooldown=0.02)


class Log:
    """A recorder that remembers; `refuse` may raise at a slot."""

    def __init__(self, refuse=None):
        self.rows = []
        self.count = 0
        self.refuse = refuse or (lambda kind, slot: None)

    async def begin(self, match, seats, place):
        self.refuse("begin", place.slot)
        self.count += 1
        self.rows.append(("begin", place.slot, place.group))
        await asyncio.sleep(0)
        return f"e{place.slot}"

    async def turn(self, episode, match, step, who, reply):
        self.rows.append(("turn", episode, step.ply, who.name, step.text))
        await asyncio.sleep(0)

    async def call(self, episode, ply, role, who, call):
        self.rows.append(("call", episode, ply, who.name, call.finish))

    async def failure(self, episode, ply, role, who, error):
        self.rows.append(("failure", episode, ply, who.name, error.kind))

    async def result(self, episode, match, scores):
        self.rows.append(("result", episode, match.state.outcome))
        await asyncio.sleep(0)

    def of(self, kind):
        return [row for row in self.rows if row[0] == kind]


class Actor:
    """A player whose replies a function makes; `backend` puts it behind a gate of its own."""

    def __init__(self, name, script, kind="model"):
        self.identity = Identity(kind, name)
        self.backend = name
        self.script = script
        self.inside = self.most = self.asked = 0

    async def speak(self, heard, ask):
        self.asked += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            return await self.script(ask)
        finally:
            self.inside -= 1


async def prompt(ask):
    await asyncio.sleep(0)
    return Reply(f"SAY: {ask.ply}")


async def hang(ask):
    await asyncio.sleep(60)
    raise AssertionError


async def fail(ask):
    raise PlayerError("refused", "nobody listens")


async def crash(ask):
    raise ZeroDivisionError("oops")


async def flood(ask):
    return Reply("SAY: " + "x" * 300_000)


async def garbage(ask):
    return Reply("\0\x1b[2J\u202e" * 50)


def after(seconds):
    async def script(ask):
        await asyncio.sleep(seconds)
        return Reply(f"SAY: {ask.ply}")

    return script


@pytest.fixture
def setup(echo):
    """Jobs over named actors, and a scheduler for them."""

    def make(actors, tables, **more):
        cast = {name: Actor(name, script) for name, script in actors.items()}
        instance = echo.instances("en")[0]
        jobs = [
            Job(slot, echo, instance, seed=7, luck=slot, seats=dict(zip(echo.roles, table, strict=True)))
            for slot, table in enumerate(tables)
        ]

        async def seating(spec, job, role):
            return cast[spec]

        log = more.pop("log", None) or Log()
        more.setdefault("limits", QUICK)
        return Scheduler(jobs, seating, log, run="r", **more), cast, log

    return make


async def test_every_job_is_played_once_in_order(setup):
    scheduler, cast, log = setup({"a": prompt}, [("a", "a")] * 50, concurrency=8)
    tally = await scheduler.run()
    assert (tally.planned, tally.done, tally.failed, tally.running, tally.left) == (50, 50, 0, 0, 0)
    assert tally.outcomes == {"success": 50} and tally.errors == {}
    assert [row[1] for row in log.of("begin")] == list(range(50))
    assert Counter(row[1] for row in log.of("result")) == {f"e{slot}": 1 for slot in range(50)}
    assert len(log.of("turn")) == 200 and cast["a"].most <= 4  # the gate


async def test_a_finished_match_makes_room_at_once(setup):
    scheduler, cast, _ = setup({"a": after(0.005)}, [("a", "a")] * 40, concurrency=6)
    busy = []
    scheduler.listen(lambda lane, event: busy.append(len([x for x in scheduler.lanes.values() if not x.over])))
    await scheduler.run()
    assert max(busy) <= 6 and cast["a"].most == 4
    middle = busy[len(busy) // 4 : -len(busy) // 4]
    assert sum(middle) / len(middle) > 5.3  # some end at the same moment; their places do not stay empty


async def test_a_slow_seat_stalls_nobody_else(setup):
    """One table of ten is slow: its gate fills, and the others' matches go on beyond the wanted number."""
    tables = [("slow", "slow") if slot % 2 else ("fast", "fast") for slot in range(60)]
    scheduler, cast, _ = setup({"slow": after(0.05), "fast": after(0.001)}, tables, concurrency=8)
    order = []
    scheduler.listen(
        lambda lane, event: order.append(lane.job.slot) if lane.state == "done" and event is None else None
    )
    tally = await scheduler.run()
    assert tally.done == 60
    ends = list(dict.fromkeys(order))
    fast = [at for at, slot in enumerate(ends) if slot % 2 == 0]
    assert max(fast) < 45  # the last fast one ended long before the last slow one
    assert cast["slow"].most == 4


BAD = {
    "fails": (fail, "refused"),
    "hangs": (hang, "timeout"),
    "crashes": (crash, "crashed"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_player_costs_its_own_matches_only(setup, name):
    script, kind = BAD[name]
    tables = [("good", "bad") if slot % 3 == 0 else ("good", "good") for slot in range(30)]
    limits = Limits(parallel=4, timeout=0.05, retries=0, breaker=10**6)
    scheduler, _, log = setup({"good": prompt, "bad": script}, tables, concurrency=8, limits=limits)
    tally = await scheduler.run()
    assert (tally.done, tally.failed, tally.left) == (20, 10, 0) and tally.errors == {kind: 10}
    assert {row[4] for row in log.of("failure")} == {kind} and len(log.of("failure")) == 10
    assert not {row[1] for row in log.of("failure")} & {row[1] for row in log.of("result")}  # kept, not ended
    assert all(row[2] == 1 for row in log.of("failure"))  # after the good player's turn


@pytest.mark.parametrize(("script", "outcome"), [(flood, "success"), (garbage, "aborted")])
async def test_floods_and_garbage_end_matches_as_the_rules_say(setup, script, outcome):
    scheduler, _, log = setup({"bad": script}, [("bad", "bad")] * 5)
    tally = await scheduler.run()
    assert tally.done == 5 and tally.outcomes == {outcome: 5}
    assert all(len(row[4]) <= 200_000 for row in log.of("turn"))


async def test_a_dead_backend_ends_the_run_and_leaves_the_rest(setup):
    tables = [("good", "good")] * 10 + [("dead", "good")] * 40
    limits = Limits(parallel=2, retries=0, breaker=3, cooldown=0.02, trials=2)
    scheduler, cast, _ = setup({"good": prompt, "dead": fail}, tables, concurrency=4, limits=limits)
    tally = await scheduler.run()
    assert tally.done == 10 and 0 < tally.failed < 20 and tally.left == 40 - tally.failed
    assert cast["dead"].asked < 20  # it was left alone


async def test_a_backend_that_comes_back_gets_its_matches_played(setup):
    count = 0

    async def sick(ask):
        nonlocal count
        count += 1
        if count <= 3:
            raise PlayerError("refused", "not yet")
        return Reply(f"SAY: {ask.ply}")

    limits = Limits(parallel=1, retries=0, breaker=3, cooldown=0.05, trials=3)
    scheduler, _, _ = setup({"sick": sick}, [("sick", "sick")] * 20, concurrency=2, limits=limits)
    tally = await scheduler.run()
    assert tally.done >= 15 and tally.done + tally.failed == 20


@pytest.mark.parametrize(("kind", "begun"), [("rejected", 8), ("timeout", 30)])
async def test_first_matches_that_all_failed_alike_end_the_run_and_what_may_pass_does_not(setup, kind, begun):
    async def bad(ask):
        raise PlayerError(kind, "this will never work")

    scheduler, _, log = setup({"bad": bad}, [("bad", "bad")] * 30, concurrency=1)
    tally = await scheduler.run()
    assert (tally.failed, tally.left, len(log.of("begin"))) == (begun, 30 - begun, begun)
    assert scheduler.hopeless == ("this will never work" if begun < 30 else "")
    assert tally.said == {kind: "this will never work"}


@pytest.mark.parametrize("first", ["good", "other"])
async def test_matches_that_fail_go_on_where_one_was_played_or_failed_otherwise(setup, first):
    async def bad(ask):
        raise PlayerError("rejected", "this will never work")

    async def other(ask):
        raise PlayerError("rejected", "nor will this")

    tables = [(first, first), *[("bad", "bad")] * 20]
    scheduler, _, _ = setup({"good": prompt, "other": other, "bad": bad}, tables, concurrency=1)
    tally = await scheduler.run()
    assert tally.done + tally.failed == 21 and not scheduler.hopeless


async def test_the_clock_of_a_run_stands_before_and_after_it(setup):
    scheduler, _, _ = setup({"a": after(0.01)}, [("a", "a")] * 4, concurrency=2)
    assert scheduler.count().seconds == 0 and not scheduler.tally.over
    tally = await scheduler.run()
    seconds = tally.seconds
    await asyncio.sleep(0.02)
    assert scheduler.count().seconds == seconds > 0 and tally.over and tally.eta is None


async def test_while_it_drains_only_those_under_way_are_still_to_come(setup):
    scheduler, _, _ = setup({"a": after(0.02)}, [("a", "a")] * 40, concurrency=2)
    running = asyncio.ensure_future(scheduler.run())
    while scheduler.count().done < 2:
        await asyncio.sleep(0.005)
    scheduler.finish()
    tally = scheduler.count()
    assert tally.draining and (tally.eta or 0) <= 2 / tally.per_s
    await running
    assert tally.left > 30 and tally.eta is None


async def test_a_budget_stops_the_run_and_what_is_left_is_counted(setup):
    async def costs(ask):
        ask.emit(Called(ask.role, Call((), "x", tokens_in=10, tokens_out=5)))
        return Reply(f"SAY: {ask.ply}")

    limits = Limits(parallel=1, tokens=15 * 4 * 3)
    scheduler, _, _ = setup({"a": costs}, [("a", "a")] * 10, concurrency=1, limits=limits)
    tally = await scheduler.run()
    assert (tally.done, tally.failed, tally.left) == (3, 0, 7)
    assert (tally.tokens_in, tally.tokens_out) == (120, 60) and tally.cost is None


async def test_a_budget_that_was_spent_before_keeps_its_jobs_from_beginning(setup):
    limits = Limits(parallel=1, tokens=100)
    tables = [("spent", "b")] * 3 + [("b", "b")] * 2
    scheduler, cast, _ = setup({"spent": prompt, "b": prompt}, tables, limits=limits, used={"spent": (60, 40)})
    for job in scheduler._jobs:
        for role, spec in job.seats.items():
            await scheduler.seated(spec, job, role)
    assert scheduler.playable
    tally = await scheduler.run()
    assert (tally.done, tally.failed, tally.left) == (2, 0, 3) and cast["spent"].asked == 0 and not scheduler.playable
    assert tally.tokens_in == 0


async def test_somebody_elses_episode_is_passed_over_and_a_full_disk_ends_the_run(setup):
    class Taken(Exception):
        pass

    class Full(Exception):
        pass

    def refuse(kind, slot):
        if slot == 3:
            raise Taken("slot 3")

    scheduler, _, _ = setup({"a": prompt}, [("a", "a")] * 6, log=Log(refuse), taken=(Taken,))
    tally = await scheduler.run()
    assert tally.done == 5 and tally.left == 1

    def full(kind, slot):
        if slot == 3:
            raise Full("no space is left")

    scheduler, _, _ = setup({"a": prompt}, [("a", "a")] * 50, log=Log(full), fatal=(Full,), concurrency=2)
    with pytest.raises(Full, match="no space"):
        await scheduler.run()
    assert scheduler.tally.running == 0 and scheduler.tally.done < 10


async def test_a_fault_of_the_rules_costs_one_match(setup, echo, monkeypatch):
    scheduler, _, log = setup({"a": prompt}, [("a", "a")] * 4)
    real, bugs = type(echo).play, []

    def play(self, state, text, rng):
        if text == "SAY: 2" and not bugs:
            bugs.append(text)
            raise KeyError("a bug")
        return real(self, state, text, rng)

    monkeypatch.setattr(type(echo), "play", play)
    tally = await scheduler.run()
    assert tally.done == 3 and tally.errors == {"crashed": 1} and len(log.of("failure")) == 1


async def test_a_resumed_job_goes_on_where_it_stood(setup, echo):
    scheduler, cast, log = setup({"a": prompt}, [("a", "a")])
    job = scheduler._jobs[0]
    scheduler._jobs[0] = Job(
        **{**{n: getattr(job, n) for n in Job.__slots__}, "episode": "old", "texts": ("SAY: x", "SAY: y")}
    )
    tally = await scheduler.run()
    assert tally.done == 1 and not log.of("begin") and cast["a"].asked == 2
    assert [row[1:3] for row in log.of("turn")] == [("old", 2), ("old", 3)]


async def test_texts_that_fit_no_longer_fail_that_job_alone(setup):
    scheduler, _, _ = setup({"a": prompt}, [("a", "a")] * 2)
    job = scheduler._jobs[0]
    scheduler._jobs[0] = Job(**{**{n: getattr(job, n) for n in Job.__slots__}, "texts": ("SAY: x",) * 9})
    tally = await scheduler.run()
    assert (tally.done, tally.failed) == (1, 1) and tally.errors == {"MatchOver in echo": 1}


async def test_finish_lets_matches_end_and_stop_does_not(setup):
    scheduler, _, log = setup({"a": after(0.005)}, [("a", "a")] * 100, concurrency=4)
    running = asyncio.ensure_future(scheduler.run())
    await asyncio.sleep(0.05)
    scheduler.finish()
    tally = await running
    assert tally.running == 0 and 0 < tally.done < 60 and tally.left == 100 - tally.done
    assert len(log.of("begin")) == len(log.of("result")) == tally.done

    scheduler, _, log = setup({"a": after(0.02)}, [("a", "a")] * 100, concurrency=4)
    running = asyncio.ensure_future(scheduler.run())
    await asyncio.sleep(0.05)
    began = time.monotonic()
    scheduler.stop()
    tally = await running
    assert time.monotonic() - began < 5 and tally.running == 0 and len(log.of("begin")) == 4 > len(log.of("result"))


async def test_siblings_share_the_match_and_not_the_sampling(setup):
    seeds = {}

    async def listen(ask):
        seeds.setdefault(ask.seed, 0)
        return Reply(f"SAY: {ask.ply}")

    scheduler, _, _ = setup({"a": listen}, [("a", "a")] * 5)
    await scheduler.run()
    assert len(seeds) == 20  # five matches of four plies, one match seed


async def test_a_lane_can_be_held_stopped_and_go_on(setup):
    scheduler, _, log = setup({"a": after(0.002)}, [("a", "a")] * 3, concurrency=3)
    running = asyncio.ensure_future(scheduler.run())
    await asyncio.sleep(0.003)
    first, second, _ = scheduler.lanes.values()
    first.hold()
    second.stop()
    await asyncio.sleep(0.05)
    held_at = first.match.ply
    assert first.state == "held" and held_at < 4 and scheduler.count().running == 1
    assert second.state == "stopped" and second.episode is not None
    await asyncio.sleep(0.02)
    assert first.match.ply == held_at
    first.go_on()
    tally = await running
    assert first.state == "done" and tally.done == 2 and tally.left == 1
    assert "e1" not in [row[1] for row in log.of("result")]


async def test_a_seat_changes_hands_in_mid_reply_and_is_handed_back(setup):
    scheduler, cast, log = setup({"a": hang, "b": prompt}, [("a", "b")], limits=Limits(timeout=30))
    seen = []
    scheduler.listen(lambda lane, event: seen.append((lane.match.ply, event)))
    running = asyncio.ensure_future(scheduler.run())
    await asyncio.sleep(0.01)
    lane = scheduler.lanes[0]
    assert lane.match.ply == 0 and cast["a"].inside == 1
    me = Actor("me", prompt, kind="human")
    before = lane.sit("first", me)
    assert before.identity.name == "a"
    while lane.match.ply < 2:
        await asyncio.sleep(0.001)
    cast["a"].script = prompt
    lane.sit("first", before)
    tally = await running
    assert tally.done == 1 and cast["a"].most == 1
    assert [row[3] for row in log.of("turn")] in (["me", "b", "a", "b"], ["me", "b", "me", "b"])
    assert log.of("turn")[0][3] == "me"


async def test_listeners_hear_players_and_changes_until_they_stop_listening(setup):
    async def streams(ask):
        ask.emit(Token(ask.role, "SAY"))
        return Reply(f"SAY: {ask.ply}")

    scheduler, _, _ = setup({"a": streams, "bad": fail}, [("a", "a"), ("bad", "a")], concurrency=1)
    heard = []
    stop = scheduler.listen(lambda lane, event: heard.append((lane.job.slot, type(event).__name__, lane.state)))
    await scheduler.run()
    names = Counter((slot, name) for slot, name, _ in heard)
    assert names[0, "Token"] == 4 and names[0, Said.__name__] == 4 and names[1, Failed.__name__] >= 1
    assert heard[-1] == (1, "NoneType", "failed") and (0, "NoneType", "done") in heard
    stop()
    stop()


async def test_ended_lanes_are_forgotten_in_time(setup):
    scheduler, _, _ = setup({"a": prompt}, [("a", "a")] * 200)
    await scheduler.run()
    assert len(scheduler.lanes) == 64 and scheduler.tally.done == 200


async def test_a_player_that_cannot_be_opened_fails_its_match(setup, echo):
    async def seating(spec, job, role):
        raise PlayerError("not_found", "no such model")

    job = Job(0, echo, echo.instances("en")[0], 1, 1, {"first": "x", "second": "x"})
    tally = await Scheduler([job], seating, Log()).run()
    assert tally.failed == 1 and tally.errors == {"not_found": 1}
