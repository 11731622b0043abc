"""The card of a training: what was learned from what, how, and what came of it, as markdown beside the weights.

Everything in it is read from the log and from the folder of the training. No path of this machine gets into it, so that
it can be published as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from players import weights
from players.toml_text import toml_value
from store import datasets, trainings
from store.log import Log
from training.bases import bases, unpacked
from training.options import options

CARD = "README.md"
EVALUATION = "evaluation.json"
"""What base and result did on validation instances, where they played any."""
HUB = {"smollm2": "HuggingFaceTB/SmolLM2-135M-Instruct"}
"""Where the weights of built-in models are published."""
_PATH = re.compile(r"(?:~|(?<![A-Za-z])[A-Za-z]:)?[/\\](?:[^\s/\\,;\"'`|<>]+[/\\])*([^\s/\\,;\"'`|<>]+)")
_NAMES: Mapping[str, str] = {
    "sft": "supervised fine-tuning (SFT)",
    "dpo": "direct preference optimisation (DPO)",
    "kto": "Kahneman-Tversky optimisation (KTO)",
    "grpo": "group relative policy optimisation (GRPO)",
}


def write(log: Log, training: str, folder: Path) -> None:
    """Write the card into the folder of the training, over any that is there. Raises LogError, OSError."""
    (folder / CARD).write_text(text(log, training, folder), encoding="utf-8")


def text(log: Log, training: str, folder: Path) -> str:
    """The card. Raises LogError, OSError where the folder holds no training."""
    row = trainings.get(log, training)
    told = _read(folder / "job.json")
    data = datasets.get(log.reader(), told["dataset"])
    start = trainings.events(log, row.id, ("start",))
    found: dict[str, Any] = {
        "told": told,
        "ended": _read(folder / "ended.json"),
        "preflight": _read(folder / "preflight.json"),
        "evaluation": _read(folder / EVALUATION),
        "versions": start[-1].value.get("versions", {}) if start else {},
        "machine": _run(log, row.run),
        "adapter": (folder / "adapter_model.safetensors").is_file(),
        "rank": _read(folder / "adapter_config.json").get("r"),
        "curves": trainings.curves(log, row.id),
        "before": list(_before(log, row.id)),
    }
    lines = [*_head(row, found), *_results(found), *_data(data, found), *_how(row, found), *_again(row, found)]
    return "\n".join(lines).rstrip() + "\n"


def public(text: str) -> str:
    """The text with every path of a machine cut down to its last name; names of the hub, `OWNER/NAME`, stay."""
    return _PATH.sub(lambda match: match[0] if _within(text, match.start()) else match[1], text)


def _within(text: str, at: int) -> bool:
    """Whether a slash stands inside a word, as in `OWNER/NAME` or in an address."""
    return at > 0 and (text[at - 1].isalnum() or text[at - 1] in "._-/") and text[at] == "/"


def base_model(told: Mapping[str, Any]) -> str:
    """The base by the name under which others find it; of one that has an adapter, the weights below that."""
    base = told["base"]
    name = _below(Path(base["path"])) if base.get("adapter") else str(base["name"])
    return HUB.get(name, public(name.partition(":")[2] or name))


def _below(path: Path) -> str:
    """What weights are called that lie there."""
    own = weights.find(weights.BUILT_IN)
    if own is not None and path in (own, unpacked(own)):
        return weights.BUILT_IN
    return path.name.rpartition("-")[0] if path.parent == bases() else path.name


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def _before(log: Log, training: str) -> Iterator[str]:
    """The trainings that made what this one went on from, the latest first, each with its data."""
    sql = """SELECT b.id, b.method, p.name, b.dataset_id FROM trainings t
    JOIN trainings b ON b.result_player_id = t.base_player_id JOIN players p ON p.id = b.result_player_id
    WHERE t.id = ? AND b.id < t.id AND b.dataset_id IS NOT NULL ORDER BY b.id DESC LIMIT 1"""
    while (one := log.reader().execute(sql, (training,)).fetchone()) is not None:
        training, method, name, dataset = one
        data = datasets.get(log.reader(), dataset)
        used = data.filters.get("used", data.filters.get("episodes", 0))
        yield (
            f"`{name}` by {_NAMES.get(method, method)} on {data.rows:,} rows from {used:,} episodes (data set "
            f"`{data.id}`, content hash `{data.content_hash}`)"
        )


def _run(log: Log, run: str) -> dict[str, Any]:
    """The program and the machine of a run."""
    sql = "SELECT app_version, git_commit, git_dirty, hardware FROM runs WHERE id = ?"
    version, commit, dirty, hardware = log.reader().execute(sql, (run,)).fetchone()
    changed = " with local changes" if dirty else ""
    return {"version": version, "commit": f"{commit}{changed}" if commit else "", "hardware": json.loads(hardware)}


def _head(row: trainings.TrainingRow, found: Mapping[str, Any]) -> Iterator[str]:
    told = found["told"]
    base = base_model(told)
    yield from ("---", f"library_name: {'peft' if found['adapter'] else 'transformers'}")
    yield from (f"base_model: {base}", "tags:", "- dialogue-games", "- playpen-tui", f"- {row.method}", "---", "")
    what = "A LoRA adapter for" if found["adapter"] else "All weights of"
    yield from (f"# {told['name']}", "")
    yield f"{what} `{base}`, made by {_NAMES.get(row.method, row.method)} on dialogue games with playpen-tui."
    if told["base"].get("adapter"):
        name = public(str(told["base"]["name"]))
        apart = f": put it on `{base}` alone, since that of `{name}` is in it" if found["adapter"] else ""
        yield f"It goes on from the adapter of `{name}`{apart}."
    yield ""


def _results(found: Mapping[str, Any]) -> Iterator[str]:
    yield from ("## Results", "")
    told = found["evaluation"]
    if not told:
        yield "Not evaluated against its base yet: `playpen-tui trainings evaluate` does that and writes it here."
    else:
        yield (
            f"On validation instances (at most {told['instances']} of each game and role), never trained on; each role "
            f"alone beside a bot, unassisted, temperature {told['sampling']['temperature']}, at most "
            f"{told['sampling']['max_tokens']} tokens a reply. Intervals are of 95%."
        )
        rows = [
            (
                row["game"],
                "trained" if row["game"] in told["trained"] else "held out",
                row["role"],
                public(row["model"]),
                row["episodes"],
                _with(row["played"], row["played_interval"]),
                _with(row["quality"], row["quality_interval"]),
            )
            for row in told["roles"]
        ]
        yield from ("", *_table(("game", "", "role", "model", "episodes", "played %", "quality of those"), rows), "")
        games = [game for pair in told["comparison"]["pairs"] for game in pair["games"]]
        rows = [
            (one["game"], one["instances"], *(_change(one["differences"][name]) for name in ("played", "quality")))
            for one in games
        ]
        yield "Result less base, paired on the same instances; quality counts an aborted episode as 0:"
        yield from ("", *_table(("game", "instances", "played, points", "quality, points"), rows))
        if told["leaked"]:
            yield f"\n{told['leaked']} of the contents were trained on, too: these figures are worth nothing."
    curves = {name: values for name, values in found["curves"].items() if re.match("play/.+/", name) and values}
    if curves:
        steps = sorted({step for values in curves.values() for step, _ in values})
        rows = [
            (name.removeprefix("play/"), *(dict(values).get(step, "–") for step in steps))
            for name, values in sorted(curves.items())
        ]
        yield from ("", "At checkpoints, a few validation instances (played %, main score 0 to 100):", "")
        yield from _table(("", *(f"step {step}" for step in steps)), rows)
    yield ""


def _data(data: datasets.Frozen, found: Mapping[str, Any]) -> Iterator[str]:
    facts, spoken = data.filters, found["preflight"].get("spoken", {})
    yield from ("## Data", "")
    used = facts.get("used", facts.get("episodes", 0))
    yield f"{data.rows:,} rows from {used:,} episodes of a playpen-tui log, frozen before training;"
    yield f"data set `{data.id}`, content hash `{data.content_hash}`."
    yield ""
    for name, counts in facts.get("speakers", {}).items():
        turns, rows = counts["turns"], counts["rows"]
        tokens, share = spoken.get(name, 0), ""
        if tokens:
            share = f", {tokens:,} tokens with loss ({tokens / sum(spoken.values()):.1%})"
        yield f"* spoken by {name}: {turns:,} trained turns ({counts['turns_share']:.0%}){share}, in {rows:,} rows"
    if general := facts.get("general"):
        share = f", {spoken['general']:,} tokens with loss" if "general" in spoken else ""
        yield f"* general data, against forgetting: {general:,} rows{share}"
    for cell, rows in _counts(facts):
        yield f"* {public(cell)}: {rows:,}"
    told = found["told"]["filters"]
    filters = public(" ".join(options(told)))
    trash = {"in": ", in the trash", "either": ", the trash included"}.get(told.get("trash", ""), "")
    yield f"* filters: {f'`{filters}`' if filters else 'none'}{trash}"
    for why, number in facts.get("left_out", {}).items():
        yield f"* left out, {why}: {number:,}"
    yield "* consent: episodes of people who did not agree to training are not in it"
    held = sum(leak["perspectives"] for leak in facts.get("leaks", ()))
    yield f"* leakage: no row has content of validation or test instances; {held:,} dialogues were held back for it"
    for before in found["before"]:
        yield f"* before that: {before}"
    yield ""


def _counts(facts: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for name in ("cells", "kinds", "labels"):
        yield from facts.get(name, {}).items()


def _how(row: trainings.TrainingRow, found: Mapping[str, Any]) -> Iterator[str]:
    recipe, ended, preflight = found["told"]["recipe"], found["ended"], found["preflight"]
    yield from ("## Design decisions", "", public(recipe["about"] or "The recipe says nothing about itself."), "")
    yield from ("## Training", "", f"* method: {_NAMES.get(row.method, row.method)}")
    lora = recipe.get("lora")
    weights = preflight.get("weights", {})
    trained = f", {weights['trained']:,} of {weights['all']:,} weights" if weights else ""
    kind = "all weights"
    if lora is not None:
        kind = f"{'QLoRA' if lora.get('quantize') else 'LoRA'} of rank {found['rank'] or lora['rank']}"
    yield f"* what was trained: {kind}{trained}"
    yield f"* steps: {ended.get('steps', 0):,} of {preflight.get('steps', 0):,} ({ended.get('state', 'unfinished')})"
    for name, called in (
        ("tokens", "tokens in the rows"),
        ("trained_tokens", "tokens with loss"),
        ("truncated", "share of rows that were cut"),
    ):
        if name in preflight:
            yield f"* {called}: {preflight[name]:,}"
    for name, called in (("num_tokens", "tokens that were read in training"), ("reward", "reward")):
        if curve := found["curves"].get(name):
            first = f"{curve[0][1]:.3f} at the first step, " if name == "reward" else ""
            last = f"{curve[-1][1]:.3f} at the last" if name == "reward" else f"{curve[-1][1]:,.0f}"
            yield f"* {called}: {first}{last}"
    if ended.get("first_loss") is not None and row.method != "grpo":  # its loss says nothing of how it goes
        yield f"* loss: {ended['first_loss']:.4f} at the first step, {ended['last_loss']:.4f} at the last"
    machine = preflight.get("machine", {})
    hardware = found["machine"]["hardware"]
    seconds = ended.get("seconds", 0.0)
    peak = preflight.get("memory", {}).get("peak", 0)
    yield (
        f"* compute: {seconds:,.0f} s on {machine.get('device', 'cpu')} ({hardware.get('machine')}, "
        f"{hardware.get('cpus')} cores, {machine.get('threads', '?')} threads, {machine.get('dtype', '?')}), "
        f"{peak / 2**30:.1f} GB at the dry step"
    )
    versions = {**found["versions"], "python": hardware.get("python", "?")}
    yield f"* versions: playpen-tui {found['machine']['version'] or '?'}, " + ", ".join(
        f"{name} {version}" for name, version in sorted(versions.items())
    )
    if found["machine"]["commit"]:
        yield f"* commit: {found['machine']['commit']}"
    yield ""


def _again(row: trainings.TrainingRow, found: Mapping[str, Any]) -> Iterator[str]:
    told = found["told"]
    name = told["name"]
    yield from ("## How to repeat it", "", "The same log, recipe and seed give the same rows, down to the hash:", "")
    model = public(str(told["base"]["name"]))
    command = f"playpen-tui train --from-db episodes.sqlite --method {row.method} --model {model} --name {name}"
    command = " ".join([command, *map(public, options(told["filters"])), "--recipe recipe.toml"])
    yield from ("```console", command, "```", "", "with this as `recipe.toml`:", "")
    yield from ("```toml", *_toml(told["recipe"]), "```")


def _toml(recipe: Mapping[str, Any]) -> Iterator[str]:
    """The recipe as its file would be."""
    parts: dict[str, Mapping[str, Any]] = {}
    for key, value in recipe.items():
        if isinstance(value, Mapping):
            parts[key] = cast(Mapping[str, Any], value)
        elif value is not None or key == "lora":
            yield f"{key} = {_value(False if value is None else value)}"
    for key, part in parts.items():
        lines = [f"{name} = {_value(value)}" for name, value in part.items() if value is not None]
        yield from ("", f"[{key}]", *lines)


def _value(value: Any) -> str:
    return toml_value(public(value) if isinstance(value, str) else value)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(_cell(one) for one in row)} |"


def _cell(one: object) -> str:
    return f"{one:.1f}" if isinstance(one, float) else str(one).replace("|", "\\|")


def _with(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1f}" if interval is None else f"{value:.1f} ({interval[0]:.1f}–{interval[1]:.1f})"


def _change(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "–"
    bounds = found["interval"]
    within = f" ({bounds[0]:+.1f} to {bounds[1]:+.1f})" if bounds else ""
    return f"{found['value']:+.1f}{within}, {found['word']}"
