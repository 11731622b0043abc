"""Reasoning apart from the reply: finds `<think>` blocks in text that arrives in pieces.

Tags may be split over pieces, so what could still become a tag is held back. Some chat templates open the block
themselves, so that only its end is ever sent: then all that came before it was reasoning.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeAlias

PieceKind: TypeAlias = Literal["text", "reasoning", "recall"]

_TAGS = ("<think>", "</think>", "<thinking>", "</thinking>")
_TAG = re.compile("|".join(map(re.escape, _TAGS)))
_LONGEST = max(map(len, _TAGS)) - 1


class Piece(NamedTuple):
    """A piece of a reply. `recall` carries no text: all text so far was reasoning after all."""

    kind: PieceKind
    text: str = ""


class Splitter:
    """Feed it the pieces of one reply in order, then flush it."""

    def __init__(self) -> None:
        self._held = ""
        self._inside = False
        self._opened = False

    def feed(self, text: str) -> list[Piece]:
        """What of this is now known to be text or reasoning."""
        self._held += text
        found: list[Piece] = []
        while (tag := _TAG.search(self._held)) is not None:
            self._put(found, self._held[: tag.start()])
            self._held = self._held[tag.end() :]
            closing = tag.group().startswith("</")
            if closing and not self._opened:
                found.append(Piece("recall"))
            self._inside = not closing
            self._opened = True
        keep = self._tail()
        cut = len(self._held) - keep
        self._put(found, self._held[:cut])
        self._held = self._held[cut:]
        return found

    def flush(self) -> list[Piece]:
        """The rest: the reply is over, so nothing can become a tag any more."""
        found: list[Piece] = []
        self._put(found, self._held)
        self._held = ""
        return found

    def _put(self, found: list[Piece], text: str) -> None:
        if text:
            found.append(Piece("reasoning" if self._inside else "text", text))

    def _tail(self) -> int:
        """How many characters at the end could be the beginning of a tag."""
        for size in range(min(_LONGEST, len(self._held)), 0, -1):
            if any(tag.startswith(self._held[-size:]) for tag in _TAGS):
                return size
        return 0
