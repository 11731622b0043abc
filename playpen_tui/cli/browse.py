"""`browse`: episodes that fit a query, one of them in full, or two side by side; on a screen, in lines, or as JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from playpen_tui.cli.common import db_option, json_option, place, print_json, print_table

if TYPE_CHECKING:
    from pathlib import Path

    from store.browse import Found
    from store.log import Log
    from store.query import Query
    from store.render import Format

_ID = re.compile(r"0[0-9A-HJKMNP-TV-Z]{5,25}", re.IGNORECASE)
"""What is taken for the id of an episode, or the beginning of one."""


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("query", nargs=-1)
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True, help="How many; 0 for all.")
@click.option("--after", metavar="ID", help="Go on behind this episode of the list.")
@click.option("--view", metavar="NAME", help="What was saved under this name, and QUERY besides.")
@click.option("--save", metavar="NAME", help="Save QUERY under this name.")
@click.option("--add-tag", metavar="WORD", help="Put this word on all that fit.")
@click.option("--remove-tag", metavar="WORD", help="Take this word off all that fit.")
@click.option("--trash", is_flag=True, help="Hide all that fit from lists, exports and results; nothing is deleted.")
@click.option("--restore", is_flag=True, help="Take all that fit out of the trash.")
@click.option("--eyes", metavar="ROLE", help="With an ID: only what this role heard and said.")
@click.option("--markdown", is_flag=True, help="With an ID: as markdown.")
@click.option("--plain", is_flag=True, help="Lines instead of a screen.")
@json_option
@db_option
@click.pass_context
def browse(
    ctx: click.Context,
    query: tuple[str, ...],
    limit: int,
    after: str | None,
    eyes: str | None,
    markdown: bool,
    plain: bool,
    as_json: bool,
    db: str | None,
    **asked: Any,
) -> None:
    """Find episodes by QUERY, or show the one whose id it is; two ids are laid side by side.

    A query is words that were said, "words in quotes", and conditions: game: outcome: model: role: partner: speaker:
    experiment: lang: split: run: kind: tag: since: until: score> plies< in:trash sort:score. A minus before one turns
    it round, commas between values are alternatives. Put it in quotes:

    playpen-tui browse 'game:taboo outcome:failure,aborted score<50 -tag:seen "never forgets"'
    """
    path = place(ctx, db)
    ids = query if 0 < len(query) <= 2 and all(_ID.fullmatch(word) for word in query) else ()
    change = asked["add_tag"] or asked["remove_tag"] or asked["trash"] or asked["restore"] or asked["save"]
    if not (plain or as_json or markdown or change):
        ctx.exit(_screen(path, query, ids, asked["view"]))
    from store.log import Log

    with Log.open(path, readonly=not change) as log:
        if len(ids) == 2:
            _side_by_side(log, ids, as_json)
        elif ids and not change:
            _one(log, ids[0], eyes, "json" if as_json else "markdown" if markdown else "text")
        else:
            sought = _query(log, " ".join(query) if not ids else "", asked["view"])
            changes = _change(log, sought, ids, asked)
            if changes is not None:
                print_json({"changes": changes}) if as_json else print("\n".join(one["told"] for one in changes))
            else:
                _list(log, sought, limit, after, as_json)


def _query(log: Log, line: str, view: str | None) -> Query:
    """What is looked for: the line, and what was saved under a name. Raises BadQuery, UsageError."""
    from store.curate import saved_views
    from store.query import Query, nearest, parse

    query = parse(line)
    if view is None:
        return query
    views = {saved.name: saved.query for saved in saved_views(log)}
    if view not in views:
        near = nearest(view, tuple(views))
        raise click.UsageError(f"no view {view!r}; " + (f"did you mean {near!r}?" if near else "--save NAME makes one"))
    return Query((*parse(views[view]).chips, *query.chips))


def _screen(path: Path | None, query: Sequence[str], ids: Sequence[str], view: str | None) -> int:
    """What cannot be found is said on the command line, before a screen opens."""
    from playpen_tui.cli.play import open_app
    from store.log import Log

    if ids or view:
        with Log.open(path, readonly=True) as log:
            ids = [log.history.resolve(id) for id in ids]
            line = "" if ids else str(_query(log, " ".join(query), view))
    else:
        from store.query import parse

        line = str(parse(" ".join(query)))
    from playpen_tui.messages import Find

    return open_app(path, first=Find(line, tuple(ids)))


def _change(log: Log, query: Query, ids: Sequence[str], asked: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Tag, trash, save; what was done, or None where nothing of it was asked for."""
    from store import curate
    from store.browse import Browser

    told: list[dict[str, Any]] = []
    if asked["save"]:
        view = curate.save_view(log, asked["save"], str(query))
        told.append(
            {"kind": "save", "name": view.name, "query": view.query, "told": f"saved {view.name}: {view.query}"}
        )
    steps = [(asked["add_tag"], lambda found: curate.tag(log, found, asked["add_tag"]))]
    steps.append((asked["remove_tag"], lambda found: curate.untag(log, found, asked["remove_tag"])))
    steps += [(asked["trash"], lambda found: curate.trash(log, found))]
    steps += [(asked["restore"], lambda found: curate.restore(log, found))]
    if any(wanted for wanted, _ in steps):
        if asked["restore"] and query.filters.trash == "out":
            from store.query import parse

            query = parse(f"{query} in:trash")
        found = [log.history.resolve(id) for id in ids] or Browser(log.reader).ids(query)
        for wanted, step in steps:
            if wanted:
                change = step(found)
                told.append(
                    {"kind": change.kind, "tag": change.tag, "episodes": list(change.episodes), "told": str(change)}
                )
    return told or None


def _list(log: Log, query: Query, limit: int, after: str | None, as_json: bool) -> None:
    from store.browse import Browser

    browser = Browser(log.reader)
    key = browser.key(query.sort, log.history.resolve(after)) if after else None
    found = browser.page(query, limit or -1, after=key)
    total = browser.count(query)
    more = bool(found) and browser.position(query, found[-1].key) + 1 < total
    if as_json:
        print_json(
            {
                "query": str(query),
                "sort": query.sort,
                "found": total,
                "episodes": [_row(one) for one in found],
                "next": found[-1].id if more else None,
            }
        )
        return
    from playpen_tui.listing import moment, players

    rows = [
        (
            *(one.id, one.row.outcome or "unfinished", one.row.game, players(one), _score(one), one.row.plies),
            *(moment(one.row.started_at), _marked(one.excerpt, "[", "]") or one.row.reason),
        )
        for one in found
    ]
    if rows:
        print_table(("episode", "outcome", "game", "players", "score", "turns", "began", "why"), rows)
    print(f"{len(found):,} of {total:,} episodes" + (f"; --after {found[-1].id} goes on" if more else ""))


def _score(found: Found) -> str:
    return "–" if found.row.main is None else f"{found.row.main:g}"


def _marked(excerpt: str, before: str, behind: str) -> str:
    from store.browse import MARKS

    return excerpt.replace(MARKS[0], before).replace(MARKS[1], behind)


def _row(found: Found) -> dict[str, Any]:
    from dataclasses import asdict

    more = {"tags": list(found.tags), "trashed": found.trashed}
    return {**asdict(found.row), **more, **({"excerpt": _marked(found.excerpt, "[", "]")} if found.excerpt else {})}


def _one(log: Log, id: str, eyes: str | None, how: Format) -> None:
    from playpen_tui.plain_text import clean
    from store import render
    from store.dossier import gather

    dossier = gather(log, id)
    if eyes is not None and eyes not in dossier.roles:
        raise click.UsageError(f"nobody is {eyes!r} in this episode; there are {', '.join(dossier.roles)}")
    text = render.copied(dossier, how, tuple(render.TABS), eyes)
    print(text if how == "json" else clean(text, None), end="")


def _side_by_side(log: Log, ids: Sequence[str], as_json: bool) -> None:
    from playpen_tui.plain_text import plain
    from store.diverge import compare
    from store.dossier import gather
    from store.render import as_data, headline

    left, right = (gather(log, id) for id in ids)
    two = compare(left, right)
    if as_json:
        first = None if two.first is None else {"ply": two.first.ply, "what": two.first.what, "at": two.first.at}
        print_json({"first": first, "left": as_data(left), "right": as_data(right)})
        return
    print(f"left   {plain(headline(left))}\nright  {plain(headline(right))}")
    print(f"first difference: {plain(two.first.what)}" if two.first else "nothing that was said differs")
    for ply, sides in enumerate(two.rows):
        same = two.first is None or (two.first.ply is not None and ply < two.first.ply)
        for name, turn in zip(("both " if same else "left ", "right"), sides, strict=True):
            if turn is not None and not (same and name == "right"):
                mark = ">" if two.first is not None and two.first.ply == ply else " "
                print(f"{mark} {name} {ply} {plain(turn.role)}: {plain(turn.text)}")
