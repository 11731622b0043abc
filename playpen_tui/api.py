"""For notebooks and scripts: play a match and get it back, logged like any other.

    import asyncio
    from playpen_tui import api

    match = asyncio.run(api.play("taboo", {"describer": "bot", "guesser": "smollm2"}, seed=7))
    print(match.scores().main, match.texts)

Inside a notebook, where a loop runs already, write `await api.play(...)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from games.catalog import Split
from games.engine import Match, Role
from players.base import Emit, silent
from playpen_tui.sitting import BadSetup, Setup
from playpen_tui.workbench import Workbench


async def play(
    game: str,
    seats: Mapping[Role, str],
    *,
    instance: str | None = None,
    experiment: str | None = None,
    split: Split = "train",
    language: str = "en",
    seed: int | None = None,
    assist: bool | None = None,
    record: bool = True,
    db: str | Path | None = None,
    emit: Emit = silent,
) -> Match:
    """Play one match without people and return it, over.

    `seats` maps every role to a player spec; `emit` hears the players' events. Raises what `playpen-tui play` would
    say in a sentence: UnknownGame, UnknownInstance, UnknownPlayer, BadSetup, PlayerError, LogError.
    """
    setup = Setup(
        game, seats, instance=instance, experiment=experiment, split=split, language=language, seed=seed, assist=assist
    )
    if setup.has_people:
        raise BadSetup("nobody can type here; use `playpen-tui play`, or name other players")
    async with Workbench(Path(db) if db else None) as bench:
        sitting = await bench.deal(replace(setup, record=record))
        return await sitting.play(emit)
