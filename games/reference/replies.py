"""The form of a reply: a tag, then one paragraph on one line; for the guesser, one of three answers right behind it.

White space, a code fence or emphasis around the tag are forgiven, and so is letter case. A second paragraph is not:
in clembench 3.0 it crashed the episode, here it breaks the form and aborts the match like any other broken form.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, TypeAlias

Fault: TypeAlias = Literal["tag", "empty", "paragraphs", "answer"]

_MARKUP = " \t\n\r*_#>"


class Malformed(ValueError):
    """The text has no `tag`, nothing behind it (`empty`), more `paragraphs` than one, or no known `answer`."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault: Fault = fault


def one_line(text: str) -> str:
    """The text with its line breaks turned into spaces."""
    return " ".join(filter(None, (line.strip() for line in text.splitlines())))


def content(text: str, tag: str) -> str:
    """The one paragraph behind the tag. Raises Malformed."""
    body = _unfenced(text.strip())
    start = body.lstrip(_MARKUP)
    opened = body[: len(body) - len(start)].strip()
    if start[: len(tag)].casefold() != tag.casefold():
        raise Malformed("tag")
    rest = start[len(tag) :]
    bare = rest.lstrip(" *_")
    if not bare.startswith(":"):
        raise Malformed("tag")
    marks = rest[: len(rest) - len(bare)].strip()
    inner = bare[1:]
    if opened[-1:] in {"*", "_"} and not marks:  # `**Expression:** …`, or the whole line in bold
        inner = inner.lstrip("*_") if inner[:1] in {"*", "_"} else inner.rstrip().rstrip("*_")
    found = [line for line in inner.splitlines() if line.strip()]
    if not found:
        raise Malformed("empty")
    if len(found) > 1:
        raise Malformed("paragraphs")
    return found[0].strip()


def _unfenced(body: str) -> str:
    if not body.startswith("```"):
        return body
    head, newline, tail = body[3:].partition("\n")
    inner = tail if newline and (not head.strip() or head.strip().isalnum()) else body[3:]
    return inner.strip().removesuffix("```").strip()


def answered(said: str, answers: Sequence[Sequence[str]]) -> int:
    """Which of the answers (each a list of spellings) begins what was said: 0, 1, 2. Raises Malformed."""
    found = _pattern(tuple(map(tuple, answers))).match(said)
    if found is None or found.lastindex is None:
        raise Malformed("answer")
    return found.lastindex - 1


@lru_cache(maxsize=8)
def _pattern(answers: tuple[tuple[str, ...], ...]) -> re.Pattern[str]:
    spelt = "|".join("(" + "|".join(map(re.escape, spellings)) + ")" for spellings in answers)
    return re.compile(rf"[\"'*_(\[“„]*(?:{spelt})(?!\w)", re.IGNORECASE)
