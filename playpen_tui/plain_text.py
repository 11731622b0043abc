"""Makes text from outside harmless: control and invisible characters become visible, long text is cut with a count.

Needs no screen library, so that the plain mode and the lists of the commands share it with the screens.
"""

from __future__ import annotations

import re

LIMIT = 4_000
"""Characters of one utterance that a screen shows; the rest is counted, and whole in the log."""

SILENT = "not a word"
"""What stands where somebody replied, and said nothing."""

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""What steers a terminal, and halves of characters that cannot be written to one."""

_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_ANY = re.compile(CONTROLS.pattern + r"|\t|" + _INVISIBLE.pattern)


def picture(found: re.Match[str]) -> str:
    """The visible stand-in of a control character."""
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"


def _named(found: re.Match[str]) -> str:
    return f"⟨{ord(found[0]):04X}⟩"


def clean(text: str, limit: int | None = LIMIT) -> str:
    """The text with control and invisible characters made visible, cut after `limit` characters with a count."""
    rest = 0
    if limit is not None and len(text) > limit:
        rest = len(text) - limit
        text = text[:limit]
    if _ANY.search(text):
        text = text.replace("\r\n", "\n").replace("\t", "    ")
        text = _INVISIBLE.sub(_named, CONTROLS.sub(picture, text))
    return f"{text} … and {rest:,} characters more" if rest else text


def one_line(text: str, limit: int = 200) -> str:
    """The cleaned text on a single line."""
    return clean(" ".join(text[: limit * 4].split()), limit)


def short(text: str, width: int) -> str:
    """The cleaned text on one line of at most `width` characters, with an ellipsis where it was cut."""
    line = clean(" ".join(text[: width * 4 + 16].split()), None)
    return line if len(line) <= width else line[: max(0, width - 1)] + "…"


def plain(text: str) -> str:
    """The cleaned text on a single line of any length: for output that is read aloud or piped."""
    return clean(" ".join(text.split()), 2_000)


def bare(name: str) -> str:
    """A player's name as typed, without its settings, and of a path to weights its last part."""
    head = name.partition("?")[0]
    kind, colon, path = head.partition(":")
    return f"{kind}:{path.rstrip('/').rpartition('/')[2]}" if colon and path.startswith(("/", "~", ".")) else head
