"""How a run of self-play ended, in words: what stopped it, what would help, and the command that goes on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from players.plan import specs
from players.spec import parse
from playpen_tui.plain_text import one_line
from playpen_tui.selfplay import SelfPlay, budget

if TYPE_CHECKING:
    from store.records import RunRow

OPTIONS = {"timeout": "--timeout", "retries": "--retries", "tokens": "--max-tokens", "cost": "--max-cost"}
"""Fields of `Limits` and the options that name them."""


def closing(opened: SelfPlay, db: str | None = None) -> list[str]:
    """What is to be said below the counts of a run that has ended, a sentence each; `db` is the log that was named."""
    tally, spent = opened.scheduler.tally, opened.spent
    left, go_on = tally.planned - tally.done, command(opened, db)
    found = [hint] if (hint := unassisted(opened)) else []
    if tally.before == tally.planned:
        found.append(f"run {opened.run_id} was finished already: nothing of it was left to play")
    if opened.fault is not None:
        found.append(str(opened.fault))
    if opened.scheduler.hopeless:
        why = one_line(opened.scheduler.hopeless, 400)
        found.append(f"the first {tally.failed:,} all failed for the same reason, so no more were begun: {why}")
    if spent is not None:
        words, option, above = budget(spent)
        more = f"; {go_on} {option} N goes on, with N above {above}" if go_on else ""
        found.append(f"{words}; {left:,} of {tally.planned:,} are left{more}")
    elif left and go_on:
        found.append(f"{left:,} of {tally.planned:,} are not finished; go on with: {go_on}")
    return found


def finished(run: RunRow) -> str | None:
    """The sentence for a run of which nothing is left to play; None for the others."""
    told = run.progress
    if told is None or told.done < told.planned:
        return None
    return (
        f"run {run.id} is finished: all {told.planned:,} were played, and nothing is left to resume; watch them with"
        f" `playpen-tui spectate --run {run.id}`"
    )


def command(opened: SelfPlay, db: str | None = None) -> str:
    """The command that goes on with a run, but for the budget that is spent; nothing where none can."""
    if not opened.kept:
        return ""
    spent = opened.spent
    named = {name: value for name, value in opened.named.items() if spent is None or name != spent.spent}
    words = [f"playpen-tui selfplay --resume {opened.run_id}", f"--db {db}" if db else ""]
    return " ".join(filter(None, (*words, *(f"{OPTIONS[name]} {value}" for name, value in named.items()))))


def unassisted(opened: SelfPlay) -> str:
    """What helps where most finished matches were aborted, and models played them by themselves.

    A protocol that was published says itself what is not to be helped.
    """
    outcomes = opened.scheduler.tally.outcomes
    aborted, finished = outcomes["aborted"], outcomes.total()
    named = [parse(spec) for spec, _, _ in specs(opened.plan)]
    alone = any(one.is_model and not one.settings.get("assist", opened.plan.assist) for one in named)
    if not alone or opened.plan.protocol or 2 * aborted <= finished:
        return ""
    return (
        f"{aborted:,} of {finished:,} were aborted: a model that is not assisted must keep the form of the game by"
        " itself; a new run with --assist helps it to"
    )
