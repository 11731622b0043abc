"""Shapes as GBNF, the grammar language of llama.cpp.

A grammar may be narrower than its shape, never wider: free text has no blanks at its ends and no control characters.
Text can also be kept from words (`without`): no run of letters in it then begins with one of them. Choices of
thousands of words become tries, and text a finite automaton that counts, so that llama.cpp follows one path at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from games.shapes import Choice, Grid, Literal, Seq, Shape, Text

Trie: TypeAlias = "dict[str, Trie]"
Path: TypeAlias = tuple[str, ...]
Way: TypeAlias = tuple[str, str, Path]
"""A step of an automaton: a class of characters, then the kind and the path of the state after it."""

_LETTERS = tuple(chr(code) for code in range(0x41, 0x100) if chr(code).isalpha() and chr(code) not in "ªµº")
_MARKS = ",.'’;:!?()-"
_TAIL = 12
"""Characters at the end of a long text where no new word begins, so that the limit rarely cuts one."""
_SHORT = {"\n": "\\n", '"': '\\"', "\\": "\\\\"}
_END = ""
"""The key in a trie that says that a word may end here."""


def quoted(text: str) -> str:
    """The text as a GBNF string. Where there is a short escape it is used: vLLM reads no others in strings."""
    return '"' + "".join(_SHORT.get(char) or _escaped(char, "") for char in text) + '"'


def _escaped(char: str, special: str) -> str:
    code = ord(char)
    if char in special or code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000:
        return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}"
    return char


def one_of(chars: Iterable[str]) -> str:
    """A class of single characters, neighbours as ranges."""
    spans: list[list[int]] = []
    for code in sorted({ord(char) for char in chars}):
        if spans and code == spans[-1][1] + 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    ends = [[_escaped(chr(code), "\\]^-[") for code in dict.fromkeys(span)] for span in spans]
    return f"[{''.join('-'.join(pair) for pair in ends)}]"


_OTHERS = "[^\\x00-\\x1F \\x7F-\\x9F\\u2028\\u2029" + one_of(_LETTERS)[1:]
"""What free text may hold beside letters and blanks."""


@lru_cache(maxsize=64)
def compiled(shape: Shape, without: tuple[str, ...] = ()) -> str:
    """The grammar of this shape. `without`: beginnings of words that free text must not have, in any letter case.

    Of these only words of Latin letters can be kept out; the others are passed over.
    """
    rules = _Rules(
        _trie(sorted({word.lower() for word in without if word and all(c in _LETTERS for c in word.lower())}))
    )
    root = rules.of(shape)
    return "\n".join([f"root ::= {root}", *rules.lines]) + "\n"


def _trie(words: Iterable[str]) -> Trie:
    root: Trie = {}
    for word in words:
        node = root
        for char in word:
            node = node.setdefault(char, {})
        node[_END] = {}
    return root


def _alternatives(node: Trie) -> str:
    """A trie as nested groups; runs without a fork become one string."""
    found: list[str] = []
    for char, below in node.items():
        if char == _END:
            found.append('""')
            continue
        run = char
        while len(below) == 1 and _END not in below:
            ((char, below),) = below.items()
            run += char
        found.append(quoted(run) if list(below) == [_END] else f"{quoted(run)} {_alternatives(below)}")
    return found[0] if len(found) == 1 else f"({' | '.join(found)})"


@dataclass(slots=True)
class _Rules:
    """The rules that a grammar needs beside its root."""

    without: Trie
    lines: list[str] = field(default_factory=list[str])
    texts: int = 0

    def of(self, shape: Shape) -> str:
        """The shape as a sequence of GBNF elements."""
        match shape:
            case Literal(text):
                return quoted(text)
            case Choice(options):
                return _alternatives(_trie(options))
            case Text(_, low, high, letters):
                self.texts += 1
                text = _Text(f"t{self.texts}", low, high, letters, self.without)
                self.lines += text.rules()
                return text.start
            case Grid(rows, cols, symbols, gap):
                line = f" {quoted(gap)} ".join([one_of(symbols)] * cols)
                return f" {quoted(chr(10))} ".join([line] * rows)
            case Seq(parts):
                return " ".join(self.of(part) for part in parts) or quoted("")


@dataclass(slots=True)
class _Text:
    """The automaton of one free text. A state is how many characters there are and what the last ones mean.

    Kinds of state: `a` at the very start, `b` after a blank, `m` after another mark, `w` in a word that may go on as it
    likes, `p` and a path in a word that is the beginning of a forbidden one so far.
    """

    name: str
    low: int
    high: int
    letters: bool
    without: Trie
    classes: dict[str, str] = field(default_factory=dict[str, str])
    known: dict[tuple[str, Path], tuple[Way, ...]] = field(default_factory=dict[tuple[str, Path], tuple[Way, ...]])

    @property
    def start(self) -> str:
        """The rule to begin with."""
        return f"{self.name}-a-0"

    def steps(self, kind: str, path: Path) -> tuple[Way, ...]:
        """Where a state leads, whatever its count: a class of characters, the kind and the path of the state after."""
        if (kind, path) in self.known:
            return self.known[kind, path]
        node = self.without if kind in "abm" else self._node(path) if kind == "p" else {}
        taken = {variant for char in node for variant in (char, char.upper())}
        found: list[Way] = []
        if free := [letter for letter in _LETTERS if letter not in taken]:
            found.append((self.named(one_of(free)), "w", ()))
        for char, below in node.items():
            if _END not in below:
                found.append((one_of(v for v in (char, char.upper()) if v in _LETTERS), "p", (*path, char)))
        found.append((self.named(one_of(_MARKS) if self.letters else _OTHERS), "m", ()))
        if kind not in "ab":
            found.append((quoted(" "), "b", ()))
        self.known[kind, path] = tuple(found)
        return self.known[kind, path]

    def named(self, chars: str) -> str:
        """The name of a rule that holds this class: classes are long, and states are many."""
        return self.classes.setdefault(chars, f"{self.name}-c-{len(self.classes)}")

    def _node(self, path: Path) -> Trie:
        node = self.without
        for char in path:
            node = node[char]
        return node

    def rules(self) -> Iterator[str]:
        """All rules that can be reached, each once."""
        seen: dict[str, None] = {self.start: None}
        todo: list[tuple[str, int, Path]] = [("a", 0, ())]
        while todo:
            kind, count, path = todo.pop()
            found: list[str] = []
            for chars, after, way in self.steps(kind, path) if count < self.high else ():
                if after == "b" and count + 1 > max(self.high - _TAIL, min(self.low, self.high - 1)):
                    continue
                name = self.state(after, count + 1, way)
                found.append(f"{chars} {name}")
                if name not in seen:
                    seen[name] = None
                    todo.append((after, count + 1, way))
            if count >= self.low and kind != "b" and (count > 0 or self.low == 0):
                found.append('""')
            yield f"{self.state(kind, count, path)} ::= {' | '.join(found)}"
        for chars, name in self.classes.items():
            yield f"{name} ::= {chars}"

    def state(self, kind: str, count: int, path: Path) -> str:
        """The name of a rule."""
        spelled = "".join(f"-{ord(char):x}" for char in path)
        return f"{self.name}-{kind}-{count}{spelled}"
