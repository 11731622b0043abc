"""From a spec to somebody who sits there: opens players, and keeps what they share until the table is cleared.

Whatever was named is what plays, or there is an error that says how to get it: no model ever stands in for another.
A `Table` opens all seats of a match and closes their backends; two seats of one model share one.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias, cast
from urllib.parse import urlsplit

from games.catalog import nearest
from games.engine import Game, Role
from players.backends import discovery, worker
from players.backends.chat import PARALLEL, ChatClient, Client, is_loopback
from players.base import Identity, Player, PlayerError
from players.entry import file_revision
from players.environments import worker_python
from players.human import HumanPlayer
from players.masking import variable_shown
from players.model import ModelPlayer
from players.ports import ERASED, History
from players.registry import LLAMA, ModelEntry, NoSuchModel, Registry, UnknownPlayer, data_dir
from players.scripted import BotPlayer, ReplayPlayer
from players.spec import ACCESS, PlayerSpec, parse

OPENAI_URL = "https://api.openai.com/v1"
VLLM_URL = "http://127.0.0.1:8000/v1"
LOCAL = 'pip install "playpen-tui[local]"'
TRAIN = 'pip install "playpen-tui[train]"'
GET = "playpen-tui models get"

Pool: TypeAlias = dict[tuple[str, ...], tuple[Client, str]]
"""Clients and what pins their models, by how they are reached."""


def check(spec: str | PlayerSpec, *, game: Game, role: Role, registry: Registry) -> PlayerSpec:
    """The spec, if it names somebody who could sit there; opens nothing. Raises SpecError or UnknownPlayer."""
    found = parse(spec) if isinstance(spec, str) else spec
    if role not in game.roles:
        raise UnknownPlayer(f"{game.name} has no role {role!r}; {nearest(role, game.roles)}")
    bots = game.bots()
    if found.kind == "bot" and (found.name or "competent") not in bots:
        raise UnknownPlayer(f"{game.name} has no bot {found.name!r}; {nearest(found.name, list(bots))}")
    if found.kind == "name" and found.name != LLAMA:
        registry.get(found.name, tuple(f"bot:{bot}" for bot in bots))
    return found


async def open_player(
    spec: str | PlayerSpec,
    *,
    game: Game,
    role: Role,
    registry: Registry,
    history: History | None = None,
    assist: bool | None = None,
    language: str = "en",
    person: str = "",
    pool: Pool | None = None,
) -> Player:
    """The player of this spec for one seat.

    `assist` is what the person asked for; a spec's own `assist=` goes before it, and where neither speaks the
    registry entry decides. `person` is the pseudonym for a bare `human`. With `pool` the backend is shared and its
    owner closes it; without, the player is a `ModelPlayer` that closes its own. Raises SpecError and UnknownPlayer
    (wrong usage) and PlayerError (NoSuchModel where a model is not here).
    """
    found = check(spec, game=game, role=role, registry=registry)
    if found.kind == "human":
        return HumanPlayer(found.name or person, name=found.head, code=found.code)
    if found.kind == "bot":
        name = found.name or "competent"
        return BotPlayer(game, name, game.bots()[name])
    if found.kind == "replay":
        return _replay(found.name, game, role, history, language)
    return await _model(found, registry, assist, pool)


async def open_model(
    spec: str | PlayerSpec, *, registry: Registry, pool: Pool | None = None, assist: bool | None = False
) -> ModelPlayer:
    """The model of this spec, at no table. Raises SpecError, UnknownPlayer (also for who is no model), PlayerError.

    `assist` as for a seat; None leaves it to the registry.
    """
    found = parse(spec) if isinstance(spec, str) else spec
    if not found.is_model:
        raise UnknownPlayer(f"{found.head} is no model; `playpen-tui models` lists them")
    return await _model(found, registry, assist, pool)


def _replay(name: str, game: Game, role: Role, history: History | None, language: str) -> ReplayPlayer:
    if history is None:
        raise PlayerError("gone", f"replay:{name} needs a log to read from: name one with --db")
    try:
        episode = history.episode(name)
    except LookupError as error:
        raise UnknownPlayer(str(error.args[0] if error.args else error)) from error
    if episode.game != game.name:
        raise UnknownPlayer(f"episode {episode.id} is of {episode.game}, not of {game.name}; name one of {game.name}")
    if ERASED in episode.texts:
        raise UnknownPlayer(f"what was said in episode {episode.id} was erased on request; name another")
    spoken = episode.instance.get("language", language)
    if spoken != language:
        raise UnknownPlayer(f"episode {episode.id} is in {spoken!r}, this match in {language!r}; use --lang {spoken}")
    return ReplayPlayer(episode, role)


async def _model(spec: PlayerSpec, registry: Registry, assist: bool | None, pool: Pool | None) -> ModelPlayer:
    entry = await _entry(spec, registry)
    sampling = {**entry.sampling, **spec.sampling}
    asked = spec.settings.get("assist", assist)
    shared: Pool = {} if pool is None else pool
    client, revision = await _client(entry, spec.settings, shared)
    adapter = str(spec.settings.get("adapter") or entry.adapter)
    identity = Identity("model", spec.head, revision, adapter, sampling)
    helped = bool(entry.assist if asked is None else asked)
    return ModelPlayer(identity, client, sampling, assist=helped, owner=pool is None)


async def _entry(spec: PlayerSpec, registry: Registry) -> ModelEntry:
    """How to reach the model that was named."""
    if spec.kind != "name":
        return ModelEntry(spec.head, spec.kind, spec.name, source="spec")
    if spec.name == LLAMA and LLAMA not in registry.entries:
        return await find_llama(registry)
    return registry.get(spec.name)


async def find_llama(registry: Registry) -> ModelEntry:
    """The Llama of this machine: one that a server here serves, else weights that lie here.

    The user's own entry `llama` goes before both and is not looked at here. Raises NoSuchModel with the ways out.
    """
    served = discovery.find_llama(await discovery.discover())
    if served is not None:
        server, model = served
        return ModelEntry(LLAMA, "openai", model, base_url=server.base_url, revision=f"{model} @ {server.title}")
    models = data_dir() / "models"
    weights = discovery.llama_weights(models)
    if weights is None:
        raise NoSuchModel(
            f"no Llama was found: add an entry [models.llama] to {registry.path}, or start a server on this machine"
            f" that serves one (such as: ollama run llama3.2), or put the weights of one (GGUF) into {models}"
        )
    if weights.suffix == ".gguf":
        return ModelEntry(LLAMA, "llamacpp", str(weights))
    return ModelEntry(LLAMA, "transformers", str(weights))


async def _client(entry: ModelEntry, settings: Mapping[str, Any], pool: Pool) -> tuple[Client, str]:
    """A client for the entry, an opened one if the pool has it, and what pins its model."""
    access = {key: settings[key] for key in ACCESS if key in settings and key != "assist"}
    if entry.backend == "vllm" and (python := _vllm_python(entry, access)) is not None:
        return await _worker("vllm", entry, access, python, pool)
    if entry.backend == "transformers":
        return await _worker("transformers", entry, access, _transformers_python(entry), pool)
    key = (entry.backend, entry.model, entry.base_url, entry.api_key_env, repr(entry.extra_body), repr(access))
    if key not in pool:
        pool[key] = await _open(entry, access)
    return pool[key]


async def _open(entry: ModelEntry, access: Mapping[str, Any]) -> tuple[Client, str]:
    if entry.backend == "llamacpp":
        return await _embedded(entry, int(access.get("threads", 0)), int(access.get("batch", 0)))
    client = _remote(entry, access)
    if entry.backend == "vllm":
        try:
            await _served(client, entry)
        except PlayerError:
            await client.aclose()
            raise
    return client, entry.revision or f"{entry.model} @ {client.name}"


def _vllm_python(entry: ModelEntry, access: Mapping[str, Any]) -> Path | None:
    """The interpreter that shall load this folder of weights; None where a server is to be asked.

    Raises RegistryError where an interpreter is named that is not there, NoSuchModel where there are neither weights
    nor a name that a server could have.
    """
    if access.get("base_url") or entry.base_url:
        return None
    path = Path(entry.model).expanduser()
    if (path / "config.json").is_file():
        return worker_python("vllm")
    if path.is_absolute() or entry.model.startswith((".", "~")):
        raise NoSuchModel(f"{entry.model} is no folder of weights (it has no config.json): name one that is")
    return None


def _transformers_python(entry: ModelEntry) -> Path:
    """The interpreter for transformers: another environment where one is named, else ours. Raises NoSuchModel."""
    path = Path(entry.model).expanduser()
    if not ((path / "config.json").is_file() or (path.suffix == ".gguf" and path.is_file())):
        raise NoSuchModel(f"{entry.model} holds no weights: name a folder with config.json, or a GGUF file")
    python = worker_python("transformers")
    if python is None or (python == Path(sys.executable) and importlib.util.find_spec("torch") is None):
        raise NoSuchModel(f"{entry.name} runs in transformers, which is missing: {TRAIN}, or name vllm: or llamacpp:")
    return python


async def _worker(
    kind: worker.Kind, entry: ModelEntry, access: Mapping[str, Any], python: Path, pool: Pool
) -> tuple[Client, str]:
    """A client of a worker process; seats of one model share it, under vLLM each with its own adapter."""
    folder = Path(entry.model).expanduser().resolve()
    named = str(access.get("adapter") or entry.adapter)
    adapter = str(Path(named).expanduser().resolve()) if named else ""
    template = cast(Mapping[str, Any], entry.extra_body.get("chat_template_kwargs") or {})
    wanted = {key: access[key] for key in ("batch", "context", "device", "dtype", "threads") if key in access}
    wanted.update(model=str(folder), **({"adapter": adapter} if adapter else {}))
    apart = adapter if kind == "transformers" else ""  # there a process has one adapter, or none
    base = (f"{kind} worker", str(python), str(folder), apart, repr(sorted(wanted.items() - {("adapter", adapter)})))
    key = (*base, adapter, repr(template))
    if key in pool:
        return pool[key]
    shared = [client for other, (client, _) in pool.items() if other[: len(base)] == base]
    fit = [
        one for one in shared if isinstance(one, worker.WorkerClient) and (not adapter or one.engine.ready["adapters"])
    ]
    engine = fit[0].engine if fit else await worker.start(kind, python, wanted)
    ready = engine.ready
    revision = entry.revision or f"{folder.name} @ {engine.title} {ready['version']} {ready['dtype']}"
    pool[key] = worker.WorkerClient(engine, str(folder), adapter, template), revision
    return pool[key]


@dataclass(frozen=True, slots=True)
class Reach:
    """How a server is reached: its address, the variable with the key (or ""), and whether none goes without it."""

    url: str
    variable: str
    needed: bool


def reach(entry: ModelEntry, access: Mapping[str, Any]) -> Reach:
    """Where this entry's server is. A key goes only to the address it was given for."""
    moved = access.get("base_url", "")
    if entry.backend == "vllm":
        url = moved or entry.base_url or VLLM_URL
        usual = "VLLM_API_KEY" if is_loopback(urlsplit(url).hostname or "") else ""
        needed = False
    else:
        url = moved or entry.base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL
        usual = "" if moved or entry.base_url else "OPENAI_API_KEY"
        needed = bool(usual) and not is_loopback(urlsplit(url).hostname or "")
    named = access.get("api_key_env", "") or ("" if moved else entry.api_key_env)
    return Reach(url, named or usual, needed or bool(named))


def _remote(entry: ModelEntry, access: Mapping[str, Any]) -> ChatClient:
    """The client of a server."""
    at = reach(entry, access)
    url, variable = at.url, at.variable
    secret = os.environ.get(variable, "") if variable else ""
    if not secret.strip() and at.needed:
        raise PlayerError(
            "unauthorized",
            f"{entry.name} needs a key in ${variable_shown(variable)}: set that variable, or name another with"
            " ?api_key_env=NAME",
        )
    more: dict[str, Any] = {"timeout": float(access["timeout"])} if "timeout" in access else {}
    more["vllm"] = entry.backend == "vllm"
    more["parallel"] = int(access.get("batch", 0)) or PARALLEL
    return ChatClient(
        url, entry.model, secret or None, extra_body=entry.extra_body, key_env=variable_shown(variable), **more
    )


async def _served(client: ChatClient, entry: ModelEntry) -> None:
    """Make sure that a vLLM server is there and has the model: it refuses connections while it starts."""
    try:
        models = await client.models()
    except PlayerError as error:
        if error.kind not in ("refused", "timeout"):
            raise
        raise PlayerError(
            "refused",
            f"no vLLM server answers at {client.name}: start one with `vllm serve {entry.model}` and wait until it is"
            " ready, or name another with ?base_url=URL; or name a folder of weights, and in $PLAYPEN_VLLM_PYTHON the"
            " Python that has vLLM",
        ) from error
    if entry.model not in models:
        listed = ", ".join(models[:12]) or "nothing"
        raise NoSuchModel(f"the server at {client.name} does not serve {entry.model!r}; it offers {listed}")


async def _embedded(entry: ModelEntry, threads: int, slots: int = 0) -> tuple[Client, str]:
    """The built-in backend; `threads` 0 leaves their number to it."""
    named = Path(entry.model).expanduser()
    is_file = named.suffix == ".gguf" or len(named.parts) > 1
    if is_file and not named.is_file():
        raise NoSuchModel(f"there is no file {entry.model}: name a GGUF file, or bring one with `{GET} FILE-OR-HUB-ID`")
    try:
        from players.backends.embedded import embedded_client, find_weights

        path = named if is_file else find_weights(entry.model)
        if path is None:
            raise NoSuchModel(f"the weights of {entry.model} are not here: {LOCAL}, then {GET} {entry.model}")
        revision = entry.revision or await asyncio.to_thread(file_revision, path)
        client = await embedded_client(path, name=entry.name, threads=threads, slots=slots)
    except ModuleNotFoundError as error:
        if error.name != "xllamacpp":
            raise
        raise NoSuchModel(f"{entry.name} runs in llama.cpp, which is missing: {LOCAL}, then {GET} smollm2") from error
    return client, revision


class Table:
    """The seats of one match or many: `async with Table(registry) as table: await table.seats({...}, game=game)`."""

    def __init__(self, registry: Registry, *, history: History | None = None, person: str = "") -> None:
        self.registry = registry
        self.history = history
        self.person = person
        self.opening = ""
        """The model that is being opened right now, which takes as long as its weights take to load."""
        self._pool: Pool = {}
        self._one = asyncio.Lock()

    async def seat(
        self, spec: str | PlayerSpec, *, game: Game, role: Role, assist: bool | None = None, language: str = "en"
    ) -> Player:
        """Open one player; see `open_player`. Its backend stays open until the table is closed."""
        found = parse(spec) if isinstance(spec, str) else spec
        async with self._one:
            self.opening = found.head if found.is_model else ""
            try:
                return await open_player(
                    found,
                    game=game,
                    role=role,
                    registry=self.registry,
                    history=self.history,
                    assist=assist,
                    language=language,
                    person=self.person,
                    pool=self._pool,
                )
            finally:
                self.opening = ""

    async def seats(
        self, specs: Mapping[Role, str], *, game: Game, assist: bool | None = None, language: str = "en"
    ) -> dict[Role, Player]:
        """Open all seats. What is wrong with any name is said before the first backend is started."""
        found = {r: check(spec, game=game, role=r, registry=self.registry) for r, spec in specs.items()}
        return {r: await self.seat(s, game=game, role=r, assist=assist, language=language) for r, s in found.items()}

    async def aclose(self) -> None:
        """Close every backend, also when closing one of them fails."""
        clients = [client for client, _ in self._pool.values()]
        self._pool.clear()
        results = await asyncio.gather(*(client.aclose() for client in clients), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
