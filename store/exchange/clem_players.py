"""Who sat in a seat of clembench's: a model with its settings, a program of the game's, or a person nobody knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from store.exchange.intake import deep, mapping, text_of
from store.ids import content_id, to_json
from store.writer import Row

_PEOPLE = frozenset(("human", "terminal", "slurk"))
_PROGRAMS = frozenset(("programmatic", "mock", "custom"))
_OLDER = re.compile(r"(.+?)-t(\d+(?:\.\d+)?)")
"""A model's folder before clemcore 3.7: with the temperature."""


def player(seat: str, told: object, models: Mapping[str, Any], folder: str, episode: str) -> tuple[Row, str | None]:
    """The row of `players` for a seat, and a pseudonym where a person sat there.

    `told` is what the log says of the seat, `models` its `player_models`, `folder` the name of the models' folder,
    such as `a--b`. A person is a new pseudonym in every episode: who it was is not known.
    """
    number = re.search(r"\d+", seat)
    nth = max(int(number[0][:3]) - 1, 0) if number else 0
    name = text_of(mapping(told).get("model_name"))
    about = _about(name, nth, models)
    spec = mapping(about.get("model_spec"))
    sampling = dict(mapping(about.get("gen_args")))
    if not name:
        named = folder.split("--")
        own = named[nth] if nth < len(named) else named[0]
        older = _OLDER.fullmatch(own)
        name = text_of(spec.get("model_name"), older[1] if older else own, "unknown")
        sampling = sampling or ({"temperature": float(older[2])} if older else {})
    if name in _PEOPLE or spec.get("backend") in _PEOPLE:
        person = f"imported-{episode[-8:].lower()}-{nth + 1}"
        return _row("human", person, "", {}), person
    if name in _PROGRAMS:
        return _row("bot", name, "", {}), None
    return _row("model", name, text_of(spec.get("huggingface_id"), spec.get("model_id")), sampling), None


def _about(name: str, nth: int, models: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is said of the model: by its name, else by the place."""
    for about in map(mapping, models.values()):
        if name and mapping(about.get("model_spec")).get("model_name") == name:
            return about
    return mapping(models.get(str(nth)))


def _row(kind: str, name: str, revision: str, sampling: Mapping[str, Any]) -> Row:
    settings = to_json(dict(sorted(sampling.items()))) if sampling and not deep(dict(sampling), 8) else "{}"
    content = [kind, name, revision, "", settings]
    return (content_id(content), *content)
