"""One entry of the model registry, and what each of its fields may be.

The same checks serve the file, the command line and the form, so that what was refused in one place comes in by no
other. A key has no place in any field: no sentence here repeats what may be one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, cast

from games.catalog import nearest
from players.masking import looks_like_key, mask, unlike_a_name
from players.spec import ACCESS, BACKENDS, SAMPLING, SpecError, base_url, check_setting, parse


class RegistryError(ValueError):
    """A registry file cannot be used as it is. The message names the file and what to mend."""

    exit_code: ClassVar[int] = 1


IT = "{it}"
"""Stands in a message for the name of the field, which differs between file, options and form."""
LIKE_A_KEY = f"{IT} holds what looks like a key, and keys do not belong in a file: name a variable instead"


class BadField(RegistryError):
    """One field of an entry will not do; wrong usage. Never quotes what may be a key."""

    exit_code: ClassVar[int] = 2

    def __init__(self, key: str, message: str) -> None:
        self.key = key
        self._message = mask(message)
        super().__init__(self.called(key))

    def called(self, name: str) -> str:
        """The sentence, for those who know the field by this name."""
        return self._message.replace(IT, name)


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model by name. `backend` is one of the spec's backends; `api_key_env` names a variable, never a key."""

    name: str
    backend: str
    model: str
    base_url: str = ""
    api_key_env: str = ""
    sampling: Mapping[str, Any] = field(default_factory=dict[str, Any])
    extra_body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    assist: bool | None = None
    """Whether the seat is assisted when nobody says; None means no."""
    revision: str = ""
    adapter: str = ""
    description: str = ""
    price_in: float | None = None
    """US dollars per million tokens that are sent; None where it is not known, as for `price_out`, what comes back."""
    price_out: float | None = None
    source: str = "user"
    """`user`, `built in`, or `clemcore`."""


_KEYS = tuple(f.name for f in fields(ModelEntry) if f.name not in ("name", "source"))
_KINDS: Mapping[str, tuple[type, ...]] = {
    "sampling": (dict,),
    "extra_body": (dict,),
    "assist": (bool,),
    "price_in": (float, int),
    "price_out": (float, int),
}
"""What the fields of a table may be that are no text."""
_SAID = {dict: "a table", bool: "true or false", float: "a number"}


def checked(name: str, table: Mapping[str, Any]) -> ModelEntry:
    """The entry of this table, as it would stand in the file. Raises BadField for the first thing that will not do."""
    for key, value in table.items():
        if key in ("api_key", "key", "token"):
            raise BadField(key, "keys do not belong in a file; put it in a variable and name that: api_key_env")
        if key not in _KEYS:
            raise BadField(key, f"no key {key!r}; {nearest(key, _KEYS)}")
        kinds = _KINDS.get(key, (str,))
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise BadField(key, f"{IT} must be {_SAID.get(kinds[0], 'a text')}")
    check_backend(table.get("backend", ""))
    if not table.get("model"):
        raise BadField("model", f"{IT} is missing: the name on the server, or the file or folder of the weights")
    if table.get("base_url"):
        check_address(table["base_url"])
    if table.get("api_key_env"):
        check_variable(table["api_key_env"])
    prices = {key: check_price(key, table[key]) for key in ("price_in", "price_out") if key in table}
    sampling = check_sampling(table.get("sampling", {}))
    return ModelEntry(**cast(Any, {**table, **prices, "name": name, "sampling": sampling}))


def typed(given: Mapping[str, str], table: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The table with fields as people type them; an empty one is taken away. Raises BadField.

    `sampling` is written as behind the `?` of a spec, `assist` is `on` or `off`.
    """
    found = dict(table or {})
    for key, text in given.items():
        value: Any = text.strip()
        if value and key == "sampling":
            value = read_settings(value)
        elif value and key in ("price_in", "price_out"):
            value = check_price(key, value)
        elif value and key == "assist":
            value = _switch(value)
        if value in ("", {}):
            found.pop(key, None)
        else:
            found[key] = value
    return found


def read_settings(text: str) -> dict[str, Any]:
    """Decoding settings such as `temperature=0&max_tokens=300`; a space may stand for the `&`. Raises BadField."""
    parts: list[str] = []
    for word in text.split():
        if "=" not in word and parts and parts[-1].rpartition("&")[2].startswith("stop="):
            parts[-1] += f" {word}"  # the one setting that may hold spaces
        else:
            parts.append(word)
    try:
        settings = parse("x?" + "&".join(parts)).settings
    except SpecError as error:
        raise BadField("sampling", str(error)) from None
    return check_sampling(settings)


def _switch(text: str) -> bool:
    try:
        return bool(check_setting("assist", text))
    except SpecError as error:
        raise BadField("assist", str(error)) from None


def check_name(name: str) -> str:
    """The name, if an entry may have it: it must mean nobody else. Raises BadField."""
    try:
        found = parse(name)
    except SpecError as error:
        raise BadField("name", str(error)) from error
    if found.kind != "name" or found.settings:
        raise BadField("name", f"{name!r} already names a player of another kind; choose another name")
    return found.name


def check_backend(backend: str) -> str:
    """The backend, if there is it. Raises BadField with the nearest."""
    if backend not in BACKENDS:
        near = f", not {backend!r}; {nearest(backend, BACKENDS)}" if backend else ""
        raise BadField("backend", f"{IT} must be one of {', '.join(BACKENDS)}{near}")
    return backend


def check_address(url: str) -> str:
    """The address, if it is one and holds no key. Raises BadField, which does not repeat it."""
    try:
        return base_url(url)
    except ValueError:
        raise BadField("base_url", f"{IT} must be http://HOST:PORT/v1, without user, key or query") from None


def check_variable(name: str) -> str:
    """The name of a variable. Raises BadField, which does not repeat what may be a key."""
    try:
        return str(check_setting("api_key_env", name))
    except SpecError:
        raise BadField(
            "api_key_env", f"{IT} must be the name of an environment variable, such as OPENAI_API_KEY"
        ) from None


def check_price(key: str, value: Any) -> float:
    """US dollars per million tokens. Raises BadField."""
    try:
        price = float(value)
    except (TypeError, ValueError):
        price = math.nan
    if not 0 <= price <= 1_000_000:
        raise BadField(key, f"{IT} must be US dollars per million tokens, a number from 0")
    return price + 0.0


def check_sampling(table: Mapping[str, Any]) -> dict[str, Any]:
    """Decoding settings of an entry, checked as those of a spec are. Raises BadField."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        if key in ACCESS:
            place = "has a field of its own" if key in _KEYS else f"stands behind a name, as in NAME?{key}=…"
            raise BadField("sampling", f"{key} is no decoding setting: it {place}")
        if key not in SAMPLING:
            raise BadField("sampling", f"no decoding setting {key!r}; {nearest(key, list(SAMPLING))}")
        if key == "stop":
            listed = cast(list[Any], value if isinstance(value, list | tuple) else [value])
            found[key] = tuple(_setting(key, one) for one in listed)
        else:
            found[key] = _setting(key, value)
    return found


def _setting(key: str, value: Any) -> Any:
    text = ("on" if value else "off") if isinstance(value, bool) else str(value)
    try:
        return check_setting(key, text)
    except SpecError as error:
        raise BadField("sampling", str(error)) from error


def refuse_keys(entry: ModelEntry) -> None:
    """Raise BadField where a text that is to be written is a key, or the name or model cannot be named in a spec."""
    check_name(entry.name)
    for key in ("name", "model", "base_url", "api_key_env", "adapter", "revision", "description"):
        text = str(getattr(entry, key))
        refuse_key(key, text)
        if key != "description" and not text.isprintable():
            raise BadField(key, f"{IT} holds characters that cannot be shown")
    for key in ("sampling", "extra_body"):
        refuse_key(key, repr(getattr(entry, key)))


def refuse_key(key: str, text: str) -> None:
    """Raise BadField where the text of a field is a key."""
    if looks_like_key(text) or (key == "api_key_env" and unlike_a_name(text)):
        raise BadField(key, LIKE_A_KEY)


def check_field(key: str, text: str) -> None:
    """Raise BadField where this text will not do in this field, as it is typed (see `typed`); empty ones always do."""
    text = text.strip()
    if not text:
        return
    table = typed({key: text})
    if key == "name":
        check_name(text)
    elif key == "backend":
        check_backend(text)
    elif key == "base_url":
        check_address(text)
    elif key == "api_key_env":
        check_variable(text)
    elif key != "description" and not text.isprintable():
        raise BadField(key, f"{IT} holds characters that cannot be shown")
    refuse_key(key, str(table[key]))


def table_of(entry: ModelEntry) -> dict[str, Any]:
    """The entry as a table, defaults left out."""
    plain = ModelEntry("", "", "")
    found = {key: getattr(entry, key) for key in _KEYS}
    return {
        key: dict(cast(Mapping[str, Any], value)) if isinstance(value, Mapping) else value
        for key, value in found.items()
        if value != getattr(plain, key)
    }


def file_revision(path: Path) -> str:
    """Name and SHA-256 (first 16 digits) of a file: what pins weights that lie here. Reads it all, 1 s per GB or so."""
    import hashlib

    with path.open("rb") as file:
        return f"{path.name} @ sha256:{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
