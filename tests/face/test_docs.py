"""The documents against the program: nothing undocumented, nothing documented that is not there."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import click
import pytest

from playpen_tui.cli import cli

ROOT = Path(__file__).parents[2]
GENERATOR = runpy.run_path(str(ROOT / "tools" / "commands.py"))
COMMANDS = list(GENERATOR["commands"]())
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def examples() -> list[tuple[str, list[str]]]:
    """Every call of the program in a console block of the documents, as (page, words)."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True)
                if words and words[0].rpartition("/")[2] == "playpen-tui":
                    found.append((page.name, words[1:]))
    return found


def test_the_page_of_commands_is_fresh():
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert page == GENERATOR["page"](), "run: python tools/commands.py"


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[path for path, _ in COMMANDS])
def test_every_command_and_option_says_what_it_does(path, command):
    assert command.help and command.help.strip().partition("\n")[0].endswith((".", ":")), path
    for option in GENERATOR["options"](command):
        assert option.help and option.help.rstrip().endswith("."), f"{path} {option.opts}"


def test_every_option_is_in_the_documents():
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for path, command in COMMANDS:
        assert path in text
        for option in GENERATOR["options"](command):
            named = [re.search(rf"`[^`\n]*{re.escape(name)}\b", text) for name in option.opts]
            assert any(named), f"{path} {option.opts}"


@pytest.mark.parametrize(("page", "words"), examples())
def test_every_call_in_the_documents_is_one_that_the_program_takes(page, words):
    context, command = click.Context(cli, info_name="playpen-tui"), cli
    rest = words
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name, found, rest = command.resolve_command(context, list(rest))
        assert found is not None, (page, words)
        command, context = found, click.Context(found, parent=context, info_name=name)
    command.parse_args(context, list(rest))


def test_there_are_examples():
    assert len(examples()) >= 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_the_documents_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
