"""Assisted seats: examples, a grammar of the legal reply, and another try where the game would object.

A small model cannot keep a protocol by itself. Here it sees a few example exchanges and the question in their short
form, writes within a grammar compiled from the game's shape, and is asked again, a little warmer, when `check` refuses
what it wrote. Nothing in here knows any game, and every try is logged as a call.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from time import perf_counter
from typing import Any, Protocol, cast

from games.engine import Message, Role
from games.shapes import Choice, Grid, Literal, Seq, Shape, Text, fits
from players import gbnf
from players.base import Ask, Call, Called, Emit, Event, PlayerError, Reply, Restart

TRIES = 8
WARMER = 0.2
"""Added to the temperature with every try that the game refused."""
VOCABULARY = 100
"""A choice of this many options is a vocabulary: what a seat said before is not said again."""
RANKED = 60
"""How many likeliest tokens the server is asked for, to see whether a dead end hides a better option."""
SHORTEST = 3
"""Letters of the shortest word that free text is kept from."""
MOST_WORDS = 400
"""How many words a seat heard are tried on `check`."""

_WORD = re.compile(r"[^\W\d_]+")
_NEUTRAL = "zqx"


class Complete(Protocol):
    """One request to a model, as `ChatClient.complete` makes it."""

    async def __call__(
        self,
        messages: Sequence[Message],
        sampling: Mapping[str, Any],
        *,
        role: Role,
        emit: Emit,
        grammar: str | None = None,
        deadline: float | None = None,
        assisted: bool = False,
        extra: Mapping[str, Any] | None = None,
    ) -> Call:
        """See `ChatClient.complete`."""
        ...


async def assisted(complete: Complete, heard: Sequence[Message], ask: Ask, sampling: Mapping[str, Any]) -> Reply:
    """A reply in the form that the game wants, to be used with a backend that takes grammars.

    `sampling` may hold temperature and seed; the first try is greedy unless it says otherwise. Where the game objects
    to all tries, the last one that has the form is the reply. Raises PlayerError, also where none has it.
    """
    shape = ask.shape
    if shape is None:
        call = await complete(heard, sampling, role=ask.role, emit=ask.emit, deadline=ask.deadline)
        return Reply(call.text, ms=call.ms, call=call)
    return await _Seat(complete, ask, shape, tuple(heard), dict(sampling)).reply()


def prompt(heard: Sequence[Message], ask: Ask) -> tuple[Message, ...]:
    """What an assisted seat is shown: its examples, then its question, or all it heard where the game has none."""
    system = [message for message in heard if message.role == "system"]
    rest = [message for message in heard if message.role != "system"]
    return (*system, *ask.examples, *([Message("user", ask.question)] if ask.question else rest))


@dataclass(slots=True)
class _Try:
    """One call with what is left of it after the game has looked at it. `rank` orders what may still be used."""

    call: Call
    text: str
    rank: int = 0


@dataclass(slots=True)
class _Seat:
    """One reply in the making."""

    complete: Complete
    ask: Ask
    shape: Shape
    heard: tuple[Message, ...]
    sampling: dict[str, Any]
    without: set[str] = field(default_factory=set[str])
    began: float = field(default_factory=perf_counter)
    kept: _Try | None = None
    """The best so far of those that were refused; its call is not emitted yet."""

    async def reply(self) -> Reply:
        """Try until the game has nothing against it."""
        try:
            return await self._search()
        except BaseException:
            if self.kept is not None:
                self._log(self.kept, "refused_by_check")
            raise

    async def _search(self) -> Reply:
        said = {message.content.strip() for message in self.heard if message.role == "assistant"}
        unsaid = shape = _unsaid(self.shape, said)
        self._avoid(" ".join([*(m.content for m in self.heard), self.ask.question]))
        heat, tries, better = float(self.sampling.get("temperature") or 0.0), 0, False
        while tries < TRIES:
            one = await self._try(shape, heat, tries)
            if not fits(self.shape, one.text):
                why = "not in form"
            elif faults := self.ask.view.check(one.text):
                one.rank, why = 1, faults[0]
            elif _free(self.shape) and (one.text in said or stutters(one.text)):
                one.rank, why = 2, "said before" if one.text in said else "says the same twice"
            elif not heat and not better and (option := _likelier(shape, one)) is not None:
                one.rank, better = 3, True
                self._refuse(one, "another word is likelier")
                shape = _with_last(shape, (option,))
                continue
            else:
                return self._use(one)
            self._refuse(one, why)
            unsaid, before = _other(unsaid, one.text), unsaid
            if not self._avoid(one.text) and unsaid is before:  # it would only say the same again
                heat += WARMER
            shape, tries, better = unsaid, tries + 1, False
        if self.kept is None:
            raise PlayerError("empty", "the model wrote nothing that has the form of a reply: try again")
        one, self.kept = self.kept, None
        return self._use(one)

    async def _try(self, shape: Shape, temperature: float, number: int) -> _Try:
        """One request. Its `Called` is held back until it is known what came of it; that of a failure is not."""

        def hear(event: Event) -> None:
            if not isinstance(event, Called) or event.call.finish not in ("stop", "length"):
                self.ask.emit(event)

        seed = self.sampling.get("seed")
        wanted = {**self.sampling, "temperature": round(temperature, 3), "max_tokens": _longest(shape) + 8}
        if isinstance(seed, int):
            wanted["seed"] = (seed + number) % 2**31
        ranked = temperature == 0 and _vocabulary(shape) is not None
        call = await self.complete(
            prompt(self.heard, self.ask),
            wanted,
            role=self.ask.role,
            emit=hear,
            grammar=gbnf.compiled(shape, tuple(sorted(self.without))),
            deadline=self._left(),
            assisted=True,
            extra={"logprobs": True, "top_logprobs": RANKED} if ranked else None,
        )
        return _Try(call, call.text.strip())

    def _left(self) -> float | None:
        """Seconds that are left of the deadline."""
        if self.ask.deadline is None:
            return None
        left = self.ask.deadline - (perf_counter() - self.began)
        if left <= 0:
            raise PlayerError("timeout", f"no legal reply within {self.ask.deadline:g} s: try again, or allow more")
        return left

    def _use(self, one: _Try) -> Reply:
        """This is the reply: the calls that were not used are logged as refused."""
        if self.kept is not None:
            self._log(self.kept, "refused_by_check")
        call = self._log(one, one.call.finish)
        return Reply(one.text, ms=(perf_counter() - self.began) * 1000, call=call, assisted=True)

    def _refuse(self, one: _Try, why: str) -> None:
        """Keep it for the case that nothing better comes, and let the screen begin its line anew."""
        worse = one
        if one.rank and (self.kept is None or one.rank >= self.kept.rank):
            worse, self.kept = self.kept, one
        if worse is not None:
            self._log(worse, "refused_by_check")
        self.ask.emit(Restart(self.ask.role, why))

    def _log(self, one: _Try, finish: str) -> Call:
        raw = {key: value for key, value in one.call.raw.items() if key != "top_logprobs"}
        call = replace(one.call, finish=finish, assisted=True, raw=raw)
        self.ask.emit(Called(self.ask.role, call))
        return call

    def _avoid(self, text: str) -> bool:
        """Keep out of free text what the game objects to of the words of this text; whether there was anything new.

        The game says what may not be said only by `check`: it is asked beforehand, so that no try is lost.
        """
        words = dict.fromkeys(word.lower() for word in _WORD.findall(text) if len(word) >= SHORTEST)
        if not any(isinstance(part, Text) for part in _parts(self.shape)) or not self._legal(_NEUTRAL):
            return False
        wrong = {self._root(word) for word in list(words)[-MOST_WORDS:] if not self._legal(word)} - self.without
        self.without |= wrong
        return bool(wrong)

    def _root(self, word: str) -> str:
        """The shortest beginning of a forbidden word, up to three letters less, that is forbidden as well."""
        shorter = (word[:-cut] for cut in (3, 2, 1) if len(word) - cut >= SHORTEST)
        return next((root for root in shorter if not self._legal(root)), word)

    def _legal(self, word: str) -> bool:
        """Whether the game has nothing against a reply whose free text is this word among words of no language."""
        return not self.ask.view.check(_filled(self.shape, word))


def _parts(shape: Shape) -> tuple[Shape, ...]:
    return shape.parts if isinstance(shape, Seq) else (shape,)


def _filled(shape: Shape, word: str) -> str:
    """Some text of this shape with the word in it, if there is room in its free text."""
    match shape:
        case Literal(text):
            return text
        case Choice(options):
            return options[0] if options else ""
        case Text(_, low, _):
            return " ".join([word, *[_NEUTRAL] * max(0, -(-(low - len(word)) // (len(_NEUTRAL) + 1)))])
        case Grid(rows, cols, symbols, gap):
            return "\n".join([gap.join([symbols[:1]] * cols)] * rows)
        case Seq(parts):
            return "".join(_filled(part, word) for part in parts)


def stutters(text: str) -> bool:
    """Whether three words in a row come twice, or one word three times on end: small models fall into such loops."""
    words = [word.lower() for word in _WORD.findall(text)]
    runs = list(zip(words, words[1:], words[2:], strict=False))
    return len(set(runs)) < len(runs) or any(len(set(run)) == 1 for run in runs)


@lru_cache(maxsize=64)
def _skeleton(shape: Shape) -> re.Pattern[str]:
    """A pattern of the shape where all but literals is open; the last choice is group `c`."""
    parts = _parts(shape)
    choices = [n for n, part in enumerate(parts) if isinstance(part, Choice)]
    made: list[str] = []
    for n, part in enumerate(parts):
        group = "?P<c>" if n in choices[-1:] else "?:"
        made.append(re.escape(part.text) if isinstance(part, Literal) else f"({group}.+?)")
    return re.compile("".join(made), re.DOTALL)


def _vocabulary(shape: Shape) -> Choice | None:
    """The last part, where it is a choice of many options."""
    last = shape.parts[-1] if isinstance(shape, Seq) and shape.parts else shape
    return last if isinstance(last, Choice) and len(last.options) >= VOCABULARY else None


def _free(shape: Shape) -> bool:
    """Whether there is so much to say that nothing need be said twice."""
    parts = _parts(shape)
    return _vocabulary(shape) is not None or any(isinstance(part, Text) for part in parts)


def _with_last(shape: Shape, options: tuple[str, ...]) -> Shape:
    """The shape with other options in its last choice."""
    parts = _parts(shape)
    at = max(n for n, part in enumerate(parts) if isinstance(part, Choice))
    changed = Choice(options, cast(Choice, parts[at]).name)
    return Seq((*parts[:at], changed, *parts[at + 1 :])) if isinstance(shape, Seq) else changed


def _unsaid(shape: Shape, said: set[str]) -> Shape:
    """A vocabulary without what was said; the shape itself where it has none or nothing else is left."""
    found = _vocabulary(shape)
    if found is None or not said:
        return shape
    matches = (_skeleton(shape).fullmatch(text) for text in said)
    gone = {match.group("c") for match in matches if match is not None}
    left = tuple(option for option in found.options if option not in gone)
    return _with_last(shape, left) if left and len(left) < len(found.options) else shape


def _other(shape: Shape, text: str) -> Shape:
    """After a refusal: a shape whose only freedom is one choice loses the option that was refused."""
    parts = _parts(shape)
    choices = [part for part in parts if isinstance(part, Choice)]
    if len(choices) != 1 or any(isinstance(part, Text | Grid | Seq) for part in parts):
        return shape
    match = _skeleton(shape).fullmatch(text)
    left = tuple(option for option in choices[0].options if match is None or option != match.group("c"))
    return _with_last(shape, left) if left else shape


def _likelier(shape: Shape, one: _Try) -> str | None:
    """An option that the model found likelier than the one it ended up with, where it stands in one of its steps.

    Greedy decoding takes `snow` for the beginning of `snowdrift` as gladly as for a word, and may find too late that
    only `buttercup` goes on from `butter`. Whole options that were passed over on the way are weighed against the end.
    """
    found, rows = _vocabulary(shape), one.call.raw.get("top_logprobs")
    match = _skeleton(shape).fullmatch(one.text)
    if found is None or match is None or not isinstance(rows, list):
        return None
    head = one.text[: match.start("c")]
    whole = {head + option: option for option in found.options}
    best, best_score, text, score = None, float("-inf"), "", 0.0
    for token, ranked in cast(list[tuple[str, dict[str, float]]], rows):
        for other, value in ranked.items():
            option = whole.get(text + other) if other != token else None
            if option is not None and score + value > best_score:
                best, best_score = option, score + value
        text, score = text + token, score + ranked.get(token, min(ranked.values(), default=0.0))
        if text == one.text:
            break
    return best if best_score > score else None


def _longest(shape: Shape) -> int:
    """No text of this shape has more characters, and so none has more tokens."""
    match shape:
        case Literal(text):
            return len(text.encode())
        case Choice(options):
            return max((len(option.encode()) for option in options), default=0)
        case Text(_, _, high):
            return 3 * high
        case Grid(rows, cols, symbols, gap):
            return rows * (cols * (len(gap) + max((len(s.encode()) for s in symbols), default=0)) + 1)
        case Seq(parts):
            return sum(_longest(part) for part in parts)
