"""Which turns of the log are trained: what is kept, on which replies the loss is, and how much there is of each kind.

A row is the beginning of one seat's dialogue with the replies that carry loss. Everything that chooses is seeded, and
counts what it leaves out, so that a data set can be made again and its table explains itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from statistics import median
from typing import Any, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator

from store.filters import Speaker
from store.perspectives import Perspective, Spoken

By: TypeAlias = Literal["game", "role", "rounds"]
MEASURES = ("rows", "turns", "characters")
RARE = 10
"""A cell so many times smaller than the median one is rare: it is filled up as far as `grow` allows, and the others are
not cut down to it, for one odd episode would cost nearly all that there is."""
_ROUNDS = ("0", "1", "2", "3+")


class Selection(BaseModel):
    """What becomes a row. Everything here is written into the dataset's row of the log."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep: Literal["success", "score", "all"] = "success"
    """Episodes that succeeded, those whose main score is at least `min_score`, or all finished ones."""
    min_score: float = Field(default=100.0, ge=0, le=100)
    unit: Literal["episode", "turn"] = "episode"
    """One row for the whole dialogue of a seat, or one for each of its replies with what stands before."""
    illegal: Literal["mask", "drop"] = "mask"
    """Replies that broke a rule: kept in the dialogue without loss, or the rows that hold one are left out."""
    roles: tuple[str, ...] = ()
    """Only these seats; empty for all."""
    models: tuple[str, ...] = ()
    """Only turns of these players; empty for all."""
    mix: Mapping[Speaker, float] = {}
    """Shares of the trained turns by who spoke them, such as human 0.3 and synthetic 0.7; empty: as they come."""
    balance: tuple[By, ...] = ()
    """Cells that shall be equally large: any of game, role, and rounds (replies of the seat, 3 or more in one). A cell
    that is hardly there stays smaller, and does not cut the others down."""
    grow: int = Field(default=4, ge=1)
    """A small cell is filled up by repeating rows at most so many times; 1 only cuts the large ones down."""
    dedupe: bool = True
    limit: int | None = Field(default=None, ge=1)
    """Rows at most, drawn by the seed."""
    seed: int = 0

    @field_validator("mix")
    @classmethod
    def _shares(cls, mix: Mapping[Speaker, float]) -> Mapping[Speaker, float]:
        if mix and not (all(share >= 0 for share in mix.values()) and abs(sum(mix.values()) - 1) <= 1e-6):  # nan, too
            raise ValueError("the shares of a mix must add up to 1, such as human=0.3,synthetic=0.7")
        return mix


class NoMix(ValueError):
    """The shares of a mix cannot be had from what there is."""


class Row(NamedTuple):
    """The first `upto` messages of a seat's dialogue, with loss on the replies `loss` (which of `spoken`), the last one
    being the last of those messages."""

    perspective: Perspective
    upto: int
    loss: tuple[int, ...]
    # What counts and names rows is noted while the dialogue is at hand: to look into hundreds of thousands of dialogues
    # once more, each somewhere in memory, takes longer than all the rest.
    tip: str
    """The hash of the last message: the dialogue's name in the log."""
    turns: tuple[str, ...]
    """Ids of the turns that carry loss."""
    speaker: Speaker
    """Who spoke the first reply that is trained; where there is a mix, `split_speakers` sees to it that it is all."""
    characters: int
    """How many are trained."""
    copies: int = 1

    @property
    def trained(self) -> tuple[Spoken, ...]:
        """The replies that carry loss."""
        return tuple([self.perspective.spoken[at] for at in self.loss])

    @property
    def places(self) -> tuple[int, ...]:
        """Where in the messages they stand."""
        places = self.perspective.places
        return tuple([places[at] for at in self.loss])


# in half the time of Row(…)
_ROW: Callable[[tuple[Any, ...]], Row] = partial(tuple.__new__, Row)


def row_of(one: Perspective, loss: tuple[int, ...]) -> Row:
    """The row with loss on these replies, which train here; the dialogue ends with the last of them."""
    last, said = one.places[loss[-1]], one.spoken[loss[0]]
    tip, _, _, text = one.lines[last]
    turns, characters = (said.turn,), len(text)
    if len(loss) > 1:
        turns = tuple([one.spoken[at].turn for at in loss])
        characters = sum([len(one.lines[one.places[at]][-1]) for at in loss])
    return _ROW((one, last + 1, loss, tip, turns, "human" if said.kind == "human" else "synthetic", characters, 1))


@dataclass(slots=True)
class Selected:
    """The rows, and what was left out, by reason."""

    rows: list[Row] = field(default_factory=list[Row])
    left_out: Counter[str] = field(default_factory=Counter[str])

    def by_speaker(self) -> dict[str, dict[str, float]]:
        """Rows, trained turns and trained characters by who spoke, with each one's share."""
        found: dict[str, list[int]] = {"human": [0, 0, 0], "synthetic": [0, 0, 0]}
        for _, _, loss, _, _, speaker, characters, copies in self.rows:
            counts = found[speaker]
            counts[0] += copies
            counts[1] += copies * len(loss)
            counts[2] += copies * characters
        told: dict[str, dict[str, float]] = {}
        for speaker, counts in found.items():
            if counts[0]:
                told[speaker] = dict(zip(MEASURES, counts, strict=True))
                for name, many, whole in zip(
                    MEASURES, counts, map(sum, zip(*found.values(), strict=True)), strict=True
                ):
                    told[speaker][f"{name}_share"] = round(many / whole, 4)
        return told

    def by_cell(self) -> dict[str, int]:
        """Rows (copies counted) by game, role and number of replies."""
        found: Counter[tuple[str, str, str]] = Counter()
        for one, _, loss, _, _, _, _, copies in self.rows:
            found[one.game, one.role, _ROUNDS[min(loss[-1] + 1, 3)]] += copies
        return {" · ".join(cell): rows for cell, rows in sorted(found.items())}


def select(perspectives: Iterable[Perspective], wish: Selection) -> Selected:
    """Make rows of perspectives, and keep as many of each kind as was wished."""
    selected = Selected()
    seen: set[str | tuple[str, tuple[int, ...]]] = set()
    for one in perspectives:
        why = _unfit(one, wish)
        if why:
            selected.left_out[why] += 1
            continue
        for row in _rows(one, wish, selected.left_out):
            if wish.dedupe:
                name = row.tip if len(row.loss) == 1 else (row.tip, row.loss)  # a single loss is on the last message
                if name in seen:
                    selected.left_out["the same words again"] += 1
                    continue
                seen.add(name)
            selected.rows.append(row)
    if wish.mix and selected.rows:
        selected.rows = [part for row in selected.rows for part in split_speakers(row)]
    if wish.balance and selected.rows:
        selected.rows = balanced(selected.rows, wish, selected.left_out)
        if wish.mix or wish.limit is not None:  # which count every copy
            selected.rows = [row._replace(copies=1) for row in selected.rows for _ in range(row.copies)]
    if wish.mix and selected.rows:  # after the balance, which would undo the shares
        selected.rows = _mixed(selected.rows, wish, selected.left_out)
    if wish.limit is not None and len(selected.rows) > wish.limit:
        selected.rows = _limited(selected.rows, wish.limit, wish, selected.left_out)
    return selected


def _limited(rows: Sequence[Row], limit: int, wish: Selection, left_out: Counter[str]) -> list[Row]:
    """So many rows at most, drawn by the seed; where there is a mix the same part of each speaker's."""
    left_out["over the limit"] += len(rows) - limit
    groups: dict[str, list[int]] = defaultdict(list)
    for at, row in enumerate(rows):
        groups[row.speaker if wish.mix else ""].append(at)
    quotas = {name: divmod(len(places) * limit, len(rows)) for name, places in groups.items()}
    more = limit - sum(whole for whole, _ in quotas.values())
    nearest = sorted(quotas, key=lambda name: -quotas[name][1])[:more]  # those that rounding down cost most
    luck, chosen = Random(f"limit:{wish.seed}"), set[int]()
    for name, places in groups.items():
        chosen.update(luck.sample(places, quotas[name][0] + (name in nearest)))
    return [row for at, row in enumerate(rows) if at in chosen]


def _unfit(one: Perspective, wish: Selection) -> str:
    """Why nothing of this perspective is trained; empty where something may be."""
    if one.outcome is None:
        return "unfinished"
    if wish.roles and one.role not in wish.roles:
        return "another role"
    if wish.keep == "success" and one.outcome != "success":
        return "no success"
    if wish.keep == "score" and (one.main is None or one.main < wish.min_score):
        return f"score below {wish.min_score:g}"
    if not one.spoken:
        return "said nothing"
    return ""


def _rows(one: Perspective, wish: Selection, left_out: Counter[str]) -> list[Row]:
    loss = [
        at
        for at, said in enumerate(one.spoken)
        if said.verdict == "ok" and said.turn is not None and (not wish.models or said.player in wish.models)
    ]
    if not loss:
        left_out["no reply of it may be trained"] += 1
        return []
    broken = [at for at, said in enumerate(one.spoken) if said.verdict != "ok"] if wish.illegal == "drop" else ()
    if wish.unit == "turn":
        if broken:
            left_out["a rule was broken before"] += sum(at > broken[0] for at in loss)
            loss = [at for at in loss if at < broken[0]]
        return [row_of(one, (at,)) for at in loss]
    if broken:
        left_out["a rule was broken"] += 1
        return []
    return [row_of(one, tuple(loss))]


def split_speakers(row: Row) -> list[Row]:
    """The row once for what people said and once for the rest, where a seat changed hands between them."""
    people = tuple(at for at in row.loss if row.perspective.spoken[at].kind == "human")
    rest = tuple(at for at in row.loss if at not in people)
    if not people or not rest:
        return [row]
    return [row_of(row.perspective, part) for part in (people, rest)]


def _mixed(rows: Sequence[Row], wish: Selection, left_out: Counter[str]) -> list[Row]:
    """As many turns of each speaker as the shares allow, in a seeded order. Raises NoMix where one is missing."""
    by: dict[Speaker, list[int]] = {"human": [], "synthetic": []}
    for at, row in enumerate(rows):
        by[row.speaker].append(at)
    there = {speaker: sum(len(rows[at].loss) for at in places) for speaker, places in by.items()}
    for speaker, share in wish.mix.items():
        if share > 0 and not there[speaker]:
            raise NoMix(f"the mix wants {share:.0%} {speaker} turns, and none of what fits was spoken by such")
    whole = min(there[speaker] / share for speaker, share in wish.mix.items() if share > 0)
    chosen: set[int] = set()
    for speaker, places in by.items():
        room = round(whole * wish.mix.get(speaker, 0.0))
        Random(f"mix:{speaker}:{wish.seed}").shuffle(places)
        for at in places:
            if len(rows[at].loss) <= room:
                room -= len(rows[at].loss)
                chosen.add(at)
    if len(chosen) < len(rows):
        left_out["beyond the mix"] += len(rows) - len(chosen)
    return [row for at, row in enumerate(rows) if at in chosen]


def cell_of(row: Row, by: Sequence[By]) -> tuple[str, ...]:
    """The cell of a row: its game, its role, and how many replies of the seat it holds, as asked for."""
    one = row.perspective
    rounds = _ROUNDS[min(row.loss[-1] + 1, 3)]
    names: dict[By, str] = {"game": one.game, "role": one.role, "rounds": rounds}
    return tuple(names[name] for name in by)


def balanced(rows: Sequence[Row], wish: Selection, left_out: Counter[str]) -> list[Row]:
    """The rows with their copies, so that no cell is far larger than another; some of the large ones' are left out."""
    cells: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for at, row in enumerate(rows):
        cells[cell_of(row, wish.balance)].append(at)
    sizes = [len(places) for places in cells.values()]
    common = [size for size in sizes if size * RARE >= median(sizes)]
    target = min(max(sizes), min(common) * wish.grow)
    kept: dict[int, int] = {}
    for cell, places in cells.items():
        Random(f"balance:{cell}:{wish.seed}").shuffle(places)
        if len(places) > target:
            left_out["beyond the balance"] += len(places) - target
            kept.update(dict.fromkeys(places[:target], 1))
        else:
            whole, rest = divmod(min(target, len(places) * wish.grow), len(places))
            kept.update({at: whole + (n < rest) for n, at in enumerate(places)})
    return [row._replace(copies=kept[at]) for at, row in enumerate(rows) if at in kept]
