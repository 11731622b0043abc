"""What a training changed: its base and its result play the same validation instances, and are compared.

Each role is played alone, beside a bot, without assistance and without luck in the replies. Games that were trained
and games that were not are told apart; differences are of the result less the base.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evaluation import compare_report as told
from evaluation.compare import Comparison, compare
from evaluation.report import Source, interval, value
from evaluation.results import quality, rate
from games import catalog
from games.engine import Game
from players.opening import Table
from players.plan import BadPlan, Plan, fingerprint, material
from players.registry import Registry, RegistryError, UnknownPlayer
from players.spec import PlayerSpec, parse
from playpen_tui.figures import Asked
from playpen_tui.selfplay import SelfPlay, Wish, open_selfplay
from playpen_tui.workbench import Workbench
from store import datasets, evaluations
from store.filters import Filters
from store.log import Log
from store.scored import ScoredRow
from store.trainings import TrainingRow
from training import card
from training.bases import unpacked
from training.launch import CannotTrain, base_of

INSTANCES = 60
"""Of each game and role, where nobody says how many."""
TOKENS = 100
"""At most so many of a reply: a model that does not keep the form may otherwise go on for long."""
TOGETHER = 64
"""Matches at once: as many as both models can decode together where nobody says otherwise."""
FILE = card.EVALUATION


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is to be played. `base` and `result` are names of players."""

    base: str
    result: str
    trained: tuple[str, ...]
    held_out: tuple[str, ...]
    instances: int = INSTANCES
    tokens: int = TOKENS
    language: str = "en"
    dataset: str | None = None
    seed: int = 0

    @property
    def names(self) -> tuple[str, str]:
        """Result and base, as the log names them."""
        return parse(self.result).head, parse(self.base).head


def wish_for(log: Log, row: TrainingRow, held_out: Sequence[str] = (), **more: Any) -> Evaluation:
    """The evaluation of a training in the games of its rows, and in one of each other family unless some are named.

    Raises BadPlan where nothing came out of it, or where none of its games can be played here; UnknownGame.
    """
    name = row.result or ""
    if not name or row.dataset is None:
        raise BadPlan(f"nothing came out of the training {row.id} yet, so there is nothing to evaluate")
    found = datasets.games(log.reader(), row.dataset)
    trained, others = catalog.beside(game for game, _ in found)
    if not trained:
        raise BadPlan(
            f"none of the games that {name} was trained on can be played here, so there is nothing to compare"
        )
    for game in held_out:
        catalog.get(game)
    language = next(iter(found))[1]
    chosen = tuple(game for game in held_out or others if game not in trained)
    return Evaluation(row.base, name, trained, chosen, dataset=row.dataset, language=language, **more)


def plans(wish: Evaluation) -> Iterator[Plan]:
    """One plan a game and role, in which both models sit on the same instances beside the same partner."""
    players = tuple(_plainly(name, wish.tokens) for name in (wish.result, wish.base))
    for name in (*wish.trained, *wish.held_out):
        game = catalog.get(name)
        language = wish.language if wish.language in game.languages else game.languages[0]
        for role in game.roles:
            partners = dict.fromkeys((other for other in game.roles if other != role), partner(game))
            plan = Plan((name,), players, partners, split="validation", language=language, seed=wish.seed, assist=False)
            number = min(wish.instances, len(material(plan, game)))
            yield replace(plan, episodes=number * len(players))


def partner(game: Game) -> str:
    """Who sits opposite: the bot that lets all rounds be played, where the game has one."""
    return "bot:patient" if "patient" in game.bots() else "bot"


def _plainly(name: str, tokens: int) -> str:
    """The player without luck in its replies, and with an end to them."""
    spec = parse(name)
    if not spec.is_model:
        return name
    return str(PlayerSpec(spec.kind, spec.name, spec.code, {**spec.settings, "temperature": 0.0, "max_tokens": tokens}))


def level(registry: Registry, wish: Evaluation) -> Registry:
    """A registry in which the base plays by the same library as the result, from the very weights that were trained.

    Otherwise the built-in model would play from its small numbers under llama.cpp and its training under transformers,
    and some of the difference would be theirs. A base whose weights do not lie here stays as it is.
    """
    result = registry.entries.get(wish.names[0])
    try:
        base = base_of(wish.base, registry)
    except (CannotTrain, RegistryError, UnknownPlayer):
        return registry
    folder = unpacked(base.path)
    if result is None or result.backend != "transformers" or not (folder / "config.json").is_file():
        return registry
    entry = replace(
        result, name=wish.base, model=str(folder), adapter=base.adapter, revision=base.revision, source="built in"
    )
    return Registry(registry.path, {**registry.entries, wish.base: entry})


async def play(
    db: Path, wish: Evaluation, hear: Callable[[SelfPlay], None] | None = None
) -> tuple[list[str], dict[str, int]]:
    """Play it all into the log; the runs, and how many matches could not be ended, by the kind of error.

    `hear` is called with every run before it begins. Raises what `open_selfplay` raises.
    """
    runs: list[str] = []
    errors: dict[str, int] = {}
    async with Workbench(db) as bench:
        log = await bench.log()
        table = Table(level(bench.registry, wish), history=log.history)
        try:
            for plan in plans(wish):
                opened = await open_selfplay(bench, Wish(plan, kind="eval", concurrency=TOGETHER), table)
                if hear is not None:
                    hear(opened)
                tally = await opened.run()
                for kind, number in tally.errors.items():
                    errors[kind] = errors.get(kind, 0) + number
                runs.append(opened.run_id)
                await asyncio.to_thread(evaluations.record, log, opened.run_id, "validation", fingerprint(plan))
        finally:
            await table.aclose()
    return runs, errors


def weigh(log: Log, wish: Evaluation, runs: Sequence[str]) -> tuple[Comparison, dict[str, Any]]:
    """The comparison of result and base over these runs, and the document of it. Raises CannotCompare."""
    filters = Filters(runs=tuple(runs))
    rows = [_plain_names(row) for row in log.queries.scored(filters)]
    found = compare(rows, wish.names)
    source = Source(log.queries.content_hash(), filters, log.queries.left_out(filters, len(rows)))
    roles: list[dict[str, Any]] = []
    for game in (*wish.trained, *wish.held_out):
        for role in catalog.get(game).roles:
            for name in wish.names:
                some = [row for row in rows if row.game == game and row.players.get(role) == name]
                if some:
                    played, scored = rate(some, lambda row: row.played), quality(some)
                    figures = {"played": value(played), "played_interval": interval(played)}
                    figures |= {"quality": value(scored), "quality_interval": interval(scored)}
                    roles.append({"game": game, "role": role, "model": name, "episodes": len(some), **figures})
    return found[0], {
        "result": wish.names[0],
        "base": wish.names[1],
        "split": "validation",
        "instances": wish.instances,
        "sampling": {"temperature": 0, "max_tokens": wish.tokens, "assisted": False},
        "partners": {game: partner(catalog.get(game)) for game in (*wish.trained, *wish.held_out)},
        "trained": list(wish.trained),
        "held_out": list(wish.held_out),
        "runs": list(runs),
        "leaked": evaluations.leaks(log, wish.dataset, runs) if wish.dataset else 0,
        "roles": roles,
        "comparison": told.document(found, source, "zero"),
    }


def _plain_names(row: ScoredRow) -> ScoredRow:
    """The row without the marks that tell settings of one model apart: here everybody has the same ones."""
    return replace(row, players={role: who.partition("#")[0] for role, who in row.players.items()})


def asked(row: TrainingRow) -> Asked:
    """What the results show of base and result of this training: the runs in which they played the same instances.

    Without those runs, where they are not on this machine, all that the log has of both.
    """
    file = None if row.folder is None else Path(row.folder) / FILE
    found = json.loads(file.read_text(encoding="utf-8")) if file is not None and file.is_file() else {}
    runs = Filters(runs=tuple(found.get("runs", ())))  # a game with it since would make another player of it
    return Asked(runs, (row.result or "", row.base), held_out=tuple(found.get("held_out", ())))


def keep(log: Log, row: TrainingRow, document: Mapping[str, Any]) -> None:
    """Write the document into the folder of the training, where that is here, and the card with it. Raises OSError."""
    if row.folder is None or not row.folder.is_dir():
        return
    (row.folder / FILE).write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    card.write(log, row.id, row.folder)


def grid(pair: Comparison, document: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Both models game by game: first the games that were trained, then those that were not."""
    head, rows = told.grid(replace(pair, scores=()))
    first, second = (name.rpartition("/")[2] for name in (pair.first, pair.second))
    head[2:6] = [f"played %, {first}", f"… {second}", f"quality, {first}", f"… {second}"]
    by = {row[0]: row for row in rows}
    kinds = (("trained", document["trained"]), ("held out", document["held_out"]))
    return ["", *head], [[kind, *by[game]] for kind, games in kinds for game in games if game in by]


def by_role(document: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """How much each model played of each role, and how well."""

    def spoken(row: Mapping[str, Any], name: str) -> str:
        low_high = row[f"{name}_interval"]
        return (
            "–"
            if row[name] is None
            else f"{row[name]:.1f}" + (" ({:.1f}–{:.1f})".format(*low_high) if low_high else "")
        )

    head = ["game", "role", "model", "episodes", "played %", "quality"]
    keys = ("game", "role", "model", "episodes")
    return head, [
        [*(str(row[key]) for key in keys), spoken(row, "played"), spoken(row, "quality")] for row in document["roles"]
    ]
