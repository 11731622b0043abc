"""Word by word, where two texts differ. No screen.

Spaces belong to the word before them, so that what is put together again is the text as it was.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TypeAlias

Part: TypeAlias = tuple[str, bool]
"""A piece of a text, and whether the other text lacks it there."""
MOST = 2_000
"""Words of one text that are compared; of longer ones, all that follows counts as different."""
_WORDS = re.compile(r"\s*\S+\s*|\s+")


def differing(left: str, right: str) -> tuple[list[Part], list[Part]]:
    """Both texts in pieces. Case counts, spaces do not; neighbours of the same kind are one piece."""
    words = _WORDS.findall(left), _WORDS.findall(right)
    bare = [[word.strip() for word in side[:MOST]] for side in words]
    blocks = SequenceMatcher(None, bare[0], bare[1], autojunk=False).get_matching_blocks()
    return (
        _parts(words[0], [(block.a, block.size) for block in blocks]),
        _parts(words[1], [(block.b, block.size) for block in blocks]),
    )


def _parts(words: list[str], same: list[tuple[int, int]]) -> list[Part]:
    shared = {at for start, size in same for at in range(start, start + size)}
    parts: list[Part] = []
    for at, word in enumerate(words):
        new = at not in shared
        if parts and parts[-1][1] is new:
            parts[-1] = (parts[-1][0] + word, new)
        else:
            parts.append((word, new))
    return parts
