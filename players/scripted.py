"""Players without a mind of their own: the game's bots, and the replay of a logged episode. Both answer at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from games.engine import Bot, Game, Message, Role, luck
from players.base import Ask, Identity, PlayerError, Reply
from players.ports import LoggedEpisode


class BotPlayer:
    """A scripted player of a game. All its luck comes from the seed of the ask, so that the same ask gets the same
    reply."""

    def __init__(self, game: Game, name: str, bot: Bot) -> None:
        self.identity = Identity(kind="bot", name=f"bot:{name}", revision=f"{game.name}@{game.version}")
        self._bot = bot

    async def speak(self, heard: Sequence[Message], ask: Ask) -> Reply:
        """What the bot says to its view."""
        await asyncio.sleep(0)  # a table of bots must not hold the loop from others
        return Reply(self._bot(ask.view, luck(ask.seed, ask.ply)))


class ReplayPlayer:
    """Says again what a role said in a logged episode, one text after the other, as far as they go."""

    def __init__(self, episode: LoggedEpisode, role: Role) -> None:
        self.identity = Identity(
            kind="replay", name=f"replay:{episode.id}", revision=f"{episode.game}@{episode.version}"
        )
        self.role = role
        self.episode = episode.id
        self.texts = tuple(text for text, speaker in zip(episode.texts, episode.roles, strict=True) if speaker == role)

    async def speak(self, heard: Sequence[Message], ask: Ask) -> Reply:
        """The text after those that this seat has said. Raises PlayerError (`gone`) when there is none left."""
        await asyncio.sleep(0)
        said = sum(message.role == "assistant" for message in heard)
        if said >= len(self.texts):
            count = f"{len(self.texts)} {'reply' if len(self.texts) == 1 else 'replies'}"
            raise PlayerError(
                "gone", f"episode {self.episode} has only {count} of {self.role}: give the seat to another player"
            )
        return Reply(self.texts[said])
