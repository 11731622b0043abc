"""clembench's requests: what was sent to a model and what came back, one file per player or, before 3.4.2, one for all.

A request of a player is its next turn; in the single file of older logs a request has the very time of its event. The
prompt is kept as messages of its own only where it is not what the player had heard.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from games.engine import Message
from store.exchange.clem_events import Dialogue, Spoken, spoken
from store.exchange.intake import Unreadable, mapping, moment
from store.ids import MessageRow, chain, clean, to_json

FILE = re.compile(r"(?:(.+)\.)?requests\.json")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `turn` is None where it became none; `seat` is clembench's name of the player."""

    turn: Spoken | None
    seat: str
    ply: int
    at: int
    prompt: str | None
    """Hash of the conversation that was sent."""
    messages: Sequence[MessageRow]
    """Rows of that conversation where it is not what was heard."""
    text: str
    reasoning: str
    finish: str
    tokens_in: int | None
    tokens_out: int | None
    raw: str


def calls(name: str, content: Any, dialogue: Dialogue) -> list[Asked]:
    """The requests of a file called `name`. Raises Unreadable where it is not as clembench writes it."""
    about = mapping(content)
    listed: Any = about.get("calls", about.get("requests")) if about else content
    if not isinstance(listed, list):
        raise Unreadable("holds no list of requests")
    seat = _seat(name, about, dialogue)
    waiting = [turn for turn in dialogue.turns if seat is None or turn.seat == seat]
    by_time = {turn.stamp: turn for turn in waiting if turn.stamp}
    found: list[Asked] = []
    for entry in cast(list[Any], listed):
        request = mapping(mapping(entry).get("call", entry))
        stamp = request.get("timestamp")
        turn = by_time.get(stamp) if seat is None and isinstance(stamp, str) else None
        turn = turn or (waiting[0] if waiting else None)
        if turn is not None:
            waiting.remove(turn)
        found.append(_asked(request, turn, seat, stamp, dialogue))
    return found


def _seat(name: str, about: Mapping[str, Any], dialogue: Dialogue) -> str | None:
    """Whose file it is: None for everybody's."""
    told = mapping(about.get("meta")).get("player_name")
    if isinstance(told, str) and told in dialogue.roles:
        return told
    stem = FILE.fullmatch(name)
    wish = (stem[1] or "") if stem else ""
    if not wish:
        return None
    for seat in dialogue.roles:
        if spoken(seat) == wish:
            return seat
    raise Unreadable("is of a player who is not in the episode")


def _asked(
    request: Mapping[str, Any], turn: Spoken | None, seat: str | None, stamp: object, dialogue: Dialogue
) -> Asked:
    raw = request.get("raw_response_obj")
    seat = turn.seat if turn is not None else seat or next(iter(dialogue.roles), "")
    sent = chain(prompt(request.get("manipulated_prompt_obj")))
    same = turn is not None and bool(sent) and sent[-1][0] == turn.seen
    text, reasoning, finish = _answer(raw)
    usage = mapping(mapping(raw).get("usage"))
    return Asked(
        turn=turn,
        seat=seat,
        ply=turn.ply if turn is not None else len(dialogue.turns),
        at=moment(stamp) or (turn.at if turn is not None else dialogue.last or 0),
        prompt=sent[-1][0] if sent else None,
        messages=() if same else sent,
        text=text or (turn.text if turn is not None else ""),
        reasoning=reasoning,
        finish=finish,
        tokens_in=_count(usage, "prompt_tokens", "input_tokens"),
        tokens_out=_count(usage, "completion_tokens", "output_tokens"),
        raw=to_json(raw) if isinstance(raw, dict) else to_json({"response": raw}),
    )


def prompt(sent: Any) -> list[Message]:
    """What was sent, as messages. A prompt that is one text, as local models get it, is one message."""
    if isinstance(sent, list):
        return [_message(entry) for entry in cast(list[Any], sent)]
    about = mapping(sent)
    for name in ("messages", "inputs", "prompt", "input"):
        inner = about.get(name)
        if isinstance(inner, list):
            return prompt(inner)
        if isinstance(inner, str):
            return [Message("user", clean(inner))]
    if "role" in about and "content" in about:
        return [_message(about)]
    if sent is None or sent in ("", {}):
        return []
    return [Message("user", clean(sent) if isinstance(sent, str) else to_json(sent))]


def _message(entry: Any) -> Message:
    about = mapping(entry)
    told = about.get("role")
    role = "system" if told in ("system", "developer") else "assistant" if told in ("assistant", "model") else "user"
    return Message(role, _text(about.get("content", entry)))


def _text(content: Any) -> str:
    """The text of a message's content; parts that are no text are kept as JSON."""
    if isinstance(content, str):
        return clean(content)
    if isinstance(content, list):
        return "\n".join(_part(part) for part in cast(list[Any], content))
    return "" if content is None else to_json(content)


def _part(part: Any) -> str:
    text = mapping(part).get("text", part)
    return clean(text) if isinstance(text, str) else to_json(part)


def _answer(raw: Any) -> tuple[str, str, str]:
    """Text, reasoning and reason of the end from an answer as the usual services give it; empty where there is none."""
    if isinstance(raw, str):
        return clean(raw), "", ""
    about = mapping(raw)
    for entry in _dicts(about.get("choices")):
        said = mapping(entry.get("message"))
        text = said.get("content", entry.get("text"))
        reasoning = said.get("reasoning_content", said.get("reasoning"))
        finish = entry.get("finish_reason")
        return _text(text), _text(reasoning) if reasoning else "", finish if isinstance(finish, str) else ""
    # a local model's `response` begins with all of the prompt; what clemcore took from it stands with `clem_player`
    for holder in (mapping(about.get("clem_player")), about):
        if isinstance(holder.get("response"), str):
            return clean(str(holder["response"])), "", ""
    return "", "", ""


def _dicts(value: Any) -> Iterable[Mapping[str, Any]]:
    return [mapping(item) for item in cast(list[Any], value)] if isinstance(value, list) else []


def _count(usage: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = usage.get(name)
        if isinstance(value, int) and 0 <= value < 1 << 62:
            return value
    return None
