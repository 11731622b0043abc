"""Mistakes that a reply can be shown to make from what its seat had heard, by the games' own functions.

Only for games whose feedback is known: the Wordle family, and games in which to say the same again can never help.
clembench's own versions (`clem:…`) are judged alike; they show their colours in the same form.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from games.engine import Message
from games.wordle.feedback import LENGTH, Try, colour, fits, known
from games.wordle.game import coloured, guess_form
from games.wordle.replies import Malformed
from store.perspectives import Perspective

WORDLE = frozenset({"wordle", "wordle_withclue", "wordle_withcritic"})
LANGUAGES = frozenset({"en", "de"})
"""Those that the Wordle family is said in."""
ONCE = {"taboo": "", "guesswhat": "guesser"}
"""Games in which nothing is worth saying twice, and the role that this holds for; empty for each. On a map it may be,
and whoever answers says yes more than once."""


class Heard:
    """What a seat had said and been told before a reply."""

    def __init__(self, one: Perspective, prefix: int) -> None:
        self.game = one.game.removeprefix("clem:")
        self.language = one.language
        before = one.messages[:prefix]
        role = ONCE.get(self.game)
        once = role is not None and role in one.role.casefold()
        self.said = frozenset(plain(message.content) for message in before if once and message.role == "assistant")
        self.tries: tuple[Try, ...] = ()
        if self.game in WORDLE and self.language in LANGUAGES:
            self.tries = _tries(before, one.key.rpartition(":")[2], self.language)

    def repeated(self, text: str) -> bool:
        """Whether this says again what was of no use."""
        if self.tries:
            return _guess(text, self.language) in [one.guess for one in self.tries]
        return plain(text) in self.said

    def ignored(self, text: str) -> str:
        """What this guess makes nothing of; empty where it heeds all colours seen, or is no guess."""
        guess = _guess(text, self.language) if self.tries else ""
        if len(guess) != LENGTH or fits(guess, self.tries):
            return ""
        facts = known(self.tries)
        for place, letter in enumerate(guess):
            if letter in facts.absent:
                return f"{letter} is not in the word"
            if facts.placed.get(place, letter) != letter:
                return f"place {place + 1} was {facts.placed[place]} already"
            if letter in facts.banned[place]:
                return f"{letter} is not in place {place + 1}"
        missing = next((letter for letter, count in facts.least.items() if guess.count(letter) < count), "")
        return f"{missing} is in the word" if missing else "a letter comes too often"


def plain(text: str) -> str:
    """Words without their case and spacing."""
    return " ".join(text.casefold().split())


def _tries(before: Sequence[Message], target: str, language: str) -> tuple[Try, ...]:
    """Guesses whose colours the seat was shown, in order."""
    found: list[Try] = []
    for message, answer in pairwise(before):
        if message.role != "assistant":
            continue
        guess = _guess(message.content, language)
        if len(guess) == LENGTH == len(target):
            one = Try(guess, colour(guess, target))
            row = coloured(one, language).partition(" ")[2]
            if row in answer.content:
                found.append(one)
    return tuple(found)


def _guess(text: str, language: str) -> str:
    """The word of a guess as Wordle reads it; empty where there is none."""
    try:
        return guess_form(language).read(text).value.casefold()
    except Malformed:
        return ""
