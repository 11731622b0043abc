"""What `db forget` asks and says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from playpen_tui.cli.common import print_json
from playpen_tui.plain_text import plain

if TYPE_CHECKING:
    from store.forget import Forgotten


def run(path: Path | None, person: str | None, *, yes: bool, dry: bool, finish: bool, as_json: bool) -> int:
    """Erase, after asking; returns the exit code. Raises UsageError, and what `store.forget.forget` raises."""
    from store import forget
    from store.connection import default_path

    path = path or default_path()
    if finish:
        if person:
            raise click.UsageError("--finish takes no PERSON: it writes the file anew for all erasures before")
        waiting = forget.finish(path)
        print_json({"finished": waiting}) if as_json else print(f"{path} was written anew; {waiting} erasures waited")
        return 0
    if not person:
        raise click.UsageError("name a PERSON; `playpen-tui db people` lists who is there")
    if not dry and not yes:
        _ask(forget.forget(path, person, dry=True))
    found = forget.forget(path, person, dry=dry)
    if as_json:
        print_json({**told(found), "dry_run": dry})
    else:
        print("\n".join(lines(found, dry)))
    return 1 if found.left else 0


def _ask(would: Forgotten) -> None:
    """Raises UsageError where nobody can be asked, Abort where the answer is no."""
    if not sys.stdin.isatty():
        raise click.UsageError("nothing was erased: say --yes to erase, or --dry-run to see what it would be")
    print("\n".join(lines(would, dry=True)), file=sys.stderr)
    click.confirm("Erase it? This cannot be undone", abort=True, err=True)


def told(found: Forgotten) -> dict[str, Any]:
    """The report for JSON: counts, never words."""
    report = asdict(found)
    erased: dict[str, Any] | None = report["erased"]
    if erased is not None:
        erased.pop("words")
    return {**report, "path": str(found.path)}


def lines(found: Forgotten, dry: bool) -> Iterator[str]:
    """The report for people."""
    erased = found.erased
    if erased is None:
        yield plain(f"{found.person} was forgotten before; {found.path} was written anew")
    else:
        yield plain(f"{'would be' if dry else 'was'} erased of {found.person}:")
        yield f"  {erased.own:,} turns of theirs, {erased.turns:,} in all in {erased.episodes:,} episodes"
        yield f"  {erased.calls:,} model calls, {erased.messages:,} messages, {erased.candidates:,} candidates"
        yield f"  {erased.annotations:,} judgements, {erased.of_others:,} of them by others of erased words"
        yield f"  {erased.items:,} items of queues"
        yield f"  {erased.answers:,} answers in studies, {erased.files:,} imported files"
        for id, rows in erased.datasets.items():
            yield f"  {rows:,} rows of data set {id}"
    yield from _elsewhere(found)
    if dry:
        return
    if found.left:
        yield f"{found.left} of {found.looked_for} texts of theirs are still in it: playpen-tui db forget --finish"
        return
    rest = f"; {found.elsewhere} stand there since others said them or games hold them" if found.elsewhere else ""
    yield f"looked for {found.looked_for} texts of theirs in the file: none of them is left{rest}"


def _elsewhere(found: Forgotten) -> Iterator[str]:
    """What lies elsewhere and cannot be erased from here."""
    for copy in found.copies:
        what = "lies beside the log" if copy.kind == "beside" else f"{copy.kind} of {copy.made_at[:10]}"
        state = {True: "holds them", None: "may hold them"}.get(copy.holds, "")
        state = state if copy.there else "is not there any more; somebody may have moved it"
        yield plain(f"{copy.path}: {what}, {state}")
    for one in found.trainings:
        had = f"trained on {one.dataset}" if one.dataset else "began from one of these"
        yield plain(f"{one.name}: {one.method} training {one.id}, {had}; its weights cannot forget")
        yield plain(
            f"  in {one.folder or 'an unknown folder'}, {len(one.checkpoints)} checkpoints; delete it, and train again:"
        )
        yield plain(f"  {one.again}")
