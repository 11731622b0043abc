"""What a finished match was worth, by our rules and by clembench's.

Requests are counted per reply of a player, and repetitions are really looked for (in clembench 3.0 both counts are
wrong). `clembench.main_score` is what clembench's own rules make of the same replies; where a match ended before
those rules would have settled it (a clue that only we forbid, an article before the guess), it is left out.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from games.engine import Match, Scores, Step
from games.taboo.clue import same_stem, stem, stop_words, tokens
from games.taboo.lexicon import TabooInstance
from games.taboo.replies import guessed

_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def scores(
    match: Match, instance: TabooInstance, clues: Sequence[str], guesses: Sequence[str], tags: tuple[str, str]
) -> Scores:
    """Main score 100 / round of success, 0 for failure, None when aborted; credit 1 for the clue and guess that hit."""
    state, steps = match.state, match.steps
    main = {"success": 100 / state.round, "failure": 0.0}.get(state.outcome or "aborted")
    credit = {step.ply: 0.0 for step in steps if step.verdict == "ok"}
    if state.outcome == "success":
        credit[steps[-1].ply] = credit[steps[-2].ply] = 1.0
    violated = sum(step.verdict == "illegal" for step in steps)
    metrics: dict[str, float] = {
        "rounds": float(state.round),
        "repetition_guesser": _repeated([guessed(one, instance.language) for one in guesses]),
        "repetition_describer": _repeated([" ".join(tokens(one, instance.language)) for one in clues]),
        "near_miss": float(sum(near_miss(one, instance) for one in guesses)),
        "requests": float(len(steps)),
        "parsed": float(len(steps) - violated),
        "violated": float(violated),
        "request_success_ratio": (len(steps) - violated) / len(steps) if steps else 0.0,
    }
    if clues:
        metrics["clue_length"] = sum(len(one.split()) for one in clues) / len(clues)
    return Scores(main, credit, metrics | _clembench(steps, instance, tags))


def near_miss(said: str, instance: TabooInstance) -> bool:
    """Whether a wrong guess is another form of the target."""
    guess, target = guessed(said, instance.language), guessed(instance.target, instance.language)
    return guess != target and " " not in guess and guess != "" and same_stem(guess, target, instance.language)


def _repeated(said: Sequence[str]) -> float:
    return float(sum(a == b for a, b in pairwise(said)))


def _clembench(steps: Sequence[Step], instance: TabooInstance, tags: tuple[str, str]) -> dict[str, float]:
    """`clembench.aborted`, and `clembench.main_score` where it is a number; nothing where it remains open."""
    clue_tag, guess_tag = (f"{tag}:" for tag in tags)
    for n, step in enumerate(steps):
        tag = guess_tag if n % 2 else clue_tag
        if not step.text.startswith(tag):
            return {"clembench.aborted": 1.0}
        said = step.text.replace(tag, "").strip().lower().translate(_NO_PUNCTUATION)
        if n % 2 and said == instance.target.lower():
            return {"clembench.aborted": 0.0, "clembench.main_score": 100 / (n // 2 + 1)}
        if (not n % 2 and _refused(said, instance)) or n == 5:
            return {"clembench.aborted": 0.0, "clembench.main_score": 0.0}
    return {}


@lru_cache(maxsize=4096)
def _stems(words: tuple[str, ...], language: str) -> tuple[frozenset[str], frozenset[str]]:
    """The stems of these words, and their first letters: a stemmer leaves those alone, but for umlauts."""
    stems = frozenset(stem(word.lower(), language) for word in words)
    return stems, frozenset(one[0] for one in stems if one)


def _refused(clue: str, instance: TabooInstance) -> bool:
    language = instance.language
    stems, initials = _stems((instance.target, *instance.related), language)
    stop = stop_words(language)
    return any(
        word not in stop and stem(word, language) in stems
        for word in clue.split(" ")
        if word and (word[0] in initials or not word[0].isascii())  # first, since it settles nearly all of them
    )
