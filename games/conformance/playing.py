"""Checks of play: matches end, `Illegal` is all that is raised, a match repeats itself, and nothing is changed."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator
from typing import get_args

from games.conformance.lab import Lab, Run
from games.conformance.replies import HOSTILE, describe, shown
from games.conformance.rules import rule
from games.engine import Match, Outcome

NEEDED = ("random", "competent")


@rule("bots", "a random and a competent bot play every role, and their matches end")
def bots(lab: Lab) -> Iterable[str]:
    """Bots exist, never raise, never hang; the competent one keeps to the protocol."""
    for name in NEEDED:
        if name not in lab.bots:
            yield f"there is no bot {name!r}"
    for run in lab.bot_runs:
        if run.fault == "bot":
            yield f"{run}: {run.error}"
        elif not run.error and not run.ended:
            yield f"{run}: not over after {run.last.ply} replies"
    for run in lab.bot_runs:
        for step in run.last.steps if run.positions and run.who == "competent bots" else ():
            if step.verdict == "illegal":
                yield f"{run}: {step.role} said {shown(step.text)}, which is illegal: {step.note}"


@rule("adversaries", "no reply, however silly, keeps a match going for ever")
def adversaries(lab: Lab) -> Iterable[str]:
    """Empty, endless, hostile, misdirected, mangled and silly replies come to an end."""
    for run in lab.hostile_runs:
        if not run.error and not run.ended:
            yield f"{run}: not over after {run.last.ply} replies"
    yield from lab.fuzzed.endless


@rule("only_illegal", "whatever is said, play raises Illegal and nothing else")
def only_illegal(lab: Lab) -> Iterable[str]:
    """No reply may crash a game."""
    for run in lab.runs:
        if run.fault == "play":
            yield f"{run}: {run.error}"
    for run in lab.bot_runs:
        if run.who == "competent bots" and run.instance.name in {i.name for i in lab.targets}:
            yield from _fences(lab, run)
    yield from lab.fuzzed.raised


def _fences(lab: Lab, run: Run) -> Iterator[str]:
    """Every hostile string at every position, bare and behind every tag."""
    for match in run.positions:
        for text in HOSTILE if not match.over else ():
            for tag in ("", *lab.repertoire.tags):
                reply = f"{tag} {text}" if tag else text
                try:
                    match.play(reply)
                except Exception as error:
                    yield f"{run}: reply {shown(reply)} of {match.turn} at ply {match.ply}: {describe(error)}"


@rule("replay", "the same instance, seed and texts give the same match again")
def replay(lab: Lab) -> Iterable[str]:
    """States, what each role heard, and what was said, at every ply."""
    for run in lab.runs:
        if run.positions:
            yield from _replay(run)


def _replay(run: Run) -> Iterator[str]:
    again = Match.new(run.last.game, run.instance, run.seed)
    for ply, live in enumerate(run.positions):
        if ply:
            again = again.play(live.steps[-1].text)
        for what in ("state", "heard", "steps", "opening", "strikes"):
            if getattr(again, what) != getattr(live, what):
                yield f"{run}: the replay has another {what} after {ply} replies"
                return


@rule("luck", "all luck comes from the generator that is handed in: the process-wide one is neither read nor set")
def luck(lab: Lab) -> Iterable[str]:
    """Bots with the same seed say the same again, and `random` is left alone."""
    for run in lab.runs:
        if run.touched:
            yield f"{run}: the process-wide random generator was used"
    for run, again in zip(lab.played_by_bots, lab.bots_again, strict=True):
        if run.positions and again.positions and not run.mutated and run.last.texts != again.last.texts:
            yield f"{run}: the bots say something else the second time"


@rule("json", "states, instances and whole matches survive a round trip through JSON")
def json(lab: Lab) -> Iterable[str]:
    """What cannot be stored cannot be resumed."""
    game = lab.game
    for run in lab.runs:
        for match in run.positions:
            if not isinstance(match.state, game.state_type):
                yield f"{run}: the state is a {type(match.state).__name__}, not a {game.state_type.__name__}"
            else:
                try:
                    same = game.state_type.model_validate_json(match.state.model_dump_json()) == match.state
                except ValueError as error:
                    yield f"{run}: the state at ply {match.ply} cannot be stored: {describe(error)}"
                else:
                    if not same:
                        yield f"{run}: the state at ply {match.ply} comes back changed"
        if run.positions:
            if game.instance_type.model_validate_json(run.instance.model_dump_json()) != run.instance:
                yield f"{run.instance.name} comes back changed"
            loaded = Match.load(game, run.last.dump())
            if loaded.instance != run.instance or loaded.texts != run.last.texts:
                yield f"{run}: the match comes back changed"


@rule("pure", "neither play nor anything that shows a position changes it")
def pure(lab: Lab) -> Iterable[str]:
    """States are compared with a deep copy taken before."""
    for run in (*lab.played_by_bots, *lab.played_by_adversaries):
        if run.mutated:
            yield f"{run}: {run.mutated}"
    for run, match in lab.positions(lab.bot_runs):
        before = copy.deepcopy(match.state)
        view = match.view(match.turn or lab.game.roles[0])
        _ = [lab.game.board(match.state, role) for role in (*lab.game.roles, None)]
        if match.turn:
            _ = view.fields, view.shape, view.question, view.examples, view.check("?"), view.read("?")
        else:
            _ = match.scores(), lab.game.verdict(match)
        if match.state != before:
            yield f"{run}: looking at the position after {match.ply} replies changed it"


@rule("outcome", "a match is over exactly when it has an outcome, and then says why")
def outcome(lab: Lab) -> Iterable[str]:
    """Turn, outcome, reason and winners agree."""
    for run in lab.runs:
        if run.fault == "turn":
            yield f"{run}: {run.error}"
    for run, match in lab.positions():
        state = match.state
        where = f"{run}, after {match.ply} replies"
        if (state.turn is None) != (state.outcome is not None):
            yield f"{where}: turn is {state.turn!r}, but outcome is {state.outcome!r}"
        elif state.outcome is not None:
            if state.outcome not in get_args(Outcome):
                yield f"{where}: outcome {state.outcome!r} is unknown"
            if not state.reason:
                yield f"{where}: over without a reason"
        if not {*state.winners} <= {*lab.game.roles}:
            yield f"{where}: winners {state.winners} are no roles"


@rule("rewards", "rewards are for exactly the roles of the game, each between 0 and 1")
def rewards(lab: Lab) -> Iterable[str]:
    """What the state says; where it says nothing all share the main score."""
    for run, match in lab.positions():
        given = match.state.rewards
        if given and {*given} != {*lab.game.roles}:
            yield f"{run}: rewards are for {sorted(given)}, roles are {sorted(lab.game.roles)}"
        for role, value in given.items():
            if not 0 <= value <= 1:
                yield f"{run}: the reward of {role} is {value}"


@rule("scores", "the main score is None exactly when aborted, else 0 to 100; credits and metrics are numbers")
def scores(lab: Lab) -> Iterable[str]:
    """The verdict of every finished match, with words for people."""
    for run in lab.runs:
        if not run.ended:
            continue
        match = run.last
        given = match.scores()
        aborted = match.state.outcome == "aborted"
        if (given.main is None) != aborted:
            yield f"{run}: the outcome is {match.state.outcome}, but the main score is {given.main}"
        elif given.main is not None and not 0 <= given.main <= 100:
            yield f"{run}: the main score is {given.main}"
        for name, value in (*given.metrics.items(), *((f"ply {p}", v) for p, v in given.turns.items())):
            if not math.isfinite(value):
                yield f"{run}: the score of {name} is {value}"
        for ply in given.turns:
            if not 0 <= ply < match.ply:
                yield f"{run}: credit for ply {ply}, but there were {match.ply}"
        if not lab.game.verdict(match).strip():
            yield f"{run}: no words for how it ended"
