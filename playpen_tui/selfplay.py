"""Self-play as the workbench runs it: a plan becomes a run in the log, its players are opened, and a scheduler plays.

No screen here. The command prints how far it is, the stands show it, a notebook awaits it: all hold a `SelfPlay`. Its
pulse goes into the log once a second, so that other processes can see whether it lives.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from games import catalog
from games.engine import Role
from players.base import Player, PlayerError
from players.gate import Gate, Limits
from players.opening import Table, check
from players.plan import (
    BadPlan,
    Plan,
    Seats,
    check_roles,
    fingerprint,
    jobs,
    material,
    names_of,
    size,
    specs,
    tables,
)
from players.ports import NoRecorder
from players.scheduler import Job, Scheduler, Tally
from players.spec import PlayerSpec, parse
from playpen_tui import __version__
from playpen_tui.overview import SILENCE
from playpen_tui.workbench import Workbench
from store.errors import DiskFull, LogError, Taken, UnknownRun
from store.log import Log
from store.records import Progress, RunRow, RunState

BEAT = 1.0
"""Seconds between two signs of life in the log."""
CONCURRENCY = 16
"""Matches at once, where nobody says."""
FREE = frozenset({"llamacpp", "transformers", "vllm"})
"""Backends that run on machines of one's own: they cost nothing."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asked for: a plan or a run to resume, and how hard to go at it."""

    plan: Plan | None = None
    resume: str | None = None
    concurrency: int | None = None
    limits: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Those fields of `Limits` that somebody named. The others, and the concurrency, are as the run began."""
    record: bool = True
    kind: Literal["self_play", "eval"] = "self_play"
    """What the log calls the run; one that is evaluated is not resumed."""


class SelfPlay:
    """A run that can be played: `async with` nothing, `await run()`, then read `scheduler.tally`."""

    def __init__(
        self,
        plan: Plan,
        scheduler: Scheduler,
        log: Log | None,
        run: str,
        table: Table,
        *,
        own: bool = True,
        resumable: bool = True,
        named: Mapping[str, Any] | None = None,
        seating: Callable[[str], None] = lambda spec: None,
    ) -> None:
        self.plan = plan
        self.scheduler = scheduler
        self.run_id = run
        self._log = log
        self._table = table
        self._own = own
        self._resumable = resumable
        self.named: Mapping[str, Any] = named or {}
        """Limits that the log does not know: those that were named when it was resumed."""
        self.fault: LogError | None = None
        """What kept the log from being written."""
        self._may_sit = seating

    async def run(self) -> Tally:
        """Play it all. Raises LogError where the log cannot be written."""
        beating = asyncio.ensure_future(self._beat_on())
        state: RunState = "stopped"
        try:
            tally = await self.scheduler.run()
            over = tally.done if self._resumable else tally.done + tally.failed
            state = "done" if over >= tally.planned else "stopped"  # what failed is played when it is resumed
            return tally
        except LogError as error:
            self.fault = error
            raise
        finally:
            beating.cancel()
            await asyncio.wait([beating])
            try:
                await self._beat(state)
            finally:
                if self._own:
                    await self._table.aclose()

    async def open(self, spec: str, job: Job, role: Role) -> Player:
        """A player for a seat that changes hands, behind the gate of its backend. Raises PlayerError and the like."""
        self._may_sit(spec)
        player = await self._table.seat(spec, game=job.game, role=role, language=job.instance.language)
        return self.scheduler.gated(player)

    @property
    def spent(self) -> Gate | None:
        """The gate whose budget is used up, where matches are left because of it."""
        tally = self.scheduler.tally
        gates = self.scheduler.gates.values() if tally.done < tally.planned else ()
        return next((gate for gate in gates if gate.spent), None)

    @property
    def kept(self) -> bool:
        """Whether the run is in the log and can be resumed."""
        return self._log is not None and self._resumable

    @property
    def reason(self) -> str:
        """What ended the run before its end, in a word or two."""
        if self.fault is not None:
            return "disk full" if isinstance(self.fault, DiskFull) else "log not written"
        return "all failed alike" if self.scheduler.hopeless else "budget spent" if self.spent else ""

    def document(self) -> dict[str, Any]:
        """How the run stands, for `--json`."""
        tally = self.scheduler.count()
        spent = self.spent
        return {
            "run": self.run_id,
            "games": list(self.plan.games),
            "players": list(names_of(self.plan)),
            "planned": tally.planned,
            "done": tally.done,
            "done_before": tally.before,
            "failed": tally.failed,
            "running": tally.running,
            "left": tally.left,
            "stopped_by": spent.spent if spent else None,
            "outcomes": dict(sorted(tally.outcomes.items())),
            "errors": dict(sorted(tally.errors.items())),
            "tokens_in": tally.tokens_in,
            "tokens_out": tally.tokens_out,
            "cost": tally.cost,
            "seconds": round(tally.seconds, 3),
            "episodes_per_s": round(tally.per_s, 3),
            "tokens_per_s": round(tally.tokens_out / tally.seconds, 2) if tally.seconds else 0.0,
            "backends": {
                gate.name: {
                    "asked": gate.used.asked,
                    "failed": gate.used.failed,
                    "retried": gate.used.retried,
                    "tokens_in": gate.used.tokens_in,
                    "tokens_out": gate.used.tokens_out,
                    "cost": gate.used.cost,
                    "errors": dict(gate.used.errors),
                }
                for gate in self.scheduler.gates.values()
            },
        }

    async def _beat_on(self) -> None:
        while True:
            await self._beat("running")
            await asyncio.sleep(BEAT)

    async def _beat(self, state: RunState) -> None:
        if self._log is None:
            return
        tally = self.scheduler.count()
        await self._log.beat(
            self.run_id,
            Progress(
                state=state,
                planned=tally.planned,
                done=tally.done,
                failed=tally.failed,
                running=tally.running,
                tokens_in=tally.tokens_in,
                tokens_out=tally.tokens_out,
                cost=tally.cost,
                seconds=tally.seconds,
                host=socket.gethostname(),
                pid=os.getpid(),
            ),
        )


async def open_selfplay(bench: Workbench, wish: Wish, table: Table | None = None) -> SelfPlay:
    """Everything that can be wrong is said here, before the first match: names, seats, instances, models that are gone.

    A `table` that is given stays open behind the run: the next one finds its models loaded, and its owner closes it.
    Raises BadPlan, UnknownGame, UnknownInstance, UnknownPlayer, SpecError, PlayerError (also where the budget of a run
    is spent already) and LogError (also where another process plays the run right now).
    """
    log = await bench.log() if wish.record or wish.resume else None
    plan, run, done, begun = wish.plan, "", set[int](), dict[int, str]()
    limits, concurrency, used = _limits(wish, {}), wish.concurrency or CONCURRENCY, dict[str, tuple[int, int]]()
    if wish.resume is not None:
        assert log is not None
        found, plan = await asyncio.to_thread(_resumed, log, wish.resume, wish.plan)
        run, limits = found.id, _limits(wish, found.config)
        concurrency = wish.concurrency or int(found.config.get("concurrency") or CONCURRENCY)
        done, begun = await asyncio.to_thread(log.queries.slots, run)
        if limits.tokens is not None or limits.cost is not None:
            used = await asyncio.to_thread(log.queries.used, run)
    assert plan is not None

    def may_sit(spec: str) -> None:
        if limits.cost is not None:
            _priced(bench, spec)

    check_plan(plan, bench)
    for spec in dict.fromkeys(spec for spec, _, _ in specs(plan)):
        may_sit(spec)
    planned = list(jobs(plan))
    own = table is None
    table = table or bench.table(log.history if log else None)

    async def seating(spec: str, job: Job, role: Role) -> Player:
        return await table.seat(spec, game=job.game, role=role, assist=plan.assist, language=job.instance.language)

    try:
        for spec, game, role in specs(plan):
            await table.seat(spec, game=game, role=role, assist=plan.assist, language=plan.language)
        if wish.resume is None and log is not None:  # only now: of what cannot be seated nothing is left in the log
            config = {"plan": plan.as_json(), "fingerprint": fingerprint(plan), "planned": len(planned)}
            config |= {"of": size(plan), "concurrency": concurrency, "limits": asdict(limits)}
            run = await asyncio.to_thread(log.new_run, wish.kind, config, plan.seed, __version__)
        waiting = await asyncio.to_thread(_waiting, log, plan, run, done, begun)
        scheduler = Scheduler(
            waiting,
            seating,
            log.recorder if log else NoRecorder(),
            run=run or None,
            concurrency=concurrency,
            limits=limits,
            prices=lambda player: _price(bench, player),
            done_before=len(planned) - len(waiting),
            taken=(Taken,),
            fatal=(LogError,),
            used=used,
        )
        if used:
            await _within_budget(scheduler, waiting, run)
    except BaseException:
        if own:
            await table.aclose()
        raise
    resumable, named = wish.kind == "self_play", wish.limits if wish.resume else None
    return SelfPlay(plan, scheduler, log, run, table, own=own, resumable=resumable, named=named, seating=may_sit)


def _limits(wish: Wish, config: Mapping[str, Any]) -> Limits:
    """What was named, else as the run began, else the usual."""
    known = {one.name for one in fields(Limits)}  # a run of another version may have had others
    begun = {key: value for key, value in (config.get("limits") or {}).items() if key in known}
    return replace(Limits(**begun), **wish.limits)


async def _within_budget(scheduler: Scheduler, waiting: Sequence[Job], run: str) -> None:
    """Seat everybody who is left to play, so that their gates know what is spent. Raises PlayerError where all is."""
    for job in waiting:
        for role, spec in job.seats.items():
            await scheduler.seated(spec, job, role)
    spent = next((gate for gate in scheduler.gates.values() if gate.spent), None)
    if waiting and spent is not None and not scheduler.playable:
        words, option, above = budget(spent)
        raise PlayerError("budget", f"{words}, so run {run} cannot go on: resume it with {option} N, N above {above}")


def budget(gate: Gate) -> tuple[str, str, str]:
    """A budget that is used up in words, the option that raises it, and what the new one must be above."""
    if gate.spent == "tokens":
        return f"the budget of {gate.limits.tokens:,} tokens for {gate.name} is spent", "--max-tokens", f"{gate.tokens}"
    return f"the budget of ${gate.limits.cost:,.10g} for {gate.name} is spent", "--max-cost", f"{gate.cost:.6g}"


def _priced(bench: Workbench, spec: str) -> None:
    """Raises BadPlan where a limit of costs would be none, since nobody knows what this player costs."""
    named = parse(spec)
    entry, backend = bench.registry.entries.get(named.head), _backend(bench, named)
    if not named.is_model or backend in FREE or (entry is None and named.kind == "name"):  # the Llama of this machine
        return
    if entry is not None and entry.price_in is not None and entry.price_out is not None:
        return
    mine = entry is not None and entry.source == "user"
    model = entry.model if entry else named.name
    where = f"edit {named.head}" if mine else f"add NAME --backend {backend} --model {model} --base-url URL"
    raise BadPlan(
        f"the price of {named.head} is not known, so --max-cost would not hold it back: give it one with `playpen-tui"
        f" models {where} --price-in USD --price-out USD`" + ("" if mine else ", and let NAME play")
    )


def _backend(bench: Workbench, named: PlayerSpec) -> str:
    """What runs it: as its entry in the registry says, else as it is called."""
    entry = bench.registry.entries.get(named.head)
    return entry.backend if entry else named.kind


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a plan comes to."""

    episodes: int
    games: tuple[tuple[str, int, tuple[Seats, ...]], ...]
    """Each game, how many instances it has to play, and who sits where at each of its tables."""


def outlook(plan: Plan, bench: Workbench) -> Outlook:
    """Count a run before it is begun, and see that its names are known and its seats taken; opens nobody.

    Raises what `check_plan` raises, and UnknownInstance.
    """
    check_plan(plan, bench)
    games = [catalog.get(name) for name in plan.games]
    found = [(game.name, len(material(plan, game)), tuple(tables(plan, game))) for game in games]
    return Outlook(size(plan), tuple(found))


def check_plan(plan: Plan, bench: Workbench) -> None:
    """Names and seats, without opening anybody. Raises BadPlan, UnknownGame, UnknownPlayer and SpecError."""
    check_roles(plan)
    for spec, game, role in specs(plan):
        named = parse(spec)
        if _backend(bench, named) == "transformers" and named.settings.get("assist", plan.assist):
            raise BadPlan(
                f"transformers keeps no grammar here, so {named.head} cannot be assisted: leave that out, or name"
                " llamacpp: or vllm:"
            )
        if named.kind == "human":
            raise BadPlan(
                f"{spec} cannot sit at {role} of an unattended match: play, or take a seat while you spectate"
            )
        check(spec, game=game, role=role, registry=bench.registry)


def _resumed(log: Log, wished: str, plan: Plan | None) -> tuple[RunRow, Plan]:
    """The run to go on with, and its plan as it was."""
    found = log.queries.run(wished)
    if found.kind != "self_play":
        raise UnknownRun(f"run {found.id} is no self-play ({found.kind}); `playpen-tui spectate` lists those there are")
    begun = Plan.from_json(found.config["plan"])
    if plan is not None and replace(plan, shard=begun.shard) != begun:
        raise BadPlan(f"run {found.id} was planned otherwise: resume it without games, players and seats")
    if fingerprint(begun) != found.config["fingerprint"]:
        raise BadPlan(
            f"the games or their instances are not what they were when run {found.id} began: resume it with the version"
            f" that began it ({found.app_version}), or begin a new one"
        )
    told = found.progress
    if told is not None and told.word(SILENCE) == "running" and _lives(told.host, told.pid):
        raise Taken(
            f"run {found.id} is being played right now, by process {told.pid} on {told.host}: watch it with"
            f" `playpen-tui spectate --run {found.id}`, or try again {SILENCE:g} s after that process has ended"
        )
    return found, begun


def _lives(host: str, pid: int) -> bool:
    """Whether a process may still be there: only on this machine can it be seen to be gone."""
    if host != socket.gethostname() or os.name == "nt":  # on Windows, to ask would be to end it
        return True
    try:
        os.kill(pid, 0)
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())  # one that nobody has waited for yet has no words
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's, or a system without such a folder
        return True


def _waiting(log: Log | None, plan: Plan, run: str, done: set[int], begun: Mapping[int, str]) -> list[Job]:
    """The jobs that are left, those that were begun with their replies so far."""
    found: list[Job] = []
    for job in jobs(plan, run):
        if job.slot in done:
            continue
        if job.slot in begun and log is not None:
            if log.history.erased(begun[job.slot]):
                continue  # its place is taken, and nobody can go on from words that are gone
            logged = log.history.episode(begun[job.slot])
            job = replace(job, episode=logged.id, texts=tuple(logged.texts))
        found.append(job)
    return found


def _price(bench: Workbench, player: Player) -> tuple[float, float] | None:
    """US dollars per million tokens in and out, where the registry knows them."""
    entry = bench.registry.entries.get(player.identity.name.partition("?")[0])
    price_in, price_out = getattr(entry, "price_in", None), getattr(entry, "price_out", None)
    return None if price_in is None and price_out is None else (price_in or 0.0, price_out or 0.0)


def line(opened: SelfPlay) -> str:
    """`self-play 01JD…  812 of 2,000 done · 14 running · 3 failed · 41/s · 1,140 tok/s · ETA 6 min`."""
    counts, more = told(opened)
    return f"self-play {opened.run_id[:10]}  " + " · ".join((*counts, *more))


def told(opened: SelfPlay) -> tuple[list[str], list[str]]:
    """How far it is: matches done, running and failed; then rates, cost and the time that is left, as far as known."""
    tally = opened.scheduler.count()
    counts = [f"{tally.done:,} of {tally.planned:,} done", f"{tally.running:,} running", f"{tally.failed:,} failed"]
    if tally.over:
        del counts[1]
    parts: list[str] = []
    if tally.per_s:
        parts.append(f"{tally.per_s:,.0f}/s" if tally.per_s >= 100 else f"{tally.per_s:.3g}/s")
    if tally.tokens_out:
        parts.append(f"{tally.tokens_out / max(tally.seconds, 1e-9):,.0f} tok/s")
    if tally.cost is not None:
        parts.append(f"${tally.cost:,.2f}")
    if tally.eta is not None:
        parts.append(f"ETA {span(tally.eta)}")
    if tally.draining and not tally.over:
        parts.append("no more begin")
    return counts, parts


def span(seconds: float) -> str:
    """A time in words: `40 s`, `6 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
