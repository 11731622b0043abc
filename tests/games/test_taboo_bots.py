"""The scripted players: they solve what they know, and make something of a person's clue."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from games.engine import Match, luck
from games.taboo import bots, lexicon
from games.taboo.bots import Letters, best_guess, clues_for, competent_bot, letters, patient_bot, random_bot
from games.taboo.game import Taboo
from games.taboo.lexicon import TabooInstance

GAME = Taboo()


def play(instance: TabooInstance, bot: bots.competent_bot.__class__, seed: int = 0) -> Match:
    match = Match.new(GAME, instance, seed)
    while match.turn is not None:
        match = match.play(bot(match.view(match.turn), luck(f"{seed}:{match.turn}", match.ply)))
    return match


@pytest.mark.parametrize("language", GAME.languages)
def test_competent_bots_solve_the_benchmark(language: str) -> None:
    matches = [play(instance, competent_bot) for instance in GAME.benchmark(language)]
    solved = Counter(match.state.outcome for match in matches)
    assert solved["success"] > 0.9 * len(matches) and set(solved) <= {"success", "failure"}


@pytest.mark.parametrize("language", GAME.languages)
def test_random_bots_keep_the_form_and_hardly_ever_win(language: str) -> None:
    matches = [play(instance, random_bot) for instance in GAME.instances(language)[:60]]
    assert all(step.verdict == "ok" for match in matches for step in match.steps)
    assert sum(match.state.outcome == "success" for match in matches) <= 3
    assert {match.state.reason for match in matches} <= {"rounds", "rule", "guessed"}


@pytest.mark.parametrize("language", GAME.languages)
def test_patient_bots_play_all_rounds_and_win(language: str) -> None:
    matches = [play(instance, patient_bot) for instance in GAME.instances(language)]
    assert all(match.ply == 6 and all(step.verdict == "ok" for step in match.steps) for match in matches)
    assert sum(match.state.outcome == "success" for match in matches) > 0.9 * len(matches)
    assert {match.state.reason for match in matches} <= {"guessed", "rounds"}
    assert all(len({*match.state.clues}) == len({*match.state.guesses}) == 3 for match in matches)


@pytest.mark.parametrize("language", GAME.languages)
def test_a_patient_guesser_waits_whatever_it_hears(language: str) -> None:
    """Beside a describer whose first clue tells the word, it is right in the last round and never before."""
    for instance in GAME.benchmark(language):
        match = Match.new(GAME, instance, 3)
        while match.turn is not None:
            bot = competent_bot if match.turn == "describer" else patient_bot
            match = match.play(bot(match.view(match.turn), luck(f"3:{match.turn}", match.ply)))
        assert match.state.reason != "guessed" or match.state.round == 3, match.texts
        assert all(step.verdict == "ok" for step in match.steps)


def test_a_patient_describer_tells_nothing_before_the_last_round() -> None:
    rounds = Counter[int]()
    for instance in GAME.benchmark("en"):
        match = Match.new(GAME, instance, 5)
        while match.turn is not None:
            bot = patient_bot if match.turn == "describer" else competent_bot
            match = match.play(bot(match.view(match.turn), luck(f"5:{match.turn}", match.ply)))
        rounds[match.state.round] += match.state.outcome == "success"
    assert rounds[1] == 0 and rounds[3] > 0.6 * len(GAME.benchmark("en"))


def test_the_describer_never_says_the_same_twice() -> None:
    for instance in [*GAME.benchmark("en")[:20], *GAME.benchmark("de")[:20]]:
        match = Match.new(GAME, instance)
        while match.turn is not None:
            role = match.turn
            text = (
                competent_bot(match.view(role), Random(0))
                if role == "describer"
                else match.view(role).compose({"guess": "Zzz"})
            )
            match = match.play(text)
        assert match.state.reason == "rounds" and len(set(match.state.clues)) == 3, match.texts


def test_the_describer_can_help_with_a_word_it_does_not_know() -> None:
    instance = TabooInstance(name="new", experiment="high", target="xylophone", related=("music", "letters"))
    match = Match.new(GAME, instance)
    text = competent_bot(match.view("describer"), Random(0))
    assert text == "CLUE: The last letter of the word is E, and it has nine letters." or "letters" not in text
    assert match.play(text).turn == "guesser"


def test_clues_of_the_describer_fit_the_length_of_the_shape() -> None:
    for language in GAME.languages:
        for entry in lexicon.entries(language):
            assert max(len(clue) for clue in clues_for(entry.target, entry.related, language)) <= 140


@pytest.mark.parametrize(
    ("clue", "told"),
    [
        ("The word has eight letters and begins with the letter E.", Letters(8, "e", "")),
        ("8 letters, starts with an 'e'", Letters(8, "e", "")),
        ("a five-letter word starting with B", Letters(5, "b", "")),
        ("its first letter is q", Letters(0, "q", "")),
        ("it ends with the letter t", Letters(0, "", "t")),
        ("the last letter of the word is T", Letters(0, "", "t")),
        ("he writes letters and starts with anger", Letters()),
        ("nothing of the kind", Letters()),
    ],
)
def test_hints_about_letters_are_understood(clue: str, told: Letters) -> None:
    assert letters([clue], "en") == told


def test_german_hints_about_letters_are_understood() -> None:
    assert letters(["Das Wort hat fünf Buchstaben und beginnt mit dem Buchstaben B."], "de") == Letters(5, "b", "")
    assert letters(["fängt mit Ä an", "12 Buchstaben", "endet auf e"], "de") == Letters(12, "ä", "e")


def test_every_own_hint_is_understood() -> None:
    for language in GAME.languages:
        for entry in lexicon.entries(language)[:50]:
            told = letters(list(clues_for(entry.target, entry.related, language))[1:], language)
            assert told.size and told.first and told.last and told.allow(lexicon.fold(entry.target, language))


@pytest.mark.parametrize(
    ("clue", "among"),
    [
        ("children sit there and a teacher explains things", {"school", "teacher", "classroom", "student", "class"}),
        ("you sleep in it at night with a pillow", {"bed", "pillow", "blanket", "bedroom", "tent"}),
    ],
)
def test_a_persons_clue_leads_somewhere(clue: str, among: set[str]) -> None:
    assert best_guess([clue], [], "en", Random(0)) in among


def test_wrong_guesses_are_not_made_again_and_letters_are_kept_to() -> None:
    clue = "children sit there and a teacher explains things"
    said: list[str] = []
    for _ in range(5):
        said.append(best_guess([clue], said, "en", Random(0)))
    assert len(set(said)) == 5
    word = best_guess([clue, "it begins with q"], [], "en", Random(0))
    assert word.startswith("q")
    assert best_guess(["zzzz qqqq"], [], "en", Random(1)) in lexicon.vocabulary("en")
    assert best_guess(["it has twenty letters and begins with x"], [], "en", Random(1)) in lexicon.vocabulary("en")


def test_random_bots_do_not_repeat_a_guess() -> None:
    match = play(GAME.benchmark("en")[0], random_bot, seed=3)
    assert len(set(match.state.guesses)) == len(match.state.guesses)
