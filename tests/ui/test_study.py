"""A study on the screen: consent, questions, games, code; leaving in the middle and going on."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from playpen_tui.messages import TakePart
from playpen_tui.study import take_part
from playpen_tui.study_file import parse_study
from store import studies

spec = importlib.util.spec_from_file_location("queued", Path(__file__).with_name("queued.py"))
queued = importlib.util.module_from_spec(spec)
spec.loader.exec_module(queued)

STUDY = {
    "name": "clues",
    "quota": 2,
    "welcome": "Welcome to the study.",
    "consent": {"text": "We record [b]what[/b] you \x1b[31msay.", "level": "research"},
    "play": {"games": ["taboo"], "roles": {"taboo": ["guesser"]}, "partners": ["bot"], "episodes": 2},
    "questions": [
        {"id": "age", "when": "start", "kind": "choice", "text": "How old are you?", "options": ["young", "old"]},
        {"id": "hard", "when": "each", "kind": "scale", "text": "How hard was it?", "ends": ["easy", "hard"]},
        {"id": "more", "text": "Anything else?"},
    ],
    "completion": {"text": "Thank you!", "code": "C1A2B3"},
}


def begin(stage, person="P01", **changes):
    study = parse_study({**STUDY, **changes})
    stage.app.post_message(TakePart(lambda bench: take_part(bench, study, person)))


async def asked(stage, words: str) -> None:
    await stage.until(lambda: stage.at in ("Choose", "Prompt"), f"a question: {words}", seconds=90)
    await stage.sees(words)


async def guess(stage, right: bool = True) -> None:
    await stage.my_turn()
    await stage.say(stage.match.instance.target if right else "wrongword")


async def test_from_consent_to_code(stage):
    async with stage.open(consent=None):
        begin(stage)
        await asked(stage, "Welcome to the study. We record [b]what[/b] you")
        assert stage.bench.rows("select count(*) from people") == [(0,)]
        stage.press("enter")
        await asked(stage, "How old are you?")
        stage.press("down", "enter")
        for _ in range(2):
            await guess(stage)
            await stage.over()
            assert "another game" not in stage.text
            stage.press("enter")
            await asked(stage, "How hard was it?")
            await stage.sees("7 hard")
            stage.press("down", "down", "enter")
        await asked(stage, "Anything else?")
        stage.press("enter")
        await stage.sees("please answer this")
        stage.line("no [markup] \u202e")
        await stage.sees("Thank you!", "Your completion code: C1A2B3")
        stage.press("escape")
    log = await stage.bench.log()
    (row,) = studies.all_studies(log.reader())
    (me,) = studies.participants(log.reader(), row.id)
    given = studies.answers(log.reader(), me.id)
    assert me.finished_at and given["age"] == "old" and given["hard@1"] == given["hard@2"] == 3
    assert given["more"].startswith("no [markup]")
    assert stage.bench.rows("select distinct kind from runs") == [("study",)]
    assert stage.bench.rows("select count(*) from results") == [(2,)]


async def test_who_leaves_a_game_comes_back_to_it(stage):
    async with stage.open(consent=None):
        begin(stage, questions=[])
        await asked(stage, "We record")
        stage.press("enter")
        await guess(stage, right=False)
        await stage.my_turn()
        for action in ("seats", "judge", "choose"):
            assert not stage.screen.check_action(action, ())
        stage.press("escape")
        await stage.to("StudyScreen")
        await stage.sees("This step is not done yet")
        stage.press("enter")
        await stage.my_turn()
        assert stage.match.ply == 3
        await guess(stage)
        await stage.over()
    assert stage.bench.rows("select count(*) from episodes") == [(1,)]


async def test_who_declines_leaves_nothing(stage):
    async with stage.open(consent=None):
        begin(stage)
        await asked(stage, "We record")
        stage.press("down", "enter")
        await stage.sees("nothing about you was kept")
        stage.press("enter")
        await asked(stage, "We record")
        stage.press("escape")
        await stage.sees("Nothing was kept so far")
    assert stage.bench.rows("select count(*) from people") == stage.bench.rows("select count(*) from participants")
    assert stage.bench.rows("select count(*) from people") == [(0,)]


async def test_a_full_study_says_so(stage):
    async with stage.open(consent=None):
        study = parse_study({**STUDY, "quota": 1})
        taking = await take_part(stage.bench, study, "P01")
        await taking.agree()
        begin(stage, person="P02", quota=1)
        await stage.until(lambda: "the study is full" in stage.notes, "that it is full")
        assert stage.at == "HomeScreen"


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 18)])
async def test_everything_can_be_read_in_a_small_window(stage, size):
    async with stage.open(consent=None, size=size):
        begin(stage, consent={"text": "word " * 400})
        await asked(stage, "I agree and take part")
        stage.press("enter")
        await asked(stage, "How old are you?")
        stage.press("escape")
        await stage.sees("A question waits for your answer")


async def test_items_of_a_queue_are_a_step(stage):
    log = await queued.played(stage.bench)
    queued.queue(log, many=4)
    async with stage.open(consent=None):
        judge = {"queue": "pairs", "items": 2}
        begin(stage, play=None, judge=judge, questions=[{"id": "how", "text": "How did you judge?"}])
        await asked(stage, "We record")
        stage.press("enter")
        await stage.to("AnnotateScreen")
        await stage.until(lambda: stage.screen.shown is not None and stage.screen._ready, "the first pair")
        stage.press("1")
        await stage.until(lambda: stage.bench.rows("select count(*) from verdicts") == [(1,)], "one vote")
        stage.press("escape")
        await stage.to("StudyScreen")
        await stage.sees("This step is not done yet")
        stage.press("enter")
        await stage.to("AnnotateScreen")
        await stage.until(lambda: stage.screen.shown is not None and stage.screen._ready, "the next pair")
        stage.press("2")
        await stage.until(lambda: stage.bench.rows("select count(*) from verdicts") == [(2,)], "both votes")
        await stage.until(lambda: stage.screen.shown is None, "that nothing is left")
        stage.press("escape")
        await asked(stage, "How did you judge?")
    assert stage.bench.rows("select distinct judge from verdicts") == [("P01",)]
