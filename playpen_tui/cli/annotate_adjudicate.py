"""`annotate adjudicate`: decide what people disagree about, with a reason."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import click

from playpen_tui.cli.common import db_option, json_option, place, print_json
from playpen_tui.plain_text import plain

if TYPE_CHECKING:
    from pathlib import Path

    from playpen_tui.judging import Shown
    from store.adjudication import Dispute

SAID = {"a": "A is better", "b": "B is better", "tie": "a tie", "bad": "both are bad", "skip": "skipped"}
ANSWERS = {"1": "a", "2": "b", "3": "tie", "4": "bad"}


@click.command()
@click.argument("queue")
@click.option("--item", metavar="ID", help="Decide this item; with --verdict and --reason nothing is asked.")
@click.option("--verdict", type=click.Choice(["a", "b", "tie", "bad"]), help="What is decided.")
@click.option("--reason", metavar="WORDS", help="Why; others learn from it.")
@click.option("--as", "judge", metavar="NAME", help="Decide under this pseudonym.")
@click.option("--all", "everything", is_flag=True, help="Decided ones, too.")
@click.option("--plain", is_flag=True, help="Ask about each in lines instead of on a screen.")
@json_option
@db_option
@click.pass_context
def adjudicate(
    ctx: click.Context,
    queue: str,
    item: str | None,
    verdict: Any,
    reason: str | None,
    judge: str | None,
    everything: bool,
    plain: bool,
    as_json: bool,
    db: str | None,
) -> None:
    """List what people disagree about in QUEUE, or decide it: a verdict with a reason.

    A decision stands beside the votes, and training goes by it alone. On a terminal a screen opens; in a pipe, and with
    --all, what is disputed is only listed. With --plain each disputed item is told, and
    answered by 1 (A), 2 (B), 3 (a tie) or 4 (both bad) and the reason on the same line; an empty line leaves it open.
    """
    if (item is None) != (verdict is None) or (item is None) != (reason is None):
        raise click.UsageError("--item, --verdict and --reason go together")
    path = place(ctx, db)
    if not (plain or as_json or everything or item) and sys.stdout.isatty() and sys.stdin.isatty():
        ctx.exit(_screen(path, queue))
    decided = asyncio.run(_run(path, queue, (item, verdict, reason), judge, everything, plain, as_json))
    if as_json:
        print_json(decided)


def _screen(path: Path | None, queue: str) -> int:
    """What cannot be found is said on the command line, before a screen opens."""
    from playpen_tui.cli.play import open_app
    from playpen_tui.messages import Adjudicate
    from store.log import Log
    from store.queues import find_queue

    with Log.open(path, readonly=True) as log:
        found = find_queue(log.reader(), queue).id
    return open_app(path, first=Adjudicate(found))


async def _run(
    path: Path | None, queue: str, one: Any, judge: str | None, everything: bool, ask: bool, as_json: bool
) -> dict[str, Any]:
    from playpen_tui.judging import decide, disputed
    from playpen_tui.workbench import Workbench

    item, verdict, reason = one
    async with Workbench(path) as bench:
        if item is not None:
            id = await decide(bench, queue, item, verdict, reason, judge)
            if not as_json:
                print(f"decided: {SAID[verdict]}")
            return {"queue": queue, "item": item, "verdict": verdict, "annotation": id}
        found = await disputed(bench, queue)
        wanted = [(dispute, shown) for dispute, shown in found if everything or dispute.decided is None]
        if as_json and not ask:
            return {"queue": queue, "disputed": [_as_json(dispute, shown) for dispute, shown in wanted]}
        if not wanted:
            print("nothing is disputed", file=sys.stderr if as_json else sys.stdout)
        done = 0
        for dispute, shown in wanted:
            _tell(dispute, shown, sys.stderr if as_json else sys.stdout)
            if ask and (answer := _asked(as_json)) is not None:
                await decide(bench, queue, dispute.item.id, answer[0], answer[1], judge)
                done += 1
        return {"queue": queue, "disputed": len(wanted), "decided": done}


def _tell(dispute: Dispute, shown: Shown, out: Any) -> None:
    print(f"{dispute.item.id[:8]}: {plain(shown.game)}, {plain(shown.role)}", file=out)
    for who, words in shown.context:
        print(f"  {plain(who)}: {plain(words)}", file=out)
    for letter, side in (("A", shown.left), ("B", shown.right)):
        print(f"  {letter}: {plain(side.text)}", file=out)
        for who, words in side.goes_on:
            print(f"     {plain(who)}: {plain(words)}", file=out)
    for one in dispute.opinions:
        more = f": {plain(one.comment)}" if one.comment else ""
        kind = "" if one.person else " (a model)"
        again = " the second time" if one.repeat else ""
        print(
            f"  {plain(one.judge)}{kind} says{again} {SAID[one.verdict]}{', much' if one.much else ''}{more}", file=out
        )
    if dispute.decided is not None:
        print(f"  decided by {plain(dispute.by)}: {SAID[dispute.decided]}, {plain(dispute.reason)}", file=out)


def _asked(as_json: bool) -> tuple[Any, str] | None:
    """A verdict and its reason from a line; None where it is left open."""
    while True:
        print(
            "1 A, 2 B, 3 a tie, 4 both bad, and why; nothing leaves it open", file=sys.stderr if as_json else sys.stdout
        )
        line = sys.stdin.readline().strip()
        word, _, reason = line.partition(" ")
        if not word:
            return None
        if word in ANSWERS and reason.strip():
            return ANSWERS[word], reason.strip()
        if word in ANSWERS:
            print("a decision needs a reason: 1 it gives nothing away", file=sys.stderr)


def _as_json(dispute: Dispute, shown: Shown) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "item": dispute.item.id,
        "kind": dispute.item.kind,
        "game": shown.game,
        "role": shown.role,
        "context": [{"who": who, "said": words} for who, words in shown.context],
        "a": asdict(shown.left),
        "b": asdict(shown.right),
        "opinions": [asdict(one) for one in dispute.opinions],
        "decided": dispute.decided,
        "reason": dispute.reason,
        "by": dispute.by,
    }
