"""The file of a study: what is right, and what is wrong in one sentence."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playpen_tui.study_file import TEMPLATE, BadStudy, Question, Study, check_study, flowing, parse_study, read_study

LEAST = {"name": "s", "quota": 2, "consent": {"text": "May we?"}, "play": {"games": ["taboo"], "partners": ["bot"]}}


def study(**changes):
    return parse_study({**LEAST, **changes})


def test_the_template_is_a_study_and_has_enough_material():
    found = parse_study(tomllib.loads(TEMPLATE))
    design = check_study(found)
    assert [cell.role for cell in design.cells] == ["describer", "guesser"] and design.episodes == 3
    assert [len(found.asked(when)) for when in ("start", "each", "end")] == [1, 1, 1]
    commented = TEMPLATE.replace("# [judge]", "[judge]").replace("# queue", "queue").replace("# items", "items")
    assert parse_study(tomllib.loads(commented)).judge.items == 20  # what is commented out is right, too


def test_the_same_study_has_the_same_config_however_it_is_written():
    assert study().config() == study(seed=0, language="en", questions=[]).config()
    assert study().config() != study(quota=3).config()
    assert parse_study(study().config()) == study()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"quota": 0}, "quota: input should be greater than or equal to 1"),
        ({"colour": "red"}, "colour: there is no such field"),
        ({"consent": {}}, "consent.text: field required"),
        ({"consent": {"text": "  "}}, "consent.text"),
        ({"consent": {"text": "x", "level": "everything"}}, "consent.level"),
        ({"play": {"games": []}}, "play.games"),
        ({"name": "a\x1b[31m"}, "name: a name on one line"),
        ({"questions": [{"id": "q", "text": "?", "kind": "choice", "options": ["a", "a"]}]}, "two different options"),
        ({"questions": [{"id": "q", "text": "?", "kind": "scale", "from": 5, "to": 5}]}, "to a higher one"),
        ({"questions": [{"id": "q", "text": "?"}, {"id": "q", "text": "!"}]}, "two questions have the same id"),
        ({"questions": [{"id": "consent", "text": "?"}]}, "'consent' is taken"),
        ({"questions": [{"id": "A b", "text": "?"}]}, "questions.0.id"),
        ({"play": None}, "a study needs"),
    ],
)
def test_what_is_wrong_is_one_sentence_that_names_the_field(changes, told):
    with pytest.raises(BadStudy) as found:
        study(**changes)
    assert told in str(found.value) and "\n" not in str(found.value) and "\x1b" not in str(found.value)


@pytest.mark.parametrize(
    ("play", "told"),
    [
        ({"games": ["tabu"]}, "taboo"),
        ({"games": ["taboo"], "roles": {"taboo": ["guessr"]}}, "guesser"),
        ({"games": ["taboo"], "roles": {"wordle": ["guesser"]}}, "not among the games"),
        ({"games": ["taboo"], "experiment": {"taboo": "nope"}}, "no experiment"),
        ({"games": ["taboo"], "instances": {"taboo": ["nope"]}}, "no instance"),
        ({"games": ["taboo"], "instances": {"taboo": 2}, "episodes": 3}, "too few instances of different content"),
        ({"games": ["taboo"], "partners": []}, "no cell is left"),
    ],
)
def test_material_that_is_not_there_is_said_before_anybody_comes(play, told):
    with pytest.raises(Exception) as found:
        check_study(study(play=play))
    from playpen_tui.cli.errors import sentence

    text, code = sentence(found.value)
    assert told in text and code == 2


def test_a_game_for_one_has_no_partner():
    design = check_study(study(play={"games": ["wordle"], "partners": ["bot", "smollm2"]}))
    assert [cell.partner for cell in design.cells] == [""]


def test_files_that_are_none(tmp_path):
    for name, content, told in [
        ("none", None, "there is no file"),
        ("binary", b"\xff\xfe\x00", "no text in UTF-8"),
        ("toml", b"name = ", "is no TOML"),
        ("deep", b"a = " + b"[" * 100_000, "is nested too deeply|is no TOML"),
        ("large", b"#" * 1_000_001, "has 1,000,001 characters"),
    ]:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(BadStudy, match=told):
            read_study(path)
    with pytest.raises(BadStudy, match="cannot be read"):
        read_study(tmp_path)


def test_answers_mean_what_was_asked():
    choice = Question(id="q", text="?", kind="choice", options=("red", "blue"))
    assert choice.value("2") == ("blue", "") and choice.value("red") == ("red", "") and choice.value("3")[1]
    scale = Question.model_validate(
        {"id": "q", "text": "?", "kind": "scale", "from": 0, "to": 4, "ends": ["no", "yes"]}
    )
    assert scale.value("0") == (0, "") and scale.value("5")[1] and scale.answers[0] == ("0", "0  no")
    text = Question(id="q", text="?")
    assert text.value(" so ") == ("so", "") and text.value(" ")[1]
    assert Question(id="q", text="?", optional=True).value("") == (None, "")


@given(st.text(max_size=40), st.sampled_from(["text", "choice", "scale"]))
def test_no_answer_breaks_a_question(text, kind):
    question = Question(id="q", text="?", kind=kind, options=("a", "b") if kind == "choice" else ())
    value, wrong = question.value(text)
    assert (value is None) == bool(wrong)


def test_paragraphs_run_on_and_lists_keep_their_lines():
    text = "\nYou play\ngames.\n\nWhat is kept:\n- words\n- times\n1. so\n"
    assert flowing(text) == "You play games.\n\nWhat is kept:\n- words\n- times\n1. so"
    assert flowing("") == "" and flowing(" \n ") == ""


def test_a_study_is_frozen():
    with pytest.raises(Exception, match="frozen"):
        study().quota = 3
    assert isinstance(study(), Study)
