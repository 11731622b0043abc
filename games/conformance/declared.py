"""Checks of what a game says about itself: its name and roles, its instances, languages, benchmark and splits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import get_args

from games import catalog
from games.conformance.lab import Lab
from games.conformance.rules import rule
from games.engine import GM, Instance, Scope

MANY = 50
"""From more instances than this on, every split must have some."""

_HOLE = re.compile(r"\$\{?[A-Za-z_]\w*")
_ABSENT_LANGUAGE = "zz"


@rule("declaration", "name, title, roles, languages and strikes are there and make sense")
def declaration(lab: Lab) -> Iterable[str]:
    """What the class says about itself."""
    game = lab.game
    if not re.fullmatch(r"[a-z][a-z0-9_]*", game.name):
        yield f"the name {game.name!r} is not lower-case letters, digits and underscores"
    if not game.title.strip() or not game.summary.strip():
        yield "title and summary must say something"
    if not game.roles or len(set(game.roles)) != len(game.roles) or GM in game.roles:
        yield f"roles {game.roles} must be different names, none of them {GM!r}"
    if not game.languages or len(set(game.languages)) != len(game.languages):
        yield f"languages {game.languages} must be different codes"
    for kind, strikes in game.strikes.items():
        if strikes.limit < 0 or strikes.scope not in get_args(Scope):
            yield f"strikes for {kind!r} are {strikes}"


@rule("languages", "every language has instances, prompts without holes, and rules in words")
def languages(lab: Lab) -> Iterable[str]:
    """Dealing works in every language."""
    for language, found in lab.all.items():
        if not found:
            yield f"no instances in {language!r}"
        if not lab.game.rules(language).strip():
            yield f"no rules in {language!r}"
    for run in lab.runs:
        if run.fault == "start":
            yield f"{run.instance.name} cannot be dealt: {run.error}"
        for say in run.positions[0].opening if run.positions else ():
            if hole := _HOLE.search(say.text):
                yield f"{run.instance.name}: the briefing of {say.to} has the hole {hole[0]}"


@rule("instances", "names are unique and give nothing away, keys say something, every call gives the same list")
def instances(lab: Lab) -> Iterable[str]:
    """The list of instances itself."""
    game = lab.game
    seen: set[str] = set()
    for language, found in lab.all.items():
        if list(game.instances(language)) != found:
            yield f"instances({language!r}) gives another list at every call"
        for instance in found:
            if instance.name in seen:
                yield f"two instances are called {instance.name!r}"
            seen.add(instance.name)
            yield from _instance(lab, instance, language)
    if list(game.instances(_ABSENT_LANGUAGE)):
        yield "instances in a language that does not exist"


def _instance(lab: Lab, instance: Instance, language: str) -> Iterator[str]:
    name = instance.name
    if not isinstance(instance, lab.game.instance_type):
        yield f"{name} is a {type(instance).__name__}, not a {lab.game.instance_type.__name__}"
    if not name or not instance.experiment:
        yield f"an instance without a name or experiment: {instance!r:.80}"
    if instance.language != language:
        yield f"{name} says it is in {instance.language!r}, but is listed under {language!r}"
    try:
        key = instance.key
    except NotImplementedError as error:
        yield str(error)
    else:
        if not key.strip():
            yield f"{name} has an empty key"
    said = set(re.split(r"\W|_", name.casefold())) - set(re.split(r"\W|_", instance.experiment.casefold()))
    for secret in chain.from_iterable(lab.game.secrets(instance).values()):
        if secret.casefold() in said:
            yield f"the name {name!r} gives the secret {secret!r} away"


@rule("benchmark", "benchmark instances are among the instances, come first, and are test")
def benchmark(lab: Lab) -> Iterable[str]:
    """The frozen set."""
    game = lab.game
    known = set(catalog.names())
    for language, found in lab.all.items():
        frozen = list(game.benchmark(language))
        if found[: len(frozen)] != frozen:
            yield f"instances({language!r}) does not begin with benchmark({language!r})"
        if game.name in known and type(catalog.get(game.name)) is type(game):
            for instance in frozen:
                if catalog.split_of(game, instance) != "test":
                    yield f"{instance.name} is in the benchmark, but not in split test"


@rule("splits", f"with more than {MANY} instances in a language, no split is empty")
def splits(lab: Lab) -> Iterable[str]:
    """Something to train on, to validate on and to test on."""
    frozen = {i.key for language in lab.game.languages for i in lab.game.benchmark(language)}
    for language, found in lab.all.items():
        if len(found) > MANY:
            there = {"test" if i.key in frozen else catalog.by_hash(i.key) for i in found}
            for split in catalog.SPLITS:
                if split not in there:
                    yield f"{len(found)} instances in {language!r}, none of them in split {split}"
