"""Scripted players. `competent` describes with the material's own clue, then with letters, and guesses by overlap of
words with what the material says of every target; `random` says anything in the right form; `patient` tells and guesses
in the last round only, so that every match has all its rounds.

The competent guesser has no more than the clues it heard: a person's clue is scored in the same way, hints about the
number of letters and the first or last letter narrow the choice, and wrong guesses are not said again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import NamedTuple

from games.boards import Card, Lines
from games.engine import View
from games.material import Prompts, prompts
from games.taboo import lexicon
from games.taboo.clue import PACKAGE, base, fold, stem, stop_words, tokens
from games.taboo.replies import guessed

_CLUE_WEIGHT = 1.0
_RELATED_WEIGHT = 0.8
_DRAWS = 4
"""Vague sentences that the patient describer tries before it gives a hint about letters."""


def random_bot(view: View, rng: Random) -> str:
    """Any word of the vocabulary that was not said yet, or a sentence that says nothing."""
    said = prompts(PACKAGE, view.language)
    if _asked(view) == "guess":
        wrong = {guessed(one, view.language) for one in _lines(view)[1]}
        vocabulary = lexicon.vocabulary(view.language)
        word = rng.choice(vocabulary)
        while guessed(word, view.language) in wrong:
            word = rng.choice(vocabulary)
        return view.compose({"guess": word})
    return view.compose({"clue": _vague(said, rng)})


def _vague(said: Prompts, rng: Random) -> str:
    """A sentence that fits most things."""
    opening, middle, end = (rng.choice(said.words(f"bot.{part}")) for part in ("openings", "middles", "ends"))
    gap = "" if middle.startswith(",") else " "
    return f"{opening}{gap}{middle} {end}"


def competent_bot(view: View, rng: Random) -> str:
    """The best legal clue that was not given yet, or the best guess that was not made yet."""
    if _asked(view) == "guess":
        clues, wrong = _lines(view)
        return view.compose({"guess": best_guess(clues, wrong, view.language, rng)})
    card = next(panel for panel in view.board.panels if isinstance(panel, Card))
    return _first_legal(view, clues_for(card.head, card.items, view.language)) or random_bot(view, rng)


def patient_bot(view: View, rng: Random) -> str:
    """Before the last round a clue that fits most things or a guess that is no target, both legal; in the last one what
    `competent` would say. Two of them play all rounds, and win where the clues tell the word.
    """
    if _asked(view) == "guess":
        clues, wrong = _lines(view)
        language = view.language
        if len(clues) >= lexicon.ROUNDS:
            return view.compose({"guess": best_guess(clues, wrong, language, rng)})
        out = {guessed(word, language) for word in (*wrong, *lexicon.said_in(clues, language))}
        words = [word for word in _no_targets(language) if guessed(word, language) not in out]
        return view.compose({"guess": rng.choice(words)})
    card = next(panel for panel in view.board.panels if isinstance(panel, Card))
    before = sum(message.role == "assistant" for message in view.heard)
    if before + 1 >= lexicon.ROUNDS:
        return competent_bot(view, rng)
    said = prompts(PACKAGE, view.language)
    vague = [_vague(said, rng) for _ in range(_DRAWS)]
    hints = list(clues_for(card.head, card.items, view.language))[1:]
    return _first_legal(view, (*vague, *hints) if not before else (*hints, *vague)) or competent_bot(view, rng)


def _first_legal(view: View, clues: Iterable[str]) -> str:
    """The first of these clues that was not given yet and breaks no rule, as a reply; empty where none will do."""
    given = {message.content for message in view.heard if message.role == "assistant"}
    replies = (view.compose({"clue": clue}) for clue in clues)
    return next((reply for reply in replies if reply not in given and not view.check(reply)), "")


@lru_cache(maxsize=4)
def _no_targets(language: str) -> tuple[str, ...]:
    """Words of the vocabulary that are the target of no instance."""
    targets = {guessed(entry.target, language) for entry in lexicon.entries(language)}
    return tuple(word for word in lexicon.vocabulary(language) if guessed(word, language) not in targets)


def clues_for(target: str, related: Sequence[str], language: str) -> Iterator[str]:
    """Clues in the order they are given; whether one is legal is for the game's check to say."""
    said = prompts(PACKAGE, language)
    word = fold(target, language)
    entry = lexicon.by_target(language).get(word)
    if entry is not None:
        yield entry.clue
    numbers = said.words("bot.numbers")
    count = numbers[len(word)] if len(word) < len(numbers) else said.word("bot.many")
    yield said.fill("bot.letters", count=count, first=word[0].upper())
    if entry is not None:
        kept = [
            piece for piece in entry.clue.split() if fold(piece, language).strip(",.;:") not in stop_words(language)
        ]
        yield said.fill("bot.again", rest=", ".join(piece.strip(",.;:") for piece in reversed(kept)))
    yield said.fill("bot.ending", count=count, last=word[-1].upper())


class Letters(NamedTuple):
    """What a clue tells about the letters of the word; nothing where it tells nothing."""

    size: int = 0
    first: str = ""
    last: str = ""

    def allow(self, word: str) -> bool:
        """Whether a folded word fits."""
        return (
            (not self.size or len(word) == self.size)
            and (not self.first or word.startswith(self.first))
            and (not self.last or word.endswith(self.last))
        )


def letters(clues: Iterable[str], language: str) -> Letters:
    """Everything the clues tell about letters; later ones win."""
    numbers = {name: n for n, name in enumerate(prompts(PACKAGE, language).words("bot.numbers"))}
    found = Letters()
    for clue in clues:
        for pattern in _patterns("count", language):
            for match in pattern.finditer(clue):
                said = match["count"].casefold()
                count = int(said) if re.fullmatch("[0-9]{1,2}", said) else numbers.get(said, 0)
                found = found._replace(size=count or found.size)
        for pattern in _patterns("first", language):
            for match in pattern.finditer(clue):
                found = found._replace(first=fold(match["letter"], language))
        for pattern in _patterns("last", language):
            for match in pattern.finditer(clue):
                found = found._replace(last=fold(match["letter"], language))
    return found


def best_guess(clues: Sequence[str], wrong: Iterable[str], language: str, rng: Random) -> str:
    """The target whose description shares most with the clues; any word that fits the letters where nothing does."""
    said = {guessed(one, language) for one in wrong}
    told = letters(clues, language)
    index = _index(language)
    score: dict[str, float] = {}
    for stemmed in dict.fromkeys(stemmed for clue in clues for stemmed in _stems(clue, language)):
        for target, weight in index.get(stemmed, {}).items():
            score[target] = score.get(target, 0.0) + weight
    fitting = {t: n for t, n in score.items() if guessed(t, language) not in said and told.allow(fold(t, language))}
    if fitting:
        best = max(fitting.values())
        return rng.choice(sorted(target for target, n in fitting.items() if n > best - 1e-9))
    words = [word for word in lexicon.vocabulary(language) if guessed(word, language) not in said]
    return rng.choice([word for word in words if told.allow(fold(word, language))] or words)


def _asked(view: View) -> str:
    return view.fields[0].name


def _lines(view: View) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The clues heard and the wrong guesses made, from the guesser's board."""
    clues, *wrong = (panel.lines for panel in view.board.panels if isinstance(panel, Lines))
    return clues, wrong[0] if wrong else ()


@lru_cache(maxsize=8)
def _patterns(what: str, language: str) -> tuple[re.Pattern[str], ...]:
    found = prompts(PACKAGE, language).words(f"bot.{what}_patterns")
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in found)


def _stems(text: str, language: str) -> Iterator[str]:
    stops = stop_words(language)
    return (stem(base(word, language), language) for word in tokens(text, language) if word not in stops)


@lru_cache(maxsize=4)
def _index(language: str) -> Mapping[str, Mapping[str, float]]:
    """Per stem the targets it speaks for, rare words louder."""
    weights: dict[str, dict[str, float]] = {}
    for entry in lexicon.entries(language):
        for stemmed in _stems(" ".join(entry.related), language):
            weights.setdefault(stemmed, {})[entry.target] = _RELATED_WEIGHT
        for stemmed in _stems(entry.clue, language):
            weights.setdefault(stemmed, {})[entry.target] = _CLUE_WEIGHT
    total = len(lexicon.entries(language))
    return {
        stemmed: {target: weight * math.log(1 + total / len(found)) for target, weight in found.items()}
        for stemmed, found in weights.items()
    }
