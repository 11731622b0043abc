"""Player specs: the one way to name a player, everywhere (`--vs`, `--seat`, registry, tables).

`parse` turns what somebody typed into a `PlayerSpec`, `str` turns it back. Only the form is judged here; whether
there is such a bot, model or file is for those who open it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, TypeAlias
from urllib.parse import quote, unquote, urlsplit

from games.catalog import nearest

SpecKind: TypeAlias = Literal["human", "bot", "replay", "name", "openai", "vllm", "transformers", "llamacpp"]
Value: TypeAlias = float | int | bool | str | tuple[str, ...]

BACKENDS = ("openai", "vllm", "transformers", "llamacpp")
KINDS = ("human", "bot", "replay", *BACKENDS)
NEEDS = {"replay": "EPISODE", "openai": "MODEL", "vllm": "MODEL", "transformers": "PATH", "llamacpp": "FILE"}

NEW = "new"
"""The code of a seat that shall be opened to another terminal under a code yet to be made: `human@new` or `human@`."""

_NAME = re.compile(r"[A-Za-z0-9][\w.+/-]*", re.ASCII)
_STEP = re.compile(r"@\d+$", re.ASCII)
"""Behind the name of what came out of a training: its checkpoint of that step."""
_CODE = re.compile(r"[A-Za-z0-9-]+")
_SAFE = "/:~+@,=()[]!$*';& "
"""Characters of a name that are written as they are; `?` and `%` are not among them."""


class SpecError(ValueError):
    """What was typed names no player. The message is one sentence; wrong usage."""

    exit_code: ClassVar[int] = 2


def _number(low: float, high: float, *, above: bool = False) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text)
        if not math.isfinite(value) or not low <= value <= high or (above and value == low):
            raise ValueError
        return value + 0.0  # -0.0 and 0.0 are the same setting

    return read


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text) if re.fullmatch(r"-?\d{1,19}", text, re.ASCII) else low - 1
        if not low <= value <= high:
            raise ValueError
        return value

    return read


def _switch(text: str) -> bool:
    value = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}
    if text.lower() not in value:
        raise ValueError
    return value[text.lower()]


def _one_of(*options: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in options:
            raise ValueError
        return text

    return read


def _text(text: str) -> str:
    if not text:
        raise ValueError
    return text


def _variable(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text, re.ASCII):
        raise ValueError
    return text


def base_url(text: str) -> str:
    """A server's address; keys have no place in it. Raises ValueError."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password or parts.query:
        raise ValueError
    parts.port  # noqa: B018  raises ValueError for a bad port
    if not text.isprintable() or parts.fragment or " " in text:
        raise ValueError
    return text


_BIG = 2**31 - 1
SAMPLING: Mapping[str, tuple[Callable[[str], Value], str]] = {
    "temperature": (_number(0, 10), "a number from 0"),
    "top_p": (_number(0, 1, above=True), "a number above 0, up to 1"),
    "top_k": (_whole(0, _BIG), "a whole number from 0"),
    "min_p": (_number(0, 1), "a number from 0 to 1"),
    "max_tokens": (_whole(1, _BIG), "a whole number from 1"),
    "seed": (_whole(0, _BIG), "a whole number from 0"),
    "stop": (_text, "a text that ends the reply"),
    "thinking": (_switch, "on or off"),
    "reasoning_effort": (_one_of("none", "minimal", "low", "medium", "high"), "none, minimal, low, medium or high"),
    "repeat_penalty": (_number(0, 10, above=True), "a number above 0"),
    "presence_penalty": (_number(-2, 2), "a number from -2 to 2"),
    "frequency_penalty": (_number(-2, 2), "a number from -2 to 2"),
    "logprobs": (_switch, "on or off"),
}
"""Decoding settings: how to read each, and what it must be. They are stored with every call."""

ACCESS: Mapping[str, tuple[Callable[[str], Value], str]] = {
    "base_url": (base_url, "http://HOST:PORT/v1, without user, key or query"),
    "api_key_env": (_variable, "the name of an environment variable"),
    "timeout": (_number(0, 86400, above=True), "seconds, above 0"),
    "threads": (_whole(1, 1024), "a whole number from 1"),
    "batch": (_whole(1, 65536), "how many replies are made at once, from 1"),
    "context": (_whole(64, _BIG), "tokens, from 64"),
    "dtype": (_one_of("auto", "float32", "bfloat16", "float16"), "auto, float32, bfloat16 or float16"),
    "device": (_one_of("auto", "cpu", "cuda"), "auto, cpu or cuda"),
    "adapter": (_text, "the folder of a LoRA adapter"),
    "assist": (_switch, "on or off"),
}
"""Settings that say how to reach or seat a model; they change nothing about its decoding."""

_ALL = {**SAMPLING, **ACCESS}


@dataclass(frozen=True, slots=True)
class PlayerSpec:
    """A player as named. `name` is the person, bot, episode, registry entry, model or file; `code` a join code."""

    kind: SpecKind
    name: str = ""
    code: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def head(self) -> str:
        """The name without settings, as one would type it."""
        name = quote(self.name, safe=_SAFE)
        if self.kind == "name":
            return name
        if self.code:
            return f"{self.kind}@{self.code}"
        return f"{self.kind}:{name}" if name else self.kind

    @property
    def sampling(self) -> dict[str, Any]:
        """The decoding settings."""
        return {key: value for key, value in self.settings.items() if key in SAMPLING}

    @property
    def is_model(self) -> bool:
        """Whether a model sits there."""
        return self.kind not in ("human", "bot", "replay")

    def bare(self) -> PlayerSpec:
        """The same player without settings."""
        return replace(self, settings={})

    def __str__(self) -> str:
        pairs = [f"{key}={_written(one)}" for key, value in self.settings.items() for one in _each(value)]
        return self.head + ("?" + "&".join(pairs) if pairs else "")


def _each(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)  # pyright: ignore[reportUnknownVariableType]


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return quote(repr(value).removesuffix(".0"), safe="-.")
    return quote(str(value), safe="/:~@,.")


def check_setting(key: str, text: str) -> Value:
    """The value of one setting, typed. Raises SpecError naming what it must be, or the nearest keys."""
    if key not in _ALL:
        raise SpecError(f"no setting {key!r} for a player; {nearest(key, list(_ALL))}")
    read, hint = _ALL[key]
    try:
        return read(text)
    except ValueError:
        given = key if key in ("base_url", "api_key_env") else f"{key}={_shown(text)}"  # people paste keys there
        raise SpecError(f"{given} does not do: it must be {hint}") from None


def _shown(text: str) -> str:
    return ascii(text)[1:-1][:60]


def _settings(query: str) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for part in query.split("&"):
        key, equals, raw = part.partition("=")
        if not equals:
            raise SpecError(f"{_shown(part)!r} is no setting: write KEY=VALUE, several with & between them")
        value = check_setting(key, _decoded(raw))
        if key == "stop":
            found[key] = (*_each(found.get(key, ())), str(value))
        elif key in found:
            raise SpecError(f"{key} is given twice: keep one")
        else:
            found[key] = value
    return found


def _decoded(text: str) -> str:
    """The text with its %XX read; as it is, where they spell no UTF-8."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return text


def parse(text: str) -> PlayerSpec:
    """The player that was typed. Raises SpecError with one sentence."""
    text = text.strip()
    if not text or not text.isprintable():
        raise SpecError("a player needs a printable name, such as human, bot, smollm2 or openai:MODEL")
    written, question, query = text.partition("?")
    spec = _head(_decoded(written))
    if not question:
        return spec
    if not spec.is_model:
        raise SpecError(f"{spec.head} takes no settings: leave out ?{_shown(query)}")
    return replace(spec, settings=_settings(query))


def _head(head: str) -> PlayerSpec:
    if head.startswith("human@"):
        code = head.removeprefix("human@") or NEW
        if not _CODE.fullmatch(code):
            raise SpecError(f"{_shown(code)!r} is no code to join with: it has letters, digits and hyphens only")
        return PlayerSpec("human", code=code)
    kind, colon, name = head.partition(":")
    if kind in KINDS and (colon or kind in ("human", "bot")):
        name = name.strip()
        if colon and not name:
            raise SpecError(f"{kind}: needs a name behind it: {kind}:{NEEDS.get(kind, 'NAME')}")
        if not name.isprintable():
            raise SpecError(f"{_shown(head)!r} holds characters that cannot be shown")
        return PlayerSpec(kind, name)  # pyright: ignore[reportArgumentType]
    if kind in KINDS:
        raise SpecError(f"{kind} alone names nobody: write {kind}:{NEEDS[kind]}")
    if colon:
        raise SpecError(
            f"no backend {_shown(kind)!r}; {nearest(kind, KINDS)}"
            " (any OpenAI-compatible server: openai:MODEL?base_url=URL)"
        )
    if not _NAME.fullmatch(_STEP.sub("", head)):
        hint = f"; a file is llamacpp:{_shown(head)}" if head.startswith(("/", ".", "~")) else ""
        raise SpecError(f"{_shown(head)!r} is no name of a player: letters, digits and . _ + / - only{hint}")
    return PlayerSpec("name", head)
