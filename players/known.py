"""Whom one can play with on this machine: built in, registered, served here, and weights that lie here.

Each is a `Known`: the spec that names it and the entry behind it. `details` tells all there is to tell about one, keys
taken out, for screens and commands alike.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeAlias

from players import weights
from players.backends.discovery import Server, discover
from players.masking import mask, mask_address, mask_all, variable_shown
from players.opening import reach
from players.registry import ModelEntry, Registry, data_dir
from players.spec import PlayerSpec, SpecError, parse

Group: TypeAlias = Literal["built in", "registered", "from clemcore", "found here", "weights here"]
GROUPS: tuple[Group, ...] = ("built in", "registered", "from clemcore", "found here", "weights here")
_OF_SOURCE: Mapping[str, Group] = {"user": "registered", "built in": "built in", "clemcore": "from clemcore"}


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody who could play. `trouble` is what stands in the way, with the way out; empty where nothing does."""

    group: Group
    spec: str
    entry: ModelEntry
    where: str
    """The file or server that says so."""
    trouble: str = ""
    nameable: bool = True
    """Whether it can be named in a spec, and so played with at all."""


def registered(registry: Registry, built_in_ready: bool) -> list[Known]:
    """The entries of the registry."""
    found: list[Known] = []
    for name in registry.names():
        entry = registry.entries[name]
        group = _OF_SOURCE.get(entry.source, "registered")
        where = {"registered": str(registry.path), "from clemcore": "model_registry.json"}.get(group, "playpen-tui")
        trouble = "" if group != "built in" or built_in_ready else _built_in_trouble()
        found.append(Known(group, name, entry, where, trouble or _key_trouble(entry)))
    return found


def _built_in_trouble() -> str:
    get = "playpen-tui models get smollm2"
    return get if find_spec("xllamacpp") is not None else f'pip install "playpen-tui[local]", then {get}'


def _key_trouble(entry: ModelEntry) -> str:
    variable, there = key_of(entry)
    needed = bool(variable) and reach(entry, {}).needed
    return f"set the variable {variable_shown(variable)}" if needed and not there else ""


async def served() -> list[Known]:
    """What servers on this machine offer."""
    return [of_server(server, model) for server in await discover() for model in server.models]


def of_server(server: Server, model: str) -> Known:
    """A model that a server offers. One whose name cannot be typed has trouble."""
    backend = "vllm" if server.family == "vllm" else "openai"
    spec = str(PlayerSpec(backend, model, settings={"base_url": server.base_url}))
    entry = ModelEntry(spec, backend, model, base_url=server.base_url, source=server.title)
    try:
        parse(spec)
        trouble = ""
    except SpecError:
        trouble = "its name holds characters that cannot be shown: give it another on the server"
    return Known("found here", spec, entry, server.title, trouble, not trouble)


def lying(folder: Path | None = None) -> list[Known]:
    """Weights in the data directory: GGUF files for llama.cpp, folders for transformers or vLLM."""
    folder = folder or data_dir() / "models"
    found: list[Known] = []
    for path in sorted(folder.glob("*")) if folder.is_dir() else []:
        if path.suffix == ".gguf" and weights.is_gguf(path):
            named, backend = path.stem, "llamacpp"
        elif (path / "config.json").is_file():
            named, backend = str(path), "transformers"
        else:
            continue
        if named == weights.BUILT_IN or not named.isprintable():
            continue
        spec = str(PlayerSpec(backend, named))
        entry = ModelEntry(spec, backend, named, source="weights")
        trouble = "" if backend != "llamacpp" or find_spec("xllamacpp") else 'pip install "playpen-tui[local]"'
        found.append(Known("weights here", spec, entry, str(path), trouble))
    return found


def key_of(entry: ModelEntry) -> tuple[str, bool]:
    """The variable that holds the key of this entry, or "", and whether it is set."""
    if entry.backend not in ("openai", "vllm"):
        return "", False
    variable = reach(entry, {}).variable
    return variable, bool(variable) and bool(os.environ.get(variable, "").strip())


def key_names(entries: Iterable[ModelEntry]) -> list[str]:
    """All variables that hold keys of these entries, for `mask`."""
    return list(dict.fromkeys(name for entry in entries if (name := key_of(entry)[0])))


def settings_text(entry: ModelEntry) -> str:
    """The decoding settings as they stand behind the `?` of a spec."""
    return str(PlayerSpec("name", "x", settings=entry.sampling)).partition("?")[2]


def as_json(known: Known) -> dict[str, Any]:
    """One model for programs, without any key."""
    entry = known.entry
    variable, there = key_of(entry)
    names = [variable] if variable else []
    return {
        "name": mask(known.spec, names),
        "backend": entry.backend,
        "model": mask(entry.model, names),
        "group": known.group,
        "source": entry.source,
        "where": known.where,
        "ready": not known.trouble,
        "trouble": mask(known.trouble, names),
        "base_url": mask_address(entry.base_url, names),
        "api_key_env": variable_shown(variable),
        "key": ("set" if there else "not set") if variable else None,
        "sampling": mask_all(entry.sampling, names),
        "extra_body": mask_all(entry.extra_body, names),
        "adapter": mask(entry.adapter, names),
        "assist": entry.assist,
        "revision": mask(entry.revision, names),
        "price_in": entry.price_in,
        "price_out": entry.price_out,
        "description": mask(entry.description, names),
    }


def details(known: Known) -> list[tuple[str, str]]:
    """What there is to tell, as (label, words), without any key; what is not given is left out."""
    entry = known.entry
    variable, there = key_of(entry)
    names = [variable] if variable else []
    shown = variable_shown(variable)
    remote = entry.backend in ("openai", "vllm")
    rows = [
        ("spec", mask(known.spec, names)),
        ("about", mask(entry.description, names)),
        ("backend", entry.backend),
        ("model", mask(entry.model, names)),
        ("address", mask_address(reach(entry, {}).url, names) if remote else ""),
        ("key", f"{shown} · {'set' if there else 'not set'}" if variable else ("none" if remote else "")),
        ("settings", mask(settings_text(entry).replace("&", "  "), names)),
        ("body", mask(", ".join(f"{k}={v}" for k, v in mask_all(entry.extra_body, names).items()), names)),
        ("adapter", mask(entry.adapter, names)),
        ("assisted", "no, unless asked for" if entry.assist is None else "yes" if entry.assist else "no"),
        ("price", price_text(entry)),
        ("revision", mask(entry.revision, names)),
        ("from", known.where),
    ]
    return [(label, words) for label, words in rows if words]


def price_text(entry: ModelEntry) -> str:
    """`$0.15 in, $0.60 out, a million tokens`."""
    given = {"in": entry.price_in, "out": entry.price_out}
    exact = {way: f"{price:,.2f}" for way, price in given.items() if price is not None}
    exact.update(
        {way: f"{price:.10g}" for way, price in given.items() if price is not None and round(price, 2) != price}
    )
    told = ", ".join(f"${price} {way}" for way, price in exact.items())
    return f"{told}, a million tokens" if told else ""
