"""`models`: whom one can play with. List, get, test."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from playpen_tui.cli.common import json_option, print_json, print_table


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def models(ctx: click.Context, as_json: bool) -> None:
    """List models: built in, registered, and served on this machine."""
    if ctx.invoked_subcommand is not None:
        return
    from players.backends.discovery import discover
    from players.registry import Registry
    from playpen_tui.workbench import BUILT_IN, built_in_ready

    registry = Registry.load()
    rows: list[dict[str, Any]] = []
    for name in registry.names():
        entry = registry.entries[name]
        ready = built_in_ready() if name == BUILT_IN else None
        rows.append(
            {
                "name": name,
                "backend": entry.backend,
                "model": entry.model,
                "source": entry.source,
                "ready": ready,
                "description": entry.description or ("" if ready is not False else "playpen-tui models get smollm2"),
            }
        )
    for server in asyncio.run(discover()):
        rows += [
            {
                "name": f"openai:{model}?base_url={server.base_url}",
                "backend": server.family,
                "model": model,
                "source": server.title,
                "ready": True,
                "description": "",
            }
            for model in server.models
        ]
    if as_json:
        print_json({"models": rows, "registry": str(registry.path)})
        return
    words = {True: "yes", False: "no: playpen-tui models get smollm2", None: "?"}
    print_table(
        ("model", "backend", "from", "ready", "what it is"),
        [(r["name"], r["backend"], r["source"], words[r["ready"]], r["description"]) for r in rows],
    )
    print(f"\nyour own go into {registry.path}; `playpen-tui models test NAME` asks one for a word")


@models.command()
@click.argument("name")
def get(name: str) -> None:
    """Bring the weights of NAME: smollm2, a GGUF file, or a model of the hub."""
    from players import weights

    def progress(text: str) -> None:
        print(text, file=sys.stderr)

    print(weights.get(name, progress))


@models.command()
@click.argument("name")
@json_option
@click.pass_context
def test(ctx: click.Context, name: str, as_json: bool) -> None:
    """Ask the model NAME for one word, and say how long it took."""
    from playpen_tui.probe import probe

    found = asyncio.run(probe(name))
    if as_json:
        print_json(found)
    else:
        speed = f", {found['tokens_per_second']:.0f} tok/s" if found["tokens_per_second"] else ""
        print(f"{name}: {found['text']!r}")
        print(f"first token after {found['first_token_ms'] or 0:.0f} ms, done after {found['ms']:.0f} ms{speed}")
