"""Training data for the Hugging Face hub: the frozen rows as JSON lines, with a card that says what they are.

Who agreed to be shared with researchers did not agree to be published: a public repository takes what people agreed to
at the level `public` and nothing else, a private one also what may go to researchers.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from store.filters import Filters
from store.log import Log
from store.people import LEVELS, Level
from training import hub
from training.build import JudgedUse
from training.card import public
from training.hub import CannotPush, Pushed
from training.rows_out import Form, Ready, Written, frozen_lines, prepare, write_lines

DATA = "data/train.jsonl"
_WHAT: Mapping[Form, tuple[str, str]] = {
    "sft": ("dialogues for supervised fine-tuning", "`messages`, and in `loss` which of them a model learns to say"),
    "dpo": (
        "pairs of replies for preference training",
        "`prompt`, `chosen` and `rejected`, and in `loss` which messages of the preferred dialogue are learned from",
    ),
    "kto": ("replies labelled good or bad", "`prompt`, `completion` and `label`, and in `loss` what is learned from"),
    "ranking": (
        "replies ranked by people",
        "`prompt`, `completions` (best first), `ranks`, `scores` (1 for a vote for it, half for a tie, 0 against, on "
        "average) and `votes`",
    ),
}
_AGREED: Mapping[Level, str] = {
    "research": "to be shared with researchers who keep it to themselves",
    "public": "to be published",
}


def push_rows(
    log: Log,
    form: Form,
    filters: Filters,
    consent: Level,
    to: str,
    *,
    judged: JudgedUse = "with",
    seed: int = 0,
    private: bool = False,
    license: str = "",
    version: str = "",
    dry: bool = False,
) -> tuple[Written, Pushed]:
    """Freeze rows and push them with their card to the data set `to`, OWNER/NAME; `dry` only says what would go.

    Raises CannotPush where they may not go there, or the hub is not there or refuses the place: then nothing is frozen.
    What it refuses only when files are sent stays frozen. Raises NothingToTrain, LogError.
    """
    if not hub.REPOSITORY.fullmatch(to):
        raise CannotPush(f"--push takes OWNER/NAME of the Hugging Face hub, not {to!r}")
    if LEVELS.index(consent) < LEVELS.index("research"):
        raise CannotPush("--consent local is for this machine only; push with research or public")
    if consent != "public" and not private:
        raise CannotPush(f"--consent {consent} is not for everybody; push to a private repository with --private")
    ready = prepare(log, form, filters, consent, judged, seed)
    api = None if dry else hub.open_repository(to, "dataset", private, must=consent != "public")
    done, lines = frozen_lines(log, ready, dry=dry)
    with tempfile.TemporaryDirectory(prefix="playpen-push-") as place:
        folder = Path(place)
        (folder / DATA).parent.mkdir()
        write_lines(folder / DATA, lines)
        text = "\n".join(_card(log, ready, done, to, license, version, consent)).rstrip() + "\n"
        (folder / "README.md").write_text(text, encoding="utf-8")
        url = "" if api is None else hub.upload(api, folder, to, "dataset", f"{form} {done.content_hash}, playpen-tui")
        return done, Pushed(to, hub.sizes(folder), url)


def _card(log: Log, ready: Ready, done: Written, to: str, license: str, version: str, consent: Level) -> Iterator[str]:
    what, columns = _WHAT[done.form]
    games = _games(log, ready)
    yield from ("---", f"license: {license or 'unknown'}")
    yield from ("language:", *(f"- {language}" for language in sorted({language for _, language in games})))
    yield from ("tags:", "- dialogue-games", "- playpen-tui", "- trl", f"- {done.form}")
    yield from (
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        f"    path: {DATA}",
        "---",
        "",
    )
    yield from (f"# {to.rpartition('/')[2]}", "")
    yield f"{done.rows:,} rows: {what}, from dialogue games that were played and judged with playpen-tui."
    yield from (
        "",
        f"A row has {columns}; `source` names where it comes from. The form is TRL's conversational one.",
        "",
    )
    yield from ("## Data", "")
    frozen = f"data set `{done.dataset}`, " if done.dataset else ""
    yield f"Frozen in the log it comes from: {frozen}content hash `{done.content_hash}`."
    yield ""
    for (game, language), rows in games.items():
        yield f"* {public(game)} ({language}): {rows:,} rows"
    for why, rows in done.kinds.items():
        yield f"* {public(why)}: {rows:,} rows"
    if done.votes:
        votes = ", ".join(f"{number:,} {verdict}" for verdict, number in done.votes.items())
        yield f"* votes of people on these games: {votes}"
    asked = {name: value for name, value in ready.filters.items() if name != "consent"}
    filters = ", ".join(f"{name} = {public(_told(value))}" for name, value in asked.items())
    yield f"* filters: {filters or 'none'}"
    yield "* validation and test instances: none; their content is kept out, whatever game it came through"
    yield from ("", "## Consent", "")
    yield f"Everybody who sat, spoke, wrote or judged in it agreed {_AGREED[consent]}, under a random pseudonym."
    yield ""
    yield f"* left out, episodes of people who did not agree: {done.withheld:,}"
    for why, number in done.left_out.items():
        yield f"* left out, {public(why)}: {number:,}"
    yield from ("", "## Licence", "")
    yield f"`{license}`, as said by whoever pushed it." if license else "None was named; ask whoever pushed it."
    yield from ("", "## How to repeat it", "", "The same log and filters give the same rows, down to the hash:", "")
    name = f"{done.form}.jsonl"
    command = f"playpen-tui export --format {done.form} --consent {consent} --judged {ready.judged} --out {name}"
    yield from ("```console", command, "```", "")
    if set(asked) - {"splits"}:
        yield from ("with the filters above.", "")
    yield from ("To read it:", "")
    yield from ("```python", "from datasets import load_dataset", f'rows = load_dataset("{to}", split="train")', "```")
    yield from ("", f"Written by playpen-tui {version}.".replace(" .", "."))


def _told(value: object) -> str:
    return " or ".join(map(str, cast(Sequence[object], value))) if isinstance(value, list | tuple) else str(value)


def _games(log: Log, ready: Ready) -> dict[tuple[str, str], int]:
    """Rows by game and language, the largest first."""
    sql = "SELECT e.id, e.game, i.language FROM episodes e JOIN instances i ON i.id = e.instance_id"
    of = {id: (str(game), str(language)) for id, game, language in log.reader().execute(sql)}
    found = Counter(of[row.episode] for row in ready.built.rows if row.episode is not None)
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))
