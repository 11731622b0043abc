"""`models`: whom one can play with. List, show, add, edit, remove, test, and get weights."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from playpen_tui.cli.common import json_option, print_json, print_table
from playpen_tui.cli.models_out import export, push

if TYPE_CHECKING:
    from players.entry import ModelEntry
    from players.known import Known
    from players.trying import Step

F = TypeVar("F", bound=Callable[..., Any])

FIELDS = ("backend", "model", "base_url", "api_key_env", "adapter", "description", "price_in", "price_out")


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def models(ctx: click.Context, as_json: bool) -> None:
    """List models: built in, registered, served on this machine, and weights that lie here."""
    if ctx.invoked_subcommand is not None:
        return
    from players.known import as_json as described
    from players.registry import Registry

    registry = Registry.load()
    found = asyncio.run(_everybody())
    if as_json:
        print_json({"models": [described(known) for known in found], "registry": str(registry.path)})
        return
    rows = [described(known) for known in found]
    print_table(
        ("model", "backend", "from", "ready", "what it is"),
        [
            (
                row["name"],
                row["backend"],
                row["where"] if row["group"] == "found here" else row["group"],
                "no" if row["trouble"] else "yes",
                f"first: {row['trouble']}" if row["trouble"] else row["description"],
            )
            for row in rows
        ],
    )
    print(f"\nyour own stand in {registry.path}; `playpen-tui models add NAME` adds one, `models test NAME` tries one")


async def _everybody() -> list[Known]:
    from players.known import lying, registered, served
    from players.registry import Registry
    from playpen_tui.workbench import built_in_ready

    return [*registered(Registry.load(), built_in_ready()), *await served(), *lying()]


@models.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Tell all there is to tell about the model NAME, but for its key."""
    from players.known import as_json as described
    from players.known import details, registered
    from players.registry import Registry
    from playpen_tui.plain_text import plain
    from playpen_tui.workbench import built_in_ready

    registry = Registry.load()
    entry = registry.get(name)
    known = next(one for one in registered(registry, built_in_ready()) if one.spec == entry.name)
    if as_json:
        print_json(described(known))
        return
    for label, words in (*details(known), *((("not ready", known.trouble),) if known.trouble else ())):
        print(f"{label:<10}{plain(words)}")


def field_options(command: F) -> F:
    """The fields of an entry, as options."""
    options = [
        click.option("--backend", help="openai (any compatible server), vllm, transformers or llamacpp."),
        click.option("--model", help="Its name on the server, or the file or folder of its weights."),
        click.option("--base-url", help="Address of the server: http://HOST:PORT/v1."),
        click.option("--api-key-env", metavar="VARIABLE", help="Name of the variable that holds the key."),
        click.option("--adapter", help="Folder of a LoRA adapter."),
        click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A decoding setting; repeatable."),
        click.option("--assist/--no-assist", default=None, help="Help its seats to keep the form, or never by itself."),
        click.option("--description", help="What it is, in a few words."),
        click.option("--price-in", metavar="USD", help="US dollars per million tokens that are sent."),
        click.option("--price-out", metavar="USD", help="US dollars per million tokens that come back."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _given(table: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """The table with what was asked for on the command line; an empty value takes a field away. Raises BadField."""
    from players.entry import BadField, typed

    fields = {key: asked[key] for key in FIELDS if asked.get(key) is not None}
    if asked.get("assist") is not None:
        fields["assist"] = "on" if asked["assist"] else "off"
    found = typed(fields, table)
    sampling = dict(found.get("sampling", {}))
    begun: set[str] = set()
    for pair in asked["settings"]:
        key, equals, value = pair.partition("=")
        if not equals:
            raise BadField("sampling", f"--set takes KEY=VALUE, such as temperature=0, not {pair!r}")
        if not value:
            sampling.pop(key, None)
        elif key == "stop" and "stop" in begun:
            sampling[key] = (*sampling[key], value)
        else:
            sampling[key] = (value,) if key == "stop" else value
        begun.add(key)
    return {**found, "sampling": sampling} if sampling else {k: v for k, v in found.items() if k != "sampling"}


@models.command()
@click.argument("name")
@field_options
@click.option("--from-server", is_flag=True, help="Take both from a server on this machine, or at --base-url.")
def add(name: str, from_server: bool, **asked: Any) -> None:
    """Add a model under NAME, to be named everywhere a player is.

    Keys are never written: put yours in a variable and name that with --api-key-env.
    """
    from players.entry import BadField, check_name, checked
    from players.registry import Registry

    registry = Registry.load()
    check_name(name)
    if name in registry.entries and registry.entries[name].source == "user":
        raise BadField("name", f"there is a model {name} already: change it with `playpen-tui models edit {name}`")
    table: dict[str, Any] = {}
    if from_server:
        served = asyncio.run(_served(asked))
        table = {"backend": served.backend, "model": served.model, "base_url": served.base_url}
        asked = {**asked, "model": None, "base_url": None}
    registry.add(checked(name, _given(table, asked)))
    print(f"{name} stands in {registry.path} now")
    print(f"try it with `playpen-tui models test {name}`, play with it: playpen-tui play taboo --vs {name}")


async def _served(asked: dict[str, Any]) -> ModelEntry:
    """The model of a server that was meant: the one with this name, or the only one. Raises BadField, PlayerError."""
    from games.catalog import nearest
    from players.entry import BadField
    from players.known import of_server, served

    if asked["base_url"]:
        from players.backends.chat import endpoint
        from players.backends.discovery import Server

        url = endpoint(asked["base_url"])
        offers = [of_server(Server("other", url, ()), model) for model in await _listed(url, asked["api_key_env"])]
        place = url
    else:
        offers, place = await served(), "this machine"
    usable = [one for one in offers if not one.trouble]
    if not usable:
        raise BadField(
            "model", f"no server was found that offers one ({place}): start one, such as: ollama run llama3.2"
        )
    wanted = asked["model"]
    chosen = [one for one in usable if wanted in (None, "", one.entry.model)]
    names = list(dict.fromkeys(one.entry.model for one in usable))
    listed = ", ".join(names[:12]) + (f" and {len(names) - 12:,} more" if len(names) > 12 else "")
    if not chosen:
        near = nearest(wanted or "", names)
        meant = near if near.startswith("did you mean") else f"there are: {listed}"
        raise BadField("model", f"no model {wanted!r} is served there; {meant}")
    if len(chosen) > 1:
        if wanted:
            places = ", ".join(one.entry.base_url for one in chosen)
            raise BadField("base_url", f"{wanted} is served at several places: name one with --base-url ({places})")
        raise BadField("model", f"there are several: name one with --model ({listed})")
    return chosen[0].entry


async def _listed(url: str, variable: str | None) -> list[str]:
    import os

    from players.backends.chat import ChatClient
    from players.entry import check_address, check_variable

    secret = os.environ.get(check_variable(variable), "") if variable else ""
    client = ChatClient(check_address(url), "", secret or None, key_env=variable or "")
    try:
        return await client.models()
    finally:
        await client.aclose()


@models.command()
@click.argument("name")
@field_options
def edit(name: str, **asked: Any) -> None:
    """Change fields of the model NAME, those that are named and no other; an empty value takes one away."""
    from players.entry import BadField, checked, table_of
    from players.registry import Registry

    registry = Registry.load()
    entry = registry.get(name)
    if entry.source != "user":
        raise BadField(
            "name",
            f"{name} is from elsewhere ({entry.source}) and stays as it is: add your own with `playpen-tui models add`,"
            f" or set something for once: {name}?temperature=0.7",
        )
    if all(value in (None, ()) for value in asked.values()):
        raise click.UsageError("nothing was named to change: name fields, as in --set temperature=0, or see --help")
    after = replace(checked(name, _given(table_of(entry), asked)), source="user")
    if after == entry:
        print(f"{name} is like that already")
        return
    registry.add(after)
    before, now = table_of(entry), table_of(after)
    changed = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    print(f"changed {', '.join(changed)} of {name} in {registry.path}")


@models.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(name: str, yes: bool) -> None:
    """Take the model NAME out of your registry; episodes in the log keep its name."""
    from players.registry import Registry, RegistryError

    registry = Registry.load()
    source = registry.get(name).source
    if source == "user" and not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"without a terminal nothing is asked: say --yes to remove {name}")
        if not click.confirm(f"take {name} out of {registry.path}?"):
            raise RegistryError("nothing was changed")
    registry.remove(name)
    print(f"{name} is out of {registry.path}")


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
    """Try the model NAME out: does it answer (ping), come piece by piece (stream), and end when told to (stop).

    Exit code 1 where one of the three failed.
    """
    from players.known import key_names
    from players.masking import mask, mask_all
    from players.registry import Registry
    from players.trying import try_spec
    from playpen_tui.plain_text import plain

    registry = Registry.load()
    names = key_names(registry.entries.values())

    def hear(step: Step) -> None:
        if step.state != "running" and not as_json:
            print(f"{step.name:<8}{step.state:<9}{plain(mask(step.said, names))}", flush=True)

    trial = asyncio.run(try_spec(name, registry, hear=hear))
    if as_json:
        print_json(mask_all(trial.as_json(), names))
    elif trial.text:
        print(f"it said {plain(mask(trial.text, names))!r}")
    ctx.exit(0 if trial.ok else 1)


models.add_command(export)
models.add_command(push)
