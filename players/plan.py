"""The plan of a self-play run: which episodes it has, in which order, decided by numbers alone.

A plan is data. The same plan gives the same jobs on every machine, so that a run which was killed is resumed by making
them again, and a job array shares one plan by `shard`. Instances are drawn game by game in turn, every table (who sits
where) plays the same instances, and the K siblings of a group share instance and luck of the match. What bots and
models sample from is the same at every table and another for each sibling: who is compared sits beside the same
partner, who says the same for as long as it hears the same.
"""

from __future__ import annotations

import hashlib
import itertools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar, cast

from games import catalog
from games.engine import Game, Instance, Role
from players.scheduler import Job
from players.spec import PlayerSpec, parse

Seats = Mapping[Role, str]


class BadPlan(ValueError):
    """A run that cannot be planned as asked. The message is one sentence; wrong usage."""

    exit_code: ClassVar[int] = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for. `seats` fixes some roles; the others go to `players`: each with itself, or all crossed."""

    games: tuple[str, ...]
    players: tuple[str, ...] = ()
    seats: Mapping[Role, str] = field(default_factory=dict[Role, str])
    cross: bool = False
    swap: bool = False
    """Play every table with everybody one seat further, too, until all have sat everywhere."""
    split: catalog.Split | None = "train"
    benchmark: bool = False
    """Only frozen benchmark instances, in their order."""
    experiment: str | None = None
    language: str = "en"
    episodes: int | None = None
    """How many in all; None: every instance once for every table and sibling."""
    per_instance: int = 1
    seed: int = 0
    shard: tuple[int, int] = (1, 1)
    """This process plays groups number I, I + N, … of N shards; I from 1."""
    assist: bool = False
    protocol: str = ""

    def as_json(self) -> dict[str, Any]:
        """The plan as a log keeps it; `Plan.from_json` is the inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """The plan that a run was begun with. Raises BadPlan where it was written by another version."""
        try:
            lists = {key: tuple(data[key]) for key in ("games", "players", "shard")}
            return cls(**cast(Any, {**data, **lists}))
        except (KeyError, TypeError) as error:
            raise BadPlan(
                f"this run was planned by another version of the program ({error}); begin a new one"
            ) from error


def protocols() -> list[str]:
    """Names of the protocols that come with the program."""
    found = (Path(entry.name) for entry in files("players").joinpath("protocols").iterdir())
    return sorted(path.stem for path in found if path.suffix == ".toml")


def with_protocol(plan: Plan, name: str) -> Plan:
    """The plan as a published evaluation had it: instances, seats and decoding are fixed by a file of that name.

    `name` is one that comes with the program, or a path. Raises BadPlan where a player asks for other decoding.
    """
    if name not in protocols() and not Path(name).is_file():
        raise BadPlan(f"no protocol {name!r}; {catalog.nearest(name, protocols())}, or name a file")
    known = files("players").joinpath("protocols", f"{name}.toml")
    try:
        text = known.read_text("utf-8") if name in protocols() else Path(name).read_text("utf-8")
        fixed = tomllib.loads(text)
        decoding = cast(dict[str, Any], fixed.get("decoding", {}))
        return replace(
            plan,
            protocol=name,
            benchmark=fixed.get("instances") == "benchmark",
            split=fixed.get("split", plan.split),
            per_instance=int(fixed.get("per_instance", plan.per_instance)),
            assist=bool(fixed.get("assist", False)),
            cross=bool(fixed.get("cross", plan.cross)),
            players=tuple(_decoded(spec, decoding, name) for spec in plan.players),
            seats={role: _decoded(spec, decoding, name) for role, spec in plan.seats.items()},
        )
    except (OSError, ValueError, TypeError) as error:
        if isinstance(error, BadPlan):
            raise
        raise BadPlan(f"the protocol {name} cannot be read: {error}") from error


def _decoded(spec: str, decoding: Mapping[str, Any], protocol: str) -> str:
    """The player with the protocol's decoding; one that names another is refused."""
    named = parse(spec)
    if not named.is_model:
        return spec
    for key, value in decoding.items():
        if key in named.settings and named.settings[key] != value:
            raise BadPlan(f"{spec} asks for {key}={named.settings[key]}, and {protocol} fixes {value}: leave it out")
    return str(PlayerSpec(named.kind, named.name, named.code, {**named.settings, **decoding}))


def tables(plan: Plan, game: Game) -> list[Seats]:
    """Who sits where, one table after the other. Raises BadPlan where a seat is left empty or a role is not there."""
    seats = {role: spec for role, spec in plan.seats.items() if role in game.roles}
    open_roles = [role for role in game.roles if role not in seats]
    if open_roles and not plan.players:
        raise BadPlan(
            f"nobody sits at {' and '.join(open_roles)} of {game.name}: name players for free seats (--player), or one"
            " for each (--seat)"
        )
    if plan.cross:
        chosen = [
            dict(zip(open_roles, some, strict=True)) for some in itertools.product(plan.players, repeat=len(open_roles))
        ]
    else:
        chosen = [dict.fromkeys(open_roles, player) for player in plan.players or ("",)]
    found = [{role: seats.get(role) or some[role] for role in game.roles} for some in chosen]
    if plan.swap:
        found = [_turned(table, by) for table in found for by in range(len(game.roles))]
    return [dict(pairs) for pairs in dict.fromkeys(tuple(table.items()) for table in found)]


def _turned(table: Seats, by: int) -> dict[Role, str]:
    roles = list(table)
    return {role: table[roles[(at + by) % len(roles)]] for at, role in enumerate(roles)}


def check_roles(plan: Plan) -> None:
    """Every `--seat` must be a role of some game that is played. Raises BadPlan."""
    known = list(dict.fromkeys(role for name in plan.games for role in catalog.get(name).roles))
    for role in plan.seats:
        if role not in known:
            raise BadPlan(f"no role {role!r} in {', '.join(plan.games)}; {catalog.nearest(role, known)}")


def material(plan: Plan, game: Game) -> list[Instance]:
    """The instances of one game in the order they are played. Raises UnknownInstance where there are none."""
    if plan.benchmark:
        found = [i for i in game.benchmark(plan.language) if plan.experiment in (None, i.experiment)]
        if not found:
            raise catalog.UnknownInstance(f"{game.name} has no benchmark instances in {plan.language!r} that fit")
        return found
    fitting = catalog.instances(game, language=plan.language, experiment=plan.experiment, split=plan.split)
    return list(catalog.shuffled(fitting, f"{plan.seed}:{game.name}"))


def fingerprint(plan: Plan) -> str:
    """A hash of what the plan was made from: games with versions, and their instances in order.

    A run is resumed only where it is the same as when it began; else its slots would mean other episodes.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name in plan.games:
        game = catalog.get(name)
        digest.update(f"{name}@{game.version}\n".encode())
        for instance in material(plan, game):
            digest.update(f"{instance.name}\t{instance.key}\n".encode())
    return digest.hexdigest()


def size(plan: Plan) -> int:
    """How many episodes the whole plan has, all shards together."""
    if plan.episodes is not None:
        return plan.episodes
    found = ((len(tables(plan, game)), len(material(plan, game))) for game in map(catalog.get, plan.games))
    return sum(seats * instances for seats, instances in found) * plan.per_instance


def jobs(plan: Plan, run: str = "") -> Iterator[Job]:
    """The jobs of this shard in order of slot; `run` names the groups. Raises BadPlan, UnknownInstance, UnknownGame."""
    check_roles(plan)
    rows = [(game, tables(plan, game), material(plan, game)) for game in map(catalog.get, plan.games)]
    limit = size(plan)
    slot = group = 0
    for number in itertools.count():
        for game, seatings, instances in rows:
            if plan.episodes is None and number >= len(instances):
                continue
            group += 1
            mine = (group - 1) % plan.shard[1] == plan.shard[0] - 1
            seed = mixed(plan.seed, game.name, number)
            siblings = plan.per_instance * len(seatings) > 1
            for seats in seatings:
                for sibling in range(plan.per_instance):
                    if slot >= limit:
                        return
                    if mine:
                        yield Job(
                            slot=slot,
                            game=game,
                            instance=instances[number % len(instances)],
                            seed=seed,
                            luck=mixed(plan.seed, "luck", game.name, number, sibling),
                            seats=seats,
                            group=f"{run}:{group}" if siblings else None,
                        )
                    slot += 1
        if slot >= limit:
            return


def specs(plan: Plan) -> list[tuple[str, Game, Role]]:
    """Every player of the plan once, with a game and a role to open it for."""
    found: dict[tuple[str, str, Role], tuple[str, Game, Role]] = {}
    for game in map(catalog.get, plan.games):
        for seats in tables(plan, game):
            for role, spec in seats.items():
                found.setdefault((spec, game.name, role), (spec, game, role))
    return list(found.values())


@lru_cache(maxsize=4096)
def mixed(*parts: object) -> int:
    """A number below 2^31 from these parts, the same everywhere."""
    digest = hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1


def parse_shard(text: str) -> tuple[int, int]:
    """`2/8` as (2, 8). Raises BadPlan."""
    first, slash, second = text.partition("/")
    if not (slash and first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second) <= 100_000):
        raise BadPlan(f"--shard takes I/N with I from 1 to N, such as 2/8, not {text!r}")
    return int(first), int(second)


def names_of(plan: Plan) -> Sequence[str]:
    """The players of the plan as named, each once."""
    return list(dict.fromkeys([*plan.seats.values(), *plan.players]))
