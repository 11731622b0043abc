"""The rules of Wordle with a critic."""

from __future__ import annotations

import pytest

from games import boards, shapes
from games.boards import Card, Facts
from games.engine import Match
from games.wordle.critic import CriticState, WordleWithCritic
from games.wordle.words import WordleInstance

CRANE = WordleInstance(name="test", experiment="high", target="crane", clue="bird with long legs")
STORK = "explanation: a bird\nguess: stork"
HERON = "explanation: another bird\nguess: heron"
RIGHT = "explanation: the bird\nguess: crane"
YES = "explanation: it is one\nagreement: yes"
NO = "explanation: the colours say otherwise\nagreement: no"


def play(*texts: str) -> Match:
    return Match.replay(WordleWithCritic(), CRANE, 0, texts)


def last(match: Match, role: str) -> str:
    return match.heard[role][-1].content


def test_a_round_is_proposal_answer_and_guess() -> None:
    match = play()
    assert match.turn == "guesser" and "clue: bird with long legs" in last(match, "guesser")
    match = match.play(STORK)
    assert match.turn == "critic" and match.state.guesses == ()
    match = match.play(NO)
    assert match.turn == "guesser"
    match = match.play(HERON)
    assert (match.state.guesses, match.state.proposals, match.state.round) == (("heron",), ("stork",), 2)
    assert match.turn == "guesser" and last(match, "guesser").startswith("colours: h<red>")


def test_each_hears_the_words_of_the_other() -> None:
    match = play(STORK)
    assert STORK in last(match, "critic") and CRANE.clue in last(match, "critic")
    assert next((s.by, s.kind) for s in match.steps[-1].says if s.to == "critic") == ("guesser", "relay")
    match = match.play(NO)
    assert NO in last(match, "guesser") and CRANE.clue in last(match, "guesser")
    assert next((s.by, s.kind) for s in match.steps[-1].says if s.to == "guesser") == ("critic", "relay")


def test_fault_the_critic_gets_the_colours_that_its_briefing_promises() -> None:
    match = play(STORK, NO, HERON, STORK)
    told = last(match, "critic")
    assert "guess: heron" in told
    assert "colours: h<red> e<yellow> r<yellow> o<red> n<yellow>" in told
    assert told.index("heron") < told.index("stork"), "first the guess that counted, then the new proposal"
    assert match.view("critic").board.panels[1] == match.view("guesser").board.panels[1]


def test_a_proposal_does_not_count_even_if_it_is_the_word() -> None:
    match = play(RIGHT)
    assert not match.over
    won = match.play(YES).play(RIGHT)
    assert won.state.outcome == "success" and won.scores().main == 100


def test_proposals_and_guesses_are_forgiven_alike_and_a_critic_is_not() -> None:
    unknown = "explanation: x\nguess: zzzzz"
    match = play(*[unknown] * 5)
    assert not match.over
    match = match.play(STORK).play(YES)
    for _ in range(5):
        match = match.play(unknown)
    assert not match.over
    assert match.play(unknown).state.reason == "word"


@pytest.mark.parametrize(
    "text",
    ["yes", "agreement: yes", "explanation: x\nagreement: maybe", "explanation: x", YES + "\nagreement: no", STORK, ""],
)
def test_a_critic_that_breaks_the_form_ends_it(text: str) -> None:
    match = play(STORK)
    (told,) = match.view("critic").check(text)
    assert told.endswith(".")
    after = match.play(text)
    assert (after.state.outcome, after.state.reason) == ("aborted", "format")


def test_six_rounds_then_it_is_lost() -> None:
    match = play(*[STORK, YES, STORK] * 6)
    assert (match.state.outcome, match.ply, match.scores().main) == ("failure", 18, 0)
    assert match.scores().metrics["guess_repetitions"] == 5


def test_the_board_shows_the_proposal_and_what_the_critic_said() -> None:
    match = play(STORK)
    assert Card("proposal", "stork", items=("a bird",)) in match.view("critic").board.panels
    match = match.play(NO)
    board = match.view("guesser").board
    assert Card("proposal", "stork", items=("a bird",)) in board.panels
    assert Facts((("critic", "no"), ("because", "the colours say otherwise"))) in board.panels
    after = match.play(HERON).view("guesser").board
    assert not any(isinstance(panel, Card) for panel in after.panels)
    for role in ("guesser", "critic"):
        assert "crane" not in boards.strings(match.view(role).board)


def test_a_person_as_critic_is_asked_for_yes_or_no() -> None:
    view = play(STORK).view("critic")
    assert [(f.name, f.options, f.optional) for f in view.fields] == [
        ("agreement", ("yes", "no"), False),
        ("explanation", (), True),
    ]
    for fields in ({"agreement": "yes"}, {"agreement": "no", "explanation": "my view"}):
        assert view.read(view.compose(fields)) == fields
        assert view.check(view.compose(fields)) == ()
    assert view.shape == shapes.Seq(
        (shapes.Literal("explanation: my view\nagreement: "), shapes.Choice(("yes", "no"), "agreement"))
    )


def test_german_says_ja_and_nein() -> None:
    german = WordleInstance(name="test", experiment="high", language="de", target="größe", clue="Maß")
    match = Match.new(WordleWithCritic(), german).play("Begründung: so\nVersuch: Preis")
    assert match.view("critic").fields[0].options == ("ja", "nein")
    assert match.play("begründung: gut\nzustimmung: JA").state.agreements == (True,)
    assert match.play("begründung: gut\nzustimmung: yes").over


def test_change_of_opinion_and_the_four_shares() -> None:
    match = play(STORK, YES, STORK, STORK, NO, HERON, HERON, NO, HERON, HERON, YES, RIGHT)
    metrics = match.scores().metrics
    assert [metrics[f"change_of_opinion_r{n}"] for n in (1, 2, 3, 4)] == [0, 1, 0, 1]
    assert metrics["change_of_opinion"] == 0.5
    assert metrics["repetition_on_agreement"] == metrics["non_repetition_on_agreement"] == 0.5
    assert metrics["repetition_on_disagreement"] == metrics["non_repetition_on_disagreement"] == 0.5
    assert match.scores().main == 25


def test_shares_are_nought_without_a_no_and_missing_without_a_round() -> None:
    metrics = play(STORK, YES, RIGHT).scores().metrics
    assert metrics["repetition_on_disagreement"] == metrics["non_repetition_on_disagreement"] == 0
    assert metrics["non_repetition_on_agreement"] == 1
    assert "change_of_opinion" not in play("nothing").scores().metrics


def test_credit_goes_to_the_guesses_that_counted() -> None:
    match = play(STORK, YES, "explanation: x\nguess: storks", STORK, HERON, YES, RIGHT)
    assert match.scores().turns == {3: 3 / 25, 6: 1.0}, "one yellow letter, then five green ones"
    assert match.rewards() == {"guesser": 0.5, "critic": 0.5}


def test_state_survives_json() -> None:
    state = play(STORK, NO, HERON, STORK).state
    assert CriticState.model_validate_json(state.model_dump_json()) == state


def test_the_secret_is_kept_from_both() -> None:
    assert WordleWithCritic().secrets(CRANE) == {"guesser": ("crane",), "critic": ("crane",)}
    match = play(STORK, YES, STORK)
    for messages in match.heard.values():
        assert not any("crane" in message.content for message in messages)
