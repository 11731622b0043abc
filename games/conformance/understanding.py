"""Checks of the ways in and out: fields and raw replies, `check` and `play`, shapes, and examples."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from random import Random

from games.conformance.lab import Lab, Run
from games.conformance.replies import HOSTILE, from_fields, from_shape, shown
from games.conformance.rules import rule
from games.engine import Illegal, Match, Message, luck
from games.shapes import Choice, Grid, Seq, Shape, Text

SAMPLES = 3
"""How many replies are made from the fields or the shape of one position."""


def _objection(match: Match, text: str) -> str:
    """What play says against this reply; empty where it accepts it."""
    try:
        match.game.play(match.state, text, luck(match.seed, match.ply))
    except Illegal as illegal:
        return illegal.feedback or "illegal"
    return ""


def _open(lab: Lab, runs: Iterable[Run]) -> Iterator[tuple[Run, Match, Random]]:
    for run, match in lab.positions(runs):
        if match.turn in lab.game.roles:
            yield run, match, Random(f"{run.instance.name}:{match.ply}")


@rule("round_trip", "read undoes compose, for what bots say and for what people fill in")
def round_trip(lab: Lab) -> Iterable[str]:
    """`read(compose(fields)) == fields`; a legal reply can be read, and what was read can be said again."""
    for run, before, after in lab.moves(lab.bot_runs):
        step = after.steps[-1]
        if step.verdict != "ok":
            continue
        fields = before.game.read(before.state, step.role, step.text)
        if fields is None:
            yield f"{run}: read makes nothing of the legal reply {shown(step.text)}"
            continue
        strange = {*fields} ^ {f.name for f in before.game.fields(before.state)}
        if strange - {f.name for f in before.game.fields(before.state) if f.optional}:
            yield f"{run}: {step.role} is asked for other fields than read gives: {sorted(strange)}"
            continue
        text = before.game.compose(before.state, step.role, fields)
        if before.game.read(before.state, step.role, text) != fields:
            yield f"{run}: {fields} is composed to {shown(text)}, which reads otherwise"
        elif objection := _objection(before, text):
            yield f"{run}: {shown(step.text)} read and composed again is {shown(text)}, and illegal: {objection}"
    for run, match, rng in _open(lab, lab.bot_runs):
        role = match.turn or ""
        for _ in range(SAMPLES):
            fields = from_fields(match.game.fields(match.state), rng)
            text = match.game.compose(match.state, role, fields)
            if match.game.read(match.state, role, text) != fields:
                yield f"{run}: {role} fills in {fields}, composed to {shown(text)}, which reads otherwise"
        for text in HOSTILE:
            match.game.read(match.state, role, text)


@rule("check", "check objects to every reply that play refuses, and to none of the bots' good ones")
def check(lab: Lab) -> Iterable[str]:
    """A warning about a legal reply is allowed where it loses the match: games may warn of broken rules."""
    for run, before, after in lab.moves(lab.runs):
        step = after.steps[-1]
        objections = before.game.check(before.state, step.text)
        if step.verdict == "illegal" and not objections:
            yield f"{run}: check lets {shown(step.text)} pass, play does not: {step.note}"
        lost = after.over and after.state.outcome != "success" and run.who != "competent bots"
        if run.bots and step.verdict == "ok" and objections and not lost:
            yield f"{run}: check objects to the bot's {shown(step.text)}: {objections[0]}"


@rule("shape", "whatever has the form of the shape is accepted by play, and read into the fields it names")
def shape(lab: Lab) -> Iterable[str]:
    """Texts made from the shape are legal; prohibitions are not the shape's business."""
    for run, match, rng in _open(lab, lab.bot_runs):
        form = match.game.shape(match.state)
        for _ in range(SAMPLES if form is not None else 0):
            assert form is not None
            text = from_shape(form, rng)
            fields = match.game.read(match.state, match.turn or "", text)
            if objection := _objection(match, text):
                yield f"{run}: {shown(text)} has the shape, but is illegal for {match.turn}: {objection}"
            elif fields is None or not {*_named(form)} <= {*fields}:
                yield f"{run}: {shown(text)} has the shape, but reads as {fields}"


def _named(form: Shape) -> Iterator[str]:
    match form:
        case Seq(parts):
            for part in parts:
                yield from _named(part)
        case Choice(name=name) | Text(name=name) | Grid(name=name):
            if name:
                yield name
        case _:
            return


@rule("examples", "examples alternate, user first, and hold no secret of any instance")
def examples(lab: Lab) -> Iterable[str]:
    """A word that the briefing of another instance has as well is no secret there."""
    for run, match, _ in _open(lab, lab.bot_runs):
        given = match.game.examples(match.state)
        if [m.role for m in given] != ["user", "assistant"] * (len(given) // 2):
            yield f"the examples of {match.turn} do not alternate, user first"
        elif given:
            yield from _given_away(lab, run, match, given)


def _given_away(lab: Lab, run: Run, match: Match, given: tuple[Message, ...]) -> Iterator[str]:
    role = match.turn or ""
    text = "\n".join(m.content for m in given).casefold()
    words, usual = _words(text), _words("\n".join(say.text for say in match.opening if say.to == role).casefold())
    for secret in lab.hidden(run.instance.language, role):
        known = secret in usual and secret not in match.game.secrets(run.instance).get(role, ())
        if not known and (secret in words or (not secret.isalnum() and secret in text)):
            yield f"the examples of {role} in {run.instance.language!r} hold the secret {secret!r}"


@lru_cache(maxsize=512)
def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text))
