"""The rules of Wordle alone and with a clue, and the faults of clembench's version that must not come back."""

from __future__ import annotations

import json
from random import Random

import pytest

from games import boards, catalog, shapes
from games.boards import Facts, Keys, Tiles
from games.engine import Match, View
from games.material import prompts
from games.wordle import words
from games.wordle.game import VOCABULARY, Wordle, WordleState, WordleWithClue
from games.wordle.words import PACKAGE, WordleInstance

FAMILY = ("wordle", "wordle_withclue", "wordle_withcritic")
CRANE = WordleInstance(name="test", experiment="high", target="crane", clue="bird with long legs")
GROSS = WordleInstance(name="test", experiment="high", language="de", target="größe", clue="Maß")


def say(guess: str, why: str = "why not") -> str:
    return f"explanation: {why}\nguess: {guess}"


def play(*guesses: str, game: Wordle | WordleWithClue | None = None, instance: WordleInstance = CRANE) -> Match:
    return Match.replay(game or Wordle(), instance, 0, [say(guess) for guess in guesses])


def heard(match: Match, role: str = "guesser") -> str:
    return match.heard[role][-1].content


WRONG = ("slate", "about", "music", "berry", "dress", "candy")


def test_the_guesser_is_briefed_once_and_told_the_form() -> None:
    match = Match.new(Wordle(), CRANE)
    (message,) = match.heard["guesser"]
    assert match.turn == "guesser" and message.role == "user"
    assert "explanation:" in message.content and "guess:" in message.content
    assert CRANE.clue not in message.content
    assert "clue: bird with long legs" in heard(Match.new(WordleWithClue(), CRANE))


def test_feedback_gives_every_letter_its_colour() -> None:
    match = play("nanny")
    assert heard(match).startswith("colours: n<red> a<yellow> n<red> n<green> y<red>\n\nGuess 2 of 6.")
    german = Match.replay(Wordle(), GROSS, 0, ["begründung: so\nversuch: Preis"])
    assert heard(german).startswith("farben: p<rot> r<grün> e<gelb> i<rot> s<rot>\n\nVersuch 2 von 6.")


@pytest.mark.parametrize(("number", "main"), [(1, 100), (2, 100), (3, 100), (4, 50), (5, 30), (6, 20)])
def test_plain_wordle_scores_by_steps_and_with_a_clue_by_division(number: int, main: float) -> None:
    guesses = (*WRONG[: number - 1], "crane")
    for game, score in ((Wordle(), main), (WordleWithClue(), round(100 / number, 2))):
        match = play(*guesses, game=game)
        assert (match.state.outcome, match.state.reason) == ("success", "guessed")
        assert match.scores().main == score == match.scores().metrics["clembench.main_score"]
        assert match.rewards() == {"guesser": score / 100}
        assert game.verdict(match) == f"found in {number} of 6"


def test_fault_a_win_with_the_last_guess_is_a_win() -> None:
    match = play(*WRONG[:5], "crane")
    assert match.state.outcome == "success" and match.scores().main == 20


def test_six_wrong_guesses_lose() -> None:
    match = play(*WRONG)
    assert (match.state.outcome, match.state.reason, match.scores().main) == ("failure", "rounds", 0)
    assert match.state.round == 6
    assert "crane" in match.game.verdict(match)


def test_a_repeated_guess_and_one_against_the_feedback_are_legal_and_nothing_is_said_of_them() -> None:
    match = play("slate")
    for guess in ("slate", "music"):
        assert match.view("guesser").check(say(guess)) == ()
        assert not match.play(say(guess)).over
    assert match.play(say("slate")).state.guesses == ("slate", "slate")


@pytest.mark.parametrize("text", ["crane", "guess: crane", "explanation: x", say("crane") + "\nguess: slate", ""])
def test_a_broken_form_aborts_at_once(text: str) -> None:
    match = Match.new(Wordle(), CRANE)
    assert match.view("guesser").check(text)
    after = match.play(text)
    assert (after.state.outcome, after.state.reason, after.scores().main) == ("aborted", "format", None)


@pytest.mark.parametrize("guess", ["cr4ne", "crane!", "two words", "", "c-r-a"])
def test_a_guess_of_other_things_than_letters_aborts_at_once(guess: str) -> None:
    assert play(guess).state.outcome == "aborted"


@pytest.mark.parametrize(("guess", "kind"), [("zzzzz", "word"), ("cranes", "length"), ("cat", "length")])
def test_an_unknown_word_or_a_wrong_length_is_asked_for_again_five_times(guess: str, kind: str) -> None:
    match = play(*[guess] * 5)
    assert not match.over and match.state.round == 1
    assert "explanation:" in heard(match)
    six = match.play(say(guess))
    assert (six.state.outcome, six.state.reason) == ("aborted", kind)
    assert six.game.verdict(six) != kind
    again = match.play(say("slate"))
    for _ in range(5):
        again = again.play(say(guess))
    assert not again.over, "a legal guess forgives"
    assert again.play(say("crane")).state.outcome == "success"


def test_fault_a_wrong_length_is_not_the_end_as_the_readme_of_clembench_promises() -> None:
    match = play("cranes")
    assert not match.over and match.steps[-1].verdict == "illegal"
    assert heard(match).startswith("“cranes” has 6 letters")
    assert "clembench.main_score" not in match.play(say("crane")).scores().metrics, "clembench would have aborted"


def test_fault_leading_space_bold_and_fences_do_not_abort() -> None:
    for text in ("  \nExplanation: x\nGuess: CRANE", "```\n**explanation:** x\n**guess:** crane\n```"):
        assert Match.new(Wordle(), CRANE).play(text).state.outcome == "success"


def test_a_guess_counts_however_its_umlaut_is_spelt() -> None:
    match = Match.new(Wordle(), GROSS).play("begründung: so\nversuch: Gro\u0308ße")
    assert match.state.guesses == ("größe",)


def test_fault_one_guesser_needs_one_seat() -> None:
    assert Wordle().roles == WordleWithClue().roles == ("guesser",)


def test_fault_the_word_list_is_shared_not_copied_into_instances() -> None:
    assert words.allowed("en") is words.allowed("en")
    for instance in Wordle().benchmark("en"):
        assert len(json.dumps(instance.model_dump())) < 250
    assert len(Match.new(Wordle(), CRANE).dump()) < 300


def test_a_target_outside_the_list_can_be_guessed() -> None:
    odd = WordleInstance(name="odd", experiment="own", target="qwert")
    assert play("qwert", instance=odd).state.outcome == "success"


def test_people_neither_type_nor_see_tags() -> None:
    view = Match.new(Wordle(), CRANE).view("guesser")
    assert [(f.name, f.length, f.optional) for f in view.fields] == [("guess", 5, False), ("explanation", 0, True)]
    bare = {"guess": "Crane"}
    assert view.read(view.compose(bare)) == bare
    assert view.compose({**bare, "explanation": ""}) == view.compose(bare) == say("Crane", "my guess")
    both = {"guess": "crane", "explanation": "my guess"}
    assert view.read(view.compose(both)) == both
    assert view.read("no tags at all") is None


@pytest.mark.parametrize(
    ("guess", "wrong"), [("cat", "3 letters"), ("zzzzz", "list"), ("c r a", "letters"), ("", "letters")]
)
def test_people_are_told_before_sending_without_a_word_of_tags(guess: str, wrong: str) -> None:
    view = Match.new(Wordle(), CRANE).view("guesser")
    (told,) = view.check(view.compose({"guess": guess}))
    assert wrong in told and ":" not in told


def test_check_and_shape_know_nothing_once_it_is_over() -> None:
    match = play("crane")
    assert match.game.check(match.state, "anything") == ()


def test_the_board_shows_tiles_keys_and_who_may_know_the_word() -> None:
    match = play("nanny", "cigar", game=WordleWithClue())
    board = match.view("guesser").board
    clue, tiles, keys = board.panels
    assert board.status == "guess 3 of 6"
    assert clue == Facts((("clue", "bird with long legs"),))
    assert isinstance(tiles, Tiles) and isinstance(keys, Keys)
    assert ["".join(t.letter for t in row) for row in tiles.rows] == ["nanny", "cigar"]
    assert [t.mark for t in tiles.rows[0]] == ["absent", "elsewhere", "absent", "here", "absent"]
    assert keys.rows[0] == "qwertyuiop"
    assert keys.marks == {
        **dict.fromkeys("yig", "absent"),
        **dict.fromkeys("ar", "elsewhere"),
        **dict.fromkeys("nc", "here"),
    }
    assert "crane" not in boards.strings(board)
    assert "crane" in boards.strings(match.game.board(match.state, None))
    assert "crane" in boards.strings(match.play(say("crane")).view("guesser").board)
    assert Match.new(Wordle(), GROSS).view("guesser").board.status == "Versuch 1 von 6"


def choice(view: View) -> tuple[str, ...]:
    assert isinstance(view.shape, shapes.Seq)
    options = view.shape.parts[-1]
    assert isinstance(options, shapes.Choice) and options.name == "guess"
    return options.options


def test_the_shape_offers_words_that_fit_what_is_known_most_frequent_first() -> None:
    start = choice(Match.new(Wordle(), CRANE).view("guesser"))
    assert len(start) == VOCABULARY
    bands = {target: band for band, target, _ in (*words.clued("en"), *words.extra("en"))}
    known = [bands[word] for word in start]
    assert known == sorted(known, key=words.BANDS.index) and len({*known}) > 1
    match = play("slate", "cigar")
    found = choice(match.view("guesser"))
    assert "crane" in found and len(found) < 30 and not {"slate", "cigar", "music"} & {*found}
    view = match.view("guesser")
    text = view.compose({"guess": "crane"})
    assert view.shape is not None and shapes.fits(view.shape, text) and view.read(text) == {"guess": "crane"}


def test_the_shape_does_not_depend_on_the_target() -> None:
    other = CRANE.model_copy(update={"target": "crate"})
    assert choice(play("music").view("guesser")) == choice(play("music", instance=other).view("guesser"))


def test_no_listed_word_fits_no_shape() -> None:
    odd = WordleInstance(name="odd", experiment="own", target="qwert")
    match = play("weird", "tower", "query", "court", instance=odd)
    assert match.view("guesser").shape is None
    bot = Wordle().bots()["competent"]
    assert not match.play(bot(match.view("guesser"), Random(0))).over, "a bot without an idea tries something"


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("name", FAMILY)
def test_instances_begin_with_the_frozen_benchmark(name: str, language: str) -> None:
    game = catalog.get(name)
    bench, found = game.benchmark(language), game.instances(language)
    assert list(found[:30]) == list(bench)
    assert [i.name for i in bench] == [
        *(f"high-{language}-{n:03d}" for n in range(1, 11)),
        *(f"medium-{language}-{n:03d}" for n in range(1, 21)),
    ]
    assert len({i.name for i in found}) == len({i.key for i in found}) == len(found)
    assert all(i.target in words.allowed(language) for i in found)
    assert all(bool(i.clue) == (name != "wordle") for i in found)
    assert all(i.key == f"wordle:{language}:{i.target}" for i in found)
    assert not game.instances("xx") and not game.benchmark("xx")


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_three_games_share_words_names_and_benchmark(language: str) -> None:
    plain, clue, critic = (catalog.get(name) for name in FAMILY)
    assert {game.family_name for game in (plain, clue, critic)} == {"wordle"}
    assert list(clue.instances(language)) == list(critic.instances(language))
    names = {i.name: i.key for i in plain.instances(language)}
    assert all(names[i.name] == i.key for i in clue.instances(language))
    assert len(names) > len(clue.instances(language)) > 330
    assert [i.key for i in plain.benchmark(language)] == [i.key for i in clue.benchmark(language)]


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_frozen_set_agrees_with_the_material(language: str) -> None:
    clues = {target: (band, clue) for band, target, clue in words.clued(language)}
    for instance in WordleWithClue().benchmark(language):
        assert clues[instance.target] == (instance.experiment, instance.clue)


@pytest.mark.parametrize("language", ["en", "de"])
def test_examples_and_prompts_give_no_word_of_the_benchmark_away(language: str) -> None:
    said = prompts(PACKAGE, language)
    texts = [said.word("brief.guesser"), said.word("brief.critic"), said.word("brief.with_critic")]
    texts += [text for name in ("guesser", "guesser_clue", "critic") for text in said.words(f"examples.{name}")]
    used = {word for text in texts for word in "".join(c if c.isalpha() else " " for c in text.lower()).split()}
    assert not used & {i.target for i in Wordle().benchmark(language)}
    guessed = {text.split()[-1] for text in said.words("examples.guesser") + said.words("examples.guesser_clue")}
    assert not guessed & {*words.targets(language)}


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_prompts_name_the_tags_and_colours_that_the_rules_use(language: str) -> None:
    said = prompts(PACKAGE, language)
    first, guess, agreement = (said.word(f"tags.{tag}") for tag in ("explanation", "guess", "agreement"))
    for path in ("brief.guesser", "ask.again", "ask.propose", "ask.commit", "error.retry"):
        assert f"{first}:" in said.word(path) and f"{guess}:" in said.word(path)
    for path in ("brief.critic", "ask.agree"):
        assert f"{first}:" in said.word(path) and f"{agreement}:" in said.word(path)
    for mark in ("here", "elsewhere", "absent"):
        for path in ("brief.guesser", "brief.critic"):
            assert f"<{said.word(f'colours.{mark}')}>" in said.word(path)
    assert {*"".join(said.words("keys.rows"))} >= {letter for word in words.listed(language) for letter in word}


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("name", FAMILY)
def test_rules_for_people_have_no_tags(name: str, language: str) -> None:
    rules = catalog.get(name).rules(language)
    assert len(rules) > 200 and f"{prompts(PACKAGE, language).word('tags.explanation')}:" not in rules


def test_state_and_match_survive_json() -> None:
    match = play("slate", "zzzzz", "cigar")
    assert WordleState.model_validate_json(match.state.model_dump_json()) == match.state
    assert Match.load(Wordle(), match.dump()).heard == match.heard
