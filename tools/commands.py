"""Writes `docs/commands.md` from the commands themselves: `python tools/commands.py`. A test keeps it fresh."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from playpen_tui.cli import cli

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"
HEAD = """# Commands

Written from the commands by `python tools/commands.py`; change the help there, not here.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted. Errors are one sentence on stderr; `--debug`, before the
command, adds where it happened. `--json` prints one JSON document on stdout and nothing else.
"""


def commands(group: click.Command = cli, path: str = "playpen-tui") -> Iterator[tuple[str, click.Command]]:
    """Every command with the words that call it, groups before what is in them."""
    yield path, group
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield from commands(command, f"{path} {name}")


def options(command: click.Command) -> list[click.Option]:
    """The options of a command, in order."""
    return [parameter for parameter in command.params if isinstance(parameter, click.Option)]


def _argument(argument: click.Argument) -> str:
    name = (argument.name or "").upper() + ("…" if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _value(option: click.Option) -> str:
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return " " + "/".join(str(choice) for choice in option.type.choices)
    kind = option.type.name
    return " " + (option.metavar or ("N" if kind.startswith("integer") else kind.upper()))


def _about(option: click.Option) -> str:
    shown = f" [default: {option.default}]" if option.show_default is True else ""
    return f"{option.help or ''}{shown}".strip().replace("|", "\\|")


def section(path: str, command: click.Command) -> str:
    """One command: how to call it, what it does, its options."""
    arguments = [_argument(p) for p in command.params if isinstance(p, click.Argument)]
    if isinstance(command, click.Group):
        arguments.append("[COMMAND]" if command.invoke_without_command else "COMMAND")
    lines = [f"## `{' '.join([path, *arguments])}`", "", inspect.cleandoc(command.help or "")]
    rows = [
        f"| `{' / '.join([', '.join(option.opts), *option.secondary_opts])}{_value(option)}` | {_about(option)} |"
        for option in options(command)
    ]
    return "\n".join([*lines, "", *(["| option | |", "|---|---|", *rows, ""] if rows else [])])


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(section(path, command) for path, command in commands())])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
