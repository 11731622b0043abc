"""The rules of Taboo, what each seat hears and sees, and the faults of clembench's version that must not come back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from games import boards, catalog, shapes
from games.boards import Card, Facts, Lines
from games.conformance import check, fuzz
from games.engine import GM, Match
from games.material import prompts
from games.shapes import Choice, Seq
from games.taboo import lexicon
from games.taboo.clue import PACKAGE, tokens
from games.taboo.game import CLUE_LENGTH, Taboo
from games.taboo.lexicon import TabooInstance

GAME = Taboo()
ELEPHANT = TabooInstance(name="test", experiment="high", target="elephant", related=("trunk", "ivory", "tusk"))
BIRNE = TabooInstance(name="test", experiment="high", language="de", target="Birne", related=("Apfel", "Obst", "Kern"))
CLUE, WRONG, RIGHT = "CLUE: a large animal in Africa", "GUESS: giraffe", "GUESS: elephant"


def play(*texts: str, instance: TabooInstance = ELEPHANT) -> Match:
    return Match.replay(GAME, instance, 0, texts)


def deal(target: str, *related: str, language: str = "en") -> TabooInstance:
    return TabooInstance(name="test", experiment="high", language=language, target=target, related=related)


def heard(match: Match, role: str) -> str:
    return match.heard[role][-1].content


def say(match: Match, text: str) -> tuple[str, ...]:
    """What a person would be told about this clue or guess."""
    name = GAME.fields(match.state)[0].name
    assert match.turn is not None
    return GAME.check(match.state, GAME.compose(match.state, match.turn, {name: text}))


def test_conformance() -> None:
    assert check(GAME) == []


def test_random_and_adversarial_replies_and_matches_of_six_at_most() -> None:
    report = fuzz(GAME, replies=1_000)
    assert report.replies >= 1_000 and report.clean, (report.raised, report.endless)
    assert report.plies <= 6


def test_describer_knows_word_and_related_words_guesser_only_the_rules() -> None:
    match = play()
    assert match.turn == "describer"
    assert all(word in heard(match, "describer") for word in ("elephant", "trunk", "ivory", "tusk", "CLUE:", "3"))
    assert "GUESS:" in heard(match, "guesser") and "elephant" not in heard(match, "guesser")


def test_a_clue_goes_to_the_guesser_word_for_word() -> None:
    match = play(f"  **CLUE:** {CLUE[6:]}\n")
    assert match.turn == "guesser" and match.state.clues == (CLUE[6:],)
    assert heard(match, "guesser").endswith(f"\n\n{CLUE}")
    (relay,) = match.steps[-1].says
    assert (relay.to, relay.by, relay.kind) == ("guesser", "describer", "relay")


def test_after_a_wrong_guess_both_hear_that_it_was_wrong_and_how_many_are_left() -> None:
    match = play(CLUE, WRONG)
    assert (match.turn, match.state.round) == ("describer", 2)
    relay, *told = match.steps[-1].says
    assert (relay.to, relay.text, relay.by) == ("describer", WRONG, "guesser")
    assert [say.to for say in told] == ["describer", "guesser"] and {say.by for say in told} == {GM}
    assert all("left: 2" in say.text for say in told)


@pytest.mark.parametrize(("round_", "main"), [(1, 100.0), (2, 50.0), (3, 100 / 3)])
def test_success_scores_by_round(round_: int, main: float) -> None:
    match = play(*[CLUE, WRONG] * (round_ - 1), CLUE, RIGHT)
    assert (match.state.outcome, match.state.reason) == ("success", "guessed")
    assert match.scores().main == pytest.approx(main)
    assert match.rewards() == {role: pytest.approx(main / 100) for role in GAME.roles}
    last = 2 * round_ - 1
    assert match.scores().turns == {ply: float(ply >= last - 1) for ply in range(last + 1)}
    assert GAME.verdict(match) == f"guessed in {round_} of 3"


def test_three_wrong_guesses_lose() -> None:
    match = play(*[CLUE, WRONG] * 3)
    assert (match.state.outcome, match.state.reason, match.ply) == ("failure", "rounds", 6)
    assert match.scores().main == 0.0 and set(match.scores().turns.values()) == {0.0}
    assert "elephant" in heard(match, "guesser") and "elephant" in GAME.verdict(match)


def test_a_forbidden_word_loses_without_asking_the_guesser() -> None:
    match = play("CLUE: it has two tusks")
    assert (match.state.outcome, match.state.reason, match.turn) == ("failure", "rule", None)
    assert match.scores().main == 0.0 and match.steps[-1].verdict == "ok"
    assert '"tusks" is a form of the forbidden word "tusk"' in heard(match, "describer")
    assert "it has two" not in heard(match, "guesser")
    assert "tusks" in GAME.verdict(match)


@pytest.mark.parametrize(
    "text", ["a large animal", "CLUE a large animal", "GUESS: cat", "Sure! CLUE: large", "CLUE:", ""]
)
def test_a_broken_form_aborts_at_once_and_says_how_it_should_be(text: str) -> None:
    match = play(text)
    assert (match.state.outcome, match.state.reason) == ("aborted", "format")
    assert match.scores().main is None and match.rewards() == {"describer": 0.0, "guesser": 0.0}
    assert "CLUE:" in match.steps[-1].note
    assert (
        play(CLUE, text.replace("GUESS: cat", "CLUE: cat").replace("CLUE: large", "large")).state.outcome == "aborted"
    )


@pytest.mark.parametrize(
    "guess",
    ["elephant", "Elephant!", "ELEPHANT", '"elephant"', "an elephant", "The  elephant.", "elephant\n", "**elephant**"],
)
def test_what_counts_as_the_word(guess: str) -> None:
    assert play(CLUE, f"GUESS: {guess}").state.outcome == "success"


@pytest.mark.parametrize("guess", ["elephants", "big elephant", "elephant or lion", "elephan", "…", "the"])
def test_what_does_not(guess: str) -> None:
    assert play(CLUE, f"GUESS: {guess}").state.outcome is None


@pytest.mark.parametrize("guess", ["Birne", "die Birne", "BIRNE.", "eine birne"])
def test_german_guesses(guess: str) -> None:
    match = play("HINWEIS: süß und grün, wächst am Baum", f"ANTWORT: {guess}", instance=BIRNE)
    assert match.state.outcome == "success" and GAME.verdict(match) == "in Runde 1 von 3 erraten"


@pytest.mark.parametrize(("target", "guess"), [("Bär", "Baer"), ("Straße", "STRASSE"), ("Öl", "oel")])
def test_german_spellings(target: str, guess: str) -> None:
    instance = deal(target, language="de")
    assert play("HINWEIS: na was wohl", f"ANTWORT: {guess}", instance=instance).state.outcome == "success"


# The faults of clembench 3.0, by name.


def test_fault_a_win_in_the_last_round_is_a_success() -> None:
    match = play(*[CLUE, WRONG] * 2, CLUE, RIGHT)
    assert match.state.outcome == "success" and match.rewards()["guesser"] == pytest.approx(1 / 3)


def test_fault_repetitions_are_counted() -> None:
    metrics = play(CLUE, WRONG, CLUE.upper(), "GUESS: a giraffe", "CLUE: grey", WRONG).scores().metrics
    assert (metrics["repetition_guesser"], metrics["repetition_describer"]) == (2.0, 1.0)
    assert play(CLUE, WRONG, "CLUE: grey", RIGHT).scores().metrics["repetition_guesser"] == 0.0


def test_fault_parts_of_the_target_are_forbidden() -> None:
    match = play("CLUE: it makes a flash", instance=deal("flashlight", "torch"))
    assert match.state.reason == "rule"
    assert "clembench.main_score" not in match.scores().metrics


def test_fault_hyphens_and_newlines_split_words() -> None:
    assert play("CLUE: grey-elephant-like").state.reason == "rule"
    assert play("CLUE: it has a\ntrunk\nand ears").state.reason == "rule"


@pytest.mark.parametrize(("target", "related"), [("just", "fair"), ("fair", "here")])
def test_fault_stop_words_excuse_no_forbidden_word(target: str, related: str) -> None:
    instance = deal(target, related)
    assert play("CLUE: he is just and lives here", instance=instance).state.reason == "rule"


def test_fault_a_target_with_a_capital_can_be_guessed() -> None:
    assert play(CLUE, "GUESS: Elephant", instance=deal("Elephant")).state.outcome == "success"


def test_fault_requests_are_counted_per_reply() -> None:
    metrics = play(CLUE, WRONG, CLUE, RIGHT).scores().metrics
    assert (metrics["requests"], metrics["parsed"], metrics["violated"]) == (4.0, 4.0, 0.0)
    metrics = play(CLUE, "giraffe").scores().metrics
    assert (metrics["requests"], metrics["parsed"], metrics["violated"]) == (2.0, 1.0, 1.0)
    assert metrics["request_success_ratio"] == 0.5


def test_fault_a_short_word_inside_another_is_no_hit() -> None:
    assert play("CLUE: nothing works without that", instance=deal("it", "hot", "ear")).turn == "guesser"


# What else is measured.


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ((CLUE, RIGHT), {"clembench.aborted": 0.0, "clembench.main_score": 100.0}),
        ((CLUE, WRONG, CLUE, RIGHT), {"clembench.aborted": 0.0, "clembench.main_score": 50.0}),
        ((CLUE, WRONG) * 3, {"clembench.aborted": 0.0, "clembench.main_score": 0.0}),
        ((" " + CLUE, RIGHT), {"clembench.aborted": 1.0}),
        (("clue: big", RIGHT), {"clembench.aborted": 1.0}),
        ((CLUE, "an elephant"), {"clembench.aborted": 1.0}),
        (("CLUE: two elephants",), {"clembench.aborted": 0.0, "clembench.main_score": 0.0}),
        (("CLUE: e-l-e-p-h-a-n-t",), {"clembench.aborted": 0.0, "clembench.main_score": 0.0}),
        (("CLUE: e.l e.p hant",), {}),
        ((CLUE, "GUESS: an elephant"), {}),
        ((*(CLUE, WRONG) * 2, CLUE, "GUESS: an elephant"), {"clembench.aborted": 0.0, "clembench.main_score": 0.0}),
    ],
)
def test_the_score_by_clembenchs_rules_stands_beside_ours(texts: tuple[str, ...], expected: dict[str, float]) -> None:
    metrics = play(*texts).scores().metrics
    assert {name: value for name, value in metrics.items() if name.startswith("clembench.")} == expected


def test_near_misses_and_lengths_are_counted() -> None:
    metrics = (
        play("CLUE: big and grey", "GUESS: elephants", "CLUE: it remembers", "GUESS: many elephants").scores().metrics
    )
    assert metrics == {}  # not over: nothing is scored
    match = play("CLUE: big and grey", "GUESS: elephants", "CLUE: it remembers", RIGHT)
    assert (match.scores().metrics["near_miss"], match.scores().metrics["clue_length"]) == (1.0, 2.5)
    assert match.scores().metrics["rounds"] == 2.0


# Seats: boards, fields, warnings, shapes, examples.


def test_boards_show_each_seat_what_it_may_know() -> None:
    state = play(CLUE, WRONG).state
    describer, guesser, master = (GAME.board(state, role) for role in ("describer", "guesser", None))
    assert describer.status == guesser.status == "round 2 of 3"
    assert describer.panels == (Card("Describe", "ELEPHANT", "without", ("trunk", "ivory", "tusk"), private=True),)
    assert guesser.panels == (Lines("clues", (CLUE[6:],)), Lines("not the word", ("giraffe",)))
    assert not any("elephant" in text.casefold() or "trunk" in text for text in boards.strings(guesser))
    card, dialogue = master.panels
    assert isinstance(card, Card) and not card.private
    assert isinstance(dialogue, Facts) and dialogue.items == (("clue 1", CLUE[6:]), ("guess 1", "giraffe"))


def test_at_the_end_the_guesser_sees_the_card() -> None:
    (card,) = GAME.board(play(CLUE, RIGHT).state, "guesser").panels
    assert isinstance(card, Card) and card.head == "ELEPHANT" and not card.private


def test_people_are_told_before_sending_what_is_forbidden() -> None:
    match = play()
    assert say(match, "it has a long trunk") == ('"trunk" is one of the forbidden words',)
    assert say(match, "Elephants with tusks") == (
        '"elephants" is a form of the word',
        '"tusks" is a form of the forbidden word "tusk"',
    )
    assert say(match, "e l e p h a n t") == ('"e l e p h a n t" spells the word',)
    assert say(match, "  ") == ("say something about the word",)
    assert say(match, "a large animal") == ()
    assert "CLUE:" in GAME.check(match.state, "a large animal")[0]
    assert len(say(match, "x" * 1000 + "elephant")[0]) < 100


def test_people_are_told_what_is_no_guess() -> None:
    match = play(CLUE)
    assert say(match, "elephant") == say(match, "the elephant") == ()
    assert say(match, "a big cat") == ("a guess is one single word",)
    assert say(match, "") == say(match, "?!") == ("type one word",)
    assert GAME.check(play(CLUE, RIGHT).state, "?") == ()


def test_a_tag_that_a_person_types_is_not_doubled() -> None:
    state = play().state
    assert GAME.compose(state, "describer", {"clue": "clue: CLUE: a large animal "}) == "CLUE: a large animal"
    assert GAME.read(state, "guesser", "GUESS: guess: lion") == {"guess": "lion"}


def test_one_field_a_turn() -> None:
    (clue,) = GAME.fields(play().state)
    (guess,) = GAME.fields(play(CLUE).state)
    assert (clue.name, guess.name) == ("clue", "guess")
    assert "elephant" in clue.hint and "trunk" in clue.hint and "elephant" not in guess.hint


TYPED = st.text(min_size=1, max_size=60).map(str.strip).filter(lambda said: said and ":" not in said)


@given(TYPED)
def test_read_undoes_compose(text: str) -> None:
    for match, role, name in ((play(), "describer", "clue"), (play(CLUE), "guesser", "guess")):
        assert GAME.read(match.state, role, GAME.compose(match.state, role, {name: text})) == {name: text}


@given(st.text(max_size=120))
def test_what_is_read_can_be_said_again(text: str) -> None:
    for role in GAME.roles:
        fields = GAME.read(
            play().state,
            role,
            f"\n{prompts(PACKAGE, 'en').word('tags.' + ('clue' if role == 'describer' else 'guess'))}: {text}",
        )
        assert fields is not None
        assert GAME.read(play().state, role, GAME.compose(play().state, role, fields)) == fields


def choice(match: Match) -> tuple[str, ...]:
    shape = GAME.shape(match.state)
    assert isinstance(shape, Seq) and isinstance(shape.parts[1], Choice)
    return shape.parts[1].options


def test_the_shape_of_a_guess_is_one_vocabulary_for_all_instances() -> None:
    first, second = GAME.instances("en")[:2]
    assert choice(play("CLUE: um", instance=first)) == choice(play("CLUE: um", instance=second))
    assert len(choice(play(CLUE))) >= 2_500
    assert {*choice(play(CLUE))} - {*choice(play(CLUE, "GUESS: The Giraffe", CLUE))} == {"giraffe"}
    for language in GAME.languages:
        known = {word.casefold() for word in lexicon.vocabulary(language)}
        assert {one.target.casefold() for one in GAME.instances(language)} <= known


def test_the_shape_of_a_guess_leaves_out_what_the_clues_said() -> None:
    offered = {*choice(play("CLUE: A large animal, it likes leaves, lives with lions and is no mouse"))}
    assert not offered & {"animal", "leaf", "lion", "mouse"} and {"elephant", "zoo"} <= offered
    assert "lion" in choice(play("CLUE: big and grey"))


def test_the_shape_of_a_guess_leaves_out_the_answers_of_the_examples() -> None:
    answers = {message.content.removeprefix("GUESS: ") for message in GAME.examples(play(CLUE).state)[1::2]}
    assert len(answers) >= 2 and not answers & {*choice(play(CLUE))}


def test_the_shape_of_a_clue_is_one_plain_line_that_begins_otherwise_in_each_round() -> None:
    shape = GAME.shape(play().state)
    assert shape is not None and shapes.fits(shape, "CLUE: It is big, grey and clever; isn't it?")
    assert not shapes.fits(shape, "CLUE: It is of two\nlines") and not shapes.fits(
        shape, "CLUE: It is " + "x" * (CLUE_LENGTH + 1)
    )
    shapes_ = {GAME.shape(play(*[CLUE, WRONG] * rounds).state) for rounds in range(3)}
    assert len(shapes_) == 3


def test_an_assisted_seat_is_asked_in_the_form_of_its_examples() -> None:
    assert GAME.question(play().state) == "What is elephant?"
    asked = GAME.question(play("CLUE: a large\n animal", WRONG, "CLUE: It never forgets!").state)
    assert asked == "CLUE: A large animal. It never forgets! What is it?"
    assert GAME.question(play(CLUE, RIGHT).state) == ""
    for language, clue in (("en", CLUE), ("de", "HINWEIS: groß und grau")):
        match = play(instance=GAME.instances(language)[0])
        for position in (match, match.play(clue)):
            question, example = GAME.question(position.state), GAME.examples(position.state)[0].content
            assert question.split()[0] == example.split()[0] and question.endswith("?") and example.endswith("?")


@pytest.mark.parametrize("language", GAME.languages)
def test_examples_have_the_form_and_hold_no_target_and_no_related_word(language: str) -> None:
    instances = GAME.instances(language)
    hidden = {word.casefold() for one in instances for word in (one.target, *one.related)}
    hidden_here = {word.casefold() for word in (instances[0].target, *instances[0].related)}
    match = play(instance=instances[0])
    clue = "CLUE: um" if language == "en" else "HINWEIS: äh"
    for position in (match, match.play(clue)):
        examples = GAME.examples(position.state)
        assert len(examples) >= 2 and [m.role for m in examples] == ["user", "assistant"] * (len(examples) // 2)
        for message in examples:
            if message.role == "assistant":
                assert GAME.check(position.state, message.content) == ()
            known = {*tokens(" ".join(say.text for say in match.opening), language)} - hidden_here
            assert {*tokens(message.content, language)} & hidden <= known


def test_splits_leave_enough_to_train_and_to_validate() -> None:
    instances = GAME.instances("en")
    splits = [catalog.split_of(GAME, one) for one in instances]
    assert splits.count("train") >= 300 and splits.count("validation") >= 60
    assert {catalog.split_of(GAME, one) for one in GAME.benchmark("en")} == {"test"}


@pytest.mark.parametrize("language", GAME.languages)
def test_rules_in_words_have_no_protocol_tags(language: str) -> None:
    assert len(GAME.rules(language)) > 200
    assert ":" not in GAME.rules(language).replace(": ein", "").replace(": one", "")


def test_prompts_of_both_languages_have_the_same_names() -> None:
    def names(value: object, path: str = "") -> set[str]:
        if isinstance(value, dict):
            return {name for key, inner in value.items() for name in names(inner, f"{path}.{key}")}
        return {path}

    english, german = (prompts(PACKAGE, language)._data for language in ("en", "de"))
    assert names(english) == names(german)
