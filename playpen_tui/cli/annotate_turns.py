"""`annotate label` and `annotate edit`: say of one turn that it was good or bad, or what should have been said."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from playpen_tui.cli.common import db_option, json_option, place, print_json
from playpen_tui.plain_text import plain

if TYPE_CHECKING:
    from playpen_tui.remarks import Remarks

SIGNS = {"+": "+", "-": "-", "none": None}


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("episode")
@click.argument("ply", type=click.IntRange(0))
@click.argument("sign", type=click.Choice(list(SIGNS)))
@click.option("--as", "person", metavar="NAME", help="Judge under this pseudonym.")
@json_option
@db_option
@click.pass_context
def label(
    ctx: click.Context, episode: str, ply: int, sign: str, person: str | None, as_json: bool, db: str | None
) -> None:
    """Say that turn PLY of EPISODE was good (+) or bad (-); `none` takes that back. Labels train KTO."""

    async def work(remarks: Remarks) -> dict[str, Any]:
        spot = await remarks.spot(episode, ply)
        changed = await remarks.relabel(spot.episode, ply, "+" if sign == "+" else "-" if sign == "-" else None)
        return {**_place(spot.episode, ply, spot.turn.id), "label": SIGNS[sign], "changed": changed}

    told = _run(place(ctx, db), person, work)
    _tell(told, f"turn {ply}: {'no label' if told['label'] is None else told['label']}", as_json)


@click.command()
@click.argument("episode")
@click.argument("ply", type=click.IntRange(0))
@click.argument("text")
@click.option(
    "--field", "fields", multiple=True, metavar="NAME=TEXT", help="Another part of the reply; may be repeated."
)
@click.option("--as", "person", metavar="NAME", help="Correct under this pseudonym.")
@json_option
@db_option
@click.pass_context
def edit(
    ctx: click.Context,
    episode: str,
    ply: int,
    text: str,
    fields: tuple[str, ...],
    person: str | None,
    as_json: bool,
    db: str | None,
) -> None:
    """Say that TEXT should have been said in turn PLY of EPISODE: it and the turn become a pair for DPO.

    TEXT is what a person would write, without the tags of the protocol, and is checked by the game. The words of the
    turn itself take a correction back.
    """
    parts = [part.partition("=") for part in fields]
    if any(not equals for _, equals, _ in parts):
        raise click.UsageError("--field takes NAME=TEXT")

    async def work(remarks: Remarks) -> dict[str, Any]:
        from playpen_tui.sitting import BadSetup

        spot = await remarks.spot(episode, ply)
        draft = spot.draft
        known = [field.name for field in draft.fields]
        named = {name: words for name, _, words in parts}
        if unknown := [name for name in named if name not in known]:
            raise BadSetup(f"the reply has no part {unknown[0]!r}; it has: {', '.join(known)}")
        answers = {**draft.answers, known[0]: text, **named}
        if problems := await remarks.edit(spot, answers):
            raise BadSetup(f"not kept: {'; '.join(problems)}")
        corrected = draft.compose(answers)
        same = corrected == spot.turn.text
        return {
            **_place(spot.episode, ply, spot.turn.id),
            "said": spot.turn.text,
            "corrected": None if same else corrected,
        }

    told = _run(place(ctx, db), person, work)
    _tell(told, f"turn {ply}: {'no correction' if told['corrected'] is None else told['corrected']}", as_json)


def _place(episode: str, ply: int, turn: str) -> dict[str, Any]:
    return {"episode": episode, "ply": ply, "turn": turn}


def _run(path: Path | None, person: str | None, work: Any) -> dict[str, Any]:
    """Do it as this person: one who is new agrees to this machine only, as without a terminal everywhere."""
    from playpen_tui.remarks import Remarks
    from playpen_tui.workbench import Workbench

    async def run() -> dict[str, Any]:
        async with Workbench(path) as bench:
            if person is not None:
                await bench.people.welcome(person)
            remarks = Remarks(bench, person)
            made: Coroutine[Any, Any, dict[str, Any]] = work(remarks)
            return {**await made, "judge": await remarks.judge()}

    return asyncio.run(run())


def _tell(told: dict[str, Any], line: str, as_json: bool) -> None:
    print_json(told) if as_json else print(plain(f"{line}   ({told['judge']})"))
