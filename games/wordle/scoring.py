"""What a finished game was worth: the main score, credit per guess, and measures of how well the guesser reasoned.

Measures that clembench has under another rule are kept beside ours with the prefix `clembench.`: its strategy score
looks back one guess only and counts a letter that was both in place and wrong twice. Its main score is missing where
clembench would have aborted, since it forgives no reply of wrong length.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from games.engine import Match, Step
from games.wordle.feedback import ALL_GREEN, GREEN, LENGTH, RED, YELLOW, Try, known

ROUNDS = 6
STEPS = (100.0, 100.0, 100.0, 50.0, 30.0, 20.0)
"""Plain Wordle: the score of a word found in one to six guesses."""
BEST_CLOSENESS = 5 * LENGTH


def closeness(colours: str) -> int:
    """5 for a green letter, 3 for a yellow one: 0 to 25."""
    return 5 * colours.count(GREEN) + 3 * colours.count(YELLOW)


def strategy(guess: str, before: Sequence[Try]) -> int:
    """How well a guess uses everything learned before it.

    20 for each known letter kept in its place, 10 for each letter known to be in the word that is tried in a place
    still possible (as often as it is known to be missing), -20 for each different letter known not to be in it.
    """
    facts = known(tuple(before))
    kept = [place for place, letter in facts.placed.items() if guess[place] == letter]
    score = 20 * len(kept) - 20 * len(facts.absent & set(guess))
    placed = list(facts.placed.values())
    for letter, count in facts.least.items():
        open_places = [
            place
            for place in range(LENGTH)
            if guess[place] == letter and place not in facts.placed and letter not in facts.banned[place]
        ]
        score += 10 * min(len(open_places), max(0, count - placed.count(letter)))
    return score


def clembench_strategy(guess: str, last: Try) -> int:
    """clembench's version: letters of the last guess by colour, each colour for itself."""
    by_colour = {
        colour: {letter for letter, mark in zip(last.guess, last.colours, strict=True) if mark == colour}
        for colour in (GREEN, YELLOW, RED)
    }
    used = set(guess)
    return 20 * len(used & by_colour[GREEN]) + 10 * len(used & by_colour[YELLOW]) - 20 * len(used & by_colour[RED])


def per_guess(tries: Sequence[Try], aborted: bool) -> dict[str, float]:
    """Closeness and both strategy scores of each guess, by its number: `closeness_r1` and so on."""
    found: dict[str, float] = {}
    for n, (guess, colours) in enumerate(tries, 1):
        found[f"closeness_r{n}"] = closeness(colours)
        found[f"strategy_r{n}"] = strategy(guess, tries[: n - 1])
        found[f"clembench.strategy_r{n}"] = clembench_strategy(guess, tries[n - 2]) if n > 1 else 0
    if len(tries) == 1:  # found at once, or aborted before a second guess: clembench's rule, taken over
        found["strategy_r1"] = found["clembench.strategy_r1"] = 0 if aborted else 100
    return found


def repetitions(tries: Iterable[Try]) -> int:
    """How many guesses had been made before."""
    guesses = [one.guess for one in tries]
    return len(guesses) - len(set(guesses))


def requests(match: Match, broken: Iterable[Step]) -> dict[str, float]:
    """How many replies were asked for, could be read, and broke the form."""
    asked, violated = len(match.steps), len(list(broken))
    return {"requests": asked, "parsed": asked - violated, "violated": violated}


def main_score(tries: Sequence[Try], by_steps: bool) -> float:
    """0 where the word was not found; else by the table of plain Wordle, or 100 divided by the number of guesses."""
    if not tries or tries[-1].colours != ALL_GREEN:
        return 0.0
    return STEPS[len(tries) - 1] if by_steps else round(100 / len(tries), 2)


def opinions(rounds: Sequence[tuple[str, bool, str]]) -> dict[str, float]:
    """Of (proposal, agreed, guess) per round: did the guesser change its mind, and how did the critic's word count?

    The four shares are clembench's: of the rounds in which the critic agreed (disagreed), those in which the guess
    was the proposal again, or another word; 0 where the critic never said so, nothing where there was no round.
    """
    if not rounds:
        return {}
    changed = [proposal != guess for proposal, _, guess in rounds]
    found: dict[str, float] = {f"change_of_opinion_r{n}": float(c) for n, c in enumerate(changed, 1)}
    found["change_of_opinion"] = sum(changed) / len(changed)
    for name, said in (("agreement", True), ("disagreement", False)):
        those = [proposal != guess for proposal, agreed, guess in rounds if agreed is said]
        found[f"repetition_on_{name}"] = (len(those) - sum(those)) / len(those) if those else 0.0
        found[f"non_repetition_on_{name}"] = sum(those) / len(those) if those else 0.0
    return found
