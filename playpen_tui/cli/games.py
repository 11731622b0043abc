"""`games`: what there is to play. List, show, check, sample, and write a new one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from playpen_tui.cli.common import json_option, print_json, print_table

if TYPE_CHECKING:
    from games.engine import Game


def _facts(game: Game) -> dict[str, Any]:
    from games import catalog

    found = [instance for language in game.languages for instance in game.instances(language)]
    splits = dict.fromkeys(catalog.SPLITS, 0)
    for instance in found:
        splits[catalog.split_of(game, instance)] += 1
    return {
        "name": game.name,
        "title": game.title,
        "version": game.version,
        "summary": game.summary,
        "roles": list(game.roles),
        "languages": list(game.languages),
        "experiments": list(dict.fromkeys(instance.experiment for instance in found)),
        "instances": len(found),
        "benchmark": sum(len(game.benchmark(language)) for language in game.languages),
        "splits": splits,
        "family": game.family_name,
    }


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def games(ctx: click.Context, as_json: bool) -> None:
    """List the games there are; subcommands show, check, sample and write them."""
    if ctx.invoked_subcommand is None:
        _list(as_json)


@games.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List the games there are, as `games` alone does."""
    _list(as_json or (ctx.parent is not None and ctx.parent.params["as_json"]))


def _list(as_json: bool) -> None:
    from games import catalog

    facts: list[dict[str, Any]] = []
    broken: list[tuple[str, str]] = []
    for name in catalog.names():
        try:
            facts.append(_facts(catalog.get(name)))
        except Exception as error:  # one broken game file must not hide the others
            broken.append((name, f"{type(error).__name__}: {error}"))
    if as_json:
        print_json({"games": facts, "broken": [{"name": name, "error": error} for name, error in broken]})
    else:
        rows = [
            (f["name"], ", ".join(f["roles"]), ", ".join(f["languages"]), f["instances"], f["summary"]) for f in facts
        ]
        print_table(("game", "roles", "languages", "instances", "what it is"), rows)
    for name, error in broken:
        print(f"playpen-tui: {name} cannot be loaded: {error}", file=sys.stderr)


@games.command()
@click.argument("name")
@click.option("--lang", "language", default=None, help="Language of the rules [default: the game's first].")
@json_option
def show(name: str, language: str | None, as_json: bool) -> None:
    """Say what NAME is, its rules, roles, experiments and splits."""
    from games import catalog

    game = catalog.get(name)
    language = language or game.languages[0]
    if language not in game.languages:
        raise click.UsageError(f"{name} is not there in {language!r}; there are: {', '.join(game.languages)}")
    facts = _facts(game)
    if as_json:
        print_json({**facts, "rules": game.rules(language), "bots": list(game.bots())})
        return
    print(f"{game.title} ({game.name}, version {game.version})\n\n{game.rules(language)}\n")
    print_table(
        ("", ""),
        [
            ("roles", ", ".join(game.roles)),
            ("languages", ", ".join(game.languages)),
            ("experiments", ", ".join(facts["experiments"])),
            ("instances", facts["instances"]),
            ("benchmark", facts["benchmark"]),
            ("splits", ", ".join(f"{split} {count}" for split, count in facts["splits"].items())),
            ("bots", ", ".join(game.bots())),
        ],
    )


@games.command()
@click.argument("names", nargs=-1)
@click.option(
    "--replies", type=click.IntRange(0), default=2_000, show_default=True, help="Random replies to throw at it."
)
@json_option
@click.pass_context
def check(ctx: click.Context, names: tuple[str, ...], replies: int, as_json: bool) -> None:
    """Run the conformance kit over games NAMES, or over all."""
    from games import catalog, conformance

    found = {name: conformance.check(catalog.get(name), replies=replies) for name in names or catalog.names()}
    if as_json:
        print_json(
            {
                "checks": [{"name": c.name, "what": c.what} for c in conformance.CHECKS],
                "games": {
                    name: [{"check": f.check, "detail": f.detail} for f in findings] for name, findings in found.items()
                },
            }
        )
    else:
        for name, findings in found.items():
            print(f"{name}: " + (f"{len(findings)} found" if findings else f"passes {len(conformance.CHECKS)} checks"))
            for finding in findings:
                print(f"  {finding.check}: {finding.detail}")
    ctx.exit(1 if any(found.values()) else 0)


@games.command()
@click.argument("name")
@click.option("-n", "count", type=click.IntRange(1), default=3, show_default=True, help="How many.")
@click.option("--split", type=click.Choice(["train", "validation", "test"]), help="Only of this split.")
@click.option("--experiment", help="Only of this experiment.")
@click.option("--lang", "language", default="en", show_default=True, help="Language of the instances.")
@click.option("--seed", type=int, default=0, show_default=True, help="Draw them by this number.")
@json_option
def sample(name: str, count: int, split: Any, experiment: str | None, language: str, seed: int, as_json: bool) -> None:
    """Show instances of NAME, and how the roles are briefed."""
    from games import catalog
    from games.engine import Match

    game = catalog.get(name)
    order = catalog.shuffled(catalog.instances(game, language=language, experiment=experiment, split=split), seed)
    chosen = [instance for instance, _ in zip(order, range(count), strict=False)]
    matches = [Match.new(game, instance, seed) for instance in chosen]
    if as_json:
        print_json(
            {
                "instances": [
                    {
                        **json.loads(m.instance.model_dump_json()),
                        "key": m.instance.key,
                        "split": catalog.split_of(game, m.instance),
                        "heard": {role: [list(message) for message in heard] for role, heard in m.heard.items()},
                    }
                    for m in matches
                ]
            }
        )
        return
    for m in matches:
        print(
            f"== {m.instance.name} · {m.instance.experiment} · {catalog.split_of(game, m.instance)} · {m.instance.key}"
        )
        for role, heard in m.heard.items():
            for message in heard:
                print(f"-- {role} hears\n{message.content}\n")


@games.command()
@click.argument("name")
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("playpen_games"),
    show_default=True,
    help="Where to write it; the catalog finds games in playpen_games.",
)
def new(name: str, folder: str) -> None:
    """Write a small working game NAME with its test, to be made into your own."""
    from games.template import write_new

    paths = write_new(name, Path(folder))
    for path in paths:
        print(f"wrote {path}")
    print(f"play it:  playpen-tui play {name}\ncheck it: playpen-tui games check {name}\ntest it:  pytest {paths[-1]}")
