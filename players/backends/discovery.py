"""Which model servers run on this machine: Ollama, llama-server, LM Studio and vLLM at their usual ports.

Only loopback is ever asked. A closed port refuses at once, so looking is cheap enough for the start screen; HTTP is
loaded only when something listens. Other programs use these ports too: a hit counts when `/v1/models` is a list.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast
from urllib.parse import urlsplit

from players.backends.chat import is_loopback

Family: TypeAlias = Literal["ollama", "llama-server", "lmstudio", "vllm", "other"]
Address: TypeAlias = tuple[str, int]

PORTS: Mapping[Family, int] = {"ollama": 11434, "llama-server": 8080, "lmstudio": 1234, "vllm": 8000}
TITLES: Mapping[Family, str] = {
    "ollama": "Ollama",
    "llama-server": "llama-server",
    "lmstudio": "LM Studio",
    "vllm": "vLLM",
    "other": "a server",
}
TIMEOUT = 1.0
"""Seconds for each connection and each answer; a server that is busy computing answers late."""
WHOLE = 3.0
"""Seconds for one server, all questions together."""
_MOST = 4 * 1024 * 1024
"""Bytes of an answer that are read; a model list is far smaller."""


@dataclass(frozen=True, slots=True)
class Server:
    """A model server that answers. `models` are its names for what it serves, in its order."""

    family: Family
    base_url: str
    models: tuple[str, ...]

    @property
    def title(self) -> str:
        """How to call it: `Ollama at 127.0.0.1:11434`."""
        return f"{TITLES[self.family]} at {urlsplit(self.base_url).netloc}"


def ollama_address(setting: str) -> Address | None:
    """Host and port of `$OLLAMA_HOST` in any of its forms; None where it is not on this machine or makes no sense."""
    text = setting.strip().strip("\"'")
    scheme = text.partition("://")[0] if "://" in text else ""
    try:
        parts = urlsplit(text if scheme else f"//{text}")
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname or "127.0.0.1"
    if host in ("0.0.0.0", "::"):  # where it listens; from here it is reached on loopback
        host = "127.0.0.1"
    if not is_loopback(host) or scheme not in ("", "http"):
        return None
    return ("127.0.0.1" if host == "localhost" else host), port or (80 if scheme else PORTS["ollama"])


def addresses(environ: Mapping[str, str] | None = None) -> list[Address]:
    """Where to look: the usual ports, Ollama's wherever `$OLLAMA_HOST` puts it on this machine."""
    setting = (os.environ if environ is None else environ).get("OLLAMA_HOST", "")
    found: list[Address] = [("127.0.0.1", port) for port in PORTS.values()]
    if setting and (own := ollama_address(setting)) is not None:
        found[0] = own
    return list(dict.fromkeys(found))


async def discover(where: Iterable[Address] | None = None) -> list[Server]:
    """The servers that answer at these addresses, in their order. Never raises for what a server does."""
    there = list(addresses() if where is None else where)
    listening = await asyncio.gather(*(_listens(address) for address in there))
    hits = [address for address, yes in zip(there, listening, strict=True) if yes]
    if not hits:
        return []
    httpx2 = cast(Any, await asyncio.to_thread(importlib.import_module, "httpx2"))
    limits = httpx2.Timeout(TIMEOUT)
    async with httpx2.AsyncClient(trust_env=False, timeout=limits, verify=False) as http:  # plain HTTP, loopback only
        found = await asyncio.gather(*(_probe(http, httpx2, address) for address in hits))
    return [server for server in found if server is not None]


async def _listens(address: Address) -> bool:
    try:
        async with asyncio.timeout(TIMEOUT):
            _, writer = await asyncio.open_connection(*address)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def _probe(http: Any, httpx2: Any, address: Address) -> Server | None:
    host, port = address
    root = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    try:
        async with asyncio.timeout(WHOLE):
            listed, banner = await _json(http, httpx2, f"{root}/v1/models")
            entries = _list(listed, "data")
            if entries is None:
                return None
            models = tuple(str(entry["id"]) for entry in entries if isinstance(entry.get("id"), str))
            family: Family = "other"
            if "llama.cpp" in banner:
                family = "llama-server"
            elif any(entry.get("owned_by") == "vllm" for entry in entries):
                family = "vllm"
            elif isinstance(_get((await _json(http, httpx2, f"{root}/api/version"))[0], "version"), str):
                family = "ollama"
            elif (kinds := _list((await _json(http, httpx2, f"{root}/api/v0/models"))[0], "data")) is not None:
                family = "lmstudio"
                embedders = {entry.get("id") for entry in kinds if entry.get("type") == "embeddings"}
                models = tuple(model for model in models if model not in embedders)
            return Server(family, f"{root}/v1", models)
    except TimeoutError:
        return None


async def _json(http: Any, httpx2: Any, url: str) -> tuple[object, str]:
    """What a GET answers as JSON, None for anything else, and the `Server` header."""
    try:
        async with http.stream("GET", url) as response:
            banner = str(response.headers.get("server", ""))
            raw = b""
            async for piece in response.aiter_bytes():
                raw += piece
                if len(raw) > _MOST:
                    return None, banner
            return (_parsed(raw) if response.status_code == 200 else None), banner
    except (httpx2.HTTPError, httpx2.InvalidURL):
        return None, ""


def _parsed(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _get(data: object, key: str) -> object:
    return cast(Mapping[str, object], data).get(key) if isinstance(data, dict) else None


def _list(data: object, key: str) -> Sequence[Mapping[str, Any]] | None:
    """The objects listed under a key, or None where there is no such list."""
    value = _get(data, key)
    if not isinstance(value, list):
        return None
    return [cast(Mapping[str, Any], entry) for entry in cast(list[object], value) if isinstance(entry, dict)]


_LLAMA = re.compile(r"(?:meta[-_.]?)?llama(?:$|[-_ :]?v?\d)", re.IGNORECASE)
_OTHER = re.compile(
    r"nemotron|guard|chatqa|gradient|tool-use|embed|distill|reward|uncensored|abliterated", re.IGNORECASE
)


def is_llama(model: str) -> bool:
    """Whether a model's name says that it is a Llama, and not one made from it or merely named alike."""
    name = model.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return _LLAMA.match(name) is not None and _OTHER.search(name) is None


def find_llama(servers: Iterable[Server]) -> tuple[Server, str] | None:
    """The first server with a Llama, and its name there; one that was tuned to talk before a bare one."""
    for server in servers:
        if found := [model for model in server.models if is_llama(model)]:
            return server, min(found, key=_bareness)
    return None


def _bareness(model: str) -> int:
    return 0 if re.search("instruct|chat", model, re.IGNORECASE) else 2 if re.search("base|text", model) else 1


def llama_weights(models: Path, hub: Path | None = None) -> Path | None:
    """Llama weights on disk: a GGUF file or a model folder in `models`, or a snapshot in the hub's cache."""
    for path in sorted(models.glob("*")) if models.is_dir() else []:
        if is_llama(path.name) and (path.suffix == ".gguf" or (path / "config.json").is_file()):
            return path
    hub = hub or hub_cache()
    for config in sorted(hub.glob("models--*/snapshots/*/config.json")):
        if is_llama(config.parents[2].name.rpartition("--")[2]):
            return config.parent
    return None


def hub_cache() -> Path:
    """Where Hugging Face's tools keep what they download."""
    if cache := os.environ.get("HF_HUB_CACHE"):
        return Path(cache)
    home = os.environ.get("HF_HOME")
    return (Path(home) if home else Path.home() / ".cache" / "huggingface") / "hub"
