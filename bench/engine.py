"""The bare engine against clemcore's: scripted episodes of Taboo (three rounds) and Wordle (six guesses), no log.

`python -m bench.engine [--smoke] [--peer PYTHON]` prints one JSON document. Both sides are told the same texts for
every built-in instance, and neither keeps a log. Ours remembers what it knows of words, so it is measured at first
sight of the texts (those memories emptied before each turn), which is what the goal is held against, and once again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from bench.common import Measured, Peer, digits, document, measure, rates, ratio, summary
from games import material
from games.engine import Game, Instance, Match
from games.taboo import clue as taboo_clue
from games.taboo import lexicon
from games.taboo.game import Taboo
from games.wordle import words as wordle_words
from games.wordle.game import Wordle

GOAL = 1.0
LEARNED = 128
"""Room for so many entries or more: a cache of what texts have taught, not of the files of a language."""
REPEATS = 7
SMOKE = {"instances": 40, "repeats": 2}
RECORDED = {"taboo": 4500.0, "wordle": 2100.0}
"""Episodes per CPU-second of clembench 3.0's own masters on clemcore 3.7.2, the best seen, on an AMD EPYC with two
cores: a fixed line to compare with, measured once and on another day."""
OPENERS = ("crane", "moist", "lumpy", "dough", "fixed", "vivid")


@dataclass(frozen=True, slots=True)
class Episode:
    """An instance and the replies that play it to its end."""

    instance: Instance
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """A game with its episodes, and the same as a plan for the peer."""

    game: Game
    episodes: tuple[Episode, ...]
    plan: dict[str, Any]

    @property
    def steps(self) -> int:
        """How many replies all episodes have."""
        return sum(len(episode.texts) for episode in self.episodes)

    def play(self) -> int:
        """Play everything, as an embedder would who reads what the role has heard. Returns the number of episodes."""
        game = self.game
        for episode in self.episodes:
            match = Match.new(game, episode.instance)
            for text in episode.texts:
                role = match.turn
                assert role is not None
                _ = match.heard[role]
                match = match.play(text)
        return len(self.episodes)


def _full(game: Game, found: Iterator[Episode], length: int, limit: int | None) -> tuple[Episode, ...]:
    """The episodes that take all their turns and end in success by our rules, which are the stricter ones."""
    kept: list[Episode] = []
    for episode in found:
        match = Match.new(game, episode.instance)
        for text in episode.texts:
            match = match if match.over else match.play(text)
        if match.ply == length and match.state.outcome == "success":
            kept.append(episode)
        if len(kept) == limit:
            break
    return tuple(kept)


def taboo(limit: int | None = None) -> Work:
    """Every target: clues from the material, of the word and of two others; two wrong guesses, then the right one."""
    game = Taboo()
    entries, known = lexicon.entries("en"), lexicon.by_target("en")

    def scripts() -> Iterator[Episode]:
        for n, one in enumerate(game.instances("en")):
            first, second = entries[n * 7 % len(entries)], entries[(n * 11 + 3) % len(entries)]
            own = known[taboo_clue.fold(one.target, "en")].clue
            said = (
                f"CLUE: {own}",
                f"GUESS: {first.target}",
                f"CLUE: not like this: {first.clue}",
                f"GUESS: {second.target}",
                f"CLUE: rather {own}, and not: {second.clue}",
                f"GUESS: {one.target}",
            )
            yield Episode(one, said)

    episodes = _full(game, scripts(), 6, limit)
    said = material.prompts(taboo_clue.PACKAGE, "en")
    plan = {
        "game": "taboo",
        "prompts": {role: said.word(f"brief.{role}") for role in game.roles},
        "words": sorted(taboo_clue.stop_words("en")),
        "episodes": [
            {"target": one.instance.target, "related": [*one.instance.related], "texts": one.texts} for one in episodes
        ],
    }
    return Work(game, episodes, plan)


def wordle(limit: int | None = None) -> Work:
    """Every target, found at the sixth guess after five fixed ones."""
    game = Wordle()

    def scripts() -> Iterator[Episode]:
        for one in game.instances("en"):
            guesses = [*[word for word in OPENERS if word != one.target][:5], one.target]
            yield Episode(one, tuple(f"explanation: this tells more of it\nguess: {guess}" for guess in guesses))

    episodes = _full(game, scripts(), 6, limit)
    said = material.prompts(wordle_words.PACKAGE, "en")
    plan = {
        "game": "wordle",
        "prompts": {"guesser": f"{said.fill('brief.guesser')}\n\n{said.word('brief.first')}", "again": _again(game)},
        "words": sorted(wordle_words.allowed("en")),
        "episodes": [{"target": one.instance.target, "texts": one.texts} for one in episodes],
    }
    return Work(game, episodes, plan)


def _again(game: Wordle) -> str:
    """What our game says after the colours, so that the peer's replies to the guesser are as long as ours."""
    match = Match.new(game, game.instances("en")[0]).play("explanation: a start\nguess: vivid")
    return match.heard["guesser"][-1].content.partition("\n\n")[2]


def forget(package: str) -> int:
    """Empty every cache of a game that holds more than files: those with room for many entries. Returns how many."""
    modules = [module for name, module in sys.modules.items() if name.startswith(f"{package}.")]
    found = {id(one): one for module in modules for one in vars(module).values() if hasattr(one, "cache_parameters")}
    learned = [one for one in found.values() if (one.cache_parameters()["maxsize"] or LEARNED) >= LEARNED]
    for one in learned:
        one.cache_clear()
    return len(learned)


def compare(work: Work, peer: Peer | None, repeats: int, scratch: Path) -> dict[str, Any]:
    """Measure one game; ours and the peer take turns, and the first turn of each only warms up."""
    path = scratch / f"{work.plan['game']}.json"
    path.write_text(json.dumps(work.plan), encoding="utf-8")
    first: list[Measured] = []
    again: list[Measured] = []
    theirs: list[Measured] = []
    faithful: list[Measured] = []
    answer: dict[str, Any] = {}
    work.play()
    if peer is not None:
        peer.play(path)
    for _ in range(repeats):
        forget(f"games.{work.plan['game']}")
        first.append(measure(work.play))
        if peer is not None:
            answer = peer.play(path)
            theirs.append(rates(answer))
            faithful.append(rates(peer.play(path, faithful=True)))
        again.append(measure(work.play))
    cold, warm, rated = ([one.per_cpu_s for one in side] for side in (first, again, theirs))
    fixed = RECORDED[work.plan["game"]]
    found: dict[str, Any] = {
        "episodes": len(work.episodes),
        "steps": work.steps,
        "repeats": repeats,
        "ours": {"first_sight": summary(cold), "again": summary(warm)},
        "recorded": {"episodes_per_cpu_s": fixed, "ratio": ratio(cold, [fixed] * repeats)},
    }
    if peer is not None:
        if answer["steps"] != work.steps or Counter(answer["outcomes"]) != Counter({"success": len(work.episodes)}):
            raise RuntimeError(f"the peer played another game: {answer}")
        about = {"clemcore": answer["clemcore"], "python": answer["python"]}
        found["peer"] = {**about, **summary(rated), "ratio": ratio(cold, rated), "ratio_again": ratio(warm, rated)}
        slow = [one.per_cpu_s for one in faithful]
        found["peer_faithful"] = {**summary(slow), "ratio": ratio(cold, slow)}
    return found


def run(smoke: bool, python: str | None) -> dict[str, Any]:
    """The whole benchmark as one document."""
    limit = SMOKE["instances"] if smoke else None
    repeats = SMOKE["repeats"] if smoke else REPEATS
    games: dict[str, Any] = {}
    with (
        tempfile.TemporaryDirectory(prefix="bench-engine-") as scratch,
        Peer(python) if python else nullcontext() as peer,
    ):
        for work in (taboo(limit), wordle(limit)):
            games[work.plan["game"]] = compare(work, peer, repeats, Path(scratch))
    against = {"recorded": _mean(game["recorded"]["ratio"] for game in games.values())}
    if python:
        for name in ("peer", "peer_faithful"):
            against[name] = _mean(game[name]["ratio"] for game in games.values())
    return document(
        "engine",
        smoke,
        unit="episodes per CPU-second",
        games=games,
        geometric_mean=against,
        goal=GOAL,
        met=against["peer"] >= GOAL if python else None,
    )


def _mean(ratios: Iterator[float]) -> float:
    return digits(geometric_mean(ratios))


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.engine", description="The bare engine against clemcore's master.")
    parser.add_argument("--smoke", action="store_true", help="a few episodes, to see that it runs")
    parser.add_argument("--peer", metavar="PYTHON", help="the interpreter of clemcore's environment (make clem)")
    options = parser.parse_args()
    print(json.dumps(run(options.smoke, options.peer), indent=2))


if __name__ == "__main__":
    main()
