"""Names for rows: ULIDs that sort by time, and hashes of content that are equal on every machine.

`chain` gives a conversation its name: the hash of its last message, which takes in the hash of the message before.
The recipes are written down in docs/log.md, since other programs may want to check them; they never change.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
import time
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from typing import Any, TypeAlias, cast

from pydantic_core import to_json as from_numbers

from games.engine import Message

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [a + b for a in _DIGITS for b in _DIGITS]


class _Ulids:
    """ULIDs of one process: rising even within a millisecond."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._luck = Random(os.urandom(32))
        self._last = 0
        self._tail = 0
        self._head = ""
        self._high = -1
        """Upper half of the random part as it was written last; it seldom changes within a millisecond."""
        self._written = ""

    def next(self) -> str:
        moment = time.time_ns() // 1_000_000
        with self._lock:
            if moment > self._last:
                self._last = moment
                self._tail = self._luck.getrandbits(79)
                self._head = "".join([_PAIRS[(moment >> shift) & 1023] for shift in (40, 30, 20, 10, 0)])
            else:
                self._tail += 1 + self._luck.getrandbits(32)
            tail = self._tail
            if tail >> 40 != self._high:
                self._high = tail >> 40
                self._written = "".join([_PAIRS[(tail >> shift) & 1023] for shift in (70, 60, 50, 40)])
            head = self._head + self._written
        a, b, c, d = (tail >> 30) & 1023, (tail >> 20) & 1023, (tail >> 10) & 1023, tail & 1023
        return f"{head}{_PAIRS[a]}{_PAIRS[b]}{_PAIRS[c]}{_PAIRS[d]}"


_ulids = _Ulids()


def reseed() -> None:
    """Forget the generator's state: a forked child must not count on where its parent was."""
    global _ulids
    _ulids = _Ulids()


os.register_at_fork(after_in_child=reseed)


def new_id() -> str:
    """A fresh ULID, 26 characters; ids made later by this process sort later."""
    return _ulids.next()


def fixed_id(moment: int, *parts: str) -> str:
    """The id of something imported: a ULID of that moment (ms since 1970) whose rest is a hash, so always the same."""
    tail = int(digest(*parts)[:20], 16)
    head = [_PAIRS[(moment >> shift) & 1023] for shift in (40, 30, 20, 10, 0)]
    return "".join(head + [_PAIRS[(tail >> shift) & 1023] for shift in (70, 60, 50, 40, 30, 20, 10, 0)])


@lru_cache(maxsize=8)
def _second(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.")


def now() -> str:
    """The time as the log writes it: UTC, milliseconds, `2026-11-22T08:05:09.123Z`."""
    return written(time.time_ns() // 1_000_000)


def written(moment: int) -> str:
    """Milliseconds since 1970 as the log writes times."""
    return f"{_second(moment // 1000)}{moment % 1000:03d}Z"


def clean(text: str) -> str:
    """The text with lone surrogates replaced by `?`: they have no UTF-8 form. Everything else stays, NUL included."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


_plain = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=str)
_sorted = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=str, sort_keys=True)


def to_json(value: Any, *, sort: bool = False) -> str:
    """Compact JSON with lone surrogates replaced; what JSON cannot say becomes null (NaN) or its text (objects)."""
    encoder = _sorted if sort else _plain
    try:
        text = encoder.encode(value)
    except ValueError:
        text = encoder.encode(_finite(value))
    return clean(text)


def numbers_json(value: Any) -> str:
    """`to_json` of numbers under names in a quarter of its time: every episode ends with some."""
    try:
        return from_numbers(value, inf_nan_mode="null", fallback=str).decode()
    except ValueError:  # a name that is no text
        return to_json(value)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in cast(Iterable[Any], value)]
    return value


def digest(*parts: str) -> str:
    """32 hex digits over parts, separated so that no two lists of parts run together."""
    hashed = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode()
        hashed.update(b"%d:" % len(data))
        hashed.update(data)
    return hashed.hexdigest()


def blob_hash(content: bytes) -> str:
    """The name of an imported file's content."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def unpacked(content: bytes, size: int) -> bytes:
    """The content of a row of `blobs`, and never more than it says it is. Raises zlib.error."""
    return zlib.decompressobj().decompress(content, size + 1)


def content_id(value: Any) -> str:
    """The hash of a JSON value: equal content, equal id, whatever the order of keys."""
    return digest(to_json(value, sort=True))


def message_hash(parent: str | None, role: str, content: str) -> str:
    """The name of a message in its conversation."""
    return hashlib.blake2b(f"{parent or ''}\n{role}\n{content}".encode(), digest_size=16).hexdigest()


MessageRow: TypeAlias = tuple[Any, ...]
"""hash, parent_hash (None for the first), role, content."""


def chain(messages: Iterable[Message], parent: str | None = None) -> list[MessageRow]:
    """Rows for messages that follow `parent`, in order; the last one's hash names the conversation."""
    rows: list[MessageRow] = []
    for message in messages:
        content = clean(message.content)
        name = message_hash(parent, message.role, content)
        rows.append((name, parent, message.role, content))
        parent = name
    return rows
