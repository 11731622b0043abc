"""Keeps keys off screens, pictures and error sentences.

A key is known by its value (that of a variable whose name says so) or by its look (`sk-…`, a bearer token, a user and
password in an address). `mask` takes both out of a text; `looks_like_key` is for places where a key must not be put.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

HIDDEN = "•••"

_NAMES = re.compile(
    r"(?:^|_|API)(?:KEYS?|TOKENS?|SECRETS?|PASSWORD|PASSWD|CREDENTIALS?)(?:_(?!FILE$|PATH$|DIR$|URL$)|$)", re.IGNORECASE
)
_SHORTEST = 8
"""Characters; a shorter value is a word or a number, and would be taken out of every sentence."""
_LOOKS = re.compile(
    r"(?:\b|_)(?:sk|pk|rk|gsk|xai|hf|r8|ghp|gho|ghs|glpat|xox[abprs]|nvapi|pplx|tgp|fw|csk|dsk)[-_]"
    r"(?:(?=[\w-]*\d)[\w-]{10,}|\w{16,})"
    r"|\bAKIA[A-Z0-9]{12,}|\bAIza[\w-]{20,}|\beyJ[\w-]{10,}\.[\w-]{4,}(?:\.[\w-]*)?"
    r"|(?<=[Bb]earer )\S{6,}"
)
_IN_ADDRESS = re.compile(
    r"(?<=://)[^/\s@]+(?=@)|(?<=[?&])(?![\w.-]*_env=|max_\w*tokens=)(?:[\w.-]*(?:key|token|secret|sig)[\w.-]*=)[^&\s]+",
    re.I,
)
_SEGMENT = re.compile(r"(?=[^/]*\d)(?=[^/]*[A-Za-z])[A-Za-z0-9_-]{24,}")
_KEYED = re.compile(r"authorization|api[-_]?key|token$|secret|password|cookie", re.IGNORECASE)
"""Names under which keys stand in tables; `max_tokens` and `first_token_ms` are none of them."""


def key_values(names: Iterable[str] = (), environ: Mapping[str, str] | None = None) -> list[str]:
    """Values of this environment that are keys, the longest first: of variables named as keys are, and of `names`."""
    there = os.environ if environ is None else environ
    named = {name for name in there if _NAMES.search(name)} | set(names)
    values = {there[name].strip() for name in named if name in there}
    return sorted((value for value in values if len(value) >= _SHORTEST), key=len, reverse=True)


def mask(text: str, names: Iterable[str] = ()) -> str:
    """The text without keys. `names` are variables that hold keys, whatever they are called."""
    for value in key_values(names):
        text = text.replace(value, HIDDEN)
    return _IN_ADDRESS.sub(HIDDEN, _LOOKS.sub(HIDDEN, text))


def mask_address(url: str, names: Iterable[str] = ()) -> str:
    """The address without keys, also without such parts of its path as some gateways take for one."""
    head, slashes, path = url.partition("://")
    host, slash, rest = path.partition("/")
    parts = [HIDDEN if _SEGMENT.fullmatch(part) else part for part in rest.split("/")]
    return mask(head + slashes + host + slash + "/".join(parts), names)


def mask_all(value: Any, names: Iterable[str] = ()) -> Any:
    """The same for tables and lists; what stands under `authorization`, `api_key` and the like goes whole."""
    if isinstance(value, Mapping):
        pairs = cast(Mapping[str, Any], value).items()
        return {key: HIDDEN if _KEYED.search(key) else mask_all(one, names) for key, one in pairs}
    if isinstance(value, list | tuple):
        return [mask_all(one, names) for one in cast(list[Any], value)]
    return mask(value, names) if isinstance(value, str) else value


def looks_like_key(text: str) -> bool:
    """Whether this is, or holds, a key: by its look, by where it stands in an address, or by its value here."""
    return mask(text) != text


def unlike_a_name(variable: str) -> bool:
    """Whether what stands where a variable's name should is more like a key: long, mixed, and no variable here."""
    return variable not in os.environ and _SEGMENT.fullmatch(variable) is not None and variable != variable.upper()


def variable_shown(variable: str) -> str:
    """The name of a variable as it may be shown: hidden where it looks like the key itself."""
    return HIDDEN if unlike_a_name(variable) else mask(variable)


def may_be_key(text: str) -> bool:
    """Whether what is being typed may become one: the beginning of some key here, or the look of one."""
    begun, values = text.strip(), key_values()
    if len(begun) >= 6 and any(value.startswith(begun) for value in values):
        return True
    if any(value[:_SHORTEST] in text for value in values):
        return True
    login = re.search(r"://[^/\s]*(?::[^/\s]*[^/\s\d]|@)|://\S*[?&][\w.-]*=", text) is not None
    return looks_like_key(text) or login or re.match(r"(?:sk|gsk|xai|hf|ghp|pk|nvapi|pplx)[-_]", begun) is not None
