"""A self-play run as somebody writes it into the form: the plan, its limits, and the command that says the same."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from games import catalog
from games.engine import Role
from players.plan import Plan
from playpen_tui.plain_text import plain
from playpen_tui.text import short

EACH, CROSS, SWAP = "itself", "all with all", "in turn"
PAIRINGS = (EACH, CROSS, SWAP)
"""Who sits at one table, where there are several players."""
NO, YES = "no", "yes"


@dataclass(frozen=True, slots=True)
class Draft:
    """A run as somebody wants it: fields of the form, as they are typed."""

    games: str = "taboo"
    players: str = "smollm2"
    seats: str = ""
    pairing: str = EACH
    split: str = "train"
    language: str = "en"
    episodes: str = "20"
    siblings: str = "1"
    seed: str = "0"
    at_once: str = "16"
    tokens: str = ""
    assist: str = NO

    def plan(self) -> Plan:
        """What is played. Raises ValueError with a sentence."""
        games = tuple(dict.fromkeys(words(self.games)))
        if not games:
            raise ValueError(f"a game is missing; there are {', '.join(catalog.names())}")
        return Plan(
            games=games,
            players=tuple(dict.fromkeys(words(self.players))),
            seats=_seats(self.seats),
            cross=self.pairing == CROSS,
            swap=self.pairing == SWAP,
            split=cast("catalog.Split", self.split),
            language=self.language or "en",
            episodes=_number("episodes", self.episodes, 1),
            per_instance=_number("siblings", self.siblings, 1) or 1,
            seed=_number("seed", self.seed, 0) or 0,
            assist=self.assist == YES,
        )

    def concurrency(self) -> int | None:
        """Matches at once. Raises ValueError."""
        return _number("at once", self.at_once, 1, 4096)

    def limits(self) -> dict[str, Any]:
        """Those fields of the run's limits that are named. Raises ValueError."""
        tokens = _number("tokens", self.tokens, 1)
        return {} if tokens is None else {"tokens": tokens}

    def command(self, db: str | None) -> str:
        """The command that plays the same without a screen. Raises ValueError."""
        plan, at_once = self.plan(), self.concurrency()
        said: list[str] = ["playpen-tui", "selfplay", *plan.games]
        said += [part for player in plan.players for part in ("--player", player)]
        said += [part for role, player in plan.seats.items() for part in ("--seat", f"{role}={player}")]
        said += ["--cross"] * plan.cross + ["--swap"] * plan.swap
        usual = Plan(plan.games)
        for option, value, default in (
            ("--split", plan.split, usual.split),
            ("--lang", plan.language, usual.language),
            ("--episodes", plan.episodes, usual.episodes),
            ("--per-instance", plan.per_instance, usual.per_instance),
            ("--seed", plan.seed, usual.seed),
            ("--concurrency", at_once, None),
            ("--max-tokens", self.limits().get("tokens"), None),
            ("--db", db, None),
        ):
            said += [] if value == default else [option, str(value)]
        return shlex.join([*said, *["--assist"] * plan.assist])


def words(text: str) -> list[str]:
    """The names in a field, which spaces or commas divide; one with such in it stands in quotes. Raises ValueError."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters, lexer.escape = " ,", True, "", ""
    try:
        return list(lexer)
    except ValueError as error:
        raise ValueError(f"a quote is missing in {plain(text)}") from error


def written(names: Iterable[str]) -> str:
    """Names as they stand in a field; `words` is the inverse."""
    return " ".join(shlex.quote(name) if {*name} & {*" ,'\""} else name for name in names)


def _seats(text: str) -> dict[Role, str]:
    found: dict[Role, str] = {}
    for word in words(text):
        role, _, player = word.partition("=")
        if not role or not player:
            raise ValueError(f"seats are ROLE=PLAYER, such as guesser=bot, not {plain(word)}")
        if role in found:
            raise ValueError(f"{plain(role)} is seated twice: leave one out, or let players take turns there")
        found[role] = player
    return found


def _number(what: str, text: str, least: int, most: int = 2**31 - 1) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 11 and least <= int(text) <= most):
        raise ValueError(f"{what}: a whole number from {least} to {most:,}, not {short(plain(text), 40)}")
    return int(text)
