"""The stands: a run of this process, a run of another through the file, episodes from the log. No screen.

Each is a `Stand`: it offers matches to be watched, says how the whole goes, and tells when something has changed. The
first streams tokens and can be steered; the second sees turns as they are committed; the third goes step by step.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from games import catalog
from games.engine import Match, Role
from players.base import Event, Player
from players.choosing import Choose, Chooser
from players.human import HumanPlayer
from players.scheduler import Lane, LaneState
from playpen_tui.doing import BUSY
from playpen_tui.overview import SILENCE
from playpen_tui.plain_text import bare
from playpen_tui.selfplay import SelfPlay, open_selfplay, span, told
from playpen_tui.sitting import BadSetup
from playpen_tui.watching import BOOKMARK, PLACES, Ability, Listeners, Stand, Watch, Watched, headline
from playpen_tui.workbench import Workbench
from store.follow import Follower, News
from store.history import FOREIGN, is_erased
from store.log import Log
from store.recorded import positions
from store.records import Progress


class LiveStand(Listeners):
    """A run of this process. `follow` plays it; leaving the stands does not stop it."""

    abilities: frozenset[Ability] = frozenset({"hold", "stop", "seat", "bookmark"})

    def __init__(self, played: SelfPlay, bench: Workbench) -> None:
        super().__init__()
        self.played = played
        self.title = f"self-play {played.run_id[:10]}"
        self._bench = bench
        self._seen: dict[int, Watched] = {}
        self._before: dict[tuple[int, Role], Player] = {}
        self._choosers: dict[int, Chooser] = {}
        self.finished = False
        self.everything = False
        """Whether every match is told of, and not only those that were offered."""

    def head(self, width: int = 1000) -> str:
        """How far the run is."""
        counts, more = told(self.played)
        run = self.played.run_id[:10]
        reason = self.played.reason or "over" if self.finished else ""
        return headline((self.title, run, ""), counts, more, width, reason)

    def offered(self) -> list[Watched]:
        """Matches under way, in order, then those that ended lately."""
        lanes = [lane for lane in self.played.scheduler.lanes.values() if lane.seats]
        found = [self._of(lane) for lane in sorted(lanes, key=lambda lane: lane.over)]
        return found

    async def follow(self) -> None:
        """Play the run to its end."""
        stop = self.played.scheduler.listen(self._hear)
        try:
            await self.played.run()
        finally:
            stop()
            self.finished = True
            self.tell(None)

    def _of(self, lane: Lane) -> Watched:
        watched = self._seen.get(lane.job.slot)
        if watched is None or watched.lane is not lane:
            watched = self._seen[lane.job.slot] = Watched(str(lane.job.slot), lane.match, {}, lane=lane)
            if len(self._seen) > 1024:
                for slot in [slot for slot in self._seen if slot not in self.played.scheduler.lanes]:
                    del self._seen[slot]
        _refresh(watched, lane)
        return watched

    def _hear(self, lane: Lane, event: Event | None) -> None:
        watched = self._seen.get(lane.job.slot)
        if watched is None or watched.lane is not lane:
            if not self.everything:
                return  # nobody looks at it; when somebody does, it is read off the lane
            watched = self._of(lane)
        if event is not None:
            if isinstance(lane.seats.get(event.role), HumanPlayer):
                return  # a person thinks without a clock
            watched.doing.hear(event)
        else:
            _refresh(watched, lane)
        self.tell(watched)

    def hold(self, watched: Watched) -> None:
        """Hold a match, or let it go on."""
        assert watched.lane is not None
        (watched.lane.go_on if watched.lane.state == "held" else watched.lane.hold)()

    def stop(self, watched: Watched) -> None:
        """Leave a match unfinished in the log."""
        assert watched.lane is not None
        watched.lane.stop()

    def wait(self, watched: Watched) -> bool:
        """Hold a match that plays until `go_on`; whether it did."""
        if watched.lane is None or watched.lane.state != "playing":
            return False
        watched.lane.hold()
        return True

    def go_on(self, watched: Watched) -> None:
        """Let a match that is held go on."""
        assert watched.lane is not None
        watched.lane.go_on()

    async def seat(self, watched: Watched, role: Role, spec: str) -> None:
        """Give a seat to another player, at once. Raises PlayerError and the like for one that is not there."""
        assert watched.lane is not None
        if spec.partition(":")[0] == "human":
            player: Player = HumanPlayer(await self._bench.people.pseudonym())
        else:
            player = await self.played.open(spec, watched.lane.job, role)
        watched.changed_hands = True
        if (chooser := self._choosers.get(watched.lane.job.slot)) is not None:
            player = chooser.seat(player)
        before = watched.lane.sit(role, player)
        self._before.setdefault((watched.lane.job.slot, role), before)

    def hand_back(self, watched: Watched, role: Role) -> bool:
        """Give a seat back to whom it was taken from; False where it was not taken."""
        assert watched.lane is not None
        before = self._before.pop((watched.lane.job.slot, role), None)
        if before is not None:
            watched.lane.sit(role, before)
        return before is not None

    def choosing(self, watched: Watched, choose: Choose, told: Callable[[str], object]) -> Chooser:
        """Whoever chooses which of two replies goes on in this match, from the next ask on; made by the first call."""
        assert watched.lane is not None
        slot, seats = watched.lane.job.slot, watched.lane.seats
        if slot not in self._choosers:
            chooser = self._choosers[slot] = Chooser(choose, told)
            seats.update({role: chooser.seat(player) for role, player in seats.items()})
            self._before.update({at: chooser.seat(player) for at, player in self._before.items() if at[0] == slot})
        chooser = self._choosers[slot]
        chooser.choose, chooser.told = choose, told
        return chooser

    def chooser(self, watched: Watched) -> Chooser | None:
        """Whoever chooses in this match, where somebody does."""
        return None if watched.lane is None else self._choosers.get(watched.lane.job.slot)

    def choose_no_more(self) -> None:
        """Nobody looks any more: replies go on as they come."""
        for chooser in self._choosers.values():
            chooser.mode = "off"
            chooser.enough()

    def taken(self, watched: Watched) -> list[Role]:
        """Seats of this match that were given to somebody else."""
        return [role for slot, role in self._before if watched.lane and slot == watched.lane.job.slot]


def _refresh(watched: Watched, lane: Lane) -> None:
    """Bring a watched match up to its lane."""
    watched.match, watched.episode, watched.state, watched.error = lane.match, lane.episode, lane.state, lane.error
    watched.names = _named({role: player.identity.name for role, player in lane.seats.items()}, lane.seats)
    watched.doing.seat({role: bool(getattr(player, "assist", False)) for role, player in lane.seats.items()})
    player = lane.seats.get(lane.match.turn or "")
    human = isinstance(player, HumanPlayer) and player.unheard is None
    _turn(watched, human)
    if watched.over and watched.ended_at is None:
        watched.ended_at = time.monotonic()


def _turn(watched: Watched, to_speak: bool) -> None:
    """Say whose turn it is; once a match has ended, however it did, nobody waits or is at work."""
    watched.doing.turn(None if watched.over else watched.match.turn, to_speak)
    for role, state in watched.doing.states.items():
        if watched.over and state.doing in BUSY:
            watched.doing.stopped(role)


def _named(names: Mapping[Role, str], seats: Mapping[Role, Player] | None = None) -> dict[Role, str]:
    """Names for a screen: settings left out, and oneself is `you`."""
    mine = {role for role, player in (seats or {}).items() if isinstance(player, HumanPlayer)}
    return {role: "you" if role in mine else bare(name) for role, name in names.items()}


class FollowStand(Listeners):
    """A run of another process, through the file."""

    def __init__(self, log: Log, run: str) -> None:
        super().__init__()
        found = log.queries.run(run)
        self.run_id = found.id
        self.title = f"self-play {found.id[:10]}"
        self.progress: Progress | None = found.progress
        self.finished = found.finished
        self._resumable = found.kind == "self_play"
        self._log = log
        self._seen: dict[str, Watched] = {}
        self._stands = False

    @property
    def word(self) -> str:
        """`running`, `stopped`, `done`, or `killed` where it has been silent too long."""
        if self.progress is None:
            return "not begun"
        word, far = self.progress.word(SILENCE), self.progress
        unfinished = self._resumable and far.done < far.planned  # earlier versions called it done where some failed
        return "stopped" if word == "done" and unfinished else word

    @property
    def abilities(self) -> frozenset[Ability]:
        """A self-play run that is not over can be resumed here."""
        still = self._resumable and self.word in ("killed", "stopped")
        return frozenset({"bookmark", "resume"}) if still else frozenset({"bookmark"})

    def head(self, width: int = 1000) -> str:
        """How far the run is, as its process last said."""
        run = self.run_id[:10]
        if self.progress is None:
            return headline((self.title, run, ""), (f"{self.finished:,} done", self.word), (), width)
        far, more = self.progress, list[str]()
        running = self.word == "running"
        counts = [f"{far.done:,} of {far.planned:,} done", f"{far.running:,} running", f"{far.failed:,} failed"]
        if not running:
            counts[1] = self.word
        if far.seconds and far.tokens_out:
            more.append(f"{far.tokens_out / far.seconds:,.0f} tok/s")
        left, pace = far.planned - far.done - far.failed, far.done / far.seconds if far.seconds else 0.0
        if running and left and pace:
            more.append(f"ETA {span(left / pace)}")
        return headline((self.title, run, ""), counts, more, width)

    def offered(self) -> list[Watched]:
        """Those that are known, those that go on first."""
        return sorted(self._seen.values(), key=lambda watched: watched.over)

    async def follow(self) -> None:
        """Take in what is committed, for ever."""
        follower = Follower(self._log.path, run=self.run_id)
        try:
            await follower.open()
            self._look_whether_it_stands()
            await self._fill()
            ticks = 0
            while True:
                news = await follower.look()
                if news:
                    await self._take(news)
                ticks += 1
                if ticks % 20 == 0:
                    self._look_whether_it_stands()
                    self.tell(None)  # silence is news, too
                await asyncio.sleep(0.05)
        finally:
            await follower.close()

    def _look_whether_it_stands(self) -> None:
        """Nobody is to speak where no process plays."""
        stands = self.word in ("killed", "stopped")
        if stands != self._stands:
            self._stands = stands
            for watched in self._seen.values():
                _next(watched, stands)
                self.tell(watched)

    async def _fill(self) -> None:
        """Places that are free go to matches that moved last; where nothing moves, to those that ended last."""
        for row in await asyncio.to_thread(self._log.queries.live, self.run_id, PLACES):
            if sum(not watched.over for watched in self._seen.values()) >= PLACES:
                break
            if row.id not in self._seen:
                await self._load(row.id)
        if not self._seen and self.word != "running":
            for row in await asyncio.to_thread(self._log.queries.ended, self.run_id, PLACES):
                await self._load(row.id)

    async def _load(self, episode: str) -> None:
        watched = await asyncio.to_thread(_loaded, self._log, episode)
        if watched is not None:
            _next(watched, self._stands)
            self._seen[episode] = watched
            self.tell(watched)

    async def _take(self, news: News) -> None:
        self.progress = news.progress or self.progress
        for turn in news.turns:
            watched = self._seen.get(turn.episode)
            if watched is None:
                continue
            if watched.match.ply == turn.ply and not watched.match.over:
                watched.match = watched.match.play(turn.text)
                name = bare(turn.player)
                watched.changed_hands |= name != watched.names[turn.role]
                watched.names[turn.role] = name
                watched.doing.of(turn.role).assisted = turn.assisted
                _next(watched, self._stands)
            elif watched.match.ply < turn.ply:
                await self._load(turn.episode)
            self.tell(watched)
        for episode, outcome in news.ended:
            self._end(episode, "done", outcome)
        for episode, message in news.failed:
            self._end(episode, "failed", message)
        self._forget()
        if sum(not watched.over for watched in self._seen.values()) < PLACES:
            await self._fill()
        self.tell(None)

    def _end(self, episode: str, state: LaneState, error: str) -> None:
        watched = self._seen.get(episode)
        if watched is not None:
            watched.state, watched.ended_at = state, time.monotonic()
            watched.error = error if state == "failed" else ""
            _next(watched, self._stands)
            self.tell(watched)

    def _forget(self) -> None:
        ended = [key for key, watched in self._seen.items() if watched.over and not watched.bookmarked]
        for key in ended[: max(0, len(ended) - 4 * PLACES)]:
            del self._seen[key]


def _next(watched: Watched, stands: bool) -> None:
    """Say whose turn it is: of a player in another process nothing else is known until it has spoken.

    Where the run `stands` still, it will not.
    """
    for role in watched.names:
        if watched.doing.of(role).doing == "stopped":
            watched.doing.of(role).doing = "waiting"  # the run may have gone on
    _turn(watched, to_speak=True)
    if stands and not watched.over and watched.match.turn is not None:
        watched.doing.stopped(watched.match.turn)


def _loaded(log: Log, episode: str) -> Watched | None:
    """An episode as it stands in the log; None where its game is not here in the version it was played with.

    An imported one needs no game: it is shown from its messages, and has all its positions in `steps`. So is one in
    which words were erased, since they cannot be played again.
    """
    logged = log.history.episode(episode)
    detail = log.queries.detail(logged.id)
    steps: list[Match] = []
    if logged.version == FOREIGN or is_erased(log.reader(), logged.id):
        steps = positions(detail)
        match = steps[-1]
    else:
        try:
            match = log.history.match(episode, catalog.get(logged.game))
        except (LookupError, ValueError):
            return None
    names = {role: "you" if who.kind == "human" else who.name for role, who in logged.seats.items()}
    state: LaneState = "done" if logged.outcome is not None else "playing"
    watched = Watched(episode, match, _named(names), episode=episode, state=state, steps=steps)
    watched.doing.seat({turn.role: turn.assisted for turn in detail.turns})
    watched.ended_at = time.monotonic() if watched.over else None
    watched.bookmarked = bool(log.queries.tagged(BOOKMARK, [episode]))
    return watched


class ReplayStand(Listeners):
    """Episodes from the log, ply by ply. `speed` is plies a second."""

    abilities: frozenset[Ability] = frozenset({"step", "bookmark"})

    def __init__(self, watched: Iterable[Watched], title: str = "replay") -> None:
        super().__init__()
        self._episodes = list(watched)
        self.title = title
        self.speed = 1.0

    def head(self, width: int = 1000) -> str:
        """Whether it goes on or pauses, how fast, and where it stands."""
        going = sum(one.running for one in self._episodes)
        ended = sum(one.match is one.steps[-1] for one in self._episodes)
        word = "playing" if going else "at the end" if ended == len(self._episodes) else "paused"
        if len(self._episodes) == 1:
            (one,) = self._episodes
            at = f"ply {one.match.ply} of {len(one.steps) - 1}"
        else:
            at = f"{ended} of {len(self._episodes)} at their end"
        pace = f"{self.speed:g} pl{'y' if self.speed == 1 else 'ies'} a second"
        return headline((self.title, "replay", ""), (word, at), (pace,), width)

    def offered(self) -> list[Watched]:
        """All of them."""
        return self._episodes

    async def follow(self) -> None:
        """Let time pass."""
        while True:
            await asyncio.sleep(1 / self.speed)
            for watched in self._episodes:
                if watched.running:
                    self.step(watched, 1)

    def step(self, watched: Watched, by: int) -> None:
        """So many plies forward or, negative, back."""
        at = min(max(0, watched.match.ply + by), len(watched.steps) - 1)
        if watched.steps[at] is not watched.match:
            watched.match = watched.steps[at]
            watched.state = "done" if watched.match.over else "playing"
            _turn(watched, to_speak=False)
        if at == len(watched.steps) - 1:
            watched.running = False
        self.tell(watched)
        self.tell(None)

    def pause(self, watched: Watched) -> None:
        """Let it go on by itself, or stop that; at the end it begins anew."""
        watched.running = not watched.running
        if watched.running and watched.match is watched.steps[-1]:
            watched.match, watched.state = watched.steps[0], "playing"
            _turn(watched, to_speak=False)
        self.tell(watched)

    def faster(self, by: float) -> None:
        """Change the pace, between a ply in two seconds and eight a second."""
        self.speed = min(8.0, max(0.5, self.speed * by))
        self.tell(None)


def replayed(log: Log, episodes: Sequence[str]) -> ReplayStand:
    """Logged episodes to be watched. Raises LookupError, BadSetup where one cannot be replayed here."""
    found: list[Watched] = []
    for wished in episodes:
        episode = log.history.resolve(wished)
        watched = _replay(log, episode)
        if watched is None:
            raise BadSetup(
                f"episode {episode} is of a game that is not here, or of another version; it cannot be replayed"
            )
        found.append(watched)
    return ReplayStand(found)


def _replay(log: Log, episode: str) -> Watched | None:
    """An episode at its beginning, with all its positions; None where it cannot be replayed here."""
    watched = _loaded(log, episode)
    if watched is not None:
        steps = list(watched.steps)
        if not steps:
            steps = [Match.new(watched.match.game, watched.match.instance, watched.match.seed)]
            for text in watched.match.texts:
                steps.append(steps[-1].play(text))
        watched.steps, watched.match, watched.state = steps, steps[0], "playing"
    return watched


def of_run(log: Log, run: str) -> Stand:
    """A run that goes on or can be resumed, as its turns come; of one that is done, the episodes that ended last.

    Raises UnknownRun.
    """
    stand = FollowStand(log, run)
    if stand.word != "done":
        return stand
    rows = log.queries.ended(stand.run_id, PLACES)
    found = [watched for row in reversed(rows) if (watched := _replay(log, row.id)) is not None]
    return ReplayStand(found, f"{stand.title}, replayed") if found else stand


async def open_stand(bench: Workbench, what: Watch) -> Stand:
    """The stand for it. Raises the sentences of whatever cannot be opened."""
    if what.wish is not None:
        return LiveStand(await open_selfplay(bench, what.wish), bench)
    log = await bench.log()
    if what.run is not None:
        return await asyncio.to_thread(of_run, log, what.run)
    return await asyncio.to_thread(replayed, log, what.episodes)
