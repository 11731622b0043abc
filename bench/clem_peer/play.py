"""How the peer plays a plan: bare, as an embedder would, or with clemcore's runner and the files of `clem run`."""

from __future__ import annotations

import gc
import json
import platform
import tempfile
import time
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

from clemcore import get_version
from clemcore.backends import CustomResponseModel, Model, ModelSpec
from clemcore.clemgame import (
    ExperimentFileSaver,
    GameBenchmark,
    GameBenchmarkCallback,
    GameBenchmarkCallbackList,
    GameInstances,
    GameMaster,
    GameRegistry,
    InstanceFileSaver,
    InteractionsFileSaver,
    ResultsFolder,
    RunFileSaver,
    SignalFileSaver,
)
from clemcore.clemgame.callbacks.files import PlayerFileSaver
from clemcore.clemgame.instances import to_rows
from clemcore.clemgame.runners import dispatch

GAMES = Path(__file__).parent


@lru_cache(maxsize=2)
def load(game: str) -> GameBenchmark:
    """The game of this name beside this file, by clemcore's registry."""
    registry = GameRegistry()
    registry.register_from_directories(str(GAMES), 0, max_depth=1)
    return GameBenchmark.load_from_spec(registry.get_game_spec(game))


@lru_cache(maxsize=8)
def _from_file(path: str) -> dict[str, Any]:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Play what a request asks for. Raises where a script does not end its game, since then nothing was measured."""
    plan = request["plan"] if isinstance(request["plan"], dict) else _from_file(request["plan"])
    mode = request.get("mode", "bare")
    benchmark = load(plan["game"])
    benchmark.scripts = {n: episode["texts"] for n, episode in enumerate(plan["episodes"], 1)}
    benchmark.faithful = bool(request.get("faithful"))
    benchmark.words = plan["words"] if benchmark.faithful else frozenset(plan["words"])
    episodes = [benchmark.instance(n, episode) for n, episode in enumerate(plan["episodes"], 1)]
    experiment = {**benchmark.experiment(plan["prompts"]), "game_instances": episodes}
    instances = GameInstances(plan["game"], to_rows(plan["game"], {"experiments": [experiment]}))
    # this name is how clemcore's batches know that a player answers for itself
    models: list[Model] = [CustomResponseModel(ModelSpec(model_name="mock"))] * benchmark.game_spec.players
    together = int(request.get("together") or 1)
    gc.collect()
    if mode == "bare":
        measured = _bare(benchmark, instances, models)
    elif request.get("dir"):
        measured = _recorded(benchmark, instances, models, Path(request["dir"]), together)
    else:
        with tempfile.TemporaryDirectory(prefix="clem-records-") as where:
            measured = _recorded(benchmark, instances, models, Path(where), together)
    said = sum(map(len, benchmark.scripts.values()))
    if measured["steps"] != said or measured["episodes"] != len(episodes):
        raise RuntimeError(f"{len(episodes)} scripts of {said} texts, but the peer played {measured}")
    about = {"game": plan["game"], "mode": mode, "faithful": benchmark.faithful, "clemcore": get_version()}
    return about | {"python": platform.python_version()} | measured


def _timed(wall: float, cpu: float, outcomes: Counter[str], steps: int) -> dict[str, Any]:
    return {
        "episodes": sum(outcomes.values()),
        "steps": steps,
        "outcomes": dict(outcomes),
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
    }


def _bare(benchmark: GameBenchmark, instances: GameInstances, models: list[Model]) -> dict[str, Any]:
    scripts = benchmark.scripts
    outcomes: Counter[str] = Counter()
    steps = 0
    wall, cpu = time.perf_counter(), time.process_time()
    for row in instances:
        instance = row["game_instance"]
        master = benchmark.create_game_master(row["experiment"], models)
        master.setup(**instance)
        master.before_game()
        done = False
        for text in scripts[instance["game_id"]]:
            master.get_context_for(master.current_player)
            done, _ = master.step(text)
            steps += 1
        if not done:
            raise RuntimeError(f"the script of episode {instance['game_id']} ends before the game")
        outcomes[master.state.outcome.value] += 1
    return _timed(wall, cpu, outcomes, steps)


class _Count(GameBenchmarkCallback):
    """Counts steps and outcomes: the only callback that `clem run` has not."""

    def __init__(self) -> None:
        self.steps = 0
        self.outcomes: Counter[str] = Counter()

    def on_game_step(self, game_master: GameMaster, game_instance: dict[str, Any], game_step: Any) -> None:
        self.steps += 1

    def on_game_end(
        self,
        game_master: GameMaster,
        game_instance: dict[str, Any],
        exception: Exception | None = None,
        rewards: dict[str, float] | None = None,
    ) -> None:
        if exception is not None:
            raise exception
        self.outcomes[game_master.state.outcome.value] += 1


def _recorded(
    benchmark: GameBenchmark, instances: GameInstances, models: list[Model], where: Path, together: int
) -> dict[str, Any]:
    folder = ResultsFolder(where, run_dir=Model.to_identifier(models))
    infos = Model.to_infos(models)
    count = _Count()
    callbacks = [
        InstanceFileSaver(folder),
        ExperimentFileSaver(folder, player_model_infos=infos),
        InteractionsFileSaver(folder, player_model_infos=infos),
        RunFileSaver(folder, player_model_infos=infos),
        PlayerFileSaver(folder),
        SignalFileSaver(folder),
    ]
    wall, cpu = time.perf_counter(), time.process_time()
    heard = GameBenchmarkCallbackList([*callbacks, count])
    dispatch.run(benchmark, instances, models, callbacks=heard, batch_size=together)
    measured = _timed(wall, cpu, count.outcomes, count.steps)
    files = [path for path in where.rglob("*") if path.is_file()]
    return measured | {
        "callbacks": [type(one).__name__ for one in callbacks],
        "files": len(files),
        "bytes": sum(path.stat().st_size for path in files),
    }
