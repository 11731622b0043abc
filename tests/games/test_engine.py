"""The engine: matches are values, conversations alternate, strikes count where they should, and luck is seeded."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from games.boards import Board, Field
from games.engine import (
    Game,
    Illegal,
    Instance,
    Match,
    MatchOver,
    Message,
    Role,
    Say,
    Scores,
    State,
    Strikes,
    luck,
)


def _beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec and spec.loader
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hunt = _beside("mutants")


class Word(Instance):
    word: str = "go"

    @property
    def key(self) -> str:
        return f"talk:{self.word}"


class Talk(State):
    instance: Word
    said: tuple[str, ...] = ()


class Talking(Game[Word, Talk]):
    """Two roles in turn; `bad…` is illegal (of the kind that follows), `end` ends, `dice` draws luck."""

    name = "talking"
    title = "Talking"
    roles = ("left", "right")
    strikes: ClassVar[Mapping[str, Strikes]] = {
        "format": Strikes(0),
        "turn": Strikes(2, "turn"),
        "role": Strikes(2, "role"),
        "match": Strikes(2, "match"),
    }
    instance_type = Word
    state_type = Talk

    def start(self, instance: Word, rng: Random) -> tuple[Talk, Sequence[Say]]:
        says = [Say("left", "You are left.", kind="brief"), Say("left", "Begin."), Say("right", "Wait.", kind="brief")]
        return Talk(instance=instance, turn="left"), says

    def play(self, state: Talk, text: str, rng: Random) -> tuple[Talk, Sequence[Say]]:
        if text.startswith("bad"):
            raise Illegal(f"not {text}", text[4:] or "format")
        if text.startswith("end"):
            return state.end("success", "ended", rewards={"left": 1.0, "right": 0.25} if text == "end rich" else {}), ()
        if text == "dice":
            text = str(rng.randint(1, 10**9))
        after = state.to(said=(*state.said, text), turn="right" if state.turn == "left" else "left")
        return after, [Say(after.turn or "", text, state.turn or "", "relay")]

    def board(self, state: Talk, role: Role | None) -> Board:
        return Board(f"{role} {len(state.said)}")

    def instances(self, language: str) -> Sequence[Word]:
        return [Word(name="one", experiment="all")] if language == "en" else []

    def bots(self) -> dict[str, Any]:
        return {"random": lambda view, rng: "hello", "competent": lambda view, rng: "end"}


GAME = Talking()
TEXTS = st.lists(st.sampled_from(["hi", "dice", "bad turn", "bad role", "bad match", "bad", "end"]), max_size=12)


def new(seed: int = 0) -> Match:
    return Match.new(GAME, GAME.instances("en")[0], seed)


def play(match: Match, *texts: str) -> Match:
    for text in texts:
        match = match.play(text)
    return match


def played(texts: Sequence[str], seed: int = 0) -> Match:
    match = new(seed)
    for text in texts:
        if match.over:
            break
        match = match.play(text)
    return match


# -- what roles hear


def test_says_in_a_row_become_one_message() -> None:
    assert new().heard == {
        "left": (Message("user", "You are left.\n\nBegin."),),
        "right": (Message("user", "Wait."),),
    }
    match = new().play("hi")
    assert match.heard["right"] == (Message("user", "Wait.\n\nhi"),)
    assert match.steps[0].says == (Say("right", "hi", "left", "relay"),)
    assert [say.text for say in match.opening] == ["You are left.", "Begin.", "Wait."]


def test_everybody_hears_only_what_was_said_to_them() -> None:
    match = play(new(), "hi", "ho")
    assert [m.content for m in match.heard["left"]] == ["You are left.\n\nBegin.", "hi", "ho"]
    assert [m.content for m in match.heard["right"]] == ["Wait.\n\nhi", "ho"]


def test_an_illegal_reply_is_heard_with_its_feedback_and_the_turn_stays() -> None:
    match = new().play("bad turn")
    assert match.turn == "left" and match.ply == 1
    assert match.heard["left"][1:] == (Message("assistant", "bad turn"), Message("user", "not bad turn"))
    assert (match.steps[0].verdict, match.steps[0].note, match.steps[0].kind) == ("illegal", "not bad turn", "turn")
    assert match.heard["right"] == new().heard["right"]


def test_the_last_illegal_reply_gets_no_feedback() -> None:
    match = new().play("bad")
    assert match.over and (match.state.outcome, match.state.reason) == ("aborted", "format")
    assert match.heard["left"][-1] == Message("assistant", "bad")
    assert match.steps[0].says == () and match.steps[0].note == "not bad"


@given(TEXTS)
def test_conversations_alternate_and_the_speaker_has_just_heard_something(texts: list[str]) -> None:
    match = played(texts)
    for heard in match.heard.values():
        assert [m.role for m in heard] == [("user", "assistant")[n % 2] for n in range(len(heard))]
    if match.turn:
        assert match.heard[match.turn][-1].role == "user"


# -- strikes


def test_without_mention_the_first_illegal_reply_aborts() -> None:
    class Strict(Talking):
        strikes: ClassVar[Mapping[str, Strikes]] = {}

    assert Match.new(Strict(), Word(name="one", experiment="all")).play("bad turn").state.outcome == "aborted"


def test_a_kind_that_is_not_named_is_forgiven_as_often_as_format() -> None:
    class Mild(Talking):
        strikes: ClassVar[Mapping[str, Strikes]] = {"format": Strikes(1)}

    match = Match.new(Mild(), Word(name="one", experiment="all"))
    assert not match.play("bad odd").over
    assert match.play("bad odd").play("bad odd").state.reason == "odd"


def test_strikes_per_turn_are_forgotten_after_a_legal_reply() -> None:
    match = play(new(), "bad turn", "bad turn", "hi", "ho", "bad turn", "bad turn")
    assert not match.over
    assert match.play("bad turn").state.reason == "turn"
    assert play(new(), "bad turn", "bad turn", "bad turn").over


def test_strikes_per_role_are_kept_and_each_role_has_its_own() -> None:
    match = play(new(), "bad role", "hi", "bad role", "bad role", "ho", "bad role")
    assert not match.over and match.turn == "left"
    assert match.play("bad role").state.reason == "role"
    assert not match.play("hi").over


def test_strikes_per_match_are_shared() -> None:
    match = play(new(), "bad match", "hi", "bad match", "ho")
    assert not match.over
    assert match.play("bad match").state.reason == "match"


def test_kinds_are_counted_apart() -> None:
    match = play(new(), "bad turn", "bad turn", "bad role", "bad role", "bad match", "bad match")
    assert not match.over and match.ply == 6


def test_a_legal_reply_of_one_role_does_not_clear_the_other() -> None:
    match = play(new(), "hi", "bad turn", "bad turn")
    assert match.turn == "right" and match.strikes == {("turn", "right"): 2}
    assert match.play("ho").strikes == {}


# -- values: branching, replay, storing


def test_to_branch_is_to_keep_a_reference() -> None:
    root = new().play("hi")
    before = (root.state, dict(root.heard), root.steps, dict(root.strikes))
    left, right = root.play("a"), root.play("bad turn")
    assert (root.state, root.heard, root.steps, root.strikes) == before
    assert left.state.said == ("hi", "a") and right.state == root.state
    assert left.steps[:1] == right.steps[:1] == root.steps


@given(TEXTS, st.integers(0, 3))
def test_replay_is_the_same_match(texts: list[str], seed: int) -> None:
    match = played(texts, seed)
    assert Match.replay(GAME, match.instance, seed, match.texts) == match


@given(TEXTS)
def test_dump_and_load(texts: list[str]) -> None:
    match = played(texts, seed=7)
    assert Match.load(GAME, match.dump()) == match
    assert json.loads(match.dump())["game"] == "talking@1"


def test_a_match_of_another_game_or_version_is_not_loaded() -> None:
    class Newer(Talking):
        version = 2

    with pytest.raises(ValueError, match="talking@1, not of talking@2"):
        Match.load(Newer(), new().dump())


def test_nobody_plays_on_after_the_end() -> None:
    with pytest.raises(MatchOver, match="talking is over"):
        new().play("end").play("hi")


def test_a_match_cannot_be_changed() -> None:
    match = new()
    with pytest.raises(AttributeError):
        match.seed = 3  # type: ignore[misc]
    with pytest.raises(ValueError):
        match.state.turn = "right"
    with pytest.raises(ValueError):
        match.instance.name = "two"


def test_instances_and_states_know_no_extra_fields() -> None:
    with pytest.raises(ValueError):
        Word(name="one", experiment="all", colour="red")  # type: ignore[call-arg]


def test_an_instance_must_say_its_key() -> None:
    with pytest.raises(NotImplementedError, match="Instance must define key"):
        _ = Instance(name="one", experiment="all").key


# -- odd texts


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\udc80" * 3])
def test_lone_surrogates_are_replaced_where_texts_come_in(text: str) -> None:
    match = new().play(text)
    said = match.texts[0]
    said.encode()
    assert said == text.encode("utf-8", "replace").decode() != text
    assert match.heard["right"][-1].content.endswith(said)
    assert Match.load(GAME, match.dump()) == match


@pytest.mark.parametrize("text", ["", "ä", "👩‍🚀", "\x00\x1b[2J", "a\u202eb", "x" * 100_000])
def test_other_texts_are_kept_as_they_are(text: str) -> None:
    assert new().play(text).texts == [text]


# -- luck


def test_siblings_share_their_luck_and_plies_do_not() -> None:
    root = new(seed=5)
    first = root.play("dice").state.said[0]
    assert root.play("dice").state.said[0] == first == new(seed=5).play("dice").state.said[0]
    assert root.play("dice").play("dice").state.said[1] != first
    assert new(seed=6).play("dice").state.said[0] != first


def test_luck_equals_a_generator_seeded_by_seed_and_ply() -> None:
    assert [luck(3, 4).random() for _ in range(2)] == [Random("3:4").random()] * 2
    mine, same = luck("run", -1), Random("run:-1")
    assert [mine.randint(0, 9), mine.choice("abc"), mine.gauss(0, 1)] == [
        same.randint(0, 9),
        same.choice("abc"),
        same.gauss(0, 1),
    ]


def test_luck_is_not_seeded_before_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded: list[object] = []

    class Counting(Random):
        def __init__(self, seed: object) -> None:
            seeded.append(seed)
            super().__init__(str(seed))

    monkeypatch.setattr("games.engine.Random", Counting)
    play(new(seed=9), "hi", "ho", "bad turn")
    assert seeded == []
    new(seed=9).play("dice")
    assert seeded == ["9:0"]


def test_the_process_wide_generator_is_left_alone() -> None:
    before = random.getstate()
    play(new(), "dice", "dice", "end")
    assert random.getstate() == before


# -- scores and rewards


def test_default_scores_follow_the_outcome() -> None:
    match = new()
    for outcome, main in {"success": 100.0, "draw": 50.0, "failure": 0.0, "aborted": None}.items():
        over = Match(GAME, match.instance, 0, match.state.end(outcome, "x"), match.heard)  # type: ignore[arg-type]
        assert over.scores().main == main
        assert over.rewards() == dict.fromkeys(GAME.roles, (main or 0) / 100)


def test_an_unfinished_match_has_no_score_whatever_the_game_says() -> None:
    class Eager(Talking):
        def scores(self, match: Match) -> Scores:
            return Scores(100.0)

    assert Match.new(Eager(), Word(name="one", experiment="all")).scores() == Scores(None)
    assert new().rewards() == {"left": 0.0, "right": 0.0}


def test_a_state_may_share_out_rewards_itself() -> None:
    assert new().play("end rich").rewards() == {"left": 1.0, "right": 0.25}


def test_end_words_by_default() -> None:
    assert GAME.verdict(new()) == "unfinished"
    assert GAME.verdict(new().play("end")) == "ended"


# -- views and defaults


def test_a_view_shows_one_seat() -> None:
    match = new().play("hi")
    view = match.view("right")
    assert (view.role, view.ply, view.language) == ("right", 1, "en")
    assert view.heard == match.heard["right"]
    assert view.board == Board("right 1")
    assert view.fields == (Field("text", "say"),)
    assert (view.shape, view.examples, view.question) == (None, (), "")
    assert view.read(view.compose({"text": "hello"})) == {"text": "hello"}
    assert view.check("fine") == () and view.check("bad turn") == ("not bad turn",)


def test_checking_a_reply_changes_nothing_and_leaves_luck_alone() -> None:
    match = new(seed=4)
    before = match.dump()
    match.view("left").check("dice")
    assert match.dump() == before
    assert match.play("dice") == new(seed=4).play("dice")


def test_a_game_is_its_own_family_unless_it_says_otherwise() -> None:
    class Cousin(Talking):
        family = "chat"

    assert (GAME.family_name, Cousin().family_name) == ("talking", "chat")


@given(st.lists(st.text(max_size=12), max_size=20), st.integers(0, 2**31))
def test_a_real_game_replays_whatever_was_said(texts: list[str], seed: int) -> None:
    game = hunt.Hunt()
    match = Match.new(game, game.instances("en")[0], seed)
    for n, text in enumerate(texts):
        if match.over:
            break
        legal = ("Hint: bigger", f"Guess: {10 + n}")[match.turn == "seeker"]
        match = match.play(legal if n % 3 else text)
    assert Match.load(game, match.dump()) == match
