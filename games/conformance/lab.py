"""What the checks look at: one game, a sample of its instances, and matches played through by bots and adversaries.

The lab plays every match once and keeps each position, so that two dozen checks can look at the same play instead of
playing it again. While it plays it also watches what can only be seen live: whether a state changed under the hands
of `play`, and whether anybody touched the process-wide random generator.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from random import Random
from typing import NamedTuple, TypeAlias

from games.conformance.fuzz import Report, throw
from games.conformance.replies import Adversary, Repertoire, describe, shown
from games.engine import Bot, Game, Instance, Match, Role, luck


class Finding(NamedTuple):
    """One fault: the name of the check, the game's name, and what was seen where."""

    check: str
    game: str
    detail: str


@dataclass(slots=True)
class Run:
    """One match played through. `positions` starts with the deal; `error` is what cut it short, by whose fault."""

    game: Game
    instance: Instance
    seed: int
    who: str
    """Who played, in words: `competent bots`, `garbage as guesser`."""
    bots: bool
    """Whether only bots played."""
    positions: list[Match] = field(default_factory=list[Match])
    error: str = ""
    fault: str = ""
    """`start`, `play` or `bot`: where the error came from."""
    mutated: str = ""
    touched: bool = False
    """Whether the process-wide random generator changed."""

    @property
    def last(self) -> Match:
        """The last position reached."""
        return self.positions[-1]

    @property
    def ended(self) -> bool:
        """Whether the match came to its end."""
        return bool(self.positions) and self.last.over

    def __str__(self) -> str:
        return f"{self.instance.name}, seed {self.seed}, {self.who}"


Speaker: TypeAlias = Callable[[Match, Random], str]


@dataclass
class Lab:
    """A game under examination, with everything that was played for it."""

    game: Game
    languages: Sequence[str]
    per_experiment: int
    seeds: Sequence[int]
    replies: Mapping[str, Adversary]
    plies: int
    random_replies: int = 0
    _hidden: dict[tuple[str, Role], frozenset[str]] = field(default_factory=dict[tuple[str, Role], frozenset[str]])

    @cached_property
    def all(self) -> dict[str, list[Instance]]:
        """Every built-in instance by language."""
        return {language: list(self.game.instances(language)) for language in self.languages}

    @cached_property
    def sample(self) -> list[Instance]:
        """A few instances of each experiment in each language: the first, and others by luck."""
        picked: list[Instance] = []
        for language, found in self.all.items():
            for name in dict.fromkeys(i.experiment for i in found):
                first, *rest = [i for i in found if i.experiment == name]
                rng = Random(f"{self.game.name}:{language}:{name}")
                picked += [first, *rng.sample(rest, min(len(rest), self.per_experiment - 1))]
        return picked

    @cached_property
    def bots(self) -> Mapping[str, Bot]:
        """The game's scripted players, without those that the kit reports as missing."""
        return self.game.bots()

    @cached_property
    def played_by_bots(self) -> list[Run]:
        """Matches between bots: each bot in all seats, and each in one seat against competent ones."""
        return list(self._among_bots())

    @cached_property
    def bots_again(self) -> list[Run]:
        """The same matches once more."""
        return list(self._among_bots())

    @cached_property
    def bot_runs(self) -> list[Run]:
        """Matches between bots, without those whose positions were changed: nothing can be seen in them."""
        return [run for run in self.played_by_bots if not run.mutated]

    def _among_bots(self) -> Iterator[Run]:
        for instance in self.sample:
            for seed in self.seeds:
                for who, seats in self._tables():
                    speakers = {role: self._bot(name) for role, name in seats.items()}
                    yield self.run(instance, seed, who, speakers, bots=True)

    @cached_property
    def repertoire(self) -> Repertoire:
        """What legal replies of this game look like, per role: adversaries are made from them."""
        known: dict[Role, list[str]] = {role: [] for role in self.game.roles}
        for run in self.played_by_bots:
            for step in run.last.steps if run.positions else ():
                if step.verdict == "ok" and step.text not in known[step.role] and len(known[step.role]) < 60:
                    known[step.role].append(step.text)
        return Repertoire({role: tuple(texts) for role, texts in known.items()})

    @cached_property
    def hostile_runs(self) -> list[Run]:
        """Matches with adversaries, without those whose positions were changed."""
        return [run for run in self.played_by_adversaries if not run.mutated]

    @cached_property
    def played_by_adversaries(self) -> list[Run]:
        """Matches with an adversary in one seat, or in all of them; the other seats are competent."""
        runs: list[Run] = []
        for instance in self.targets:
            for name, adversary in self.replies.items():
                hostile = self._adversary(adversary)
                for role in self.game.roles:
                    seats = {r: hostile if r == role else self._bot("competent") for r in self.game.roles}
                    runs.append(self.run(instance, self.seeds[0], f"{name} as {role}", seats))
                if len(self.game.roles) > 1:
                    everybody = dict.fromkeys(self.game.roles, hostile)
                    runs.append(self.run(instance, self.seeds[0], f"{name} in all seats", everybody))
        return runs

    @cached_property
    def targets(self) -> list[Instance]:
        """The instances that adversaries play: one of each experiment, two of each language at least."""
        first: dict[tuple[str, str], Instance] = {}
        for instance in self.sample:
            first.setdefault((instance.language, instance.experiment), instance)
        targets = list(first.values())
        for language in self.languages:  # a second one per language, so that a leak has a sibling to be measured by
            if sum(i.language == language for i in targets) == 1:
                targets += [i for i in self.sample if i.language == language and i not in targets][:1]
        return targets

    @cached_property
    def fuzzed(self) -> Report:
        """What came of throwing replies at random."""
        dealt = [run.instance for run in self.played_by_bots if run.positions]
        return throw(self.game, dealt, self.repertoire, self.replies, self.random_replies, self.seeds[0], self.plies)

    @property
    def runs(self) -> Iterator[Run]:
        """Every run, bots first."""
        yield from self.bot_runs
        yield from self.hostile_runs

    def hidden(self, language: str, role: Role) -> frozenset[str]:
        """What examples for a role must not hold: secrets that tell instances apart, in lower case.

        That is every secret which is part of the instance's key, whoever must not know it. Where a key has none of
        them, it is what this role must not know, and what other roles must not know unless all instances share it.
        """
        if (language, role) not in self._hidden:
            named: set[str] = set()
            own: set[str] = set()
            others: list[set[str]] = []
            for instance in self.all[language]:
                key = instance.key.casefold()
                secrets = {r: {s.casefold() for s in texts} for r, texts in self.game.secrets(instance).items()}
                if telling := {s for texts in secrets.values() for s in texts if s in key}:
                    named |= telling
                else:
                    own |= secrets.get(role, set())
                    others.append({s for r, texts in secrets.items() if r != role for s in texts})
            shared = set[str].intersection(*others) if others else set[str]()
            self._hidden[language, role] = frozenset(named | own | (set[str]().union(*others) - shared))
        return self._hidden[language, role]

    def positions(self, runs: Iterable[Run] | None = None) -> Iterator[tuple[Run, Match]]:
        """Every position of these runs (all without an argument)."""
        for run in self.runs if runs is None else runs:
            for match in run.positions:
                yield run, match

    def moves(self, runs: Iterable[Run]) -> Iterator[tuple[Run, Match, Match]]:
        """Every pair of neighbouring positions: before and after one reply."""
        for run in runs:
            for before, after in pairwise(run.positions):
                yield run, before, after

    def run(self, instance: Instance, seed: int, who: str, seats: Mapping[Role, Speaker], *, bots: bool = False) -> Run:
        """Play one match to its end, to its error, or to the bound of plies."""
        run = Run(self.game, instance, seed, who, bots)
        luck_before = random.getstate()
        try:
            run.positions.append(Match.new(self.game, instance, seed))
        except Exception as error:
            run.error, run.fault = describe(error), "start"
        while run.positions and not run.last.over and run.last.ply < self.plies and not run.error:
            self._ply(run, seats)
        run.touched = random.getstate() != luck_before
        return run

    def _ply(self, run: Run, seats: Mapping[Role, Speaker]) -> None:
        match = run.last
        role = match.turn
        if role is None or role not in seats:
            run.error, run.fault = f"it is the turn of {role!r}, who is not a role", "turn"
            return
        try:
            text = seats[role](match, luck(f"{run.seed}:{role}", match.ply))
        except Exception as error:
            run.error, run.fault = f"{role} at ply {match.ply}: {describe(error)}", "bot"
            return
        before = copy.deepcopy(match.state)
        try:
            run.positions.append(match.play(text))
        except Exception as error:
            run.error, run.fault = f"reply {shown(text)} of {role} at ply {match.ply}: {describe(error)}", "play"
        if match.state != before:
            run.mutated = run.mutated or f"play changed the state it was given, reply {shown(text)} of {role}"

    def _bot(self, name: str) -> Speaker:
        bot = self.bots.get(name) or next(iter(self.bots.values()))
        return lambda match, rng: bot(match.view(match.turn or ""), rng)

    def _adversary(self, adversary: Adversary) -> Speaker:
        return lambda match, rng: adversary(match, self.repertoire, rng)

    def _tables(self) -> Iterator[tuple[str, dict[Role, str]]]:
        roles = self.game.roles
        for name in self.bots:
            yield f"{name} bots", dict.fromkeys(roles, name)
        if "competent" in self.bots and len(roles) > 1:
            for name in self.bots:
                for role in roles if name != "competent" else ():
                    yield f"{name} bot as {role}", {r: name if r == role else "competent" for r in roles}
