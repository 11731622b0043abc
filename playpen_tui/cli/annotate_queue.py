"""`annotate queue`: make queues from filters, list them, show one, close it, change its guidelines."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from playpen_tui.cli.common import (
    db_option,
    filter_options,
    full_runs,
    json_option,
    place,
    print_json,
    print_table,
)
from playpen_tui.plain_text import plain, short

if TYPE_CHECKING:
    from store.filters import Filters
    from store.log import Log
    from store.pairing import Question
    from store.queues import Added, Queue


@click.group()
def queue() -> None:
    """Make, list, show and close queues of what is to be judged."""


def queue_options(command: Any) -> Any:
    """What a new queue can be told."""
    for option in reversed(
        (
            click.option("--judges", type=click.IntRange(1), help="People that each item needs; one, if not told."),
            click.option("--repeats", type=click.FloatRange(0, 1), help="Share shown twice; 0.07, if not told."),
            click.option("--seed", type=int, help="What sides, repeats and the choice of items follow from."),
            click.option(
                "--guidelines", type=click.Path(path_type=Path, dir_okay=False), help="Markdown shown to judges."
            ),
            click.option(
                "--gold",
                type=click.Path(path_type=Path, dir_okay=False),
                help='Known answers, one JSON a line: {"a": TURN, "b": TURN, "gold": "a"}.',
            ),
            click.option("--limit", type=click.IntRange(1), help="Items at most, the most informative ones."),
            click.option(
                "--per-state", type=click.IntRange(1), help="Pairs at most after the same words; 6, if not told."
            ),
            click.option("--blind", is_flag=True, help="Never tell judges who wrote what, not even after the vote."),
        )
    ):
        command = option(command)
    return command


@queue.command()
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(["pair", "endings", "all"]),
    default="pair",
    show_default=True,
    help="Two replies to the same words, two ways in which an instance ended, or both.",
)
@click.option("--more", is_flag=True, help="Add to the queue NAME, which is there already.")
@queue_options
@filter_options
@json_option
@db_option
@click.pass_context
def new(
    ctx: click.Context,
    name: str,
    kind: Any,
    more: bool,
    filters: Filters,
    as_json: bool,
    db: str | None,
    **wish: Any,
) -> None:
    """Make the queue NAME from what the filters leave: replies that compete, the most informative first.

    Two replies compete where the same role of the same instance had heard the same words. Those whose games ended
    differently come first, those of close values, and those that people disagreed about before. Test and validation
    material may be judged; training keeps it out by itself.
    """
    from store.log import Log
    from store.pairing import PER_STATE, find

    with Log.open(place(ctx, db)) as log:
        filters = full_runs(log, filters)
        seed = wish["seed"] if wish["seed"] is not None else 0
        per = wish["per_state"] or PER_STATE
        found = find(log.reader(), filters, kind, seed=seed, per_state=per, limit=wish["limit"])
        told = {"filters": _written(filters), "kind": kind}
        made, added = put(log, name, found.chosen, wish, told, more=more)
        report(made, added, found.splits, {"found": found.there, "states": found.states}, as_json)


def put(
    log: Log, name: str, questions: list[Question], wish: dict[str, Any], config: dict[str, Any], *, more: bool
) -> tuple[Queue, Added]:
    """Make the queue, or add to it, and fill it. Raises BadQueue where there is nothing to ask, UnknownQueue."""
    from store.pairing import fill
    from store.queues import REPEATS, BadQueue, find_queue, guide, new_queue

    questions = [*_gold(log, wish["gold"]), *questions] if wish["gold"] else questions
    if not questions:
        raise BadQueue(
            "nothing to judge: no two different replies to the same words are among what fits; let several players "
            "play the same instances (selfplay --per-instance 4), or widen the filters"
        )
    text = _text(wish["guidelines"]) if wish["guidelines"] else ""
    if more:
        made = find_queue(log.reader(), name)
        if text:
            guide(log, made, text)
    else:
        made = new_queue(
            log,
            name,
            judges=wish["judges"] or 1,
            repeats=REPEATS if wish["repeats"] is None else wish["repeats"],
            seed=wish["seed"],
            guidelines=text,
            config={**config, **({"reveal": False} if wish["blind"] else {})},
        )
    return made, fill(log, made, questions)


def report(made: Queue, added: Added, splits: dict[str, int], more: dict[str, int], as_json: bool) -> None:
    """Say what came of it."""
    held = sum(many for split, many in splits.items() if split != "train")
    if as_json:
        print_json(
            {
                "queue": made.name,
                "id": made.id,
                "seed": made.seed,
                "judges": made.judges,
                "repeats": made.repeats,
                "items": len(added.new),
                "there_before": len(added.known),
                "refused": added.refused,
                "splits": splits,
                "not_for_training": held,
                **more,
            }
        )
        return
    print(
        f"{plain(made.name)}: {len(added.new):,} new items for {made.judges} judge{'s' if made.judges > 1 else ''} each"
    )
    if "found" in more:
        print(f"{more['found']:,} pairs were found in {more['states']:,} places")
    if added.known:
        print(f"{len(added.known):,} were in it before")
    for reason, many in added.refused.items():
        print(f"{many:,} left out: {reason}", file=sys.stderr)
    if held:
        print(f"{held:,} are of validation or test material: people may judge it, training leaves it out")
    print(f"judge with: playpen-tui annotate --queue {json.dumps(made.name) if ' ' in made.name else made.name}")


def _written(filters: Filters) -> dict[str, Any]:
    """Filters as the queue keeps them: those that say something."""
    from dataclasses import fields

    return {
        field.name: getattr(filters, field.name)
        for field in fields(filters)
        if getattr(filters, field.name) != field.default
    }


def _text(path: Path) -> str:
    """Raises UsageError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path} cannot be read ({error}); name a file of text") from error


def _gold(log: Log, path: Path) -> list[Question]:
    """Items with known answers from a file. Raises UsageError naming the line."""
    from store.pairing import Question
    from store.queues import GOLD, KINDS

    found: list[Question] = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            told: Any = json.loads(line)
            a, b, gold, kind = told["a"], told["b"], told["gold"], told.get("kind", "pair")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise click.UsageError(f'{path}, line {number} is not {{"a": ID, "b": ID, "gold": "a"}}') from error
        if gold not in GOLD or kind not in KINDS:
            raise click.UsageError(
                f"{path}, line {number}: gold is one of {', '.join(GOLD)}, kind {' or '.join(KINDS)}"
            )
        sides = [_reply(log, id, f"{path}, line {number}") for id in (a, b)]
        found.append(Question(kind, sides[0], sides[1], 0.0, "known answer", gold=gold))
    return found


def _reply(log: Log, id: Any, where: str) -> Any:
    from store.pairing import Reply

    for table in ("turns", "candidates"):
        row = log.reader().execute(f"SELECT id FROM {table} WHERE id = ?", (str(id).upper(),)).fetchone()
        if row is not None:
            return Reply(turn=row[0]) if table == "turns" else Reply(candidate=row[0])
    raise click.UsageError(
        f"{where}: no turn or candidate {id!r} in the log; `browse ID --json` shows those of an episode"
    )


@queue.command("list")
@json_option
@db_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool, db: str | None) -> None:
    """Every queue and how far it is, open ones first."""
    from store.log import Log
    from store.queues import all_queues, tally

    with Log.open(place(ctx, db), readonly=True) as log:
        found = [(one, tally(log.reader(), one)) for one in all_queues(log.reader())]
    if as_json:
        print_json({"queues": [_as_json(one, told) for one, told in found]})
        return
    if not found:
        print("no queues yet; `playpen-tui annotate queue new NAME` makes one")
        return
    print_table(
        ("queue", "state", "items", "judges", "votes", "full", "disputed", "decided", "made"),
        [
            (
                *(one.name, "open" if one.open else "closed", told.items, one.judges, told.votes, told.full),
                *(told.disputed, told.adjudicated, one.created_at[:10]),
            )
            for one, told in found
        ],
    )


def _as_json(one: Queue, told: Any) -> dict[str, Any]:
    from dataclasses import asdict

    guideline = None if one.guideline is None else one.guideline.version
    row = {**asdict(one), "config": dict(one.config), "guideline": guideline, "open": one.open}
    return {**row, "tally": {**asdict(told), "by": dict(told.by)}}


@queue.command()
@click.argument("name")
@click.option("--items", "list_items", is_flag=True, help="List the items, the most informative first.")
@json_option
@db_option
@click.pass_context
def show(ctx: click.Context, name: str, list_items: bool, as_json: bool, db: str | None) -> None:
    """Tell how far the queue NAME is, who judged how much, and by which guidelines."""
    from store.judging import items
    from store.log import Log
    from store.queues import find_queue, tally

    with Log.open(place(ctx, db), readonly=True) as log:
        one = find_queue(log.reader(), name)
        told = tally(log.reader(), one)
        rows = [(item, *_texts(log, item.a, item.b)) for item in items(log.reader(), one)] if list_items else []
    if as_json:
        shown = [_item_json(item, a, b) for item, a, b in rows]
        text = None if one.guideline is None else one.guideline.text
        print_json({**_as_json(one, told), "guidelines": text, **({"items": shown} if list_items else {})})
        return
    state = "open" if one.open else f"closed on {str(one.closed_at)[:10]}"
    print(f"{plain(one.name)} ({one.id}), {state}, seed {one.seed}")
    print(f"{told.items:,} items ({told.pairs:,} pairs, {told.endings:,} endings, {told.gold:,} with known answers)")
    print(f"{told.votes:,} votes of {told.people} people; {told.full:,} items have the {one.judges} they need")
    print(f"{told.disputed:,} disputed, {told.adjudicated:,} decided")
    for judge, many in told.by.items():
        print(f"  {plain(judge)}: {many:,}")
    if one.guideline is not None:
        print(f"guidelines, version {one.guideline.version}: `annotate queue guidelines {plain(one.name)}` shows them")
    if rows:
        print_table(
            ("item", "kind", "priority", "a", "b", "why"),
            [(i.id[:8], i.kind, f"{i.priority:g}", short(a, 30), short(b, 30), i.why) for i, a, b in rows],
        )


def _texts(log: Log, *candidates: str) -> list[str]:
    sql = "SELECT text FROM candidates WHERE id = ?"
    return [log.reader().execute(sql, (id,)).fetchone()[0] for id in candidates]


def _item_json(item: Any, a: str, b: str) -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(item), "a_text": a, "b_text": b}


@queue.command()
@click.argument("name")
@click.option("--again", is_flag=True, help="Open it again.")
@json_option
@db_option
@click.pass_context
def close(ctx: click.Context, name: str, again: bool, as_json: bool, db: str | None) -> None:
    """Let no more votes into the queue NAME; what was judged stays."""
    from store.log import Log
    from store.queues import close_queue, find_queue

    with Log.open(place(ctx, db)) as log:
        one = close_queue(log, find_queue(log.reader(), name), again=again)
    if as_json:
        print_json({"queue": one.name, "open": one.open, "closed_at": one.closed_at})
    else:
        print(f"{plain(one.name)} is {'open' if one.open else 'closed'}")


@queue.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--version", type=click.IntRange(1), help="Show this version instead of the latest.")
@json_option
@db_option
@click.pass_context
def guidelines(
    ctx: click.Context, name: str, file: Path | None, version: int | None, as_json: bool, db: str | None
) -> None:
    """Show the guidelines of the queue NAME, or put the markdown of FILE in force as their next version.

    Every vote says which version the judge had read.
    """
    from playpen_tui.plain_text import clean
    from store.log import Log
    from store.queues import find_queue, guide
    from store.queues import guidelines as versions

    with Log.open(place(ctx, db), readonly=file is None) as log:
        one = find_queue(log.reader(), name)
        if file is not None:
            guide(log, one, _text(file))
        found = versions(log.reader(), one)
    wanted = [each for each in found if version is None or each.version == version]
    if not wanted:
        raise click.UsageError(f"{one.name!r} has no guidelines{f' of version {version}' if version else ''} yet")
    if as_json:
        rows = [{"version": each.version, "created_at": each.created_at, "text": each.text} for each in found]
        print_json({"queue": one.name, "version": wanted[-1].version, "text": wanted[-1].text, "versions": rows})
    elif file is not None:
        print(f"version {wanted[-1].version} is in force in {plain(one.name)}")
    else:
        print(clean(wanted[-1].text, None).rstrip())
