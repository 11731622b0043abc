"""Asks a model for one word: is it there, how fast is it, and what does it say."""

from __future__ import annotations

from typing import Any

from games import catalog
from games.engine import Message
from players.base import PlayerError, silent
from players.model import ModelPlayer
from players.opening import open_player
from players.registry import Registry
from playpen_tui.plain_text import one_line

QUESTION = "Answer with one word: what is the opposite of cold?"


async def probe(spec: str) -> dict[str, Any]:
    """One short request to the model of this spec. Raises PlayerError and UnknownPlayer."""
    game = catalog.get("taboo")
    player = await open_player(spec, game=game, role=game.roles[0], registry=Registry.load(), assist=False)
    if not isinstance(player, ModelPlayer):
        raise PlayerError("not_found", f"{spec} is no model; `playpen-tui models` lists them")
    try:
        sampling = {**player.sampling, "max_tokens": 16, "temperature": 0.0}
        call = await player.client.complete((Message("user", QUESTION),), sampling, role="probe", emit=silent)
    finally:
        await player.aclose()
    seconds = call.ms / 1000
    return {
        "model": spec,
        "revision": player.identity.revision,
        "text": one_line(call.text),
        "ms": call.ms,
        "first_token_ms": call.first_token_ms,
        "tokens_in": call.tokens_in,
        "tokens_out": call.tokens_out,
        "tokens_per_second": call.tokens_out / seconds if call.tokens_out and seconds else None,
    }
