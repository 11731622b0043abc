"""`train`: turn the log into a better model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from playpen_tui.cli.common import filters_named, full_runs, json_option, place, print_json
from playpen_tui.cli.train_evaluate import evaluate_option, outcome
from playpen_tui.cli.train_follow import follow
from playpen_tui.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from store.filters import Filters

METHODS = ["sft", "dpo", "kto", "grpo"]


@click.command()
@click.option("--from-db", type=click.Path(dir_okay=False), help="The log [default: $PLAYPEN_DB or ./episodes.sqlite].")
@click.option(
    "--method", type=click.Choice(["sft", "dpo", "kto", "grpo"]), default="sft", show_default=True, help="How to train."
)
@click.option("--model", default="smollm2", show_default=True, metavar="PLAYER", help="Who learns.")
@click.option("--name", help="What the result is called; it is then a player.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder of the result [default: trainings/NAME].")
@click.option("--recipe", default="tiny", show_default=True, help="A preset, or a file that ends in .toml.")
@click.option("--mix", metavar="SHARES", help="Who spoke the trained turns, such as human=0.3,synthetic=0.7.")
@click.option("--steps", type=click.IntRange(1), help="Steps, instead of the recipe's.")
@click.option("--seed", type=int, help="Seed of selection and training, instead of the recipe's.")
@click.option("--processes", type=click.IntRange(1), help="Processes that share the work, instead of the recipe's.")
@click.option(
    "--report-to",
    multiple=True,
    type=click.Choice(["tensorboard", "trackio", "wandb"]),
    help="Who else gets the curves; may be repeated.",
)
@click.option("--resume", metavar="FOLDER", help="Go on with the training in this folder, from its last checkpoint.")
@evaluate_option
@click.option("--dry-run", is_flag=True, help="Say what would be trained, and train nothing.")
@click.option("--plain", is_flag=True, help="Lines instead of a screen.")
@json_option
@filters_named(models="--spoken-by")
@click.pass_context
def train(ctx: click.Context, filters: Filters, as_json: bool, **asked: Any) -> None:
    """Train a model on what was played.

    Rows are chosen and frozen in the log first, without anything that is kept for validation or test. Then a process of
    its own trains, and a screen watches it, which may close and come back. Without --name a form asks for what is
    wanted. With --plain it is followed in lines, and ctrl-c asks it to stop and save.
    """
    from dataclasses import replace

    from players.registry import Registry
    from playpen_tui import __version__
    from playpen_tui.cli.play import open_app
    from store.connection import default_path
    from store.errors import NoLog
    from store.filters import Filters
    from store.log import Log
    from training import launch

    named = place(ctx, asked["from_db"])
    registry = Registry.load()
    if asked["resume"]:
        _only_resumed(ctx)
        ctx.exit(outcome(follow(Path(asked["resume"])), asked["evaluate"], as_json))
    lines = as_json or asked["plain"] or asked["dry_run"]
    screen = not lines and sys.stdin.isatty() and sys.stdout.isatty()
    if screen and not asked["name"] and filters == Filters():
        from playpen_tui.messages import NewTraining
        from playpen_tui.training_wish import Wish

        steps = str(asked["steps"] or "")
        wish = Wish(asked["method"], asked["model"], "", asked["recipe"], "", asked["mix"] or "", steps)
        ctx.exit(open_app(named, first=NewTraining(wish)))
    if not asked["name"]:
        raise click.UsageError("--name says what the result is called; it is missing")
    recipe = _recipe(asked)
    given = ctx.get_parameter_source("method") is ParameterSource.COMMANDLINE
    if given and recipe.method != asked["method"]:
        raise click.UsageError(
            f"--recipe {asked['recipe']} is for {recipe.method}, not for {asked['method']}: leave --method out, or "
            "name another recipe"
        )
    base = launch.base_of(asked["model"], registry)
    try:
        name = launch.free_name(asked["name"], registry, base.name)
    except ValueError as error:
        raise click.UsageError(f"--name: {error}") from error
    out = Path(asked["out"] or Path("trainings") / name)
    if recipe.method != "grpo" and not (named or default_path()).exists():  # grpo can play from the catalog
        raise NoLog(f"there is no log at {named or default_path()}; play a game first, or name another with --from-db")
    with Log.open(named) as log:
        filters = replace(full_runs(log, filters), splits=filters.splits or ("train",))
        if asked["dry_run"]:
            built = launch.choose(log, recipe, filters, base.name)
            found = {**built.facts, "preflight": launch.light(base, built, out)}
            _table(found) if not as_json else print_json(found)
            return
        begun = launch.begin(log, recipe, filters, base, name, out, version=__version__)
        _table({**begun.facts, "preflight": begun.light})
    if screen:
        from playpen_tui.messages import OpenTraining

        ctx.exit(open_app(log.path, first=OpenTraining(begun.id, evaluate=asked["evaluate"])))
    ctx.exit(outcome(follow(out, begun.process), asked["evaluate"], as_json))


WITH_RESUME = {"resume", "from_db", "evaluate", "plain", "as_json"}


def _only_resumed(ctx: click.Context) -> None:
    """Raises click.UsageError for options that a training which goes on does not take."""
    given = {name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    named = [param.opts[0] for param in ctx.command.params if param.name in given - WITH_RESUME]
    if named:
        raise click.UsageError(
            f"--resume goes on as it was begun: leave out {', '.join(named)}, or begin a training of another --name"
        )


def _recipe(asked: Mapping[str, Any]) -> Any:
    from training.recipe import load

    changes: dict[str, Any] = {"selection": {}, "steps": {}}
    if asked["mix"]:
        changes["selection"]["mix"] = dict(_share(part) for part in asked["mix"].split(","))
    if asked["steps"]:
        changes["steps"]["steps"] = asked["steps"]
    if asked["processes"]:
        changes["machine"] = {"processes": asked["processes"]}
    if asked["report_to"]:
        changes["report_to"] = list(asked["report_to"])
    if asked["seed"] is not None:
        changes["selection"]["seed"] = changes["steps"]["seed"] = asked["seed"]
    return load(asked["recipe"], asked["method"], {key: value for key, value in changes.items() if value})


def _share(part: str) -> tuple[str, float]:
    name, _, share = part.partition("=")
    try:
        found = name.strip(), float(share)
    except ValueError:
        found = "", 0.0
    if found[0] not in ("human", "synthetic"):
        raise click.UsageError(f"--mix takes SPEAKER=SHARE,…, such as human=0.3,synthetic=0.7, not {part!r}")
    return found


def _table(facts: Mapping[str, Any]) -> None:
    """What will be trained, on stderr."""

    def say(*words: object) -> None:
        print(plain(" ".join(str(word) for word in words)), file=sys.stderr)

    say(f"{facts['rows']:,} rows from {facts['used']:,} of the {facts['episodes']:,} episodes that fit")
    for speaker, counts in facts.get("speakers", {}).items():
        say(f"  {speaker}: {counts['turns']:,} trained turns ({counts['turns_share']:.0%}), {counts['rows']:,} rows")
    if facts.get("general"):
        say(f"  general data, against forgetting: {facts['general']:,} rows")
    for cell, rows in {**facts.get("cells", {}), **facts.get("kinds", {}), **facts.get("labels", {})}.items():
        say(f"  {cell}: {rows:,}")
    for why, number in facts["left_out"].items():
        say(f"  left out, {why}: {number:,}")
    if facts["leaks"]:
        held = sum(leak["perspectives"] for leak in facts["leaks"])
        say(f"  held back, validation or test material: {held:,} dialogues, {len(facts['leaks']):,} instances")
    light = facts["preflight"]
    size, free = light["weights_on_disk"] / 2**30, light["disk_free"] / 2**30
    say(f"  weights to load: {size:.2f} GB; free on disk: {free:.0f} GB")
