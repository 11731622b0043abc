"""Branches as the workbench grows them: candidates at a turn, and from each so many rollouts to the end.

A `BranchWish` becomes a run of kind `branch` in the log. Candidates of a point are sampled together and written in one
piece, then their rollouts go to the scheduler, which keeps all backends full. Killed at any moment, the run goes on
with `resume`, and every planned rollout is there exactly once. No screen here.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, cast

from games.engine import Match, Role
from players.base import Ask, Call, Called, Event, Identity, Player, PlayerError, Reply
from players.driver import sampling_seed
from players.gate import Limits
from players.opening import Table, check
from players.plan import BadPlan, mixed
from players.registry import Registry
from players.scheduler import First, Job, Scheduler, Tally
from players.spec import PlayerSpec, parse
from playpen_tui import __version__
from playpen_tui.workbench import Workbench
from store import branches
from store.branches import Point, Written
from store.errors import BadPoint, Foreign, LogError, Taken, UnknownRun
from store.log import Log
from store.records import Progress, RunState

BEAT = 1.0
"""Seconds between two signs of life in the log."""
WARM = 0.8
"""Temperature of a model that would otherwise say the same every time."""
ROUNDS = 3
"""How often as many replies are sampled as distinct candidates are missing."""
GROUP = "branch"


@dataclass(frozen=True, slots=True)
class BranchWish:
    """What somebody asked for, as the log keeps it. Players are specs; where none is named, who sat there plays on."""

    points: tuple[tuple[str, int], ...]
    """Episode and ply, each once."""
    candidates: int = 4
    """How many are sampled at each point, all players together."""
    rollouts: int = 4
    """From each candidate."""
    by: tuple[str, ...] = ()
    """Who writes candidates, in turn; empty: whoever plays that role on."""
    texts: tuple[str, ...] = ()
    """Candidates that the person at the terminal wrote."""
    chosen: tuple[str, ...] = ()
    """Candidates that are in the log already and get more rollouts."""
    said: bool = False
    """Play on from what was said there, too."""
    seats: Mapping[Role, str] = field(default_factory=dict[Role, str])
    everybody: str = ""
    """Takes every seat that `seats` does not name."""
    temperature: float | None = WARM
    """For models that would say the same every time; None leaves them so."""
    assist: bool | None = None
    """None: as it was in the episode, and for who did not sit there, as the registry says."""
    seed: int = 0
    concurrency: int = 16
    person: str = ""
    """Who wrote `texts`."""

    @property
    def wide(self) -> int:
        """Candidates of a point at most."""
        return self.candidates + len(self.texts) + len(self.chosen) + self.said

    def as_json(self) -> dict[str, Any]:
        """As a log keeps it; `from_json` is the inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> BranchWish:
        """The wish of a run that was begun. Raises BadPlan where another version wrote it."""
        try:
            lists: dict[str, Any] = {key: tuple(data[key]) for key in ("by", "texts", "chosen")}
            lists["points"] = tuple((str(episode), int(ply)) for episode, ply in data["points"])
            return cls(**cast(Any, {**data, **lists}))
        except (KeyError, TypeError, ValueError) as error:
            raise BadPlan(f"this run was planned by another version of the program ({error})") from error


@dataclass(slots=True)
class Growing:
    """A point of the run: its players, and how far it is."""

    number: int
    where: Point
    seats: dict[Role, str]
    by: tuple[str, ...]
    candidates: tuple[str, ...] = ()
    """Ids, once they are written."""
    planned: int = 0
    """Rollouts."""


class Branching:
    """A branch run: `await run()`, then read `scheduler.tally`; `stop()` leaves the rest for `resume`."""

    def __init__(self, bench: Workbench, log: Log, wish: BranchWish, run: str, table: Table, own: bool) -> None:
        self.wish = wish
        self.run_id = run
        self.points: list[Growing] = []
        self.left_out: Counter[str] = Counter()
        """Points that cannot be branched, by reason."""
        self.unsampled: Counter[str] = Counter()
        """Replies that could not be had, by kind of trouble."""
        self.scheduler: Scheduler
        self.over = False
        self.stopped = False
        self._bench, self._log, self._table, self._own = bench, log, table, own
        self._done = set[int]()
        self._begun = dict[int, str]()
        self._sowing: asyncio.Task[None] | None = None
        self._wasted: list[tuple[Growing, Identity, Call]] = []

    async def run(self) -> Tally:
        """Grow it all. Raises LogError where the log cannot be written."""
        beating = asyncio.ensure_future(self._beat_on())
        self._sowing = asyncio.ensure_future(self._sow())
        state: RunState = "stopped"
        try:
            if self.stopped:
                self.stop()
            tally = await self.scheduler.run()
            await asyncio.wait([self._sowing])
            if not self._sowing.cancelled() and (error := self._sowing.exception()) is not None:
                raise error
            self._plan()
            state = "done" if not self.stopped and tally.done + tally.failed >= tally.planned else "stopped"
            return tally
        finally:
            self._sowing.cancel()
            beating.cancel()
            await asyncio.wait([beating, self._sowing])
            self.over = True
            await self._beat(state)
            if self._own:
                await self._table.aclose()

    def stop(self) -> None:
        """Stop sampling and playing; what is committed stands."""
        self.stopped = True
        if self._sowing is not None:
            self._sowing.cancel()
            self.scheduler.stop()

    def finish(self) -> None:
        """Begin nothing more; what is under way ends."""
        self.stopped = True
        if self._sowing is not None:
            self._sowing.cancel()
        self.scheduler.enough()
        self.scheduler.finish()

    def document(self) -> dict[str, Any]:
        """How the run stands, for `--json`."""
        tally = self.scheduler.count()
        return {
            "run": self.run_id,
            "points": len(self.points),
            "planned": tally.planned,
            "done": tally.done,
            "done_before": tally.before,
            "failed": tally.failed,
            "running": tally.running,
            "outcomes": dict(sorted(tally.outcomes.items())),
            "errors": dict(sorted(tally.errors.items())),
            "not_sampled": dict(sorted(self.unsampled.items())),
            "left_out": dict(sorted(self.left_out.items())),
            "tokens_in": tally.tokens_in,
            "tokens_out": tally.tokens_out,
            "seconds": round(tally.seconds, 3),
        }

    # candidates

    async def _sow(self) -> None:
        """Candidates of all points, several points at a time; their rollouts follow at once."""
        room = asyncio.Semaphore(max(1, self.wish.concurrency))

        async def one(growing: Growing) -> None:
            async with room:
                await self._plant(growing)

        try:
            async with asyncio.TaskGroup() as group:
                for growing in self.points:
                    group.create_task(one(growing))
        except BaseExceptionGroup as errors:
            self.scheduler.stop()
            raise errors.exceptions[0] from None
        finally:
            self.scheduler.enough()

    async def _plant(self, growing: Growing) -> None:
        """Sample the candidates of a point where that was not done before, and plan their rollouts."""
        where = growing.where
        there = await asyncio.to_thread(self._planned, where)
        if not there:
            found = await self._candidates(growing)
            for _, who, call in (one for one in self._wasted if one[0] is growing):
                await self._log.recorder.call(where.episode, where.ply, where.role, who, call)
            await asyncio.to_thread(branches.write, self._log, self.run_id, where, found, self.wish.chosen)
            there = await asyncio.to_thread(self._planned, where)
        growing.candidates = tuple(one.candidate for one in there)
        jobs = [job for one in there for job in self._jobs(growing, one)]
        growing.planned = len(there) * self.wish.rollouts
        self._plan()
        self.scheduler.add([await asyncio.to_thread(self._resumed, job) for job in jobs if job.slot not in self._done])

    def _planned(self, where: Point) -> list[branches.Planned]:
        return branches.planned(self._log.reader(), self.run_id, where.key)

    async def _candidates(self, growing: Growing) -> list[Written]:
        """What this point goes on from: what was said, what was typed, what was sampled; equal texts are one."""
        where, wish = growing.where, self.wish
        found: dict[str, Written] = {}

        def keep(text: str, who: Identity, calls: Sequence[Call], call: Call | None, copies: int = 1) -> bool:
            new = text not in found
            one = found.get(text) or Written(text, who, verdict_of(where.match, text), 0, call)
            more = tuple(other for other in calls if other is not one.call)
            found[text] = replace(one, copies=one.copies + copies, more=(*one.more, *more))
            return new

        if wish.said and where.said is not None:
            turn = await asyncio.to_thread(lambda: branches.said_at(self._log.reader(), where))
            found[turn.text] = turn
        for text in wish.texts:
            raw = composed(where.match, text)
            keep(raw, Identity("human", wish.person, person=wish.person), (), None, 0)
        first = await asyncio.to_thread(lambda: branches.sampled_before(self._log.reader(), where.key, self.run_id))
        sampled = 0
        for _ in range(ROUNDS):
            missing = wish.candidates - sum(one.copies > 0 for one in found.values())
            if missing <= 0:
                break
            asked = [self._sample(growing, first + sampled + at) for at in range(missing)]
            sampled += missing
            new = [keep(reply.text, who, calls, reply.call) for reply, who, calls in await _all(asked)]
            if not any(new):
                break
        return list(found.values())

    async def _sample(self, growing: Growing, number: int) -> tuple[Reply, Identity, list[Call]] | None:
        """One reply, with every request that was made for it; None where it could not be had."""
        where, calls = growing.where, list[Call]()
        spec = growing.by[number % len(growing.by)]
        base = mixed(self.wish.seed, "candidate", where.episode, where.ply, number)

        def hear(event: Event) -> None:
            if isinstance(event, Called):
                calls.append(event.call)

        ask = Ask(where.match.view(where.role), sampling_seed(base, where.role, where.ply), None, hear)
        who: Identity | None = None
        try:
            player = await self.scheduler.seated(spec, self._job(growing, 0), where.role)
            who = player.identity
            return await player.speak(where.match.heard[where.role], ask), who, calls
        except PlayerError as error:
            self.unsampled[error.kind] += 1
            self._wasted += [] if who is None else [(growing, who, call) for call in calls]
            return None

    # rollouts

    def _job(self, growing: Growing, slot: int) -> Job:
        where = growing.where
        return Job(
            slot=slot,
            game=where.match.game,
            instance=where.match.instance,
            seed=where.match.seed,
            luck=0,
            seats=growing.seats,
            group=f"{GROUP}:{where.episode}:{where.ply}",
            texts=tuple(where.match.texts),
            parent=where.episode,
            fork=where.ply,
        )

    def _jobs(self, growing: Growing, one: branches.Planned) -> list[Job]:
        """The rollouts of a candidate. The nth has the same luck whatever the candidate."""
        wish, where = self.wish, growing.where
        first = First(one.who, Reply(one.text, assisted=one.assisted, candidate=one.candidate))
        found: list[Job] = []
        for number in range(wish.rollouts):
            slot = (growing.number * wish.wide + one.place) * wish.rollouts + number
            luck = mixed(wish.seed, "rollout", where.episode, where.ply, one.before + number)
            found.append(replace(self._job(growing, slot), luck=luck, first=first))
        return found

    def _resumed(self, job: Job) -> Job:
        """The job as it stands in the log, where it was begun."""
        if job.slot not in self._begun:
            return job
        logged = self._log.history.episode(self._begun[job.slot])
        return replace(job, episode=logged.id, texts=tuple(logged.texts))

    def _plan(self) -> None:
        """How many rollouts there are in all: as many as were wished until it is known which candidates there are."""
        most = self.wish.wide * self.wish.rollouts
        self.scheduler.tally.planned = sum(one.planned if one.candidates else most for one in self.points)

    # signs of life

    async def _beat_on(self) -> None:
        while True:
            await self._beat("running")
            await asyncio.sleep(BEAT)

    async def _beat(self, state: RunState) -> None:
        tally = self.scheduler.count()
        numbers = (tally.planned, tally.done, tally.failed, tally.running, tally.tokens_in, tally.tokens_out)
        progress = Progress(state, *numbers, tally.cost, tally.seconds, socket.gethostname(), os.getpid())
        await self._log.beat(self.run_id, progress)


async def _all(asked: Sequence[Any]) -> list[tuple[Reply, Identity, list[Call]]]:
    return [one for one in await asyncio.gather(*asked) if one is not None]


async def open_branching(
    bench: Workbench, wish: BranchWish | None = None, resume: str | None = None, table: Table | None = None
) -> Branching:
    """Everything that can be wrong with all points is said here; single ones are counted in `left_out`.

    A `table` that is given stays open behind the run. Raises BadPlan, BadPoint, Foreign, UnknownEpisode, UnknownRun,
    UnknownPlayer, SpecError, PlayerError and LogError.
    """
    log = await bench.log()
    done, begun, run = set[int](), dict[int, str](), ""
    if resume is not None:
        run, wish = await asyncio.to_thread(_begun, log, resume)
        done, begun = await asyncio.to_thread(log.queries.slots, run)
    assert wish is not None
    if wish.rollouts < 0 or not wish.wide or not wish.points:
        raise BadPlan("there is nothing to branch: name an episode and a ply, and at least one candidate")
    own = table is None
    table = table or bench.table(log.history)
    try:
        opened = Branching(bench, log, wish, run, table, own)
        opened.points = await asyncio.to_thread(_points, opened, log, bench.registry)
        await _seat_all(opened, table)
        if resume is None:
            if wish.texts and not wish.person:
                opened.wish = wish = replace(wish, person=await bench.people.pseudonym())
            config = {"branch": wish.as_json()}
            opened.run_id = await asyncio.to_thread(log.new_run, "branch", config, wish.seed, __version__)
    except BaseException:
        if own:
            await table.aclose()
        raise
    opened._done, opened._begun = done, begun
    opened.scheduler = Scheduler(
        (),
        _seating(table),
        log.recorder,
        run=opened.run_id,
        concurrency=wish.concurrency,
        limits=Limits(),
        done_before=len(done),
        taken=(Taken,),
        fatal=(LogError,),
        more=True,
    )
    opened._plan()
    return opened


def _seating(table: Table) -> Any:
    async def seat(spec: str, job: Job, role: Role) -> Player:
        return await table.seat(spec, game=job.game, role=role, language=job.instance.language)

    return seat


async def _seat_all(opened: Branching, table: Table) -> None:
    """Load every model once, so that one that is not here is named before anything is played."""
    seen = set[tuple[str, str, Role]]()
    for one in opened.points:
        match = one.where.match
        wanted = [*((spec, role) for role, spec in one.seats.items()), *((spec, one.where.role) for spec in one.by)]
        for spec, role in wanted:
            if (spec, match.game.name, role) not in seen:
                seen.add((spec, match.game.name, role))
                await table.seat(spec, game=match.game, role=role, language=match.instance.language)


def _begun(log: Log, wished: str) -> tuple[str, BranchWish]:
    found = log.queries.run(wished)
    if found.kind != "branch":
        raise UnknownRun(f"run {found.id} is no branch run ({found.kind})")
    return found.id, BranchWish.from_json(found.config["branch"])


def _points(opened: Branching, log: Log, registry: Registry) -> list[Growing]:
    """All points that can be branched. One alone raises why it cannot; of several, all must fail for that."""
    wish, found = opened.wish, list[Growing]()
    fault: Exception | None = None
    seen = set[tuple[str, int]]()
    for number, (episode, ply) in enumerate(wish.points):
        try:
            where = branches.point(log, episode, ply)
            if where.key in seen:
                continue
            seats, by = _players(where, wish, registry)
        except (BadPoint, Foreign, BadPlan) as error:
            fault = error
            opened.left_out[_reason(error)] += 1
            continue
        seen.add(where.key)
        found.append(Growing(number, where, seats, by))
    if not found and fault is not None:
        raise fault
    return found


def _reason(error: Exception) -> str:
    if isinstance(error, Foreign):
        return "imported, so that nothing here can play it on"
    if isinstance(error, BadPlan):
        return "a seat for which nobody is named to play on"
    return "cannot be replayed there"


def _players(where: Point, wish: BranchWish, registry: Registry) -> tuple[dict[Role, str], tuple[str, ...]]:
    """Who plays on at a point, and who writes candidates. Raises BadPlan, SpecError, UnknownPlayer."""
    game = where.match.game
    for role in wish.seats:
        if role not in game.roles:
            check("bot", game=game, role=role, registry=registry)  # raises with the nearest roles
    seats: dict[Role, str] = {}
    for role in game.roles:
        named = wish.seats.get(role) or wish.everybody
        seats[role] = _seat(named, role, where, wish, registry)
    by = tuple(_ready(spec, where.role, where, wish, registry, wish.candidates) for spec in wish.by)
    return seats, by or (_ready(seats[where.role], where.role, where, wish, registry, wish.candidates),)


def _seat(named: str, role: Role, where: Point, wish: BranchWish, registry: Registry) -> str:
    if not named:
        who = where.seats.get(role)
        if who is None or who.kind in ("human", "replay"):
            sat = {None: "nobody", "human": "a person", "replay": "a replay"}[None if who is None else who.kind]
            raise BadPlan(f"{sat} sat at {role}: name who plays on from there, such as --player {role}=bot")
        named = who.name
    return _ready(named, role, where, wish, registry, wish.rollouts)


def _ready(spec: str, role: Role, where: Point, wish: BranchWish, registry: Registry, times: int) -> str:
    """The spec with what makes it play as it should here: assisted as in the episode, and not the same every time."""
    named = check(spec, game=where.match.game, role=role, registry=registry)
    if named.kind in ("human", "replay"):
        raise BadPlan(f"{spec} cannot play unattended at {role}: name a model or a bot with --player {role}=PLAYER")
    if not named.is_model:
        return spec
    settings = dict(named.settings)
    helped = wish.assist if wish.assist is not None else _as_it_was(named, role, where)
    if helped is not None:
        settings.setdefault("assist", helped)
    entry = registry.entries.get(named.name) if named.kind == "name" else None
    greedy = "temperature" not in settings and entry is not None and entry.sampling.get("temperature") == 0
    if greedy and times > 1 and wish.temperature is not None:
        settings["temperature"] = wish.temperature
    return str(PlayerSpec(named.kind, named.name, named.code, settings))


def _as_it_was(named: PlayerSpec, role: Role, where: Point) -> bool | None:
    """Whether this model's seat was assisted in the episode; None where it did not sit there."""
    who = where.seats.get(role)
    same = who is not None and who.kind == "model" and parse(who.name).head == named.head
    return where.assisted.get(role) if same else None


def verdict_of(match: Match, text: str) -> str:
    """The game master's word on a reply: `ok` or `illegal`."""
    return match.play(text).steps[-1].verdict


def composed(match: Match, text: str) -> str:
    """What somebody typed as a reply in the game's form; one that has it already, or cannot be brought to it, stays."""
    role = match.turn
    assert role is not None
    view = match.view(role)
    if view.read(text) is not None:
        return text
    fields = view.fields
    return view.compose({fields[0].name: text}) if len(fields) == 1 else text


def points_in(
    log: Log, episodes: Sequence[str], roles: Sequence[Role], number: int, which: str, seed: int
) -> tuple[tuple[str, int], ...]:
    """Plies to branch at in each of these episodes: `number` of every, random or last turns (0: all) of the roles."""
    found: list[tuple[str, int]] = []
    for episode in episodes:
        plies = [ply for ply, role in branches.turns(log.reader(), episode) if not roles or role in roles]
        found += [(episode, ply) for ply in chosen(plies, number, which, f"{seed}:{episode}")]
    return tuple(found)


def chosen(plies: Sequence[int], number: int, which: str, seed: str) -> list[int]:
    """So many of these plies, in order: evenly spread (`every`), drawn (`random`), or the latest (`last`); 0: all."""
    if not number or number >= len(plies):
        return list(plies)
    if which == "last":
        return list(plies[-number:])
    if which == "random":
        from random import Random

        return sorted(Random(f"points:{seed}").sample(list(plies), number))
    return [plies[(2 * at + 1) * len(plies) // (2 * number)] for at in range(number)]
