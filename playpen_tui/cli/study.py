"""`study`: people take part in a study: consent, balanced games, items to judge, questions, a completion code."""

from __future__ import annotations

import asyncio
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from playpen_tui.cli.common import db_option, json_option, place, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from playpen_tui.study_file import Study
    from store.log import Log
    from store.studies import Participant, StudyRow


@click.group()
@click.pass_context
def study(ctx: click.Context) -> None:
    """Write, check and run studies with people, and see how far they are."""


@study.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def new(file: Path) -> None:
    """Write a study to begin with into FILE: TOML, with every field explained."""
    from playpen_tui.study_file import TEMPLATE, BadStudy

    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(TEMPLATE)
    except FileExistsError:
        raise BadStudy(f"{file} is there already; name another file") from None
    except OSError as error:
        raise BadStudy(f"{file} cannot be written: {error.strerror}") from None
    print(f"wrote {file}; edit it, then: playpen-tui study check {shlex.quote(str(file))}")


@study.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
def check(file: Path, as_json: bool) -> None:
    """Say what is wrong in FILE, or what its design comes to: cells, instances, games a person."""
    from playpen_tui.plain_text import plain
    from playpen_tui.study_file import check_study, read_study

    found = read_study(file)
    design = check_study(found)
    cells = [] if design is None else [cell._asdict() for cell in design.cells]
    pools = {} if design is None else {game: len(pool) for game, pool in design.pools.items()}
    if as_json:
        print_json(
            {
                "name": found.name,
                "quota": found.quota,
                "episodes": 0 if design is None else design.episodes,
                "cells": cells,
                "instances": pools,
                "questions": [question.id for question in found.questions],
                "queue": found.judge and found.judge.queue,
            }
        )
        return
    print(plain(f"{found.name}: {found.quota} people at most, {len(found.questions)} questions"))
    if design is not None:
        print(f"{design.episodes} games a person over {len(cells)} cells:")
        rows = [(cell["game"], cell["role"], cell["partner"] or "–", pools[cell["game"]]) for cell in cells]
        print_table(["game", "role", "partner", "instances"], rows)
    if found.judge:
        print(plain(f"then {found.judge.items} items of the queue {found.judge.queue}"))


@study.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--as", "person", metavar="PERSON", help="Take part under this pseudonym, such as P01; no name, please.")
@click.option("--new", "fresh", is_flag=True, help="Somebody new, under a random pseudonym.")
@click.option("--plain", is_flag=True, help="Lines instead of a screen; also for screen readers and pipes.")
@db_option
@click.pass_context
def run(ctx: click.Context, file: Path, person: str | None, fresh: bool, plain: bool, db: str | None) -> None:
    """Take part in the study in FILE; after an interruption the same command goes on where one was.

    Without --as and --new it is the person of this user. Nothing is kept before the consent text was answered.
    """
    from playpen_tui.study import named_person
    from playpen_tui.study_file import read_study

    if person and fresh:
        raise click.UsageError("--as PERSON and --new exclude each other")
    found = read_study(file)
    named = named_person(person) if person else None
    path = place(ctx, db)

    def again(who: str) -> str:
        words = ["playpen-tui", *(["--db", str(path)] if path else []), "study", "run", str(file), "--as", who]
        return shlex.join([*words, *(["--plain"] if plain else [])])

    if plain:
        from playpen_tui.plain_study import study_plain

        ctx.exit(asyncio.run(study_plain(path, found, named, fresh, again)))
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        raise click.ClickException("this is no terminal; use --plain to take part in lines")
    ctx.exit(_screen(path, found, named, fresh, again))


def _screen(path: Path | None, found: Study, person: str | None, fresh: bool, again: Callable[[str], str]) -> int:
    """Take part on a screen; what cannot be is said before it opens."""
    from playpen_tui.cli.play import open_app
    from playpen_tui.messages import TakePart
    from playpen_tui.plain_text import clean
    from playpen_tui.study import take_part
    from playpen_tui.workbench import Workbench

    async def look() -> None:
        async with Workbench(path) as bench:
            await take_part(bench, found, person, fresh)

    asyncio.run(look())
    message = TakePart(lambda bench: take_part(bench, found, person, fresh))
    code = open_app(path, first=message)
    me = message.taking.me if message.taking is not None else None
    if me is not None and me.finished_at is None:
        print(clean(f"go on with: {again(me.person)}", None))
    elif me is not None:
        print(clean(f"your completion code: {me.code}", None))
    return code


@study.command("list")
@json_option
@db_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool, db: str | None) -> None:
    """List the studies of the log: who takes part, who is done."""
    from store import studies
    from store.log import Log

    with Log.open(place(ctx, db), readonly=True) as log:
        found = [(row, studies.participants(log.reader(), row.id)) for row in studies.all_studies(log.reader())]
    if as_json:
        print_json({"studies": [_head(row, people) for row, people in found]})
    elif not found:
        print("no study in this log; `playpen-tui study new FILE` writes one")
    else:
        heads = [_head(row, people) for row, people in found]
        rows = [
            (head["name"], head["id"][:12], head["quota"], head["joined"], head["finished"], row.created_at[:16])
            for head, (row, _) in zip(heads, found, strict=True)
        ]
        print_table(["study", "id", "quota", "joined", "finished", "since"], rows)


@study.command()
@click.argument("name")
@json_option
@db_option
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool, db: str | None) -> None:
    """Show one study, by name or id: who is how far, how the cells fill, what was answered."""
    from playpen_tui.plain_text import plain
    from store import studies
    from store.log import Log

    with Log.open(place(ctx, db), readonly=True) as log:
        row = studies.get_study(log.reader(), name)
        people = studies.participants(log.reader(), row.id)
        told = [_person(log, row, one) for one in people]
    cells = _cells(told)
    if as_json:
        print_json({**_head(row, people), "cells": cells, "participants": told, "config": dict(row.config)})
        return
    head = _head(row, people)
    print(plain(f"{row.name}: {head['joined']} joined, {head['finished']} finished, of {head['quota']}"))
    print_table(
        ["person", "place", "games", "answers", "finished", "code"],
        [
            (
                one["person"],
                one["place"] + 1,
                f"{sum(trial['outcome'] is not None for trial in one['trials'])} of {len(one['trials'])}",
                len(one["answers"]) - 1,
                one["finished_at"] or "–",
                one["code"] if one["finished_at"] else "–",
            )
            for one in told
        ],
    )
    if cells:
        print()
        names = ("game", "role", "partner", "planned", "begun", "over")
        print_table(names, [tuple(cell[name] or ("–" if name == "partner" else 0) for name in names) for cell in cells])


def _head(row: StudyRow, people: list[Participant]) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "created_at": row.created_at,
        "run": row.run,
        "quota": row.config.get("quota"),
        "joined": len(people),
        "finished": sum(one.finished_at is not None for one in people),
    }


def _person(log: Log, row: StudyRow, one: Participant) -> dict[str, Any]:
    from store import studies

    there = {(game.game, game.instance): game for game in studies.played(log.reader(), row.id, one.person)}
    trials: list[dict[str, Any]] = []
    for trial in one.plan:
        game = there.get((trial["game"], trial["instance"]))
        trials.append({**trial, "episode": game and game.episode, "outcome": game and game.outcome})
    return {
        "person": one.person,
        "place": one.place,
        "joined_at": one.joined_at,
        "finished_at": one.finished_at,
        "code": one.code,
        "trials": trials,
        "answers": studies.answers(log.reader(), one.id),
    }


def _cells(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How often each cell was planned, begun and played to its end."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for one in told:
        for trial in one["trials"]:
            key = (trial["game"], trial["role"], trial["partner"])
            empty = {"game": key[0], "role": key[1], "partner": key[2], "planned": 0, "begun": 0, "over": 0}
            cell = found.setdefault(key, empty)
            cell["planned"] += 1
            cell["begun"] += trial["episode"] is not None
            cell["over"] += trial["outcome"] is not None
    return [found[key] for key in sorted(found)]
