"""The scheduler: many matches at once, so that every backend always has as much to do as it can take.

Each match is a lane: a task that drives it, turn by turn, into the log. A lane that ends makes room for the next job at
once. A lane that only waits at the gate of a busy backend gives its place to a job for an idle one, so a slow seat
stalls nobody else. A match whose player fails stands in the log as it is and can be resumed. Lanes can be watched,
held, stopped, and given other players while they go on.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, Literal, TypeAlias

from games.engine import Game, Instance, Match, Role
from players.base import Event, Failed, Identity, Player, PlayerError, Queued, Reply
from players.driver import drive
from players.gate import PASSING, Gate, Gated, Limits
from players.ports import NoRecorder, Place, Recorder

LaneState: TypeAlias = Literal["playing", "held", "done", "failed", "stopped"]
KEPT = 64
"""Lanes that can still be looked at after they have ended."""
CROWD = 4
"""At most so many times the wanted matches are under way, those that wait at gates included."""
AHEAD = 256
"""Jobs that are looked through for one whose players are free."""
FIRST = 8
"""So many first matches that all failed for the same reason end a run."""
PAUSED = PASSING | {"tripped", "budget"}
"""Kinds of failure that the gate judges: it pauses, and shuts for good where nothing gets better."""

Seating: TypeAlias = Callable[[str, "Job", Role], Awaitable[Player]]
"""Opens the player of a spec for a role of a job; one that was opened before may be given again."""


@dataclass(frozen=True, slots=True)
class Job:
    """One planned episode. `seed` is the match's and shared by its group; sampling seeds derive from `luck`."""

    slot: int
    game: Game
    instance: Instance
    seed: int
    luck: int
    seats: Mapping[Role, str]
    """Player specs."""
    group: str | None = None
    episode: str | None = None
    """The logged episode it goes on with, and the replies that were made in it."""
    texts: tuple[str, ...] = ()
    parent: str | None = None
    """The logged episode that it branches from at ply `fork`; `texts` begin with what was said there."""
    fork: int = 0
    first: First | None = None
    """What is said at the fork, whoever sits there."""


@dataclass(frozen=True, slots=True)
class First:
    """The candidate that a branch begins with, and who wrote it."""

    who: Identity
    reply: Reply


@dataclass(slots=True)
class Tally:
    """How a run stands. `planned` counts what this run is to play in all, with what was done before it was resumed."""

    planned: int = 0
    before: int = 0
    """Done before this process began."""
    done: int = 0
    """Finished, `before` included."""
    failed: int = 0
    running: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = None
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter[str])
    errors: Counter[str] = field(default_factory=Counter[str])
    """Failed matches by kind of trouble."""
    said: dict[str, str] = field(default_factory=dict[str, str])
    """What the first failure of each kind said."""
    draining: bool = False
    """Whether no more matches begin, and those under way end."""
    over: bool = False

    @property
    def left(self) -> int:
        """Episodes that are neither finished nor failed nor under way."""
        return max(0, self.planned - self.done - self.failed - self.running)

    @property
    def per_s(self) -> float:
        """Episodes that this process finished a second."""
        return (self.done - self.before) / self.seconds if self.seconds else 0.0

    @property
    def eta(self) -> float | None:
        """Seconds until all is played that still will be, at the pace so far; None where there is none of either."""
        coming = self.running if self.draining else self.planned - self.done - self.failed
        return coming / self.per_s if coming > 0 and self.per_s and not self.over else None


class Lane:
    """One match under way, or ended. Only the scheduler makes lanes; anybody in its loop may look and steer."""

    def __init__(self, scheduler: Scheduler, job: Job) -> None:
        self.job = job
        self.match = Match.new(job.game, job.instance, job.seed)
        for text in job.texts:
            self.match = self.match.play(text)
        self.episode = job.episode
        self.seats: dict[Role, Player] = {}
        self.state: LaneState = "playing"
        self.error = ""
        self.queued = False
        """Whether its player waits at a gate."""
        self._scheduler = scheduler
        self._going = asyncio.Event()
        self._going.set()
        self._task: asyncio.Task[None] | None = None
        self._interrupted = False

    @property
    def over(self) -> bool:
        """Whether nothing more happens here."""
        return self.state in ("done", "failed", "stopped")

    def hold(self) -> None:
        """Let the turn under way finish, then wait."""
        if self.state == "playing":
            self._going.clear()
            self._turn_to("held")

    def go_on(self) -> None:
        """Play again after a hold."""
        if self.state == "held":
            self._going.set()
            self._turn_to("playing")

    def stop(self) -> None:
        """Leave the match as it stands: unfinished in the log, to be resumed."""
        if not self.over and not self.match.over:
            self.state = "stopped"
            self._again()

    def sit(self, role: Role, player: Player) -> Player:
        """Change who sits there, at once: a reply under way is dropped, and logged. Returns who sat there before."""
        before, self.seats[role] = self.seats[role], player
        if self.match.turn == role:
            self._again()
        self._scheduler.tell(self)
        return before

    async def play(self, recorder: Recorder, place: Place) -> None:
        """Drive it to its end, whoever sits down meanwhile. Raises PlayerError and what the recorder raises."""
        if self.episode is None:
            identities = {role: player.identity for role, player in self.seats.items()}
            self.episode = await recorder.begin(self.match, identities, place)
            self._scheduler.tell(self)
        if self.job.first is not None and self.match.ply == self.job.fork:
            await self._begin_with(self.job.first, recorder)
        task = self._task = asyncio.current_task()
        assert task is not None
        while self.state != "stopped":
            try:
                self.match = await drive(
                    self.match,
                    self.seats,
                    recorder,
                    episode=self.episode,
                    emit=self._hear,
                    advanced=self._advanced,
                    luck=self.job.luck,
                    before=self._before,
                )
                return
            except asyncio.CancelledError:
                interrupted, self._interrupted = self._interrupted, False
                if not interrupted or task.uncancel():  # not a seat that changed hands: the run is stopped
                    raise
            finally:
                self.queued = False

    async def _begin_with(self, first: First, recorder: Recorder) -> None:
        assert self.episode is not None
        after = self.match.play(first.reply.text)
        await recorder.turn(self.episode, after, after.steps[-1], first.who, first.reply)
        self._advanced(after)

    async def _before(self) -> None:
        if not self._going.is_set():
            await self._going.wait()

    def _again(self) -> None:
        if self._task is not None and not self.match.over and not self._interrupted:
            self._interrupted = True
            self._task.cancel()

    def _advanced(self, match: Match) -> None:
        self.match = match
        self._scheduler.tell(self)

    def _hear(self, event: Event) -> None:
        queued = isinstance(event, Queued)
        if queued != self.queued:
            self.queued = queued
            self._scheduler.look()
        self._scheduler.tell(self, event)

    def _turn_to(self, state: LaneState) -> None:
        self.state = state
        self._scheduler.look()
        self._scheduler.tell(self)


class Scheduler:
    """Plays jobs, so many at once. `seating` opens players; each backend gets one gate with `limits`.

    `run` names the run that the episodes belong to. Exceptions of `taken` mean that somebody else plays this episode,
    which is passed over; those of `fatal`, that the log cannot be written, which ends the run. All others cost a match.
    Where there is `more` to come, the run goes on until `enough` says that all was added. `used` are tokens in and out
    by a player's name that count for its budget already.
    """

    def __init__(
        self,
        jobs: Iterable[Job],
        seating: Seating,
        recorder: Recorder | None = None,
        *,
        run: str | None = None,
        concurrency: int = 16,
        limits: Limits | None = None,
        prices: Callable[[Player], tuple[float, float] | None] = lambda player: None,
        done_before: int = 0,
        planned: int | None = None,
        taken: tuple[type[Exception], ...] = (),
        fatal: tuple[type[Exception], ...] = (),
        more: bool = False,
        used: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        self.lanes: OrderedDict[int, Lane] = OrderedDict()
        self.gates: dict[Hashable, Gate] = {}
        self._jobs = list(jobs)[::-1]
        total = len(self._jobs) + done_before
        self.tally = Tally(planned=total if planned is None else planned, before=done_before, done=done_before)
        self.run_id = run
        self.concurrency = concurrency
        self._seating = seating
        self._recorder: Recorder = recorder or NoRecorder()
        self._limits = limits or Limits()
        self._prices = prices
        self._taken = taken
        self._fatal = fatal
        self._players: dict[tuple[str, str, str, Role], Gated] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._listeners: list[Callable[[Lane, Event | None], None]] = []
        self._news = asyncio.Event()
        self._finishing = False
        self._more = more
        self._used = used or {}
        self._fault: BaseException | None = None
        self.hopeless = ""
        """What the first matches all failed with, where the run was ended because of it."""
        self._alike = Counter[tuple[str, str]]()
        """How often the first matches failed, by who sat there and the reason; of interest while that is one."""
        self._began: float | None = None
        self._ended: float | None = None
        self._live: dict[int, Lane] = {}
        self._ended_lately: deque[int] = deque()

    # steering and watching

    def listen(self, hear: Callable[[Lane, Event | None], None]) -> Callable[[], None]:
        """Hear of every event of every lane's players, and (None) of every change of match, seats or state."""
        self._listeners.append(hear)
        return lambda: self._listeners.remove(hear) if hear in self._listeners else None

    def tell(self, lane: Lane, event: Event | None = None) -> None:
        """Let listeners know."""
        for hear in tuple(self._listeners):
            hear(lane, event)

    def look(self) -> None:
        """See whether there is room for another match: somebody waits, or waits no longer."""
        self._news.set()

    def add(self, jobs: Iterable[Job]) -> None:
        """Plan more matches, behind those that wait; what was planned in all is for the caller to say."""
        self._jobs[:0] = list(jobs)[::-1]
        self.look()

    def enough(self) -> None:
        """No more matches are added: the run ends with those that there are."""
        self._more = False
        self.look()

    def finish(self) -> None:
        """Begin no more matches; those under way end."""
        self._finishing = True
        for lane in tuple(self.lanes.values()):
            lane.go_on()
        self.look()

    def stop(self) -> None:
        """Cancel all that is under way; what is committed stands."""
        self._finishing = True
        for task in self._tasks:
            task.cancel()
        self.look()

    @property
    def finishing(self) -> bool:
        """Whether no more matches begin."""
        return self._finishing

    # the run

    async def run(self) -> Tally:
        """Play everything. Raises what the recorder raises when the log cannot be written, after all lanes stopped."""
        self._began = monotonic()
        try:
            while True:
                self._news.clear()
                self._admit()
                self._count()
                if not self._tasks and (self._fault or self._finishing or not await self._may_go_on()):
                    break
                if self._tasks or (self._more and not self._jobs):
                    await self._wait()
        finally:
            for task in self._tasks:
                task.cancel()
            while self._tasks:
                await asyncio.wait(self._tasks)
            self._ended = monotonic()
            self._count()
        if self._fault is not None:
            raise self._fault
        return self.tally

    async def _wait(self) -> None:
        shut = [gate.opens_in for gate in self.gates.values() if gate.opens_in]
        try:
            async with asyncio.timeout(min(shut) + 0.01 if shut else None):
                await self._news.wait()
        except TimeoutError:
            return

    async def _may_go_on(self) -> bool:
        """Nothing is under way: whether jobs are left that some gate will let through, after its pause."""
        if not self._jobs:
            return self._more
        pauses = [
            max((gate.opens_in for gate in self._gates_of(job)), default=0.0)
            for job in self._jobs
            if not self._barred(job)
        ]
        if not pauses:
            return False
        await asyncio.sleep(min(pauses) + 0.01 if min(pauses) else 0)
        return True

    @property
    def playable(self) -> bool:
        """Whether some job is left that no gate keeps from being played for good."""
        return not all(map(self._barred, self._jobs))

    def _barred(self, job: Job) -> bool:
        return any(gate.dead or gate.spent for gate in self._gates_of(job))

    def _count(self) -> None:
        tally = self.tally
        if self._began is not None:
            tally.seconds = (self._ended or monotonic()) - self._began
        tally.running = len(self._live)
        tally.draining, tally.over = self._finishing, self._ended is not None
        used = [gate.used for gate in self.gates.values()]
        tally.tokens_in = sum(one.tokens_in for one in used)
        tally.tokens_out = sum(one.tokens_out for one in used)
        known = [one.cost for one in used if one.cost is not None]
        tally.cost = sum(known) if known else None

    def count(self) -> Tally:
        """The tally as of now."""
        self._count()
        return self.tally

    def _admit(self) -> None:
        """Begin matches while there is room."""
        while self._jobs and not self._finishing and self._fault is None:
            under_way = len(self._live)
            crowded = under_way >= self.concurrency
            if crowded:
                busy = sum(not lane.queued and lane.state == "playing" for lane in self._live.values())
                if busy >= self.concurrency or under_way >= CROWD * self.concurrency:
                    return
            job = self._next(crowded)
            if job is None:
                return
            self._begin(job)

    def _next(self, crowded: bool) -> Job | None:
        """The first job whose gates are open; where the tables are full of people who wait, one for an idle gate."""
        for at in range(len(self._jobs) - 1, max(-1, len(self._jobs) - 1 - AHEAD), -1):
            gates = self._gates_of(self._jobs[at])
            if any(gate.shut for gate in gates):
                continue
            if not crowded or (gates and all(gate.idle for gate in gates)):
                return self._jobs.pop(at)
        return None

    def _gates_of(self, job: Job) -> list[Gate]:
        """The gates of a job's players, as far as these were opened."""
        found = (self._players.get(self._key(job, role, spec)) for role, spec in job.seats.items())
        return [player.gate for player in found if player is not None]

    def _begin(self, job: Job) -> None:
        try:
            lane = Lane(self, job)
        except Exception as error:  # the texts of a resumed episode no longer fit the game
            self.tally.failed += 1
            self.tally.errors[f"{type(error).__name__} in {job.game.name}"] += 1
            return
        self.lanes[job.slot] = self._live[job.slot] = lane
        task = asyncio.ensure_future(self._play(lane))
        self._tasks.add(task)
        task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and self._fault is None:
            self._fault = error
            self.stop()
        self._news.set()

    async def _play(self, lane: Lane) -> None:
        """One lane from its seats to its end."""
        job = lane.job
        fork = None if job.parent is None else job.fork
        place = Place(run=self.run_id, slot=job.slot, group=job.group, parent=job.parent, fork_ply=fork)
        try:
            for role, spec in job.seats.items():
                lane.seats[role] = await self.seated(spec, job, role)
            await lane.play(self._recorder, place)
            if lane.state != "stopped":
                lane.state = "done"
                self.tally.done += 1
                self.tally.outcomes[lane.match.state.outcome or "unfinished"] += 1
        except PlayerError as error:
            self._fail(lane, error.kind, error.message)
            self._despair(lane, error)
            self.tell(lane, Failed(lane.match.turn or "", error))
        except asyncio.CancelledError:
            lane.state = "stopped"
            raise
        except self._taken as error:
            lane.state, lane.error = "stopped", str(error)
        except self._fatal as error:
            self._fail(lane, "log", str(error))
            raise
        except Exception as error:  # a fault of the game's: it costs this match, not the run
            told = PlayerError("crashed", f"{job.game.name} broke ({type(error).__name__}: {str(error)[:200]})")
            self._fail(lane, told.kind, told.message)
            await self._mark(lane, told)
        finally:
            lane.queued = False
            self._live.pop(job.slot, None)
            self._forget(job.slot)
            self.tell(lane)

    async def _mark(self, lane: Lane, error: PlayerError) -> None:
        """Say in the log where it broke; a player's failure is noted by the driver."""
        role = lane.match.turn
        if lane.episode is not None and role is not None:
            await self._recorder.failure(lane.episode, lane.match.ply, role, lane.seats[role].identity, error)

    def _fail(self, lane: Lane, kind: str, message: str) -> None:
        lane.state, lane.error = "failed", message
        self.tally.failed += 1
        self.tally.errors[kind] += 1
        self.tally.said.setdefault(kind, message)

    def _despair(self, lane: Lane, error: PlayerError) -> None:
        """Begin no more where all that came of the first matches is one reason of one player: the rest had no other."""
        if error.kind in PAUSED or self._more or len(self._alike) > 1:
            return
        seat = lane.seats.get(lane.match.turn or "")
        self._alike["" if seat is None else seat.identity.name, error.message] += 1
        alike = len(self._alike) == 1 and set(self.tally.errors) <= {error.kind, "tripped"}
        many = self._alike.total() >= FIRST and self.tally.done == self.tally.before
        if alike and many and self._jobs and not self._finishing:
            self.hopeless = error.message
            self.finish()

    def _forget(self, slot: int) -> None:
        """Let go of the lane that ended longest ago."""
        self._ended_lately.append(slot)
        if len(self._ended_lately) > KEPT:
            self.lanes.pop(self._ended_lately.popleft(), None)

    # players

    def _key(self, job: Job, role: Role, spec: str) -> tuple[str, str, str, Role]:
        return spec, job.game.name, job.instance.language, role

    async def seated(self, spec: str, job: Job, role: Role) -> Player:
        """The player of a spec for a role of a job, behind its gate. Raises what `seating` raises."""
        key = self._key(job, role, spec)
        if key not in self._players:
            self._players[key] = self.gated(await self._seating(spec, job, role))
        return self._players[key]

    def gated(self, player: Player) -> Gated:
        """This player behind the gate of its backend, which is made with the first."""
        backend: Hashable = getattr(player, "backend", None) or player.identity.name
        client: Any = getattr(player, "client", None)
        if hasattr(client, "max_retries"):
            client.max_retries = 0  # the gate asks again, as often as its limits say
        if backend not in self.gates:
            parallel = getattr(player, "parallel", None) or (
                self._limits.parallel if player.identity.kind == "model" else CROWD * self.concurrency
            )
            limits = replace(self._limits, parallel=parallel)
            self.gates[backend] = Gate(player.identity.name, limits, self._prices(player))
        if player.identity.name in self._used:
            self.gates[backend].before[player.identity.name] = self._used[player.identity.name]
        return Gated(player, self.gates[backend])
