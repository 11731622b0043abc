"""The command line. Each command is a module that is imported only when it is called.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted. Errors are one sentence on stderr; `--debug` before the
command adds the traceback.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from playpen_tui import __version__

COMMANDS = {
    "play": ("playpen_tui.cli.play:play", "Sit down and play a dialogue game."),
    "selfplay": ("playpen_tui.cli.selfplay:selfplay", "Let models play many matches, unattended."),
    "join": ("playpen_tui.cli.join:join", "Take an open seat of a match in another terminal."),
    "spectate": ("playpen_tui.cli.spectate:spectate", "Watch matches: new ones, a run, or a replay."),
    "browse": ("playpen_tui.cli.browse:browse", "Find, read, compare and tag the episodes of the log."),
    "branch": ("playpen_tui.cli.branch:branch", "Play on from turns in other ways, and see what comes of each."),
    "ratings": ("playpen_tui.cli.ratings:ratings", "Rate players, with intervals; who plays how well with whom."),
    "annotate": ("playpen_tui.cli.annotate:annotate", "Judge turns, and see how well judges agree."),
    "study": ("playpen_tui.cli.study:study", "Studies with people: consent, balanced games, questions, a code."),
    "train": ("playpen_tui.cli.train:train", "Train a model on what was played."),
    "trainings": ("playpen_tui.cli.trainings:trainings", "List trainings, and stop, pause, save or end them."),
    "results": ("playpen_tui.cli.results:results", "How much each model played and how well, with intervals."),
    "compare": ("playpen_tui.cli.compare:compare", "Compare models on the same instances: which differ beyond luck."),
    "trace": ("playpen_tui.cli.trace:trace", "Follow an episode, turn, cell or checkpoint both ways."),
    "games": ("playpen_tui.cli.games:games", "List, show, check, sample and write games."),
    "models": ("playpen_tui.cli.models:models", "List, add, edit, test, remove and get models."),
    "import": ("playpen_tui.cli.import_:import_", "Bring in clembench results, playpen data, JSON lines."),
    "export": ("playpen_tui.cli.export:export", "Take episodes out: clembench tree, JSON lines, table, bundle."),
    "db": ("playpen_tui.cli.db:db", "Look after the log: info, check, backup, merge."),
}


class Lazy(click.Group):
    """A group that knows the names and one-line helps of its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        return getattr(importlib.import_module(module), name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in COMMANDS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Name the nearest commands when one is unknown."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], list(COMMANDS), n=2, cutoff=0.5)
            hint = f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=Lazy, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="playpen-tui")
@click.option("--db", type=click.Path(dir_okay=False), help="The log [default: $PLAYPEN_DB or ./episodes.sqlite].")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def cli(ctx: click.Context, db: str | None, debug: bool) -> None:
    """Play dialogue games with language models and people; every episode goes into one SQLite file.

    Without a command the app opens at Home.
    """
    ctx.obj = {"db": db}
    if ctx.invoked_subcommand is None:
        from playpen_tui.cli.play import open_app

        ctx.exit(open_app(db))


def main() -> None:
    """The console script."""
    debug = "--debug" in sys.argv[1:2] or (len(sys.argv) > 2 and "--debug" in sys.argv[1:3])
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except click.ClickException as error:
        if isinstance(error, click.UsageError):
            print(f"playpen-tui: {error.format_message()}", file=sys.stderr)
            sys.exit(2)
        print(f"playpen-tui: {error.format_message()}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if debug:
            raise
        from playpen_tui.cli.errors import sentence

        text, code = sentence(error)
        print(f"playpen-tui: {text}", file=sys.stderr)
        sys.exit(code)
    sys.exit(code if isinstance(code, int) else 0)
