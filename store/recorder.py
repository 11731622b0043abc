"""The recorder: turns a match as the driver sees it into rows, and waits until they are committed.

What a role has heard is kept as a chain of messages that grows with the conversation; the recorder remembers the tip
of each live episode's chains, so that a turn adds only what is new. It can forget them at any time: then the next turn
writes the whole conversation again, and content addressing makes that the same rows.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring as quote
from math import isfinite
from typing import NamedTuple, TypeAlias

from games import catalog
from games.engine import Game, Instance, Match, Message, Role, Say, Scores, Step
from players.base import Call, Identity, PlayerError, Reply
from players.ports import Place
from store.errors import LogError
from store.ids import MessageRow, chain, clean, content_id, digest, new_id, now, numbers_json, to_json
from store.writer import Row, Writer

LIVE = 4096
"""Episodes whose conversations are remembered between turns."""

SplitOf = Callable[[Game, Instance], str]


@dataclass(slots=True)
class _Live:
    """What a running episode has in the log: per role, how many messages and the hash of the last."""

    round: int
    tips: dict[Role, tuple[int, str | None]] = field(default_factory=dict[Role, tuple[int, str | None]])

    def grow(self, role: Role, heard: Sequence[Message], count: int) -> tuple[list[MessageRow], str | None]:
        """Rows for the messages below `count` that are not in the log yet, and the hash of the last."""
        have, tip = self.tips.get(role, (0, None))
        rows = chain(heard[have:count], tip)
        tip = rows[-1][0] if rows else tip
        self.tips[role] = (count, tip)
        return rows, tip


Conversation: TypeAlias = tuple[Sequence[Message], str | None]
"""What a role has heard, and the hash of its last message."""


class Sampled(NamedTuple):
    """A player's id, the ids of its requests, and the rows of both."""

    player: str
    calls: list[str]
    rows: dict[str, list[Row]]


class LogRecorder:
    """Implements `players.ports.Recorder` on a `Writer`. One serves any number of matches at once."""

    def __init__(self, writer: Writer, split_of: SplitOf = catalog.split_of) -> None:
        self._writer = writer
        self._split_of = split_of
        self._live: OrderedDict[str, _Live] = OrderedDict()
        self._known: set[str] = set()
        self._instances: OrderedDict[tuple[str, str], tuple[Instance, Row]] = OrderedDict()
        self._players: dict[tuple[str, ...], Row] = {}

    async def begin(self, match: Match, seats: Mapping[Role, Identity], place: Place) -> str:
        """Log a new episode with its opening; returns its id. A match with turns must be a branch (`place.parent`).

        Raises LogError: Taken when the slot of the run is filled, NoConsent when a person may not be recorded.
        """
        if match.steps and place.parent is None:
            raise ValueError("a match that has begun can only be recorded as a branch; name its parent")
        if place.fork_ply is not None and (place.parent is None or place.fork_ply != match.ply):
            raise ValueError(
                f"this match stands at ply {match.ply}, so it does not fork from {place.parent} at {place.fork_ply}"
            )
        episode = new_id()
        instance = self._instance(match)
        players = {role: self._player(who) for role, who in seats.items()}
        row = (
            episode,
            place.run,
            place.slot,
            place.group,
            instance[0],
            match.game.name,
            match.game.version,
            match.seed,
            place.parent,
            None if place.parent is None else match.ply,
            says_json(match.opening),
            now(),
        )
        rows: dict[str, list[Row]] = {
            "episodes": [row],
            "seats": [(episode, role, players[role][0], _person(who)) for role, who in seats.items()],
        }
        new = self._add_new(rows, "instances", [instance]) + self._add_new(rows, "players", players.values())
        await self._writer.write(rows, _people(*seats.values()))
        self._known.update(new)
        self._remember(episode, _Live(match.state.round))
        return episode

    async def turn(self, episode: str, match: Match, step: Step, who: Identity, reply: Reply) -> None:
        """Log one utterance: `match` is the match after it. Returns when it is committed. Raises LogError.

        Raises Taken when another process has written this ply; what it wrote itself (`reply.logged`) is left alone.
        """
        if reply.logged:
            self._live.pop(episode, None)  # what the episode's conversations have in the log is not known any more
            return
        live = self._recall(episode, match, step)
        heard = match.heard[step.role]
        spoken = len(heard) - (1 if heard[-1].role == "assistant" else 2)
        messages, seen = live.grow(step.role, heard, spoken)
        turn, at, player = new_id(), now(), self._player(who)
        assisted = int(reply.assisted)
        row = (
            turn,
            episode,
            step.ply,
            live.round,
            step.role,
            player[0],
            _person(who),
            assisted,
            step.text,
            step.verdict,
            clean(step.note),
            says_json(step.says),
            seen,
            reply.ms,
            at,
        )
        rows: dict[str, list[Row]] = {"messages": messages, "turns": [row]}
        if reply.call is not None:
            self._add_call(rows, reply.call, heard[:spoken], seen, (episode, step.ply, step.role, turn, player[0], at))
        if reply.candidate is not None:
            rows["rollouts"] = [(episode, reply.candidate)]
        live.round = match.state.round
        if player[0] not in self._known:
            rows["players"] = [player]
        try:
            await self._writer.write(rows, _people(who))
        except LogError:
            self._live.pop(episode, None)  # its tips name messages that were not written
            raise
        self._known.add(player[0])

    async def call(self, episode: str, ply: int, role: Role, who: Identity, call: Call) -> None:
        """Log a request that became no turn: refused by a check, failed or cancelled. Raises LogError."""
        player = self._player(who)
        rows: dict[str, list[Row]] = {}
        self._add_call(rows, call, (), None, (episode, ply, role, None, player[0], now()))
        new = self._add_new(rows, "players", (player,))
        await self._writer.write(rows)
        self._known.update(new)

    async def failure(self, episode: str, ply: int, role: Role, who: Identity, error: PlayerError) -> None:
        """Mark where a player could not reply, and why. Raises LogError."""
        player = self._player(who)
        row = (new_id(), episode, ply, role, player[0], error.kind, clean(error.message), now())
        rows: dict[str, list[Row]] = {"failures": [row]}
        new = self._add_new(rows, "players", (player,))
        await self._writer.write(rows)
        self._known.update(new)

    async def result(self, episode: str, match: Match, scores: Scores) -> None:
        """Log the outcome and scores of a match that is over, and what each role had heard. Raises LogError."""
        state = match.state
        if state.outcome is None:
            raise ValueError("a match that is not over has no result")
        at = now()
        live = self._live.pop(episode, None) or _Live(state.round)
        messages: list[Row] = []
        ends: list[Row] = []
        for role, heard in match.heard.items():
            new, tip = live.grow(role, heard, len(heard))
            messages += new
            if tip is not None:
                ends.append((episode, role, tip))
        row = (
            episode,
            state.outcome,
            clean(state.reason),
            _finite(scores.main),
            numbers_json(_rewards(match, scores)),
            to_json(state.winners) if state.winners else "[]",
            match.ply,
            at,
        )
        scoring = (
            episode,
            f"{match.game.name}@{match.game.version}",
            numbers_json([(n, match.steps[n].role, value) for n, value in scores.turns.items() if isfinite(value)]),
            numbers_json({name: value for name, value in scores.metrics.items() if isfinite(value)}),
            at,
        )
        await self._writer.write({"messages": messages, "heard": ends, "results": [row], "scorings": [scoring]})

    def _add_call(
        self,
        rows: dict[str, list[Row]],
        call: Call,
        heard: Sequence[Message],
        seen: str | None,
        place: tuple[str, int, Role, str | None, str, str],
    ) -> str:
        """The row of a call and of its prompt; a prompt that is just what was heard is in the log already.

        Returns the id of the call.
        """
        episode, ply, role, turn, player, at = place
        if seen is None or tuple(call.prompt) != tuple(heard):
            prompt = chain(call.prompt)
            rows.setdefault("messages", []).extend(prompt)
            seen = prompt[-1][0] if prompt else None
        row = (
            id := new_id(),
            episode,
            ply,
            role,
            turn,
            player,
            seen,
            clean(call.text),
            clean(call.reasoning),
            clean(call.finish),
            call.tokens_in,
            call.tokens_out,
            call.ms,
            call.first_token_ms,
            int(call.assisted),
            to_json(dict(call.sampling)),
            clean(call.error),
            _blob("I", call.token_ids),
            _blob("f", call.logprobs),
            to_json(dict(call.raw)),
            at,
        )
        rows.setdefault("calls", []).append(row)
        return id

    def sampled(
        self, place: tuple[str, int, Role], seen: Conversation, who: Identity, calls: Sequence[Call]
    ) -> Sampled:
        """Rows for a player and its requests that became candidates and no turns, to be written by whoever asks.

        `place` is episode, ply and role; `seen` what the role had heard, and its hash.
        """
        player, at = self._player(who), now()
        rows: dict[str, list[Row]] = {"players": [player]}
        ids = [self._add_call(rows, call, *seen, (*place, None, player[0], at)) for call in calls]
        return Sampled(player[0], ids, rows)

    def _add_new(self, rows: dict[str, list[Row]], table: str, wanted: Iterable[Row]) -> list[str]:
        """Add those rows that this process has not committed before; returns their ids."""
        new = {row[0]: row for row in wanted if row[0] not in self._known}
        if new:
            rows[table] = list(new.values())
        return list(new)

    def _remember(self, episode: str, live: _Live) -> None:
        self._live[episode] = live
        if len(self._live) > LIVE:
            self._live.popitem(last=False)

    def _recall(self, episode: str, match: Match, step: Step) -> _Live:
        live = self._live.get(episode)
        if live is None:
            before = Match.replay(match.game, match.instance, match.seed, match.texts[: step.ply])
            live = _Live(before.state.round)
            self._remember(episode, live)
        return live

    def _player(self, who: Identity) -> Row:
        content = player_content(who)
        row = self._players.get(content)
        if row is None:
            row = self._players[content] = player_row(who)
        return row

    def _instance(self, match: Match) -> Row:
        instance, game = match.instance, match.game
        kept = self._instances.get((game.name, instance.name))
        if kept is not None and kept[0] is instance:
            return kept[1]
        row = instance_row(game, instance, self._split_of(game, instance))
        self._instances[(game.name, instance.name)] = (instance, row)
        if len(self._instances) > LIVE:
            self._instances.popitem(last=False)
        return row


def player_content(who: Identity) -> tuple[str, ...]:
    """What tells players apart: the columns of `players` behind the id."""
    sampling = to_json(dict(sorted(who.sampling.items()))) if who.sampling else "{}"
    return (who.kind, who.name, who.revision, who.adapter, sampling)


def player_row(who: Identity) -> Row:
    """A row of `players`: its id is the hash of the rest, so that equal players are one row."""
    columns = [clean(text) for text in player_content(who)]
    return (content_id(columns), *columns)


def instance_row(game: Game, instance: Instance, split: str) -> Row:
    """A row of `instances`: its id is the hash of game and data, so that equal content is one row."""
    data = to_json(instance.model_dump(mode="json"), sort=True)
    return (
        digest(game.name, data),
        game.name,
        clean(instance.name),
        clean(instance.key),
        clean(instance.experiment),
        instance.language,
        split,
        data,
    )


def says_json(says: Sequence[Say]) -> str:
    """Says as a JSON list of objects; written out by hand, since this happens at every turn."""
    if not says:
        return "[]"
    parts = [
        f'{{"to":{quote(say.to)},"by":{quote(say.by)},"kind":{quote(say.kind)},"text":{quote(say.text)}}}'
        for say in says
    ]
    return clean(f"[{','.join(parts)}]")


def _people(*players: Identity) -> Sequence[str]:
    """The people among these; one without a pseudonym is named by an empty one, which nobody has agreed under."""
    return [who.person for who in players if who.kind == "human"]


def _person(who: Identity) -> str | None:
    return who.person if who.kind == "human" else None


def _rewards(match: Match, scores: Scores) -> Mapping[Role, float]:
    """`match.rewards()`, without working out the scores again."""
    return match.state.rewards or dict.fromkeys(match.game.roles, (scores.main or 0.0) / 100)


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and isfinite(value) else None


def _blob(code: str, values: Sequence[float] | None) -> bytes | None:
    """Numbers packed as 32 bits each, little-endian."""
    if values is None:
        return None
    packed = array(code, values)
    if not _LITTLE:
        packed.byteswap()
    return packed.tobytes()


_LITTLE = array("H", [1]).tobytes()[0] == 1
