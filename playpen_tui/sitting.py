"""One sitting: a match, who sits at it, and its episode in the log. No screen.

The play screen and the plain mode both hold a `Sitting` and only show it. It is made from a `Setup`, which says in
data what was asked for (game, seats, instance, seed), so that again, swap and next are new setups, and the command
that brings one back can be printed.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from games import catalog
from games.boards import Field
from games.engine import Game, Instance, Match, Role
from players.base import Emit, Player, silent
from players.driver import drive
from players.human import HumanPlayer
from players.ports import NoRecorder, Place, Recorder
from store.errors import Taken

HUMAN = "human"


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
        """Whether anybody at the table is a person."""
        return any(spec.split(":")[0].split("@")[0] == HUMAN for spec in self.seats.values())

    def swapped(self) -> Setup:
        """The same instance with everybody one seat further."""
        roles = list(self.seats)
        moved = {role: self.seats[roles[(number + 1) % len(roles)]] for number, role in enumerate(roles)}
        return replace(self, seats=moved, seed=None, resume=None, join=None)

    def again(self) -> Setup:
        """The same instance, other luck."""
        return replace(self, seed=None, resume=None, join=None)

    def following(self) -> Setup:
        """Another instance of the same kind."""
        return replace(self, instance=None, seed=None, resume=None, join=None)


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
    reload: Callable[[], Awaitable[Match]] | None = None
    """The match as the log has it, where another process may have gone on with it."""
    db: str = ""
    """The file, where another terminal would not find it by itself."""
    presence: Callable[[], Awaitable[dict[str, float | None]]] | None = None
    """For seats played elsewhere, by code: seconds since somebody was there, None while nobody has come."""

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
        """Seats for another terminal, with the codes to join them by."""
        found = {
            role: spec.partition("@")[2] for role, spec in self.setup.seats.items() if spec.startswith(f"{HUMAN}@")
        }
        return {role: code for role, code in found.items() if self.players[role].identity.kind != "human"}

    def viewer(self, before: Role | None = None) -> Role | None:
        """Whose eyes to show the match through: the person to speak, else the one before, else the only one.

        None when nobody at the table is a person: then the game master's eyes.
        """
        humans = list(self.humans)
        if self.waiting_for is not None:
            return self.waiting_for
        if before in humans:
            return before
        return humans[0] if humans else None

    def names(self) -> dict[Role, str]:
        """How each seat is called on a screen."""
        several = len(self.humans) > 1
        return {
            role: (role if several else "you") if role in self.humans else player.identity.name.partition("?")[0]
            for role, player in self.players.items()
        }

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
            self.humans[role].say(self.match.view(role).compose(answers))
        return problems

    async def play(self, emit: Emit = silent, advanced: Callable[[Match], None] | None = None) -> Match:
        """Drive the match to its end. To retry after a PlayerError or a cancel, call it again."""
        if self.episode is None:
            identities = {role: player.identity for role, player in self.players.items()}
            self.episode = await self.recorder.begin(self.match, identities, self.place)

        def keep(match: Match) -> None:
            self.match = match
            if advanced is not None:
                advanced(match)

        while True:
            try:
                return await drive(
                    self.match, self.players, self.recorder, episode=self.episode, emit=emit, advanced=keep
                )
            except Taken:  # another process has written this turn, or the result: go on from what stands there
                if self.reload is None:
                    raise
                if self.match.over:
                    return self.match
                keep(await self.reload())

    def command(self, db: str | None = None) -> str:
        """The command that goes on from here: resume while unfinished, else the same table again."""
        words = ["playpen-tui", "play"]
        if self.setup.join and not self.match.over:
            words = ["playpen-tui", "join", self.setup.join]
        elif self.episode and not self.match.over:
            words += ["--resume", self.episode]
        else:
            words += [self.game.name]
            for role, spec in self.setup.seats.items():
                words += ["--seat", f"{role}={spec}"]
            if self.setup.language != "en":
                words += ["--lang", self.setup.language]
        if db is not None:
            words += ["--db", db]
        return shlex.join(words)
