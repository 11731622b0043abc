"""The model registry: which models there are by name, and how each is reached.

The user's entries stand in `models.toml` in the config directory; clemcore's `model_registry.json`, here or in that
directory, is read beside it; `smollm2` is built in. Keys are never in the file: an entry names the environment
variable that has its key. The file is written so that what people wrote around an entry stays.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, cast

from games.catalog import nearest
from players.base import PlayerError
from players.spec import BACKENDS, NEEDS, SAMPLING, SpecError, base_url, check_setting, parse

Entries: TypeAlias = dict[str, "ModelEntry"]

LLAMA = "llama"
BOTS = ("bot:random", "bot:competent")


class UnknownPlayer(LookupError):
    """Nobody has this name. The message names the nearest names; wrong usage."""

    exit_code: ClassVar[int] = 2


class NoSuchModel(PlayerError):
    """A model that was named is not here: not served, not installed, not downloaded. Nothing takes its place."""

    def __init__(self, message: str) -> None:
        super().__init__("not_found", message)


class RegistryError(ValueError):
    """A registry file cannot be used as it is. The message names the file and what to mend."""

    exit_code: ClassVar[int] = 1


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
    source: str = "user"
    """`user`, `built in`, or `clemcore`."""


BUILT_IN: Mapping[str, ModelEntry] = {
    "smollm2": ModelEntry(
        name="smollm2",
        backend="llamacpp",
        model="smollm2",
        sampling={"temperature": 0.0, "max_tokens": 200},
        assist=True,
        description="SmolLM2 135M Instruct, inside this process; small, so its seat is assisted",
        source="built in",
    )
}

_CLEMCORE = {
    "openai": {"backend": "openai", "api_key_env": "OPENAI_API_KEY"},
    "openai_compatible": {"backend": "openai"},
    "openrouter": {
        "backend": "openai",
        "base_url": "https://openrouter.ai/api/v1",
        "api_key_env": "OPENROUTER_API_KEY",
    },
    "vllm": {"backend": "vllm"},
    "llamacpp": {"backend": "llamacpp"},
    "huggingface_local": {"backend": "transformers"},
}
"""clemcore's backends that can be reached from here, and how."""


def data_dir() -> Path:
    """The user's data directory of this program, where weights lie; `$XDG_DATA_HOME` holds on every system."""
    if home := os.environ.get("XDG_DATA_HOME"):
        return Path(home) / "playpen-tui"
    import platformdirs

    return platformdirs.user_data_path("playpen-tui")


def config_dir() -> Path:
    """The user's config directory of this program; `$XDG_CONFIG_HOME` holds on every system."""
    if home := os.environ.get("XDG_CONFIG_HOME"):
        return Path(home) / "playpen-tui"
    import platformdirs

    return platformdirs.user_config_path("playpen-tui")


@dataclass(slots=True)
class Registry:
    """Entries by name, the user's before the built-in ones before clemcore's."""

    path: Path
    entries: Entries = field(default_factory=dict[str, ModelEntry])

    @classmethod
    def load(cls, path: Path | None = None) -> Registry:
        """The registry of this user. Raises RegistryError where a file cannot be read."""
        path = path or config_dir() / "models.toml"
        found: Entries = {}
        for folder in (Path(), path.parent):
            for name, entry in _clemcore(folder / "model_registry.json").items():
                found.setdefault(name, entry)
        return cls(path, {**found, **BUILT_IN, **_toml(path)})

    def names(self) -> list[str]:
        """Names of all entries."""
        return sorted(self.entries)

    def get(self, name: str, bots: tuple[str, ...] = BOTS) -> ModelEntry:
        """The entry of this name. Raises UnknownPlayer with the nearest names among entries, bots and backends."""
        if name not in self.entries:
            raise UnknownPlayer(f"no player {name!r}; {self.near(name, bots)}")
        return self.entries[name]

    def near(self, name: str, bots: tuple[str, ...] = BOTS) -> str:
        """What may have been meant: `did you mean a or b?`, or all there are."""
        typed = {known: known for known in (*self.names(), LLAMA, "human", "bot", *bots)}
        typed.update({bot.partition(":")[2]: bot for bot in bots})
        typed.update({backend: f"{backend}:{NEEDS[backend]}" for backend in BACKENDS})
        close = difflib.get_close_matches(name, typed, n=3, cutoff=0.6)
        meant = dict.fromkeys(typed[one] for one in close)
        return (
            f"did you mean {' or '.join(meant)}?" if meant else f"there are: {', '.join(dict.fromkeys(typed.values()))}"
        )

    def add(self, entry: ModelEntry) -> None:
        """Add or replace an entry of the user, in the file too. Raises RegistryError for a name that is no spec."""
        try:
            usable = parse(entry.name).kind == "name"
        except SpecError as error:
            raise RegistryError(str(error)) from error
        if not usable:
            raise RegistryError(f"{entry.name!r} already names a player of another kind; choose another name")
        text = _without(self._text(), entry.name).rstrip()
        entry = replace(entry, source="user")
        self._write(text + ("\n\n" if text else "") + written(entry), {**_toml(self.path), entry.name: entry})
        self.entries[entry.name] = entry

    def remove(self, name: str) -> None:
        """Take one of the user's entries out, of the file too. Raises UnknownPlayer, or RegistryError if not theirs."""
        source = self.get(name).source
        if source != "user":
            raise RegistryError(f"{name} is from elsewhere ({source}) and stays; only entries of {self.path} can go")
        rest = {other: entry for other, entry in _toml(self.path).items() if other != name}
        self._write(_without(self._text(), name), rest)
        self.entries = Registry.load(self.path).entries

    def _text(self) -> str:
        return self.path.read_text(encoding="utf-8") if self.path.exists() else ""

    def _write(self, text: str, wanted: Entries) -> None:
        """Replace the file in one go, if the text holds exactly the entries that are wanted."""
        try:
            same = _entries(tomllib.loads(text), self.path) == wanted
        except ValueError:
            same = False
        if not same:
            raise RegistryError(f"{self.path} is written in a way that cannot be edited here; edit it by hand")
        path = self.path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".toml.new")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)


def _toml(path: Path) -> Entries:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise RegistryError(f"{path} cannot be read: {error}; mend it, or move it away") from error
    return _entries(data, path)


def _entries(data: Mapping[str, Any], path: Path) -> Entries:
    """The entries of a parsed file, each checked."""
    wrong = [key for key in data if key != "models"]
    models: object = data.get("models", {})
    if wrong or not isinstance(models, dict):
        raise RegistryError(f"{path} has {wrong[0] if wrong else 'models'!r} where only [models.NAME] tables belong")
    return {name: _entry(name, table, path) for name, table in cast(dict[str, Any], models).items()}


_KEYS = tuple(f.name for f in fields(ModelEntry) if f.name not in ("name", "source"))


def _entry(name: str, table: Any, path: Path) -> ModelEntry:
    where = f"{path}, [models.{name}]"
    if not isinstance(table, dict):
        raise RegistryError(f"{where}: this must be a table with backend and model")
    given = cast(dict[str, Any], table)
    for key, value in given.items():
        if key in ("api_key", "key", "token"):
            raise RegistryError(
                f"{where}: keys do not belong in a file; put it in a variable and name that: api_key_env"
            )
        if key not in _KEYS:
            raise RegistryError(f"{where}: no key {key!r}; {nearest(key, _KEYS)}")
        wanted = dict if key in ("sampling", "extra_body") else bool if key == "assist" else str
        if not isinstance(value, wanted):
            raise RegistryError(f"{where}: {key} must be a {'table' if wanted is dict else wanted.__name__}")
    backend = given.get("backend", "")
    if backend not in BACKENDS or not given.get("model"):
        raise RegistryError(f"{where}: it needs backend = one of {', '.join(BACKENDS)}, and model = its name there")
    try:
        if given.get("base_url"):
            base_url(given["base_url"])
    except ValueError:
        raise RegistryError(f"{where}: base_url must be http://HOST:PORT/v1, without user, key or query") from None
    sampling = _sampling(given.get("sampling", {}), where)
    if given.get("api_key_env"):
        _checked("api_key_env", given["api_key_env"], where)
    return ModelEntry(**cast(Any, {**given, "name": name, "sampling": sampling}))


def _checked(key: str, value: Any, where: str) -> Any:
    text = ("on" if value else "off") if isinstance(value, bool) else str(value)
    try:
        return check_setting(key, text)
    except SpecError as error:
        raise RegistryError(f"{where}: {error}") from error


def _sampling(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Decoding settings of an entry, checked as those of a spec are."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        if key not in SAMPLING:
            raise RegistryError(f"{where}: no sampling setting {key!r}; {nearest(key, list(SAMPLING))}")
        if key == "stop":
            listed = cast(list[Any], value if isinstance(value, list) else [value])
            found[key] = tuple(_checked(key, one, where) for one in listed)
        else:
            found[key] = _checked(key, value, where)
    return found


def _value(value: Any) -> str:
    """A value in TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        pairs = cast(Mapping[str, Any], value).items()
        return "{ " + ", ".join(f"{_value(key)} = {_value(one)}" for key, one in pairs) + " }" if pairs else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(one) for one in cast(list[Any], value)) + "]"
    return repr(value)


def written(entry: ModelEntry) -> str:
    """The entry as a TOML table, defaults left out."""
    plain = ModelEntry("", "", "")
    lines = [f"[models.{_value(entry.name)}]"]
    for key in _KEYS:
        value = getattr(entry, key)
        if value != getattr(plain, key):
            lines.append(f"{key} = {_value(value)}")
    return "\n".join(lines) + "\n"


def _without(text: str, name: str) -> str:
    """The file's text without the tables of this entry; comments above the next table stay with it."""
    kept: list[str] = []
    inside = False
    for line in text.splitlines(keepends=True):
        header = re.match(r"\s*\[(.*)\]\s*(#.*)?$", line)
        if header is not None:
            inside = _table_path(header.group(1))[:2] == ["models", name]
        if not inside or (line.lstrip().startswith("#") and not line[0].isspace()):
            kept.append(line)
    return "".join(kept)


def _table_path(header: str) -> list[str]:
    """The keys of a table header such as `models."my.model".sampling`."""
    try:
        node: Any = tomllib.loads(f"[{header}]")
    except tomllib.TOMLDecodeError:
        return []
    path: list[str] = []
    while isinstance(node, dict) and node:
        key = next(iter(cast(dict[str, Any], node)))
        path.append(key)
        node = cast(Any, node[key])
    return path


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # what it says may quote the file, and key.json holds keys
        raise RegistryError(f"{path} cannot be read as JSON; mend it, or move it away") from None


def _clemcore(path: Path) -> Entries:
    """Entries of clemcore's registry file. The first of a name wins, as there; what cannot be reached is left out."""
    if not path.exists():
        return {}
    data = _json(path)
    if not isinstance(data, list):
        raise RegistryError(f"{path} is no list of models; mend it, or move it away")
    found: Entries = {}
    for item in cast(list[Any], data):
        entry = _of_clemcore(cast(dict[str, Any], item)) if isinstance(item, dict) else None
        if entry is not None:
            found.setdefault(entry.name, entry)
    return found


def _of_clemcore(item: Mapping[str, Any]) -> ModelEntry | None:
    name, backend = str(item.get("model_name") or ""), str(item.get("backend"))
    access = _CLEMCORE.get(backend)
    config = cast(Mapping[str, Any], item.get("model_config") or {})
    url = str(item.get("base_url") or config.get("base_url") or "")
    if backend == "openai_compatible":
        url = url or _clemcore_url(backend)
        access = access if url else None
    try:
        usable = access is not None and parse(name).kind == "name" and (not url or bool(base_url(url)))
    except ValueError:
        usable = False
    if access is None or not usable:
        return None
    body = dict(cast(Mapping[str, Any], config.get("extra_body") or {}))
    if template := config.get("chat_template_kwargs"):
        body["chat_template_kwargs"] = template
    return ModelEntry(
        name=name,
        backend=access["backend"],
        model=str(item.get("model_id") or item.get("huggingface_id") or name),
        base_url=url or access.get("base_url", ""),
        api_key_env=access.get("api_key_env", ""),
        extra_body=body,
        adapter=str(config.get("peft_model") or ""),
        description="from clemcore's model_registry.json",
        source="clemcore",
    )


def _clemcore_url(backend: str) -> str:
    """The address that clemcore's `key.json` has for a backend, or nothing. The keys beside it are not taken."""
    for path in (Path("key.json"), Path.home() / ".clemcore" / "key.json"):
        if path.exists():
            data = _json(path)
            entry: object = cast(dict[str, Any], data).get(backend) if isinstance(data, dict) else None
            return str(cast(dict[str, Any], entry).get("base_url") or "") if isinstance(entry, dict) else ""
    return ""
