"""Episodes that another program played, as matches that can be watched: from their messages alone, without any rules.

Their game cannot be played: it only says again, turn by turn, what stands in the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from pydantic import Field

from games.boards import Board, Lines
from games.engine import Bot, Game, Instance, Match, Message, Role, Say, Scores, State, Step
from store.records import EpisodeDetail

_SHOWN = 40
"""Lines of a message that stand on the board."""


class RecordedInstance(Instance):
    """An instance of which only its name is needed."""

    content: str = ""

    @property
    def key(self) -> str:
        """As the log has it."""
        return self.content


class RecordedState(State):
    """A position: what the game master said last to each role."""

    told: dict[Role, str] = Field(default_factory=dict[Role, str])


class RecordedGame(Game[RecordedInstance, RecordedState]):
    """A game that is known from one logged episode."""

    instance_type = RecordedInstance
    state_type = RecordedState

    def __init__(self, episode: EpisodeDetail) -> None:
        names: dict[str, Any] = vars(self)  # what other games say once for all matches is this episode's own here
        names["name"] = names["title"] = episode.row.game
        names["version"] = episode.row.version
        names["roles"] = tuple(episode.row.seats)
        names["languages"] = (episode.row.language,)
        self._end = episode.row

    def start(self, instance: RecordedInstance, rng: Random) -> tuple[RecordedState, Sequence[Say]]:
        """There are no rules here that could deal."""
        raise NotImplementedError(f"{self.name} is known from its log alone and cannot be played")

    def play(self, state: RecordedState, text: str, rng: Random) -> tuple[RecordedState, Sequence[Say]]:
        """There are no rules here that could judge."""
        raise NotImplementedError(f"{self.name} is known from its log alone and cannot be played")

    def board(self, state: RecordedState, role: Role | None) -> Board:
        """What the game master said last, to this role or to each."""
        panels = [
            Lines(f"told to {other}", tuple(text.splitlines()[:_SHOWN]), private=True)
            for other, text in state.told.items()
            if role in (None, other)
        ]
        return Board(f"round {state.round + 1}", tuple(panels))

    def instances(self, language: str) -> Sequence[RecordedInstance]:
        """None: there is only the episode."""
        return ()

    def bots(self) -> dict[str, Bot]:
        """Nobody."""
        return {}

    def scores(self, match: Match) -> Scores:
        """The score as it was given."""
        return Scores(self._end.main)

    def verdict(self, match: Match) -> str:
        """How it ended, with its score."""
        main = "" if self._end.main is None else f", main score {self._end.main:g}"
        reason = f" ({self._end.reason})" if self._end.reason else ""
        return f"{self._end.outcome or 'unfinished'}{reason}{main}"


def positions(episode: EpisodeDetail) -> list[Match]:
    """Every position of a logged episode, from before the first turn to after the last."""
    game = RecordedGame(episode)
    row = episode.row
    instance = RecordedInstance(
        name=row.instance, experiment=episode.experiment, language=row.language, content=episode.key
    )
    heard: dict[Role, tuple[Message, ...]] = dict.fromkeys(game.roles, ())
    told: dict[Role, str] = {}
    _tell(heard, told, episode.opening)
    steps: tuple[Step, ...] = ()
    found: list[Match] = []
    for at in range(len(episode.turns) + 1):
        if at:
            turn = episode.turns[at - 1]
            heard = {**heard, turn.role: (*heard.get(turn.role, ()), Message("assistant", turn.text))}
            told = dict(told)
            _tell(heard, told, turn.says)
            verdict = "illegal" if turn.verdict == "illegal" else "ok"
            steps = (*steps, Step(turn.ply, turn.role, turn.text, verdict, turn.says, turn.note))
        coming = episode.turns[at] if at < len(episode.turns) else None
        state = RecordedState.model_construct(
            instance=instance,
            turn=coming.role if coming is not None else None,
            round=coming.round if coming is not None else max((turn.round for turn in episode.turns), default=0),
            outcome=row.outcome if coming is None else None,
            reason=row.reason if coming is None else "",
            rewards=dict(episode.rewards) if coming is None else {},
            winners=episode.winners if coming is None else (),
            told=told,
        )
        found.append(Match(game, instance, episode.seed, state, dict(heard), steps, episode.opening))
    return found


def _tell(heard: dict[Role, tuple[Message, ...]], told: dict[Role, str], says: Sequence[Say]) -> None:
    """Append what is said to the conversations; what one role hears in a row is one message."""
    for say in says:
        told[say.to] = say.text
        before = heard.get(say.to, ())
        if before and before[-1].role == "user":
            heard[say.to] = (*before[:-1], Message("user", f"{before[-1].content}\n\n{say.text}"))
        else:
            heard[say.to] = (*before, Message("user", say.text))
