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
    from training.rows_out import Written

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
@click.option("--push", "to", metavar="OWNER/NAME", help="Of training data: to this data set of the Hugging Face hub.")
@click.option("--private", is_flag=True, help="With --push: make a new repository private.")
@click.option("--license", default="", metavar="ID", help="With --push: the licence in the card, such as cc-by-4.0.")
@click.option("--dry-run", is_flag=True, help="With --push: say what would be pushed, and push nothing.")
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
    show_default="research; public with --push, but for --private",
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
    to: str | None,
    private: bool,
    license: str,
    dry_run: bool,
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
    sft, dpo, kto, ranking: training data in TRL's conversational forms, as JSON lines, or CSV where OUT ends in .csv;
    or with a card to the Hugging Face hub, where only what people agreed to be published is public.
    """
    from dataclasses import asdict

    from playpen_tui.cli.progress import Told
    from store.copies import note
    from store.log import Log

    told = {"judged": judged, "private": private, "license": license, "dry": dry_run}
    if _pushes(form, to, told, out is not None or preview) and to is not None:
        unsaid = ctx.get_parameter_source("consent") == click.core.ParameterSource.DEFAULT
        level = "public" if unsaid and not private else consent
        _push(place(ctx, db), form, filters, level, to, told, as_json)
        return
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
    _tell(done)


def _pushes(form: str, to: str | None, told: dict[str, Any], elsewhere: bool) -> bool:
    """Whether this goes to the hub. Raises UsageError where what was asked for does not go together."""
    if to is None:
        if told["private"] or told["license"] or told["dry"]:
            raise click.UsageError("--private, --license and --dry-run say how to --push; name OWNER/NAME with it")
        return False
    if form not in ROWS:
        raise click.UsageError(f"--push takes training data, sft, dpo, kto or ranking; write {form} with --out")
    if elsewhere:
        raise click.UsageError("--push goes by itself: leave out --out and --preview; --dry-run sends nothing")
    return True


def _push(
    db: Path | None, form: str, filters: Filters, consent: str, to: str, told: dict[str, Any], as_json: bool
) -> None:
    """Training data to the hub, with its card."""
    from dataclasses import asdict

    from playpen_tui import __version__
    from playpen_tui.plain_text import plain
    from store.copies import note
    from store.log import Log
    from training.rows_push import push_rows

    asked: Any = (form, consent)
    with Log.open(db) as log:
        done, pushed = push_rows(log, asked[0], full_runs(log, filters), asked[1], to, version=__version__, **told)
        noted = note(log.path, pushed.url, "export") if pushed.url else ""
    if noted:
        print(f"note: {noted}", file=sys.stderr)
    if as_json:
        print_json({**asdict(done), "path": None, "consent": consent, "pushed": asdict(pushed)})
        return
    for file, size in pushed.files.items():
        print(plain(f"  {file}  {size:,} bytes"))
    rows = f"{done.rows:,} rows of {form}"
    print(plain(f"{rows} are at {pushed.url}" if pushed.url else f"{rows} would be pushed to {to}; nothing was sent"))
    _tell(done)


def _tell(done: Written) -> None:
    """What is in the rows, and what is not."""
    from playpen_tui.plain_text import plain

    print(f"content hash {done.content_hash}{f', data set {done.dataset}' if done.dataset else ''}")
    for why, number in done.kinds.items():
        print(plain(f"  {why}: {number:,}"))
    if done.votes:
        print("  votes of people: " + ", ".join(f"{number:,} {verdict}" for verdict, number in done.votes.items()))
    for why, number in done.left_out.items():
        print(plain(f"  left out, {why}: {number:,}"))
    print(f"{done.withheld:,} episodes left out, since somebody in them did not agree")
