"""What one pair of eyes has read of a match: entries of who said what, without protocol tags.

`viewer` is a role, or None for the game master's eyes. A role sees its own words and those that the game master
relayed to it; what the game master itself says is on the board already. Needs no screen: the play screen, the plain
mode and a replay all print these entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from games.engine import Match, Role, Step

YOU = "you"
"""The name of the only person at this terminal."""

FORM = "this is not the form of a reply"


@dataclass(frozen=True, slots=True)
class Entry:
    """One utterance as people read it. `extra` is the lesser part of it: an explanation beside a guess."""

    ply: int
    role: Role
    text: str
    extra: str = ""
    broken: str = ""
    """Why it was not accepted, where it was not."""
    raw: bool = False
    """The text is shown as it came, since it could not be read."""
    who: str = ""
    """Who said it, where that is known: somebody else may sit in the seat now."""


def spoken(match: Match, role: Role, text: str) -> tuple[str, str] | None:
    """(what was said, the lesser part) of a raw reply, or None where it cannot be read as one."""
    fields = match.game.read(match.state, role, text)
    if not fields:
        return None
    wanted = [field.name for field in match.game.fields(match.state)] if match.turn == role else []
    order = sorted(
        fields, key=lambda name: (wanted.index(name) if name in wanted else len(wanted), name == "explanation")
    )
    first, *rest = [fields[name] for name in order]
    return first, " · ".join(part for part in rest if part)


def _visible(step: Step, viewer: Role | None, words: str = "") -> bool:
    """Whether `viewer` heard of this step, and these words of it."""
    if viewer is None or step.role == viewer:
        return True
    return any(say.to == viewer and say.by == step.role and words in say.text for say in step.says)


def entry(match: Match, step: Step, viewer: Role | None = None) -> Entry:
    """One step as people read it; reasons that were not relayed to `viewer` are left out."""
    said = spoken(match, step.role, step.text)
    broken = ""
    if step.verdict == "illegal":  # the feedback on a broken form quotes the form, which people need not see
        broken = FORM if step.kind == "format" else step.note.partition("\n\n")[0]
    if said is None:
        return Entry(step.ply, step.role, step.text, broken=broken, raw=True)
    return Entry(step.ply, step.role, said[0], said[1] if _visible(step, viewer, said[1]) else "", broken)


def entries(match: Match, viewer: Role | None, speakers: Mapping[int, str] | None = None) -> list[Entry]:
    """All that `viewer` may read of this match; once it is over, everything. `speakers` are names by ply."""
    eyes = None if match.over else viewer
    found = [entry(match, step, eyes) for step in match.steps if _visible(step, eyes)]
    return [replace(e, who=speakers.get(e.ply, "")) for e in found] if speakers else found


def as_text(
    match: Match, viewer: Role | None, names: Mapping[Role, str], speakers: Mapping[int, str] | None = None
) -> str:
    """The dialogue as plain lines, for the clipboard."""
    lines: list[str] = []
    for e in entries(match, viewer, speakers):
        extra = f" ({e.extra})" if e.extra else ""
        broken = f" [not accepted: {e.broken}]" if e.broken else ""
        lines.append(f"{e.who or names.get(e.role, e.role)}: {e.text}{extra}{broken}")
    return "\n".join(lines)
