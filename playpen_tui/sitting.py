"""One sitting: a match, who sits at it, and its episode in the log. No screen.

The play screen and the plain mode both hold a `Sitting` and only show it. It is made from a `Setup`, which says in
data what was asked for (game, seats, instance, seed), so that again, swap and next are new setups, and the command
that brings one back can be printed.
"""

from __future__ import annotations

import asyncio
import secrets
import shlex
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from games import catalog
from games.boards import Field
from games.engine import Game, Instance, Match, Role
from players.base import Emit, Player, silent
from players.driver import drive
from players.elsewhere import OPEN, Beside, Elsewhere
from players.human import HumanPlayer
from players.ports import NoRecorder, Place, Recorder
from store.errors import Taken

if TYPE_CHECKING:
    from playpen_tui.terminals import Shared

HUMAN = "human"


def is_here(spec: str) -> bool:
    """Whether this spec is a person at this terminal: `human`, `human:NAME`, not `human@CODE`."""
    return spec.partition(":")[0] == HUMAN


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
        fresh = {role: OPEN if spec.startswith(f"{HUMAN}@") else spec for role, spec in seats.items()}
        return replace(self, seats=fresh, seed=None, resume=None, join=None, **changes)

    def swapped(self) -> Setup:
        """The same instance with everybody one seat further."""
        roles = list(self.seats)
        moved = {role: self.seats[roles[(number + 1) % len(roles)]] for number, role in enumerate(roles)}
        return self._with(moved)

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
    unsaid: str = ""
    """What a person here said for a seat for which another terminal had spoken already."""
    _said: tuple[int, Role, str] | None = None

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
        """The role of the person whose turn it is, or None when a model is to speak or the match is over."""
        return self.match.turn if self.match.turn in self.humans else None

    @property
    def open_seats(self) -> dict[Role, str]:
        """Seats for another terminal, with the codes to join them by; none where this terminal has joined itself."""
        specs = {} if self.setup.join else self.setup.seats
        return {role: spec.partition("@")[2] for role, spec in specs.items() if spec.startswith(f"{HUMAN}@")}

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
            name = player.identity.name.partition("?")[0]
            names[role] = role if name == OPEN else name
            if role in self.humans:
                names[role] = role if several else "you"
        return names

    def sitters(self) -> dict[Role, str]:
        """Who sits in each seat, where the role stands beside it."""
        names = self.names()
        away = [role for role, player in self.players.items() if player.identity.name == OPEN]
        return {**names, **dict.fromkeys(away, "at another terminal")}

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
            self._said = (self.match.ply, role, text)
            self.humans[role].say(text)
        return problems

    async def play(self, emit: Emit = silent, advanced: Callable[[Match], None] | None = None) -> Match:
        """Drive the match to its end. To retry after a PlayerError or a cancel, call it again."""
        if self.episode is None:
            identities = {role: player.identity for role, player in self.players.items()}
            self.episode = await self.recorder.begin(self.match, identities, self.place)

        def keep(match: Match) -> None:
            self.match = match
            self._overtaken()
            if advanced is not None:
                advanced(match)

        async with self._present(lambda: advanced and advanced(self.match)):
            while True:
                try:
                    seats = _Seats(self)
                    return await drive(self.match, seats, self.recorder, episode=self.episode, emit=emit, advanced=keep)
                except Taken:  # another process has written this turn, or the result: go on from what stands there
                    if self.shared is None:
                        raise
                    if self.match.over:
                        return self.match
                    keep(await self.shared.match())

    @asynccontextmanager
    async def _present(self, changed: Callable[[], object]) -> AsyncIterator[None]:
        """Let the others know that whoever joined is there, until the seat is closed to this terminal."""
        if self.shared is None or not self.setup.join:
            yield
            return

        async def attend(shared: Shared) -> None:
            await shared.attend()
            for role in self.humans:
                self.players[role] = Elsewhere(shared.watch, shared.episode)
            changed()

        attending = asyncio.ensure_future(attend(self.shared))
        try:
            yield
        finally:
            attending.cancel()
            await asyncio.wait((attending,))
        if not attending.cancelled():
            attending.result()

    def _overtaken(self) -> None:
        """Notice that another terminal spoke where somebody here had spoken too; only the first is said."""
        if self._said is None or self.match.ply <= self._said[0]:
            return
        ply, role, text = self._said
        self._said = None
        if self.match.steps[ply].text != text:
            self.unsaid = text
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
        player, shared = self._sitting.players[role], self._sitting.shared
        if shared is None or isinstance(player, Elsewhere):
            return player
        return Beside(player, shared.watch, shared.episode)

    def __iter__(self) -> Iterator[Role]:
        return iter(self._sitting.players)

    def __len__(self) -> int:
        return len(self._sitting.players)
