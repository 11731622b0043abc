"""The model registry: which models there are by name, and how each is reached.

The user's entries stand in `models.toml` in the config directory; clemcore's `model_registry.json`, here or in that
directory, is read beside it; `smollm2` is built in. Keys are never in the file: an entry names the environment
variable that has its key. The file is written so that what people wrote around an entry stays.
"""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, cast

from players.base import PlayerError
from players.entry import BadField, ModelEntry, RegistryError, checked, file_revision, refuse_keys, table_of
from players.spec import BACKENDS, NEEDS, base_url, parse
from players.toml_text import edited, replaced, toml_value, without

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
        """The entry of this name, or of NAME@STEP, a checkpoint of the training that NAME came out of.

        Raises UnknownPlayer with the nearest names among entries, bots and backends.
        """
        trained, _, step = name.rpartition("@")
        if trained in self.entries and name not in self.entries:
            return _checkpoint(self.entries[trained], step)
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
        """Add or replace an entry of the user, in the file too, where one that is there keeps its place and comments.

        Raises BadField for what no entry may hold, RegistryError where the file cannot be written.
        """
        entry = replace(checked(entry.name, table_of(entry)), source="user")
        refuse_keys(entry)
        text, there = self._text(), _toml(self.path)
        wanted = {**there, entry.name: entry}
        if entry.name in there:
            path = ("models", entry.name)
            new, old = table_of(entry), table_of(there[entry.name])
            drafts = (edited(text, path, old, new), replaced(text, path, written(entry)))
        else:
            drafts = (f"{text.rstrip()}\n\n{written(entry)}".lstrip("\n"),)
        self._write(drafts, wanted)
        self.entries[entry.name] = entry

    def remove(self, name: str) -> None:
        """Take one of the user's entries out, of the file too. Raises UnknownPlayer, or RegistryError if not theirs."""
        source = self.get(name).source
        if source != "user":
            raise RegistryError(f"{name} is from elsewhere ({source}) and stays; only entries of {self.path} can go")
        rest = {other: entry for other, entry in _toml(self.path).items() if other != name}
        self._write((without(self._text(), ("models", name)),), rest)
        self.reload()

    def reload(self) -> None:
        """Read the files again. Raises RegistryError, and holds what was read before."""
        self.entries = Registry.load(self.path).entries

    def _text(self) -> str:
        return self.path.read_text(encoding="utf-8") if self.path.exists() else ""

    def _write(self, drafts: Sequence[str], wanted: Entries) -> None:
        """Replace the file in one go, by the first draft that holds exactly the entries that are wanted."""
        text = next((draft for draft in drafts if _holds(draft, wanted, self.path)), None)
        if text is None:
            raise RegistryError(f"{self.path} is written in a way that cannot be edited here; edit it by hand")
        path = self.path.resolve()
        draft = path.with_suffix(".toml.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(text, encoding="utf-8")
            draft.replace(path)
        except OSError as error:
            raise RegistryError(
                f"{self.path} cannot be written ({error.strerror or error}): make its folder writable, or set"
                " $XDG_CONFIG_HOME to another"
            ) from error


def _holds(text: str, wanted: Entries, path: Path) -> bool:
    try:
        return _entries(tomllib.loads(text), path) == wanted
    except ValueError:
        return False


def _toml(path: Path) -> Entries:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error  # the rest of it names the file once more
        raise RegistryError(f"{path} cannot be read: {why}; mend it, or move it away") from error
    return _entries(data, path)


def _entries(data: Mapping[str, Any], path: Path) -> Entries:
    """The entries of a parsed file, each checked."""
    wrong = [key for key in data if key != "models"]
    models: object = data.get("models", {})
    if wrong or not isinstance(models, dict):
        raise RegistryError(f"{path} has {wrong[0] if wrong else 'models'!r} where only [models.NAME] tables belong")
    return {name: _entry(name, table, path) for name, table in cast(dict[str, Any], models).items()}


def _entry(name: str, table: Any, path: Path) -> ModelEntry:
    where = f"{path}, [models.{name}]"
    if not isinstance(table, dict):
        raise RegistryError(f"{where}: this must be a table with backend and model")
    try:
        return checked(name, cast(dict[str, Any], table))
    except BadField as error:
        raise RegistryError(f"{where}: {error}") from None


def written(entry: ModelEntry) -> str:
    """The entry as a TOML table, defaults left out."""
    lines = [f"[models.{toml_value(entry.name)}]"]
    lines += [f"{key} = {toml_value(value)}" for key, value in table_of(entry).items()]
    return "\n".join(lines) + "\n"


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # what it says may quote the file, and key.json holds keys
        raise RegistryError(f"{path} cannot be read as JSON; mend it, or move it away") from None


def _checkpoint(entry: ModelEntry, step: str) -> ModelEntry:
    """What a model was at a step of its training, from beside its weights. Raises UnknownPlayer."""
    folder = Path(entry.adapter or entry.model) / "checkpoints"
    for file, field_ in (("adapter_model.safetensors", "adapter"), ("model.safetensors", "model")):
        path = folder / f"checkpoint-{step}" / file
        if entry.backend == "transformers" and path.is_file():
            there = {field_: str(path.parent), "revision": file_revision(path)}
            return replace(entry, name=f"{entry.name}@{step}", source="checkpoint", **there)
    there = sorted(int(path.name.rpartition("-")[2]) for path in folder.glob("checkpoint-*[0-9]"))
    known = f"; there are {', '.join(f'{entry.name}@{one}' for one in there)}" if there else ""
    raise UnknownPlayer(f"there is no checkpoint {step} of {entry.name} here{known}")


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
