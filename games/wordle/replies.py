"""The form of a reply: two tagged lines, `explanation: …` and one more, written and read.

Models wrap such lines in all kinds of things. White space and markdown in front, capitals, bold tags, a code fence
and both tags on one line are read without complaint; whatever clembench's parser takes is taken here as well.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, NamedTuple, TypeAlias

Fault: TypeAlias = Literal["start", "missing", "repeated"]

_FENCE = re.compile(r"\s*```\w*[ \t]*\n")
_BREAKS = re.compile(r"[\r\n]+")
_BULLET = r"[#>-]{1,6}[ \t]*"
_DECOR = "*_`"


class Malformed(ValueError):
    """The text is not two tagged lines: it does not `start` right, or its second tag is `missing` or `repeated`."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault: Fault = fault


class Reply(NamedTuple):
    """Both lines without their tags, as they were written; an explanation that says nothing is empty."""

    explanation: str
    value: str


def one_line(text: str) -> str:
    """The text with its line breaks turned into spaces."""
    return " ".join(filter(None, (part.strip() for part in _BREAKS.split(text))))


def _tag(tag: str) -> str:
    """A tag with its colon and perhaps bold; groups: opening mark, closing mark before or after the colon."""
    spelt = "|".join(dict.fromkeys(re.escape(unicodedata.normalize(form, tag)) for form in ("NFC", "NFD")))
    return rf"([*_`]{{0,3}})(?:{spelt})(\1)?[ \t]{{0,3}}:(\1)?"


def _open(tag: re.Match[str]) -> str:
    """The mark that was opened before this tag and not closed with it: `**` in `**guess: crane**`."""
    return "" if tag[2] or tag[3] else tag[1]


class Form:
    """Two lines with these tags. `neutral` is the explanation that stands for none."""

    def __init__(self, first: str, second: str, neutral: str) -> None:
        self.first = first
        self.second = second
        self.neutral = neutral
        self._usual = re.compile(rf"{re.escape(first)}: ([^\r\n]*)\n{re.escape(second)}: ([^\W\d_]+)")
        self._head = re.compile(rf"\s*(?:{_BULLET})?{_tag(first)}", re.IGNORECASE)
        self._key = re.compile(rf"(?:^[ \t]*{_BULLET})?{_tag(second)}", re.IGNORECASE | re.MULTILINE)

    def write(self, explanation: str, value: str) -> str:
        """Both lines, each on one line; no explanation becomes the neutral one."""
        said = one_line(explanation)
        if not said:
            said = self.neutral
        elif said.rstrip(".") == self.neutral:
            said += "."  # so that whoever really says the neutral words is not read as having said nothing
        return f"{self.first}: {said}\n{self.second}: {one_line(value)}"

    def read(self, text: str) -> Reply:
        """The inverse of `write`, for anything a model may write. Raises Malformed."""
        if usual := self._usual.fullmatch(text):  # most replies; what follows finds the same at four times the price
            return Reply(self._plain(usual[1].strip()), usual[2])
        if fence := _FENCE.match(text):
            text = text[fence.end() :]
        head = self._head.match(text)
        if head is None:
            raise Malformed("start")
        line, _, rest = text[head.end() :].partition("\n")
        before, body = f"{line}\n", rest
        keys = list(self._key.finditer(rest))
        if not keys:
            before, body = "", line
            keys = list(self._key.finditer(line))
        if len(keys) != 1:
            raise Malformed("repeated" if keys else "missing")
        key = keys[0]
        explanation = one_line(before + body[: key.start()])
        if mark := _open(head):
            explanation = explanation.removesuffix(mark).rstrip()
        value = body[key.end() :].partition("\n")[0].strip().strip(_DECOR).strip()
        return Reply(self._plain(explanation), value)

    def _plain(self, said: str) -> str:
        if said == self.neutral:
            return ""
        return said[:-1] if said.rstrip(".") == self.neutral else said
