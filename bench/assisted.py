"""How well the built-in model plays when its seat is assisted, and without: everything with the real weights.

Forty everyday words with one plain clue sentence each, drawn from `assisted_clues.tsv` at a fixed seed, are put to it
as Taboo's guesser; forty instances of Taboo are given to it to describe; then it plays whole episodes of each game with
itself. Prints one JSON document. The clue sentences were written before any of them was tried and are never tuned to.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from bench.common import document
from games import catalog
from games.engine import Game, Instance, Match
from games.taboo.lexicon import TabooInstance, vocabulary
from players.backends.embedded import EmbeddedClient, embedded_client, find_weights
from players.base import Ask, Call, Called, Event, Identity, Reply
from players.driver import drive, sampling_seed
from players.model import ModelPlayer

CLUES = Path(__file__).with_name("assisted_clues.tsv")
TARGETS = 40
SEED = 20
GAMES = ("taboo", "wordle", "wordle_withclue", "wordle_withcritic", "referencegame")
GOALS = {"guessed_first": TARGETS // 2, "legal_clues": TARGETS, "protocol_breaks": 0, "guess_median_s": 1.5}


@dataclass(slots=True)
class Table:
    """One seat of the model, and what it cost."""

    player: ModelPlayer
    calls: list[Call] = field(default_factory=list[Call])
    seconds: list[float] = field(default_factory=list[float])

    def hear(self, event: Event) -> None:
        """Keep the calls."""
        if isinstance(event, Called):
            self.calls.append(event.call)

    async def turn(self, match: Match) -> tuple[Match, Reply]:
        """Let the model say what is to be said next."""
        role = match.turn
        assert role is not None
        ask = Ask(match.view(role), sampling_seed(match.seed, role, match.ply), emit=self.hear)
        reply = await self.player.speak(match.heard[role], ask)
        self.seconds.append(reply.ms / 1000)
        return match.play(reply.text), reply

    def cost(self) -> dict[str, Any]:
        """Seconds and requests per reply."""
        late = sorted(self.seconds)
        return {
            "replies": len(late),
            "calls_per_reply": round(len(self.calls) / len(late), 2),
            "median_s": round(median(late), 2),
            "p90_s": round(late[int(0.9 * (len(late) - 1))], 2),
            "first_s": round(self.seconds[0], 2),
        }


def seat(client: EmbeddedClient, assist: bool) -> Table:
    """A seat of the built-in model, decoding greedily."""
    sampling = {"temperature": 0.0, "max_tokens": 60}
    return Table(ModelPlayer(Identity("model", "smollm2", sampling=sampling), client, sampling, assist=assist))


def targets(count: int) -> list[tuple[str, str]]:
    """Target and clue, drawn from those that stand in the vocabulary today."""
    known = set(vocabulary("en"))
    with CLUES.open(encoding="utf-8", newline="") as file:
        rows = [(row["target"], row["clue"]) for row in csv.DictReader(file, delimiter="\t")]
    return Random(SEED).sample([row for row in rows if row[0] in known], count)


async def guessing(client: EmbeddedClient, assist: bool, count: int) -> dict[str, Any]:
    """The model guesses from one clue sentence, which is said again after a wrong guess."""
    table, game = seat(client, assist), catalog.get("taboo")
    found = Counter[int]()
    missed: dict[str, list[str]] = {}
    for target, clue in targets(count):
        instance = TabooInstance(name=f"bench-{target}", experiment="bench", target=target, related=())
        match = Match.new(game, instance, SEED).play(f"CLUE: {clue}")
        guesses: list[str] = []
        while match.turn is not None:
            match, reply = await table.turn(match)
            guesses.append(reply.text)
            if match.turn is not None:
                match = match.play(f"CLUE: {clue}")
        if match.state.outcome == "success":
            found[len(guesses)] += 1
        else:
            missed[target] = guesses
        if match.state.outcome == "aborted":
            found[-1] += 1
    return {
        "targets": count,
        "first": found[1],
        "within_3": found[1] + found[2] + found[3],
        "protocol_breaks": found[-1],
        "missed": {target: [one[:60] for one in guesses] for target, guesses in missed.items()},
        **table.cost(),
    }


async def describing(client: EmbeddedClient, assist: bool, count: int) -> dict[str, Any]:
    """The model describes instances, three clues each as long as all are legal; the guesser is always wrong."""
    table, game = seat(client, assist), catalog.get("taboo")
    legal = all_legal = breaks = 0
    clues: dict[str, list[str]] = {}
    for instance in Random(SEED).sample(list(game.instances("en")), count):
        match = Match.new(game, instance, SEED)
        said: list[str] = []
        while match.turn is not None:
            match, reply = await table.turn(match)
            said.append(reply.text)
            legal += len(said) == 1 and match.state.reason not in ("rule", "format")
            if match.turn is not None:
                match = match.play("GUESS: zzz")
        all_legal += match.state.reason == "rounds"
        breaks += match.state.outcome == "aborted"
        clues[str(getattr(instance, "target", instance.name))] = [one[:140] for one in said]
    return {
        "instances": count,
        "legal": legal,
        "three_legal": all_legal,
        "protocol_breaks": breaks,
        "clues": clues,
        **table.cost(),
    }


async def playing(client: EmbeddedClient, name: str, count: int) -> dict[str, Any]:
    """Whole episodes of the model with itself, all seats assisted."""
    game = catalog.get(name)
    table = seat(client, True)
    outcomes, reasons, scores = Counter[str](), Counter[str](), list[float]()
    offered = repeated = 0
    for instance in chosen(game, count):
        match = Match.new(game, instance, SEED)
        end = await drive(match, dict.fromkeys(game.roles, table.player), emit=table.hear)
        outcomes[end.state.outcome or ""] += 1
        reasons[end.state.reason] += 1
        scores.append(end.scores().main or 0.0)
        offered += len(end.steps)
        repeated += sum(step.verdict == "illegal" for step in end.steps)
    return {
        "episodes": count,
        "outcomes": dict(outcomes),
        "reasons": dict(reasons),
        "replies": offered,
        "illegal_replies": repeated,
        "mean_score": round(sum(scores) / len(scores), 1),
        "calls_per_reply": round(len(table.calls) / max(1, offered), 2),
    }


def chosen(game: Game, count: int) -> Sequence[Instance]:
    """English instances at a fixed seed."""
    return Random(SEED).sample(list(game.instances("en")), count)


async def run(smoke: bool) -> dict[str, Any]:
    """All measurements. Raises PlayerError where runtime or weights are missing."""
    path = find_weights("smollm2")
    if path is None:
        raise SystemExit("the weights of smollm2 are not here: playpen-tui models get smollm2")
    client = await embedded_client(path, name="smollm2")
    count, episodes = (4, 1) if smoke else (TARGETS, 10)
    try:
        guesser = {
            "assisted": await guessing(client, True, count),
            "plain": await guessing(client, False, count),
        }
        describer = {
            "assisted": await describing(client, True, count),
            "plain": await describing(client, False, count),
        }
        games = {name: await playing(client, name, episodes) for name in GAMES}
    finally:
        await client.aclose()
    breaks = guesser["assisted"]["protocol_breaks"] + describer["assisted"]["protocol_breaks"]
    breaks += sum(one["outcomes"].get("aborted", 0) for one in games.values())
    met = {
        "guessed_first": guesser["assisted"]["first"] >= GOALS["guessed_first"] * count / TARGETS,
        "legal_clues": describer["assisted"]["legal"] == count,
        "protocol_breaks": breaks == 0,
        "guess_median_s": guesser["assisted"]["median_s"] <= GOALS["guess_median_s"],
    }
    return document(
        "assisted",
        smoke,
        model=path.name,
        decoding="greedy, one thread",
        guesser=guesser,
        describer=describer,
        games=games,
        goals=GOALS,
        met=met,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.assisted", description="Assisted play of the built-in model.")
    parser.add_argument("--smoke", action="store_true", help="a few words, to see that it runs")
    options = parser.parse_args()
    print(json.dumps(asyncio.run(run(options.smoke)), indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
