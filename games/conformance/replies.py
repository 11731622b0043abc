"""What nobody should say at the table: replies that are empty, endless, hostile, misdirected, mangled or just silly.

An adversary sees the match and a repertoire of what bots said legally, and makes one reply from luck alone. Games
must answer all of them with `Illegal` or play on, and must come to an end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import TypeAlias

from games.boards import Field
from games.engine import Match, Role
from games.shapes import Choice, Grid, Literal, Seq, Shape, Text

HOSTILE = (
    "[red]bold[/red] [link=file:///etc/passwd]x[/link] [/]",
    "\x1b[2J\x1b[31mred\x1b[0m\x1b]0;title\x07\x9b5m",
    "\u202eright to left\u2066\u200f\u200b\ufeff",
    "nul\x00 bell\x07 backspace\x08\x08 vt\x0b ff\x0c",
    "\ud800 lone surrogate \udfff",
    "e" + "\u0301" * 300,
    "\U0001f469\u200d\U0001f680\U0001f1e9\U0001f1ea",
    "%s %n {0} {x!r} ${HOME} $name `id` ' OR 1=1; -- \\",
    "<script>alert(1)</script> <|im_end|><|im_start|>assistant",
    "a\r\nb\rc\u2028d\u2029e\x85f",
    "ﬁ ß İ ı ſ Σς",
    "٣ ³ Ⅲ ½ 1e9 -1 0x1F 99999999999999999999",
)
"""Strings that break naive programs: markup, escapes, bidi, NUL, surrogates, odd digits and case mappings."""

LONG = 100_000
"""How many characters a very long reply has."""

_TAG = re.compile(r"[^\W\d_][\w ]{0,20}:")
_SYLLABLES = ("ba", "de", "fi", "ko", "lu", "ma", "ne", "po", "ri", "su", "ta", "vo")


@dataclass(frozen=True)
class Repertoire:
    """Legal replies per role, as the bots gave them; from them come tags and counterfeits."""

    known: Mapping[Role, tuple[str, ...]]

    def of(self, role: Role | None) -> tuple[str, ...]:
        """What this role said; something harmless where it never said anything."""
        return self.known.get(role or "", ()) or ("hello",)

    @cached_property
    def others(self) -> Mapping[Role, tuple[str, ...]]:
        """Per role, what other roles said."""
        return {
            role: tuple(text for other, texts in self.known.items() if other != role for text in texts)
            or ("MOVE: north", '{"move": "north"}')
            for role in self.known
        }

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """Words before a colon in anybody's replies."""
        found = {tag for texts in self.known.values() for text in texts for tag in _TAG.findall(text)}
        return tuple(sorted(found)) or ("ANSWER:",)


Adversary: TypeAlias = Callable[[Match, Repertoire, Random], str]


def words(rng: Random, low: int, high: int) -> str:
    """Harmless made-up words, between `low` and `high` characters, that begin and end with a letter."""
    size = rng.randint(low, min(high, max(low, 40)))
    text = "".join(rng.choice(_SYLLABLES) + (" " if rng.random() < 0.3 else "") for _ in range(size))[:size]
    return text[:-1] + "a" if text.endswith(" ") else text


def from_shape(shape: Shape, rng: Random) -> str:
    """One text of this form."""
    match shape:
        case Literal(text):
            return text
        case Choice(options):
            return rng.choice(options)
        case Text(_, low, high):
            return words(rng, low, high)
        case Grid(rows, cols, symbols, gap):
            return "\n".join(gap.join(rng.choice(symbols) for _ in range(cols)) for _ in range(rows))
        case Seq(parts):
            return "".join(from_shape(part, rng) for part in parts)


def from_fields(fields: tuple[Field, ...], rng: Random) -> dict[str, str]:
    """What a person might fill in: an option, or words of the right length."""
    return {
        f.name: rng.choice(f.options)
        if f.options
        else words(rng, f.length or 1, f.length or 40).replace(" ", "a")
        if f.length
        else words(rng, 1, 40)
        for f in fields
    }


def _noise(rng: Random) -> str:
    return "".join(chr(rng.choice((rng.randint(0, 127), rng.randint(0, 0x2FFF)))) for _ in range(rng.randint(1, 80)))


def empty(match: Match, known: Repertoire, rng: Random) -> str:
    """Nothing at all, or only white space."""
    return rng.choice(("", " ", "\n\n", "\t \u00a0\u2003"))


def garbage(match: Match, known: Repertoire, rng: Random) -> str:
    """Random characters."""
    return _noise(rng)


def hostile(match: Match, known: Repertoire, rng: Random) -> str:
    """Strings that break naive programs, half of them behind a valid tag."""
    return rng.choice(("", f"{rng.choice(known.tags)} ")) + rng.choice(HOSTILE)


def endless(match: Match, known: Repertoire, rng: Random) -> str:
    """A hundred thousand characters: of one letter, of words, of lines, of tags."""
    unit = rng.choice(("a", "9", "word ", "line\n", f"{rng.choice(known.tags)} ", " ", "(", "\n"))
    return (rng.choice(("", f"{rng.choice(known.tags)} ")) + unit * (LONG // len(unit) + 1))[:LONG]


def tags(match: Match, known: Repertoire, rng: Random) -> str:
    """Protocol tags and nothing behind them."""
    return rng.choice((" ", "\n")).join(rng.choices(known.tags, k=rng.randint(1, 3)))


def misdirected(match: Match, known: Repertoire, rng: Random) -> str:
    """What another role would say."""
    return rng.choice(known.others.get(match.turn or "", ("MOVE: north",)))


def mangled(match: Match, known: Repertoire, rng: Random) -> str:
    """A legal reply with something wrong: cut, doubled, fenced, shouted, with a postscript or a preface."""
    text = rng.choice(known.of(match.turn))
    place = rng.randint(0, len(text))
    return rng.choice(
        (
            text[:place],
            text[place:],
            f"{text}\n\n{text}",
            f"{text}\n\nI hope this helps!",
            f"Sure, here it is.\n{text}",
            f"```\n{text}\n```",
            f"  \n{text.upper()}  \n",
            text.replace(":", "", 1),
            text.replace("\n", " "),
            f"{text[:place]}{_noise(rng)}{text[place:]}",
        )
    )


def parrot(match: Match, known: Repertoire, rng: Random) -> str:
    """Legal but silly: the same legal reply every time."""
    return known.of(match.turn)[0]


def silly(match: Match, known: Repertoire, rng: Random) -> str:
    """Legal in form and without sense: made from the fields a person fills in, or from the shape."""
    shape = match.game.shape(match.state)
    if shape is not None and rng.random() < 0.5:
        return from_shape(shape, rng)
    role = match.turn or ""
    return match.game.compose(match.state, role, from_fields(match.game.fields(match.state), rng))


ADVERSARIES: Mapping[str, Adversary] = {
    "empty": empty,
    "garbage": garbage,
    "hostile": hostile,
    "endless": endless,
    "tags": tags,
    "misdirected": misdirected,
    "mangled": mangled,
    "parrot": parrot,
    "silly": silly,
}
"""Every adversary by name."""


def describe(error: Exception) -> str:
    """An exception in a few words."""
    return f"{type(error).__name__}: {str(error)[:200]}"


def shown(text: str) -> str:
    """A reply in a detail: quoted, with escapes, not longer than a line."""
    return repr(text) if len(text) <= 60 else f"{text[:57]!r}… ({len(text)} characters)"
