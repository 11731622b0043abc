"""States copy themselves without pydantic's help, since every move pays for it: the copies must be as good as its."""

from __future__ import annotations

import copy
import pickle
from random import Random

import pytest
from pydantic import PrivateAttr, ValidationError

from games.engine import Instance, State, luck


class Riddle(Instance):
    answer: str

    @property
    def key(self) -> str:
        return f"riddle:{self.answer}"


class Position(State):
    instance: Riddle
    seen: tuple[str, ...] = ()
    _memo: dict[str, int] = PrivateAttr(default_factory=dict)


@pytest.fixture
def position() -> Position:
    made = Position(instance=Riddle(name="one", experiment="easy", answer="time"), turn="guesser")
    made._memo["asked"] = 1
    return made


CHANGES = [
    {},
    {"turn": "giver"},
    {"turn": None, "outcome": "draw", "reason": "tired"},
    {"seen": ("a", "b"), "round": 2},
]


@pytest.mark.parametrize("changes", CHANGES)
def test_a_copy_is_what_pydantic_would_have_made(position, changes):
    ours, theirs = position.to(**changes), position.model_copy(update=changes)
    assert ours == theirs
    assert type(ours) is Position
    assert ours.model_dump() == theirs.model_dump()
    assert ours.model_fields_set == theirs.model_fields_set
    assert ours.model_extra is theirs.model_extra is None
    assert ours._memo == theirs._memo == {"asked": 1}


def test_the_original_stays_as_it_was(position):
    before = position.model_dump(), set(position.model_fields_set)
    position.to(turn="giver", seen=("x",))
    assert (position.model_dump(), set(position.model_fields_set)) == before


def test_an_end_closes_the_turn_and_keeps_what_else_changes(position):
    over = position.end("failure", "rounds", seen=("x",))
    assert (over.turn, over.outcome, over.reason, over.seen) == (None, "failure", "rounds", ("x",))
    assert position.end("draw", "tired", turn="giver").turn == "giver"


def test_a_copy_is_frozen_pickles_and_copies(position):
    made = position.to(turn="giver")
    with pytest.raises(ValidationError, match="frozen"):
        made.turn = "guesser"
    assert pickle.loads(pickle.dumps(made)) == copy.deepcopy(made) == made


def test_luck_is_that_of_seed_and_ply():
    assert luck(7, 3).random() == Random("7:3").random()
    assert luck("x", -1).sample(range(100), 5) == Random("x:-1").sample(range(100), 5)
    drawn, same = luck(7, 3), Random("7:3")
    assert [drawn.random() for _ in range(3)] == [same.random() for _ in range(3)]
