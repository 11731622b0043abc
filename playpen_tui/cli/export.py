"""`export`: take episodes and training data out of the log, in the forms of others and our own, without words that may
not leave."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from playpen_tui.cli.common import db_option, filter_options, full_runs, json_option, place, print_json

if TYPE_CHECKING:
    from store.filters import Filters

FORMATS = {
    "clembench": "store.exchange.clembench_out:export_clembench",
    "jsonl": "store.exchange.jsonl:export_jsonl",
    "csv": "store.exchange.tables:export_csv",
    "bundle": "store.exchange.bundle:export_bundle",
}
ROWS = ("sft", "dpo", "kto", "ranking")
"""Training data: rows instead of episodes."""


@click.command()
@click.option("--format", "form", type=click.Choice([*FORMATS, *ROWS]), required=True, help="What to write.")
@click.option("--out", type=click.Path(path_type=Path), help="A new file; for clembench a folder.")
@click.option("--preview", is_flag=True, help="Of training data: count, and write nothing.")
@click.option(
    "--judged",
    type=click.Choice(["with", "only", "without"]),
    default="with",
    show_default=True,
    help="Of training data: what people judged, beside what games say, alone, or not.",
)
@click.option(
    "--consent",
    type=click.Choice(["local", "research", "public"]),
    default="research",
    show_default=True,
    help="Only episodes in which everybody agreed to this, or more.",
)
@filter_options
@db_option
@json_option
@click.pass_context
def export(
    ctx: click.Context,
    form: str,
    out: Path | None,
    preview: bool,
    judged: str,
    consent: str,
    filters: Filters,
    db: str | None,
    as_json: bool,
) -> None:
    """Write episodes to OUT: a results tree of clembench, JSON lines, a table, or a bundle for reviewers.

    clembench: a folder that clemcore's score, transcribe and eval accept; what was imported goes out byte for byte.
    jsonl: one episode a line, everything that the log knows of it, judging, branches and studies too; `import jsonl`
    takes it back.
    csv: one row per episode.
    bundle: a database with only these episodes and what they need.
    sft, dpo, kto, ranking: training data in TRL's conversational forms, as JSON lines, or CSV where OUT ends in .csv.
    """
    from dataclasses import asdict

    from playpen_tui.cli.progress import Told
    from store.copies import note
    from store.log import Log

    if form in ROWS:
        if out is None and not preview:
            raise click.UsageError("say where to with --out FILE.jsonl, or --preview to count only")
        _rows(place(ctx, db), form, filters, consent, None if preview else out, judged, as_json)
        return
    if preview:
        raise click.UsageError("--preview is for sft, dpo, kto and ranking; leave it out")
    if out is None:
        raise click.UsageError("say where to with --out")
    module, _, name = FORMATS[form].partition(":")
    write: Any = getattr(importlib.import_module(module), name)
    with Log.open(place(ctx, db), readonly=True) as log:
        done = write(log, full_runs(log, filters), out, consent, progress=Told("episodes"))
        path = log.path
    noted = note(path, done.path, "export")
    if noted:
        print(f"note: {noted}", file=sys.stderr)
    found: dict[str, Any] = {"format": form, "out": str(done.path), "episodes": done.episodes}
    found["withheld"] = done.withheld
    if done.held is not None:
        found["withheld_rows"] = asdict(done.held)
    if as_json:
        print_json({**found, "consent": consent, "files": done.files, "notes": list(done.notes)})
        return
    print(f"{done.episodes:,} episodes written to {done.path}")
    for sentence in done.notes:
        print(f"note: {sentence}", file=sys.stderr)
    level = {"local": "be used at all", "research": "be shared for research", "public": "be published"}[consent]
    print(f"{done.withheld:,} episodes left out, since somebody in them did not agree to {level}")
    if done.held is not None:
        held = done.held
        print(
            f"{held.candidates:,} candidates, {held.judgements:,} judgements and {held.participants:,} participants of "
            f"studies left out, since whoever gave them did not agree to {level}"
        )


def _rows(
    db: Path | None, form: str, filters: Filters, consent: str, out: Path | None, judged: str, as_json: bool
) -> None:
    """Training data."""
    from dataclasses import asdict

    from playpen_tui.plain_text import plain
    from store.copies import note
    from store.log import Log
    from training.rows_out import export_rows

    asked: Any = (form, consent, judged)
    with Log.open(db) as log:
        done = export_rows(log, asked[0], full_runs(log, filters), asked[1], out, asked[2])
        noted = note(log.path, out, "export") if out is not None else ""
    if noted:
        print(f"note: {noted}", file=sys.stderr)
    if as_json:
        print_json({**asdict(done), "path": str(done.path) if done.path else None, "consent": consent})
        return
    print(f"{done.rows:,} rows of {form} {f'written to {done.path}' if done.path else 'would be written'}")
    print(f"content hash {done.content_hash}{f', data set {done.dataset}' if done.dataset else ''}")
    for why, number in done.kinds.items():
        print(plain(f"  {why}: {number:,}"))
    if done.votes:
        print("  votes of people: " + ", ".join(f"{number:,} {verdict}" for verdict, number in done.votes.items()))
    for why, number in done.left_out.items():
        print(plain(f"  left out, {why}: {number:,}"))
    print(f"{done.withheld:,} episodes left out, since somebody in them did not agree")
