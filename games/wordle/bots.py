"""Scripted players of the Wordle games: one that guesses at random, and one that is hard to beat.

Both know what is on their board and the public word lists, nothing else. The competent guesser keeps a list of the
targets that fit all colours. While the list is long it says the word with the commonest letters in their places; once
it is short it looks for the word, possible or not, that splits the list into the most parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from random import Random

from games.boards import Board, Card, Facts, Tiles
from games.engine import View
from games.material import Prompts, prompts
from games.wordle import words
from games.wordle.feedback import COLOURS, LENGTH, Try, colour, consistent, fits
from games.wordle.words import PACKAGE

CRITIC = "critic"
SHORT = 50
"""A list of candidates this long or shorter is split by trying out guesses."""
PROBES = 40
"""How many guesses are tried out on a short list."""


def tries_on(board: Board) -> tuple[Try, ...]:
    """The guesses made so far with their colours, read off the tiles."""
    tiles = next(panel for panel in board.panels if isinstance(panel, Tiles))
    return tuple(
        Try("".join(tile.letter for tile in row), "".join(COLOURS[tile.mark] for tile in row)) for row in tiles.rows
    )


def proposal_on(board: Board) -> str:
    """The proposal on the table, or empty."""
    return next((panel.head for panel in board.panels if isinstance(panel, Card)), "")


def refused_on(board: Board, said: Prompts) -> bool:
    """Whether the critic's last word was no."""
    no = (said.word("board.critic"), said.word("words.no"))
    return any(no in panel.items for panel in board.panels if isinstance(panel, Facts))


def by_letters(found: Sequence[str], among: Iterable[str]) -> list[str]:
    """The words of `among`, first those whose letters are commonest in `found`, in their places and at all."""
    places = [Counter(word[place] for word in found) for place in range(LENGTH)]
    anywhere = Counter(letter for word in found for letter in set(word))

    def worth(word: str) -> int:
        return sum(places[n][letter] for n, letter in enumerate(word)) + sum(anywhere[letter] for letter in set(word))

    return sorted(among, key=worth, reverse=True)


def by_splits(found: Sequence[str], among: Iterable[str]) -> list[str]:
    """The words of `among`, first those that leave the fewest words of `found` on average, possible ones first."""
    possible = set(found)

    def left(word: str) -> tuple[float, bool]:
        sizes = Counter(colour(word, target) for target in found)
        return sum(size * size for size in sizes.values()), word not in possible

    return sorted(among, key=left)


def _probes(found: Sequence[str], language: str) -> list[str]:
    """Targets whose letters tell the words of a short list apart: those that some of them have and some have not."""
    anywhere = Counter(letter for word in found for letter in set(word))
    telling = {letter: min(count, len(found) - count) for letter, count in anywhere.items()}

    def worth(word: str) -> int:
        return sum(telling.get(letter, 0) for letter in set(word))

    return sorted(words.targets(language), key=worth, reverse=True)


@lru_cache(maxsize=4096)
def best(language: str, tries: tuple[Try, ...], guesses_left: int) -> tuple[tuple[str, ...], int]:
    """The best guesses after these tries, best first, and how many targets still fit."""
    found = consistent(words.candidates(language), tries) or consistent(words.ranked(language), tries)
    if not tries or len(found) > SHORT or len(found) <= 2 or guesses_left == 1:
        return tuple(by_letters(found, found)), len(found)
    probes = by_letters(found, found) + _probes(found, language)
    return tuple(by_splits(found, dict.fromkeys(probes[:PROBES]))), len(found)


def _reason(said: Prompts, count: int, first: bool) -> str:
    if first:
        return said.word("bot.first")
    return said.fill("bot.many", count=count) if count > 1 else said.word("bot.one" if count else "bot.lost")


def competent_bot(view: View, rng: Random) -> str:
    """Guess what tells most; as critic, agree with what fits and is new."""
    board, said = view.board, prompts(PACKAGE, view.language)
    tries, proposal = tries_on(board), proposal_on(board)
    if view.role == CRITIC:
        return view.compose(_opinion(proposal, tries, said))
    tiles = next(panel for panel in board.panels if isinstance(panel, Tiles))
    ranking, count = best(view.language, tries, tiles.height - len(tries))
    guess = ranking[0] if ranking else rng.choice(words.listed(view.language))
    if proposal and len(ranking) > 1 and refused_on(board, said):
        guess = next(word for word in ranking if word != proposal)
    return view.compose({"guess": guess, "explanation": _reason(said, count, not tries)})


def _opinion(proposal: str, tries: Sequence[Try], said: Prompts) -> dict[str, str]:
    repeated = any(proposal == one.guess for one in tries)
    agreed = fits(proposal, tries)  # a repeated guess never does, since the match went on after it
    why = "bot.agree" if agreed else "bot.repeated" if repeated else "bot.contradicts"
    return {"agreement": said.word("words.yes" if agreed else "words.no"), "explanation": said.word(why)}


def random_bot(view: View, rng: Random) -> str:
    """Any allowed word; as critic, yes or no."""
    said = prompts(PACKAGE, view.language)
    why = said.word("bot.random")
    if view.role == CRITIC:
        return view.compose({"agreement": said.word(rng.choice(("words.yes", "words.no"))), "explanation": why})
    return view.compose({"guess": rng.choice(words.listed(view.language)), "explanation": why})
