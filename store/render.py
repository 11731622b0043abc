"""An episode in words: as lines for a screen, as text, as markdown, as JSON. No screen, no widths.

A page is a list of `Piece`s, so that a screen can give each its colour and the command can print it bare. Nothing here
is cleaned of control characters: whoever shows it does that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from games.engine import GM, Message, Role, Say
from store.dossier import Dossier
from store.records import CallRow, TurnRow

Kind: TypeAlias = Literal["title", "said", "told", "fact", "good", "bad", "quiet"]
Tab: TypeAlias = Literal["turns", "checks", "scores", "origin", "requests"]
TABS: dict[Tab, str] = {
    "turns": "turns",
    "checks": "rule checks",
    "scores": "scores",
    "origin": "provenance",
    "requests": "raw requests",
}
"""The pages of an episode, and what they are called."""
Format: TypeAlias = Literal["text", "markdown", "json"]
MASTER = "game master"


@dataclass(frozen=True, slots=True)
class Piece:
    """A label and what it says: who said what, a fact and its value, a heading (`title`) alone."""

    kind: Kind
    label: str
    text: str = ""
    ply: int | None = None
    who: str = ""
    """The player behind the role of the label."""

    @property
    def head(self) -> str:
        """The label with who it was."""
        return f"{self.label} · {self.who}" if self.who else self.label


def page(dossier: Dossier, tab: Tab, eyes: Role | None = None) -> list[Piece]:
    """One page of an episode; `eyes` is a role, whose turns are then all that it heard and said, or None."""
    if tab == "turns":
        return list(_turns(dossier) if eyes is None else _heard(dossier, eyes))
    return list(_PAGES[tab](dossier))


def headline(dossier: Dossier) -> str:
    """Game, instance and how it ended, on one line."""
    row = dossier.detail.row
    end = row.outcome or "unfinished"
    score = "" if row.main is None else f" · {row.main:g}"
    return f"{row.game} · {row.instance} · {end}{f': {row.reason}' if row.reason else ''}{score}"


def speaker(turn: TurnRow) -> str:
    """Who spoke: the player's name, a person's pseudonym, and whether it was helped."""
    name = turn.person or turn.player
    return f"{name}, assisted" if turn.assisted else name


def _turns(dossier: Dossier) -> Iterator[Piece]:
    detail = dossier.detail
    if dossier.code:
        yield Piece("quiet", "note", dossier.code)
    if dossier.erased:
        yield Piece("quiet", "note", f"the words of {dossier.erased} turns were erased on request")
    for say in detail.opening:
        yield _told(say)
    for turn in detail.turns:
        yield Piece("said", f"{turn.ply} {turn.role}", turn.text, turn.ply, speaker(turn))
        if turn.verdict != "ok":
            yield Piece("bad", "not accepted", turn.note or "it broke the form", turn.ply)
        if turn.ply in dossier.values:
            value, count = dossier.values[turn.ply]
            yield Piece("quiet", "value", f"{value:.2f} of {count} played on from here", turn.ply)
        for say in turn.says:
            yield _told(say, turn)
    if not detail.turns:
        yield Piece("quiet", "note", "nobody has spoken yet")
    yield _end(dossier)


def _told(say: Say, turn: TurnRow | None = None) -> Piece:
    ply = None if turn is None else turn.ply
    if turn is not None and say.by == turn.role:
        text = "these words" if say.text == turn.text else say.text
        return Piece("told", f"→ {say.to} hears", text, ply)
    return Piece("told", f"{MASTER if say.by == GM else say.by} → {say.to}", say.text, ply)


def _heard(dossier: Dossier, role: Role) -> Iterator[Piece]:
    messages = dossier.heard.get(role, ())
    plies = iter([turn.ply for turn in dossier.detail.turns if turn.role == role])
    for message in messages:
        own = message.role == "assistant"
        ply = next(plies, None) if own else None
        yield Piece("said" if own else "told", _sender(message, role), message.content, ply)
    if not messages:
        yield Piece("quiet", "note", f"the log has no messages of {role}; the game master's eyes see its turns")
    yield _end(dossier)


def _sender(message: Message, role: Role) -> str:
    return {"assistant": f"{role} said", "system": "system"}.get(message.role, f"{role} heard")


_ENDS: Mapping[str, Kind] = {"success": "good", "failure": "bad", "aborted": "bad"}


def _end(dossier: Dossier) -> Piece:
    row = dossier.detail.row
    if row.outcome is None:
        return Piece("quiet", "unfinished", f"{row.plies} turns so far")
    kind = _ENDS.get(row.outcome, "quiet")
    score = "no score" if row.main is None else f"main score {row.main:g}"
    return Piece(kind, row.outcome, f"{row.reason + ' · ' if row.reason else ''}{score}")


def _checks(dossier: Dossier) -> Iterator[Piece]:
    turns = dossier.detail.turns
    broken = [turn for turn in turns if turn.verdict != "ok"]
    yield Piece("fact", "turns", f"{len(turns)}, of which {len(broken) or 'none'} broke a rule")
    for turn in turns:
        label = f"{turn.ply} {turn.role}"
        if turn.verdict == "ok":
            yield Piece("good", label, "ok" + (f" · {turn.note}" if turn.note else ""), turn.ply)
        else:
            yield Piece("bad", label, f"{turn.verdict} · {turn.note or 'no reason given'}", turn.ply)
            yield Piece("quiet", "it said", turn.text, turn.ply)


def _scores(dossier: Dossier) -> Iterator[Piece]:
    detail = dossier.detail
    yield _end(dossier)
    for role, reward in detail.rewards.items():
        won = " · winner" if role in detail.winners else ""
        yield Piece("fact", f"reward {role}", f"{reward:g} of 1{won}")
    whole = [score for score in detail.scores if score.ply is None]
    if whole:
        yield Piece("title", "of the episode")
    for score in whole:
        yield Piece(
            "fact", f"{score.name}{f' {score.role}' if score.role else ''}", f"{score.value:g} · {score.scorer}"
        )
    credit = [score for score in detail.scores if score.ply is not None]
    if credit:
        yield Piece("title", "credit of each turn")
    for score in sorted(credit, key=lambda score: (score.ply or 0, score.scorer)):
        yield Piece("fact", f"{score.ply} {score.role}", f"{score.value:g} · {score.scorer}", score.ply)
    if not detail.scores:
        yield Piece("quiet", "note", "nothing was scored")


def _origin(dossier: Dossier) -> Iterator[Piece]:
    detail, row, origin = dossier.detail, dossier.detail.row, dossier.origin

    def fact(label: str, value: object) -> Piece:
        return Piece("fact", label, "–" if value is None or value == "" else str(value))

    yield fact("episode", row.id)
    yield fact("began, ended", f"{row.started_at}, {row.last_at}")
    yield fact("game", f"{row.game}@{row.version} · {row.language}")
    yield fact("instance", f"{row.instance} · {detail.experiment} · {detail.split}")
    yield fact("key", detail.key)
    yield fact("seed, slot, group", f"{detail.seed}, {_or(detail.slot)}, {_or(detail.group)}")
    if detail.parent:
        yield fact("branch of", f"{detail.parent} from ply {detail.fork_ply}")
    yield fact("tags", ", ".join(detail.tags))
    if dossier.trashed:
        yield Piece("bad", "in the trash", "lists, exports and results leave it out")
    yield Piece("title", "players")
    for role in dossier.roles:
        identity = detail.seats.get(role)
        if identity is None:
            continue
        parts = [identity.person or identity.name, identity.kind]
        parts += [f"revision {identity.revision}"] if identity.revision else []
        parts += [f"adapter {identity.adapter}"] if identity.adapter else []
        parts += [_short_json(identity.sampling)] if identity.sampling else []
        yield fact(role, " · ".join(parts))
    for person in dossier.people:
        taken = f", taken back {person.withdrawn_at}" if person.withdrawn_at else ""
        yield fact(person.id, f"consent {person.consent}, version {person.consent_version}{taken}")
    yield Piece("title", "run")
    if origin is None:
        yield Piece("quiet", "note", "it belongs to no run")
        return
    yield fact("run", f"{origin.run} · {origin.kind} · {origin.created_at}")
    dirty = {True: ", changed since", False: "", None: ""}[origin.git_dirty]
    yield fact("program", f"playpen-tui {origin.app_version or '–'} · commit {_or(origin.git_commit)}{dirty}")
    yield fact("seed of the run", origin.seed)
    yield fact("configuration", f"{origin.config_hash} · {_short_json(origin.config)}")
    yield fact("machine", ", ".join(f"{name} {value}" for name, value in origin.hardware.items()))


def _requests(dossier: Dossier) -> Iterator[Piece]:
    before: dict[Role, Sequence[Message]] = {}
    for number, call in enumerate(dossier.detail.calls, 1):
        yield Piece("title", f"request {number} · ply {call.ply} · {call.role} · {call.player}", ply=call.ply)
        yield Piece("fact", "took", _took(call), call.ply)
        if call.sampling:
            yield Piece("fact", "sampling", _short_json(call.sampling), call.ply)
        sent = dossier.prompts.get(call.prompt_hash or "", ())
        same = _shared(before.get(call.role, ()), sent)
        if same:
            yield Piece("quiet", "sent", f"the first {same} as with the request before, then", call.ply)
        for message in sent[same:]:
            yield Piece("told", f"sent {message.role}", message.content, call.ply)
        before[call.role] = sent
        if call.reasoning:
            yield Piece("quiet", "reasoning", call.reasoning, call.ply)
        if call.text:
            yield Piece("said", "reply", call.text, call.ply)
        if call.error:
            yield Piece("bad", "error", call.error, call.ply)
        if call.turn is None:
            yield Piece("quiet", "note", "this reply was not used", call.ply)
    if not dossier.detail.calls:
        yield Piece(
            "quiet",
            "note",
            "no request to a model was logged: people and bots send none, and many imported episodes have none",
        )


def _shared(one: Sequence[Message], other: Sequence[Message]) -> int:
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count


def _took(call: CallRow) -> str:
    parts = [call.finish or "no finish reason"]
    parts += [f"{_or(call.tokens_in)} tokens in, {_or(call.tokens_out)} out", f"{call.ms:,.0f} ms"]
    parts += [f"first after {call.first_token_ms:,.0f} ms"] if call.first_token_ms is not None else []
    return " · ".join([*parts, *(["assisted"] if call.assisted else [])])


def _or(value: object) -> str:
    return "–" if value is None else str(value)


def _short_json(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), ensure_ascii=False, default=str)


_PAGES: Mapping[Tab, Callable[[Dossier], Iterator[Piece]]] = {
    "checks": _checks,
    "scores": _scores,
    "origin": _origin,
    "requests": _requests,
}


# to be copied


def as_text(dossier: Dossier, tabs: Sequence[Tab] = ("turns",), eyes: Role | None = None) -> str:
    """Plain lines: the headline, then the pages."""
    lines = [headline(dossier), f"episode {dossier.id}", ""]
    for number, tab in enumerate(tabs):
        if number:
            lines += ["", TABS[tab].upper(), ""]
        for piece in page(dossier, tab, eyes):
            lines.append(piece.label if piece.kind == "title" else f"{piece.head}: {piece.text}")
    return "\n".join(lines) + "\n"


def as_markdown(dossier: Dossier, tabs: Sequence[Tab] = ("turns", "scores"), eyes: Role | None = None) -> str:
    """A heading, and the pages as lists; words are quoted line by line, so that nothing in them is markup."""
    lines = [f"# {_escaped(headline(dossier))}", "", f"Episode `{dossier.id}`", ""]
    for tab in tabs:
        seen = f", through the eyes of {eyes}" if eyes is not None and tab == "turns" else ""
        lines += [f"## {(TABS[tab] + seen).capitalize()}", ""]
        for piece in page(dossier, tab, eyes):
            if piece.kind == "title":
                lines += [f"### {_escaped(piece.label)}", ""]
            elif piece.kind in ("said", "told"):
                quoted = [f"> {_escaped(line)}  " for line in piece.text.split("\n")]
                lines += [f"**{_escaped(piece.head)}**", "", *quoted, ""]
            else:
                lines += [f"* {_escaped(piece.label)}: {_escaped(' '.join(piece.text.split()))}", ""]
    return "\n".join(lines).rstrip() + "\n"


def _escaped(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>#|~&" else letter for letter in text)


def as_data(dossier: Dossier) -> dict[str, Any]:
    """Everything, as plain values for JSON."""
    detail = asdict(dossier.detail)
    return {
        **detail.pop("row"),
        **detail,
        "roles": list(dossier.roles),
        "run_facts": None if dossier.origin is None else asdict(dossier.origin),
        "people_facts": [
            {"id": one.id, "consent": one.consent, "version": one.consent_version, "withdrawn_at": one.withdrawn_at}
            for one in dossier.people
        ],
        "heard": {role: [message._asdict() for message in some] for role, some in dossier.heard.items()},
        "prompts": {hash: [message._asdict() for message in some] for hash, some in dossier.prompts.items()},
        "trashed": dossier.trashed,
        "erased": dossier.erased,
        "replayable": not dossier.code,
    }


def as_json(dossier: Dossier) -> str:
    """Everything, as one JSON document."""
    return json.dumps(as_data(dossier), ensure_ascii=False, indent=2, default=str) + "\n"


def copied(dossier: Dossier, how: Format, tabs: Sequence[Tab] = ("turns",), eyes: Role | None = None) -> str:
    """The episode in one of the three forms."""
    if how == "json":
        return as_json(dossier)
    return (as_text if how == "text" else as_markdown)(dossier, tabs, eyes)
