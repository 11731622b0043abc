"""The rules of the reference game, and each known fault of clembench's version by name."""

from __future__ import annotations

import json
import math
from collections import Counter
from random import Random

import pytest

from games import boards, catalog
from games.engine import Match, Role
from games.material import prompts
from games.reference import deal, pictures
from games.reference.deal import ReferenceInstance
from games.reference.game import DESCRIBER, GUESSER, SAMPLES, ReferenceGame
from games.shapes import fits

GAME = ReferenceGame()
T, H, F = (
    "XXXXX/..X../..X../..X../..X..",
    "X...X/X...X/XXXXX/X...X/X...X",
    "XXXXX/X..../XXXX./X..../X....",
)
WORDS = {"en": ("Expression", "Answer", "third"), "de": ("Beschreibung", "Antwort", "drittes")}


def deal_one(language: str = "en", target: int = 2) -> Match:
    shown = [H, F]
    shown.insert(target, T)
    return Match.new(
        GAME,
        ReferenceInstance(name="x", experiment="letter_grids", language=language, pictures=tuple(shown), target=target),
    )


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_right_answer_scores_100(language: str) -> None:
    expression, answer, third = WORDS[language]
    match = deal_one(language).play(f"{expression}: T").play(f"{answer}: {third}")
    assert (match.state.outcome, match.state.reason, match.scores().main) == ("success", "right", 100.0)
    assert match.scores().turns == {0: 1.0, 1: 1.0}
    assert match.rewards() == {DESCRIBER: 1.0, GUESSER: 1.0}


def test_a_wrong_answer_scores_0_and_is_played() -> None:
    match = deal_one().play("Expression: T").play("Answer: first")
    assert (match.state.outcome, match.state.reason, match.scores().main) == ("failure", "wrong", 0.0)
    assert match.scores().turns == {0: 0.0, 1: 0.0}
    assert match.heard[GUESSER][-1].content == "Wrong. It was the third picture."


def test_metrics_of_a_played_match() -> None:
    metrics = deal_one().play("Expression: a big T").play("Answer: 3").scores().metrics
    wanted = {"expression_length": 7, "expression_tokens": 3, "requests": 2, "parsed": 2, "violated": 0, "success": 1}
    assert {name: metrics[name] for name in wanted} == wanted
    assert (
        metrics["lose"] == metrics["aborted"] == metrics["aborted_at_describer"] == metrics["aborted_at_guesser"] == 0
    )
    assert metrics["clembench.expression_length"] == len("Expression: a big T")
    assert metrics["clembench.main_score"] == 100


def test_fault_a_second_paragraph_of_the_describer_aborts_and_nobody_is_asked_any_more() -> None:
    """In clembench 3.0 the guesser was called without a prompt then, and the episode crashed."""
    match = deal_one().play("Expression: a T\n\nI hope this helps!")
    assert (match.turn, match.state.outcome, match.state.reason) == (None, "aborted", "format")
    assert match.heard[GUESSER][-1].content == match.opening[1].text


def test_fault_a_second_paragraph_of_the_guesser_aborts_and_the_describer_is_not_asked_again() -> None:
    """In clembench 3.0 the describer was asked a second time, and then scoring crashed."""
    match = deal_one().play("Expression: a T").play("Answer: third\n\nIt has a bar on top.")
    assert (match.turn, match.state.outcome) == (None, "aborted")
    assert match.ply == 2


@pytest.mark.parametrize("texts", [["T"], ["Expression: T", "third"]])
def test_fault_an_aborted_match_has_all_its_scores(texts: list[str]) -> None:
    """In clembench 3.0 such episodes had no scores at all, and success and loss were not a number."""
    match = Match.replay(GAME, deal_one().instance, 0, texts)
    scores = match.scores()
    assert scores.main is None
    assert (scores.metrics["aborted"], scores.metrics["success"], scores.metrics["lose"]) == (1, 0, 0)
    assert scores.metrics["violated"] == 1 and scores.metrics["requests"] == len(texts)
    guilty = (DESCRIBER, GUESSER)[len(texts) - 1]
    at = {role: scores.metrics[f"aborted_at_{role}"] for role in GAME.roles}
    assert at == {DESCRIBER: float(guilty == DESCRIBER), GUESSER: float(guilty == GUESSER)}
    assert all(math.isfinite(value) for value in scores.metrics.values())
    assert GAME.verdict(match) == "broke the form of a reply"


@pytest.mark.parametrize("language", GAME.languages)
def test_fault_the_signs_that_prompts_name_are_those_of_the_pictures(language: str) -> None:
    """In clembench 3.0 the prompt named another sign for an empty cell than the pictures had."""
    for role, heard in Match.new(GAME, GAME.benchmark(language)[0]).heard.items():
        text = heard[0].content
        drawn = [line for line in text.splitlines() if len(line) == 9 and set(line[1::2]) == {" "}]
        assert len(drawn) == 15, role
        assert {sign for line in drawn for sign in line[::2]} == {pictures.FILLED, pictures.EMPTY}
        assert f'"{pictures.FILLED}"' in text and f'"{pictures.EMPTY}"' in text


def test_fault_chance_stands_beside_the_score() -> None:
    """Scores near 33 mean nothing, and nothing in clembench says so."""
    assert deal_one().play("Expression: T").play("Answer: 1").scores().metrics["chance"] == pytest.approx(100 / 3)


@pytest.mark.parametrize("language", GAME.languages)
def test_fault_families_are_what_their_names_say(language: str) -> None:
    """In clembench 3.0 most of the rows were columns, and a random picture was a checkerboard."""
    kinds = {
        "letter_grids": lambda p: p in pictures.signs("letters.txt"),
        "number_grids": lambda p: p in pictures.signs("numbers.txt"),
        "line_grids_rows": pictures.of_rows,
        "line_grids_columns": pictures.of_columns,
    }
    for instance in GAME.instances(language):
        if instance.experiment == "random_grids":
            assert pictures.without_order(instance.pictures[instance.target]), instance.name
        else:
            assert all(map(kinds[instance.experiment], instance.pictures)), instance.name


@pytest.mark.parametrize("language", GAME.languages)
def test_the_benchmark_has_clembenchs_numbers(language: str) -> None:
    frozen = GAME.benchmark(language)
    assert Counter(i.experiment for i in frozen) == dict.fromkeys(deal.FAMILIES, 18)
    for family in deal.FAMILIES:
        places = Counter((i.key, i.target) for i in frozen if i.experiment == family)
        assert len({key for key, _ in places}) == 6 and len(places) == 18 and set(places.values()) == {1}


@pytest.mark.parametrize("language", GAME.languages)
def test_the_frozen_file_is_what_its_recipe_makes(language: str) -> None:
    assert GAME.draft(language) == GAME.benchmark(language)


@pytest.mark.parametrize("language", GAME.languages)
def test_there_are_300_more_instances_and_none_has_a_picture_of_the_benchmark(language: str) -> None:
    others = GAME.instances(language)[90:]
    assert len(others) >= 300
    assert len({i.key for i in others}) == len(others)
    assert deal.frozen().isdisjoint(picture for i in others for picture in i.pictures)
    assert all(len(set(i.pictures)) == 3 for i in GAME.instances(language))


def test_every_split_has_some_of_every_family() -> None:
    found = Counter((catalog.split_of(GAME, i), i.experiment) for i in GAME.instances("en"))
    assert {(split, family) for split in catalog.SPLITS for family in deal.FAMILIES} <= set(found)


def test_random_pictures_differ_from_their_companions_in_two_to_four_cells() -> None:
    for i in deal.generate("random_grids", "en", seed=5, size=60):
        assert {pictures.distance(i.pictures[i.target], other) for other in i.pictures} <= {0, 2, 3, 4}


def test_companions_from_a_family_are_among_the_nearest() -> None:
    for i in deal.generate("number_grids", "en", seed=5, size=30):
        target = i.pictures[i.target]
        ranked = sorted(d for p in deal.pool("number_grids") if (d := pictures.distance(target, p)) >= 2)
        assert all(pictures.distance(target, p) <= ranked[3] for p in i.pictures)


def test_the_generator_runs_from_a_seed_and_goes_on() -> None:
    first = deal.generate("random_grids", "en", seed=1, size=30)
    assert deal.generate("random_grids", "en", seed=1, size=30) == first
    assert deal.generate("random_grids", "en", seed=2, size=30) != first
    german = deal.generate("random_grids", "de", seed=1, size=30)
    assert [i.pictures for i in german] == [i.pictures for i in first]
    assert len({i.key for i in deal.generate("line_grids_rows", "en", seed=1, size=10_000)}) > 400


def test_places_of_targets_are_even_and_names_do_not_tell_them() -> None:
    places = Counter(i.target for i in GAME.instances("en"))
    assert max(places.values()) - min(places.values()) < 60
    for family in deal.FAMILIES:
        by_number = [i.target for i in GAME.benchmark("en") if i.experiment == family]
        assert by_number not in ([0, 1, 2] * 6, [0] * 6 + [1] * 6 + [2] * 6)


def everything(match: Match, role: Role) -> str:
    view = match.view(role)
    parts = [*(m.content for m in view.heard), *boards.strings(view.board)]
    parts += [str([panel.target for panel in view.board.panels if isinstance(panel, boards.Grid)])]
    if match.turn == role:
        parts += [repr(view.shape), repr(view.fields), view.question, repr(view.examples)]
    return json.dumps(parts)


@pytest.mark.parametrize("language", GAME.languages)
def test_the_guesser_sees_the_same_whichever_picture_is_the_target(language: str) -> None:
    """Nothing that the guesser gets depends on the target: three deals that differ in it alone look alike."""
    expression = WORDS[language][0]
    for dealt in GAME.benchmark(language)[::9]:
        seen = {
            everything(Match.new(GAME, dealt.model_copy(update={"target": place})).play(f"{expression}: hm"), GUESSER)
            for place in range(3)
        }
        assert len(seen) == 1


def test_the_describer_does_not_learn_the_order_of_the_guesser() -> None:
    a = ReferenceInstance(name="x", experiment="letter_grids", pictures=(T, H, F), target=0)
    b = ReferenceInstance(name="x", experiment="letter_grids", pictures=(H, T, F), target=1)
    c = ReferenceInstance(name="x", experiment="letter_grids", pictures=(H, F, T), target=2)
    assert len({everything(Match.new(GAME, i), DESCRIBER) for i in (a, b, c)}) == 1


def test_boards_show_the_target_to_those_who_may_know() -> None:
    match = deal_one()

    def marks(match: Match, role: Role | None) -> list[bool]:
        return [p.target for p in GAME.board(match.state, role).panels if isinstance(p, boards.Grid)]

    assert marks(match, DESCRIBER) == [True, False, False]
    assert marks(match, GUESSER) == [False, False, False]
    assert marks(match, None) == [False, False, True]
    asked = match.play("Expression: T")
    assert "T" in boards.strings(GAME.board(asked.state, GUESSER))
    assert marks(asked.play("Answer: 1"), GUESSER) == [False, False, True]


def test_people_choose_among_three_and_see_no_tags() -> None:
    match = deal_one("de").play("Beschreibung: ein T")
    (field,) = match.view(GUESSER).fields
    assert field.options == ("erstes", "zweites", "drittes")
    assert match.view(GUESSER).compose({"answer": "zweites"}) == "Antwort: zweites"
    assert match.view(GUESSER).read("antwort: 2, because") == {"answer": "zweites"}
    assert match.view(DESCRIBER).read(match.steps[0].text) == {"expression": "ein T"}


def test_what_people_type_on_several_lines_is_sent_as_one() -> None:
    view = deal_one().view(DESCRIBER)
    text = view.compose({"expression": "a bar on top,\n\n a stem below\n"})
    assert text == "Expression: a bar on top, a stem below"
    assert view.check(text) == ()
    assert view.check(view.compose({"expression": "  "})) == ("There is no description.",)


def test_keys_are_the_target_alone_and_the_same_in_all_languages() -> None:
    keys = {language: {i.key for i in GAME.instances(language)} for language in GAME.languages}
    assert keys["en"] == keys["de"]
    assert deal_one().instance.key == f"grid:{T}"


def test_pictures_are_checked_when_read() -> None:
    with pytest.raises(ValueError, match="five rows of five cells"):
        ReferenceInstance(name="x", experiment="e", pictures=(T, H, "XX/XX"), target=0)
    with pytest.raises(ValueError):
        ReferenceInstance(name="x", experiment="e", pictures=(T, H, F), target=3)


@pytest.mark.parametrize("language", GAME.languages)
@pytest.mark.parametrize("role", GAME.roles)
def test_examples_are_right_legal_and_of_no_instance(language: str, role: Role) -> None:
    match = deal_one(language)
    if role == GUESSER:
        match = match.play(f"{WORDS[language][0]}: T")
    texts = match.view(role).examples
    assert len(texts) == 6
    for message in texts[1::2]:
        assert match.view(role).check(message.content) == ()
    if role == GUESSER:
        answers = [match.view(role).read(message.content) for message in texts[1::2]]
        assert len({answer["answer"] for answer in answers if answer}) == 3
    known = {p for name in GAME.languages for i in GAME.instances(name) for p in i.pictures}
    assert known.isdisjoint(SAMPLES) and all(map(pictures.well_formed, SAMPLES))


@pytest.mark.parametrize("language", GAME.languages)
def test_whatever_an_assisted_describer_says_leads_to_the_target(language: str) -> None:
    competent = GAME.bots()["competent"]
    for instance in GAME.instances(language)[::3]:
        match = Match.new(GAME, instance)
        options = match.view(DESCRIBER).shape.parts[1].options
        for option in options:
            said = match.play(match.view(DESCRIBER).compose({"expression": option}))
            assert fits(match.view(DESCRIBER).shape, said.steps[0].text)
            assert said.play(competent(said.view(GUESSER), Random(0))).state.outcome == "success", (instance, option)


@pytest.mark.parametrize("language", GAME.languages)
def test_rules_and_ends_are_put_into_words_without_tags(language: str) -> None:
    said = prompts("games.reference", language)
    assert f"{said.word('tags.answer')}:" not in GAME.rules(language)
    expression, answer, third = WORDS[language]
    asked = deal_one(language).play(f"{expression}: T")
    ends = {
        GAME.verdict(m) for m in (asked, asked.play(f"{answer}: 1"), asked.play(f"{answer}: {third}"), asked.play("x"))
    }
    assert len(ends) == 4 and all(ends)


def test_clembench_would_have_aborted_what_we_forgive() -> None:
    match = deal_one().play("```\nexpression:  T\n```").play("  **Answer:** third")
    assert match.state.outcome == "success"
    assert match.scores().metrics["clembench.aborted"] == 1
    assert "clembench.main_score" not in match.scores().metrics
