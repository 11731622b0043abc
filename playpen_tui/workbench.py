"""The composition root: opens the log, the registry and the players, and deals sittings.

Commands, screens and notebooks all come through here; below it, no floor knows another but by its port. Nothing is
opened before it is needed: a person who looks at Home has started no model.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

from games import catalog
from games.engine import Game, Match, Role
from players.base import Player, PlayerError
from players.elsewhere import OPEN, Elsewhere
from players.human import HumanPlayer
from players.opening import Table, check
from players.ports import History, NoRecorder, Place
from players.registry import Registry
from players.spec import NEW, PlayerSpec, parse
from playpen_tui import __version__
from playpen_tui.overview import Overview, overview
from playpen_tui.persons import Persons
from playpen_tui.plain_text import bare
from playpen_tui.settings import Settings
from playpen_tui.sitting import HUMAN, BadSetup, Setup, Sitting, choose, seating
from playpen_tui.terminals import Shared
from playpen_tui.transcript import YOU
from store.connection import default_path
from store.errors import LogError
from store.log import Log

if TYPE_CHECKING:
    from players.known import Known
    from players.trying import Trial
    from playpen_tui.branch_runs import BranchRuns
    from playpen_tui.selfplay_wish import Draft
    from playpen_tui.training_wish import Wish
    from store.follow import Follower
    from store.records import Invitation

BUILT_IN = "smollm2"
"""The model that everybody has who installed the `local` extra."""


class UnknownCode(LookupError):
    """No seat was opened under this code. The message is one sentence; wrong usage."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class GameCard:
    """What a picker says of a game."""

    name: str
    title: str
    summary: str
    roles: tuple[Role, ...]
    languages: tuple[str, ...]
    experiments: Mapping[str, tuple[str, ...]]


def expected() -> tuple[type[Exception], ...]:
    """Exceptions whose message is a sentence for people; anything else is a fault of ours."""
    from players.plan import BadPlan
    from players.registry import RegistryError, UnknownPlayer
    from players.spec import SpecError
    from playpen_tui.study_file import BadStudy

    return (
        BadStudy,
        catalog.UnknownGame,
        catalog.UnknownInstance,
        BadSetup,
        UnknownCode,
        BadPlan,
        PlayerError,
        LogError,
        UnknownPlayer,
        RegistryError,
        SpecError,
    )


def described(setup: Setup) -> str:
    """A setup in words: `Taboo, describer against smollm2`."""
    try:
        title = catalog.get(setup.game).title
    except catalog.UnknownGame:
        title = setup.game
    people = [role for role, spec in setup.seats.items() if spec.startswith(HUMAN) and "@" not in spec]
    others = [_elsewhere(spec) for spec in dict.fromkeys(setup.seats.values()) if spec.partition(":")[0] != HUMAN]
    words = [title]
    if len(setup.seats) > 1 and people:
        words.append(" and ".join(people))
    text = ", ".join(words)
    return f"{text} with {' and '.join(others)}" if others else text


def _elsewhere(spec: str) -> str:
    """A spec as Home prints it."""
    return "somebody at another terminal" if spec.startswith(f"{HUMAN}@") else bare(spec)


def built_in_ready() -> bool:
    """Whether the built-in model can be started here: its runtime is installed and its weights are found."""
    from players.weights import find

    return find_spec("xllamacpp") is not None and find(BUILT_IN) is not None


class Workbench:
    """Everything a sitting needs, opened on first use and closed at the end: `async with Workbench(path) as bench`."""

    def __init__(self, db: Path | None = None) -> None:
        self.path = db or default_path()
        self.named_db = str(db) if db is not None else None
        self.settings = Settings()
        self.people = Persons(self.settings, self.log)
        self.notices: list[str] = []
        self._log: Log | None = None
        self._table: Table | None = None
        self._tables: WeakSet[Table] = WeakSet()
        self._registry: Registry | None = None
        self._run: str | None = None
        self._opening = asyncio.Lock()
        self._followers: list[Follower] = []
        self._branches: BranchRuns | None = None
        self.trials: dict[str, Trial] = {}
        """How the models did that were tried since the app began, by spec."""
        self.wished: Wish | None = None
        """A training that somebody has described and not begun."""
        self.drafted: Draft | None = None
        """A self-play run that somebody has described."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close players first: what they still have to say must find the log open."""
        if self._branches is not None:
            await self._branches.close()
            self._branches = None
        for follower in self._followers:
            await follower.close()
        self._followers.clear()
        if self._table is not None:
            await self._table.aclose()
            self._table = None
        if self._log is not None:
            log, self._log = self._log, None
            await asyncio.to_thread(log.close)

    def new_notices(self) -> list[str]:
        """What should be said once: a network file system, an upgraded log, a game that cannot be loaded."""
        found, self.notices = self.notices, []
        return found

    # what there is

    def table(self, history: History | None = None) -> Table:
        """A new table for players of this registry; whoever asked closes it."""
        table = Table(self.registry, history=history)
        self._tables.add(table)
        return table

    @property
    def loading(self) -> str:
        """The model that is being loaded right now, at any table."""
        return next((table.opening for table in tuple(self._tables) if table.opening), "")

    async def log(self) -> Log:
        """The log, opened (and made, where it is not there yet). Raises LogError."""
        async with self._opening:
            if self._log is None:
                self._log = await asyncio.to_thread(Log.open, self.path)
                self.notices += [str(notice) for notice in self._log.notices]
        return self._log

    @property
    def branches(self) -> BranchRuns:
        """Branch runs that go on in this process."""
        if self._branches is None:
            from playpen_tui.branch_runs import BranchRuns

            self._branches = BranchRuns(self)
        return self._branches

    @property
    def registry(self) -> Registry:
        """The model registry of this user."""
        if self._registry is None:
            self._registry = Registry.load()
        return self._registry

    def game(self, name: str) -> Game:
        """The game of this name. Raises UnknownGame."""
        return catalog.get(name)

    def games(self) -> list[GameCard]:
        """Every game that can be loaded."""
        found: list[GameCard] = []
        for name in catalog.names():
            try:
                game = catalog.get(name)
                experiments = {lang: tuple(catalog.experiments(game, lang)) for lang in game.languages}
            except Exception as error:  # somebody's broken game file must not take the picker down
                self.notices.append(f"{name} cannot be loaded: {error}")
                continue
            found.append(GameCard(name, game.title, game.summary, game.roles, game.languages, experiments))
        return found

    async def partners(self) -> list[tuple[str, str]]:
        """Whom one can play with, as (spec, what it is): built-in model, registry, servers found here, bots, people."""
        found: dict[str, str] = {}
        for name in self.registry.names():
            if name != BUILT_IN or built_in_ready():
                found[name] = self.registry.entries[name].description or self.registry.entries[name].model
        for spec in await self._discovered():
            found.setdefault(spec, "served on this machine")
        found["bot"] = "scripted, knows the game well"
        found["bot:random"] = "scripted, knows only the form"
        found[HUMAN] = "another person at this terminal"
        first = [spec for spec in (BUILT_IN,) if spec in found]
        return [(spec, found[spec]) for spec in [*first, *(other for other in found if other not in first)]]

    async def _discovered(self) -> list[str]:
        from players.backends.discovery import discover

        return [
            str(PlayerSpec("openai", model, settings={"base_url": server.base_url}))
            for server in await discover()
            for model in server.models
        ]

    async def served(self) -> list[Known]:
        """What servers on this machine offer."""
        from players.known import served

        return await served()

    async def overview(self) -> Overview:
        """What Home shows, read from the log."""
        partner = BUILT_IN if built_in_ready() else "bot"
        first = Setup("taboo", {"describer": HUMAN, "guesser": partner})
        return await asyncio.to_thread(overview, await self.log(), first)

    # sittings

    async def complete(self, setup: Setup) -> Setup:
        """The setup with every seat named. Raises a sentence for what cannot be; opens no model."""
        if setup.join is not None:
            return await self._joined(setup)
        if setup.resume is not None:
            log = await self.log()
            logged = await asyncio.to_thread(log.history.episode, setup.resume)
            log.history.require_code(logged)
            seats = {role: HUMAN if who.kind == "human" else who.name for role, who in logged.seats.items()}
            seats = {role: HUMAN if spec == OPEN else spec for role, spec in seats.items()}
            open_seats = await asyncio.to_thread(log.queries.invitations, logged.id)
            codes = {seat.role: f"{HUMAN}@{seat.code}" for seat in open_seats}
            game = catalog.get(logged.game)
            for role, spec in setup.seats.items():
                named = check(spec, game=game, role=role, registry=self.registry)
                if named.code != NEW:
                    codes.pop(role, None)
                seats[role] = spec
            seats.update(codes)
            language = str(logged.instance.get("language", "en"))
            return replace(setup, game=logged.game, seats=seats, language=language, resume=logged.id)
        game = catalog.get(setup.game)
        if setup.language not in game.languages:
            raise catalog.UnknownInstance(
                f"{game.name} is not there in {setup.language!r}; there are: {', '.join(game.languages)}"
            )
        seats = seating(game, setup.role, setup.partner, setup.seats, BUILT_IN)
        for role, spec in seats.items():
            check(spec, game=game, role=role, registry=self.registry)
        if setup.instance is not None:
            catalog.instance(game, setup.instance)
        for spec in seats.values():
            if (code := parse(spec).code) and code != NEW:
                log = await self.log()
                if await asyncio.to_thread(log.queries.invitation, code) is not None:
                    raise BadSetup(
                        f"the code {code.upper()} was used already; take another, or let one be made: human@"
                    )
        return replace(setup, seats=seats)

    async def deal(self, setup: Setup, avoid: str | None = None, place: Place | None = None) -> Sitting:
        """A sitting ready to be played: players opened, match dealt or replayed. `avoid` is an instance to pass over.

        `place` puts its episode into another run than that of what is played here otherwise.
        Raises PlayerError, LogError, UnknownPlayer and the like, each with one sentence.
        """
        setup = await self.complete(setup)
        if setup.join is not None:
            return await self._join(setup)
        codes = {role: code for role, spec in setup.seats.items() if (code := parse(spec).code)}
        if codes and not setup.record:
            raise BadSetup("a seat for another terminal needs a game that is recorded: the log is the table")
        episode = None
        if setup.resume is not None:
            match, episode = await self._resumed(setup.resume)
            setup = replace(setup, instance=match.instance.name)
        else:
            game = catalog.get(setup.game)
            instance, seed = choose(setup, game, avoid)
            match = Match.new(game, instance, seed)
        players: dict[Role, Player] = {
            role: await self._open(spec, match, role, setup) for role, spec in setup.seats.items() if role not in codes
        }
        if not setup.record:
            return Sitting(setup, match, players, NoRecorder(), "" if episode is None else episode)
        log = await self.log()
        if place is None and (self._run is None or codes):  # a run says for its one table whether anybody is there
            self._run = await asyncio.to_thread(log.new_run, "play", {"seats": dict(setup.seats)}, None, __version__)
        sitting = Sitting(setup, match, players, log.recorder, episode, place or Place(run=self._run))
        sitting.speakers = await self._speakers(sitting)
        if episode is not None:
            await self._close_seats(log, episode, codes)
        if codes:
            await self._lay(sitting, codes)
        return sitting

    async def reseat(self, sitting: Sitting, role: Role, spec: str) -> None:
        """Give a seat to another player in mid-game; `human@new` opens it to another terminal.

        From the next ask on: a reply under way is for the caller to stop. Raises BadSetup, SpecError, UnknownPlayer,
        PlayerError or LogError, and then everybody sits where they sat.
        """
        named = check(spec, game=sitting.game, role=role, registry=self.registry)
        episode = sitting.episode
        if sitting.setup.join is not None:
            raise BadSetup("seats are changed at the terminal that opened the table")
        if sitting.match.over:
            raise BadSetup("the game is over")
        if not named.code:
            player = await self._open(spec, sitting.match, role, sitting.setup)
        elif role in sitting.open_seats:
            raise BadSetup(f"{role} is open to another terminal already: {sitting.open_seats[role]}")
        elif not sitting.setup.record or not episode:
            raise BadSetup("a seat for another terminal needs a game that is recorded: the log is the table")
        else:
            log = await self.log()
            spec = f"{HUMAN}@{await log.invite(episode, role, None if named.code == NEW else named.code)}"
            shared = self._share(sitting, log, episode)
            player = Elsewhere(shared.watch, episode)
        if (code := sitting.open_seats.get(role)) is not None:
            await (await self.log()).withdraw(code)
        sitting.sit(role, player, spec)

    # two terminals

    async def _lay(self, sitting: Sitting, codes: Mapping[Role, str]) -> None:
        """Open seats to other terminals: the episode begins now, and each open seat waits for what is committed."""
        log = await self.log()
        episode = sitting.episode
        if episode is None:
            open_seat = Elsewhere(self._follow(log), "").identity
            here = {role: player.identity for role, player in sitting.players.items()}
            whole = {role: here.get(role, open_seat) for role in sitting.setup.seats}
            episode = await log.recorder.begin(sitting.match, whole, sitting.place)
        seats, players = dict(sitting.setup.seats), dict[Role, Player]()
        shared = self._share(sitting, log, episode)
        for role in seats:
            if role not in codes:
                players[role] = sitting.players[role]
                continue
            given = await log.invite(episode, role, None if codes[role] == NEW else codes[role])
            seats[role] = f"{HUMAN}@{given}"
            players[role] = Elsewhere(shared.watch, episode)
        sitting.players, sitting.episode, sitting.setup = players, episode, replace(sitting.setup, seats=seats)

    @staticmethod
    async def _close_seats(log: Log, episode: str, codes: Mapping[Role, str]) -> None:
        """Close what was open and is now somebody's here, or open under another code."""
        for seat in await asyncio.to_thread(log.queries.invitations, episode):
            if codes.get(seat.role, "").upper() not in (seat.code, NEW.upper()):
                await log.withdraw(seat.code)

    def _follow(self, log: Log) -> Follower:
        """What watches the file for turns of other processes; closed with the workbench."""
        from store.follow import Follower

        if not self._followers:
            self._followers.append(Follower(log.path))
        return self._followers[-1]

    def _share(self, sitting: Sitting, log: Log, episode: str, code: str = "") -> Shared:
        """Tie a sitting to the processes that play other seats of its episode."""
        if sitting.shared is None:
            sitting.shared = Shared(log, self._follow(log), episode, sitting.game, code)
        return sitting.shared

    async def _seat_of(self, code: str) -> Invitation:
        """The open seat of this code. Raises UnknownCode, BadSetup."""
        if not self.path.exists():
            raise UnknownCode(f"there is no log at {self.path}: name the file of the other terminal with --db")
        log = await self.log()
        seat = await asyncio.to_thread(log.queries.invitation, code)
        if seat is None:
            raise UnknownCode(f"no seat was opened under {code!r} in {log.path}; is it the same file (--db)?")
        logged = await asyncio.to_thread(log.history.episode, seat.episode)
        if logged.outcome is not None:
            raise BadSetup(f"the game behind {seat.code} is over ({logged.outcome}); ask for the code of another")
        if seat.closed_at is not None:
            raise BadSetup(f"the seat {seat.code} was closed; whoever opened it may open another")
        return seat

    async def _joined(self, setup: Setup) -> Setup:
        """The setup of one who joins a seat. Raises UnknownCode, BadSetup."""
        seat = await self._seat_of(setup.join or "")
        if not setup.record:
            raise BadSetup("a seat of another terminal is played through the log: without consent it cannot be taken")
        logged = await asyncio.to_thread((await self.log()).history.episode, seat.episode)
        seats: dict[Role, str] = {}
        for role in catalog.get(logged.game).roles:
            who = logged.seats[role]
            seats[role] = HUMAN if role == seat.role else OPEN if who.kind == "human" else who.name
        language = str(logged.instance.get("language", "en"))
        return replace(setup, game=logged.game, seats=seats, language=language, join=seat.code, resume=None)

    async def _join(self, setup: Setup) -> Sitting:
        """Sit down at a table that another process has laid: it plays all other seats, its models too."""
        log = await self.log()
        seat = await self._seat_of(setup.join or "")
        match, episode = await self._resumed(seat.episode)
        person = await self.people.guest(setup)
        sitting = Sitting(replace(setup, instance=match.instance.name), match, {}, log.recorder, episode)
        shared = self._share(sitting, log, episode, seat.code)
        for role, spec in setup.seats.items():
            mine = role == seat.role
            sitting.players[role] = HumanPlayer(person) if mine else Elsewhere(shared.watch, episode, spec)
        sitting.joined = dict(sitting.humans)
        sitting.speakers = await self._speakers(sitting)
        return sitting

    async def _resumed(self, id: str) -> tuple[Match, str]:
        log = await self.log()
        logged = await asyncio.to_thread(log.history.episode, id)
        if logged.outcome is not None:
            raise BadSetup(f"episode {logged.id} is over ({logged.outcome}); there is nothing to go on with")
        log.history.require_code(logged)
        game = catalog.get(logged.game)
        if game.version != logged.version:
            raise BadSetup(
                f"episode {logged.id} was played with {logged.game}@{logged.version}, and this is @{game.version}"
            )
        instance = game.instance_type.model_validate(logged.instance)
        return Match.replay(game, instance, logged.seed, logged.texts), logged.id

    async def _speakers(self, sitting: Sitting) -> dict[int, str]:
        """Who said what is in the log already: `you`, the role for other people, else the player's name."""
        if not sitting.episode or not sitting.match.ply:
            return {}
        people = {player.identity.person for player in sitting.humans.values()}
        alone = len(sitting.humans) == 1
        turns = (await asyncio.to_thread((await self.log()).queries.detail, sitting.episode)).turns
        return {
            turn.ply: (YOU if alone and turn.person in people else turn.role) if turn.person else bare(turn.player)
            for turn in turns
        }

    async def player(self, spec: str, match: Match, role: Role, assist: bool | None = None) -> Player:
        """Somebody who can be asked as this role, without a table. Raises SpecError, UnknownPlayer, PlayerError."""
        check(spec, game=match.game, role=role, registry=self.registry)
        return await self._open(spec, match, role, Setup(match.game.name, assist=assist))

    async def _open(self, spec: str, match: Match, role: Role, setup: Setup) -> Player:
        game = match.game
        if self._table is None:
            history = (await self.log()).history if setup.record or parse(spec).kind == "replay" else None
            self._table = self.table(history)
        named = parse(spec)
        if named.kind == HUMAN:
            self._table.person = await self.people.pseudonym() if setup.record and not named.name else ""
            if named.name and setup.record:
                await self.people.welcome(named.name)
        return await self._table.seat(spec, game=game, role=role, assist=setup.assist, language=match.instance.language)


def requested(
    game: str | None,
    role: Role | None,
    partner: str | None,
    seats: Mapping[Role, str],
    experiment: str | None,
    instance: str | None,
    split: Any,
    seed: int | None,
    language: str | None,
    resume: str | None,
    assist: bool | None,
    record: bool,
) -> Setup:
    """A setup from what stands on a command line. A named instance is taken from wherever it is."""
    return Setup(
        game=game or "",
        seats=seats,
        role=role,
        partner=partner,
        instance=instance,
        experiment=experiment,
        split=split or "train",
        language=language or "en",
        seed=seed,
        assist=assist,
        record=record,
        resume=resume,
    )
