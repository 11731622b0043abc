"""Raw replies and what is in them: a tag, then a clue or a guess.

White space, a code fence or markdown emphasis around the tag are tolerated, as are a tag in another letter case or
said twice. All is done by string methods in linear time, since replies of 100,000 characters must not stall a game.
"""

from __future__ import annotations

import re
from functools import lru_cache

from games.material import prompts
from games.taboo.clue import PACKAGE, fold

_MARKUP = "*_`#>"
_COLONS = (":", "：")
_SPELLED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


def content(text: str, tag: str) -> str | None:
    """What follows the tag; None where the reply does not begin with it."""
    if text.startswith(f"{tag}: "):  # what every good player says: no need to look closer
        return _undoubled(text[len(tag) + 2 :].strip(), tag)
    body = _unfenced(text.strip())
    start = body.lstrip(_MARKUP + " \n")
    opened = body[: len(body) - len(start)].strip()
    inner = _after(start, tag)
    if inner is None:
        return None
    if opened and opened[-1] in "*_`":
        inner = _closed(inner, opened[-1])
    return _undoubled(inner, tag)


def _undoubled(said: str, tag: str) -> str:
    if said[: len(tag)].casefold() != tag.casefold():
        return said
    return _doubled(tag).sub("", said, count=1).strip()


@lru_cache(maxsize=8)
def _doubled(tag: str) -> re.Pattern[str]:
    return re.compile(rf"\A(?:{re.escape(tag)}\s*[:：]\s*)+", re.IGNORECASE)


def _after(text: str, tag: str) -> str | None:
    if text[: len(tag)].casefold() != tag.casefold():
        return None
    rest = text[len(tag) :]
    bare = rest.lstrip(_MARKUP + " ")
    if not bare.startswith(_COLONS):
        return None
    closing = rest[: len(rest) - len(bare)].strip()  # **CLUE**: …
    return closing + bare[1:].strip()


def _closed(inner: str, mark: str) -> str:
    """Without the other end of the emphasis that was opened before the tag: right behind it, or at the very end."""
    return inner.lstrip(mark).lstrip() if inner.startswith(mark) else inner.rstrip(mark).rstrip()


def _unfenced(body: str) -> str:
    if not body.startswith("```"):
        return body
    inner = body[3:]
    head, newline, tail = inner.partition("\n")
    if newline and head.strip().isalnum():  # ```text
        inner = tail
    return inner.strip().removesuffix("```").strip()


def with_tag(tag: str, said: str) -> str:
    """The raw reply for a clue or guess; a tag that a person typed is not doubled."""
    return f"{tag}: {_undoubled(said.strip(), tag)}"


@lru_cache(maxsize=4)
def _articles(language: str) -> frozenset[str]:
    return frozenset(prompts(PACKAGE, language).words("words.articles"))


def guessed(said: str, language: str) -> str:
    """A guess as it is compared: folded, without punctuation and a leading article, umlauts spelled out."""
    if said.isascii() and said.isalpha():
        return said.lower()
    folded = fold(said, language)
    words = "".join(c for c in folded if c.isalnum() or c.isspace()).split()
    if len(words) > 1 and words[0] in _articles(language):
        del words[0]
    joined = " ".join(words)
    return joined if joined.isascii() else joined.translate(_SPELLED)
