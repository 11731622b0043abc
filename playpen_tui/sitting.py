"""One sitting: a match, who sits at it, and its episode in the log. No screen.

The play screen and the plain mode both hold a `Sitting` and only show it. It is made from a `Setup`, which says in
data what was asked for (game, seats, instance, seed), so that again, swap and next are new setups, and the command
that brings one back can be printed.
"""

from __future__ import annotations

import asyncio
import secrets
import shlex
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from games import catalog
from games.boards import Field
from games.engine import Game, Instance, Match, Message, Role
from players.base import Ask, Emit, Event, Identity, Player, Reply, Said, silent
from players.choosing import Chooser
from players.driver import drive
from players.elsewhere import OPEN, Beside, Elsewhere
from players.human import HumanPlayer
from players.ports import NoRecorder, Place, Recorder
from playpen_tui.plain_text import bare
from playpen_tui.transcript import YOU
from store.errors import Taken

if TYPE_CHECKING:
    from playpen_tui.terminals import Shared
    from store.records import Sign

HUMAN = "human"

LOOK = 1.0
"""Seconds between two looks at whether the table has been shared."""


def is_here(spec: str) -> bool:
    """Whether this spec is a person at this terminal: `human`, `human:NAME`, not `human@CODE`."""
    return spec.partition(":")[0] == HUMAN


def is_elsewhere(spec: str) -> bool:
    """Whether this spec is a person at another terminal: `human@CODE`, `human@new`."""
    return spec.startswith(f"{HUMAN}@")


class BadSetup(ValueError):
    """What was asked for cannot be set up: wrong role, instance or seat. The message is one sentence."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What somebody asked to play. `seats` maps roles to player specs.

    `role` and `partner` are what a person says instead of naming every seat; completing a setup turns them into seats.
    """

    game: str
    seats: Mapping[Role, str] = field(default_factory=dict[Role, str])
    role: Role | None = None
    partner: str | None = None
    instance: str | None = None
    experiment: str | None = None
    split: catalog.Split | None = "train"
    language: str = "en"
    seed: int | None = None
    assist: bool | None = None
    record: bool = True
    resume: str | None = None
    join: str | None = None
    """The code of a seat that was opened at another terminal."""

    @property
    def has_people(self) -> bool:
        """Whether anybody at this terminal is a person; those who join from another are asked there."""
        return any(is_here(spec) for spec in self.seats.values())

    def _with(self, seats: Mapping[Role, str], **changes: str | None) -> Setup:
        """A new match: seats for other terminals get codes of their own."""
        fresh = {role: OPEN if is_elsewhere(spec) else spec for role, spec in seats.items()}
        return replace(self, seats=fresh, seed=None, resume=None, join=None, **changes)

    def swapped(self) -> Setup:
        """Everybody one seat further; with another instance where people sit, who have seen at the end what it hid."""
        roles = list(self.seats)
        moved = {role: self.seats[roles[(number + 1) % len(roles)]] for number, role in enumerate(roles)}
        people = any(is_here(spec) or is_elsewhere(spec) for spec in self.seats.values())
        return self._with(moved, instance=None) if people else self._with(moved)

    def again(self) -> Setup:
        """The same instance, other luck."""
        return self._with(self.seats)

    def following(self) -> Setup:
        """Another instance of the same kind."""
        return self._with(self.seats, instance=None)


def seating(
    game: Game, role: Role | None, partner: str | None, named: Mapping[Role, str], default: str
) -> dict[Role, str]:
    """Who sits where: `--as ROLE --vs PARTNER --seat ROLE=PLAYER` over the roles of a game.

    Without `--as` and without any seat named, the person takes the first role; where seats are named and no partner
    is, the first that is free. Everybody else is `partner`, or `default` when none was named. Raises BadSetup for a
    role the game has not.
    """
    for name in [*named, *([role] if role else [])]:
        if name not in game.roles:
            raise BadSetup(f"{game.name} has no role {name!r}; {catalog.nearest(name, game.roles)}")
    seats = dict(named)
    if role is not None:
        seats.setdefault(role, HUMAN)
    elif not seats:
        seats[game.roles[0]] = HUMAN
    elif HUMAN not in seats.values() and partner is None and len(seats) < len(game.roles):
        free = next(r for r in game.roles if r not in seats)
        seats[free] = HUMAN
    return {r: seats.get(r) or partner or default for r in game.roles}


def choose(setup: Setup, game: Game, avoid: str | None = None) -> tuple[Instance, int]:
    """The instance and seed of a new match: the named one, or one drawn by the seed from the split."""
    seed = setup.seed if setup.seed is not None else secrets.randbelow(2**31)
    if setup.instance is not None:
        return catalog.instance(game, setup.instance), seed
    found = catalog.instances(game, language=setup.language, experiment=setup.experiment, split=setup.split)
    order = catalog.shuffled(found, seed)
    first = next(order)
    return (next(order, first) if first.name == avoid else first), seed


@dataclass(slots=True)
class Sitting:
    """A match that is being played."""

    setup: Setup
    match: Match
    players: dict[Role, Player]
    recorder: Recorder = field(default_factory=NoRecorder)
    episode: str | None = None
    place: Place = field(default_factory=Place)
    shared: Shared | None = None
    """What ties the sitting to other terminals; None where it is played here alone."""
    before: dict[Role, list[str]] = field(default_factory=dict[Role, list[str]])
    """Specs of those who sat in a seat before it changed hands, the last one last."""
    speakers: dict[int, str] = field(default_factory=dict[int, str])
    """Who said what, by ply, as it is called on a screen: seats change hands, words do not."""
    unsaid: str = ""
    """What a person here said too late, as they wrote it: another had spoken already, or the seat was given away."""
    overtaken: bool = False
    """Whether another terminal has just spoken for a seat that somebody here could have spoken for."""
    closed: bool = False
    """Whether the seat that this terminal joined was given to somebody else."""
    doubled: bool = False
    """Whether the seat that this terminal joined was joined from another one, too."""
    who: dict[Role, str] = field(default_factory=dict[Role, str])
    """Who sits at another terminal, or that nobody does, by role: what was last seen there."""
    chooser: Chooser | None = None
    """Whoever chooses which of two replies goes on, where somebody may."""
    joined: dict[Role, HumanPlayer] = field(default_factory=dict[Role, HumanPlayer])
    """Whom this terminal seated when it joined: they sit down again when the seat is handed back to them."""
    _said: tuple[int, Role, str, str] | None = None
    _other: str = ""
    _changed: Callable[[], object] = lambda: None

    @property
    def game(self) -> Game:
        """The rules."""
        return self.match.game

    @property
    def humans(self) -> dict[Role, HumanPlayer]:
        """Seats held by people at this terminal."""
        return {role: player for role, player in self.players.items() if isinstance(player, HumanPlayer)}

    @property
    def waiting_for(self) -> Role | None:
        """The role of the person who is to speak; None when a model is, when they have, or the match is over."""
        return self.match.turn if self.match.turn in self.humans and self.unheard is None else None

    @property
    def unheard(self) -> tuple[Role, str] | None:
        """What the person whose turn it is has said, as long as the match has not gone on with it; and their role."""
        role = self.match.turn
        said = self.humans[role].unheard if role in self.humans else None
        return None if role is None or said is None else (role, said)

    @property
    def open_seats(self) -> dict[Role, str]:
        """Seats for another terminal, with the codes to join them by; none where this terminal has joined itself."""
        specs = {} if self.setup.join else self.setup.seats
        return {role: spec.partition("@")[2] for role, spec in specs.items() if is_elsewhere(spec)}

    def elsewhere(self, role: Role | None) -> bool:
        """Whether another terminal plays this seat."""
        return isinstance(self.players.get(role or ""), Elsewhere)

    def sit(self, role: Role, player: Player, spec: str) -> None:
        """Change who sits there. A reply under way is not touched: whoever drives the match stops and starts anew."""
        self.before.setdefault(role, []).append(self.setup.seats[role])
        self.players[role] = player
        self.setup = replace(self.setup, seats={**self.setup.seats, role: spec})

    def viewer(self, before: Role | None = None) -> Role | None:
        """Whose eyes to show the match through: the person to speak, else the one before, else the only one.

        None when nobody at the table was a person: then the game master's eyes. Whoever gives their seat away goes on
        seeing what it sees, since they may take it back.
        """
        humans = list(self.humans)
        if self.waiting_for is not None:
            return self.waiting_for
        if before in humans or not humans:
            return before
        return humans[0]

    def names(self) -> dict[Role, str]:
        """How each seat is called on a screen."""
        several = len(self.humans) > 1
        names: dict[Role, str] = {}
        for role, player in self.players.items():
            name = bare(player.identity.name)
            names[role] = role if name == OPEN else name
            if role in self.humans:
                names[role] = role if several else YOU
        return names

    def sitters(self) -> dict[Role, str]:
        """Who sits in each seat, where the role stands beside it."""
        names = self.names()
        away = [role for role, player in self.players.items() if player.identity.name == OPEN]
        lost = dict.fromkeys(self.joined, "another player") if self.closed else {}
        return {**names, **{role: lost.get(role) or self.who.get(role, "at another terminal") for role in away}}

    def fields(self) -> tuple[Field, ...]:
        """What the person whose turn it is will be asked."""
        role = self.waiting_for
        return self.match.view(role).fields if role is not None else ()

    def problems(self, answers: Mapping[str, str]) -> tuple[str, ...]:
        """What would be wrong with these answers, in words."""
        role = self.waiting_for
        if role is None:
            return ("it is not your turn",)
        view = self.match.view(role)
        return view.check(view.compose(answers))

    def say(self, answers: Mapping[str, str]) -> tuple[str, ...]:
        """Say this, unless something is wrong with it; returns what is wrong."""
        problems = self.problems(answers)
        role = self.waiting_for
        if not problems and role is not None:
            text = self.match.view(role).compose(answers)
            self._said = (self.match.ply, role, text, " · ".join(words for words in answers.values() if words))
            self.humans[role].say(text)
        return problems

    async def play(self, emit: Emit = silent, advanced: Callable[[Match], object] | None = None) -> Match:
        """Drive the match to its end. To retry after a PlayerError or a cancel, call it again."""
        if self.episode is None:
            identities = {role: player.identity for role, player in self.players.items()}
            self.episode = await self.recorder.begin(self.match, identities, self.place)

        def keep(match: Match, spoke: str = "") -> None:
            self.match = match
            if spoke:
                self.speakers[match.ply - 1] = spoke
            self._overtaken()
            if advanced is not None:
                advanced(match)

        def hear(match: Match) -> None:
            keep(match, self._other or self.names()[match.steps[-1].role])
            self._other = ""

        def told(event: Event) -> None:
            if isinstance(event, Said) and event.reply.by is not None:
                self._other = YOU  # somebody here wrote it in another's place
            emit(event)

        self._changed = lambda: advanced and advanced(self.match)
        async with self._present():
            while True:
                try:
                    seats = _Seats(self)
                    return await drive(self.match, seats, self.recorder, episode=self.episode, emit=told, advanced=hear)
                except Taken:  # another process has written this turn, or the result: go on from what stands there
                    if self.shared is None:
                        raise
                    if self.match.over:
                        return self.match
                    found = await self.shared.match()
                    keep(found, found.steps[-1].role if found.ply > self.match.ply else "")

    @asynccontextmanager
    async def _present(self) -> AsyncIterator[None]:
        """Let the other terminals know that somebody is here, and learn whether the seat is still open to this one."""

        def told(sign: Sign) -> None:
            if (self.closed, self.doubled) != (not sign.open, sign.other):
                self.doubled = sign.other
                self._sit_down() if sign.open else self._stand_up()
                self._changed()

        async def attend() -> None:
            while self.shared is None:  # a seat may be opened to another terminal in mid-game
                await asyncio.sleep(LOOK)
            if self.setup.join:
                await self.shared.attend(told)
            else:
                await self.shared.preside(lambda: self.match.over)

        attending = asyncio.ensure_future(attend())
        try:
            yield
        finally:
            attending.cancel()
            await asyncio.wait((attending,))
        if not attending.cancelled():
            attending.result()

    def _stand_up(self) -> None:
        """The seat was given to another player; whoever joined looks on, and what they said just now is not heard."""
        self.closed = True
        for role, player in self.joined.items():
            if player.forget():
                self._too_late()
            if self.shared is not None:
                self.players[role] = Elsewhere(self.shared.watch, self.shared.episode)

    def _too_late(self) -> None:
        if self._said is not None:
            self.unsaid, self._said = self._said[3], None

    def refuse(self) -> None:
        """What was said last is not heard, since the seat was given away meanwhile."""
        self._too_late()
        self._stand_up()
        self._changed()

    def spoke(self, role: Role, name: str) -> None:
        """Another process spoke for a seat that is, or was, played here."""
        player = self.players[role]
        self._other = role if name.startswith(HUMAN) else bare(name)
        self.overtaken = isinstance(player, HumanPlayer)
        if role in self.joined and not name.startswith(HUMAN):  # sooner than the next sign: the seat is theirs now
            self._stand_up()
            player = self.players[role]
        if isinstance(player, Elsewhere):
            player.speaks(name)

    def _sit_down(self) -> None:
        """The seat is open to this terminal, or again."""
        self.closed = False
        self.players.update(self.joined)

    def _overtaken(self) -> None:
        """Notice that another terminal spoke where somebody here had spoken too; only the first is said."""
        if self._said is None or self.match.ply <= self._said[0]:
            return
        ply, role, text, words = self._said
        self._said = None
        if self.match.steps[ply].text != text:
            self.unsaid = words
            if isinstance(player := self.players[role], HumanPlayer):
                player.forget()

    def command(self, db: str | None = None) -> str:
        """The command that goes on from here: resume while unfinished, else the same table again."""
        words = ["playpen-tui", "play"]
        if self.setup.join and not self.match.over:
            words = ["playpen-tui", "join", self.setup.join]
        elif self.episode and not self.match.over:
            words += ["--resume", self.episode]
        else:
            words += [self.game.name]
            for role, spec in self.setup.again().seats.items():
                words += ["--seat", f"{role}={spec}"]
            if self.setup.language != "en":
                words += ["--lang", self.setup.language]
        if db is not None:
            words += ["--db", db]
        return shlex.join(words)


class _Seats(Mapping[Role, Player]):
    """The players of a sitting as the driver looks them up at every turn."""

    def __init__(self, sitting: Sitting) -> None:
        self._sitting = sitting

    def __getitem__(self, role: Role) -> Player:
        sitting, shared = self._sitting, self._sitting.shared
        player = sitting.joined.get(role) or sitting.players[role]
        if sitting.chooser is not None:
            player = sitting.chooser.seat(player)
        if shared is None or isinstance(player, Elsewhere):
            return player
        if role in sitting.joined:
            player = _Joined(sitting, sitting.joined[role], shared)
        return Beside(player, shared.watch, shared.episode, lambda name: sitting.spoke(role, name))

    def __iter__(self) -> Iterator[Role]:
        return iter(self._sitting.players)

    def __len__(self) -> int:
        return len(self._sitting.players)


class _Joined:
    """Whoever joined, as the driver asks them: heard only while the seat is open to this terminal."""

    def __init__(self, sitting: Sitting, player: HumanPlayer, shared: Shared) -> None:
        self._sitting = sitting
        self._player = player
        self._shared = shared

    @property
    def identity(self) -> Identity:
        """The person."""
        return self._player.identity

    async def speak(self, heard: Sequence[Message], ask: Ask) -> Reply:
        """What they say, unless the seat was given to another player while they wrote it."""
        while True:
            reply = await self._player.speak(heard, ask)
            if await self._shared.still_mine():
                return reply
            self._sitting.refuse()
