"""Pictures, their families, and how they are put into words and read back."""

from __future__ import annotations

import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from games.engine import Match
from games.reference import bots, pictures, wording
from games.reference.deal import LANGUAGES
from games.reference.game import DESCRIBER, GUESSER, ReferenceGame
from games.reference.wording import LINES, Line

PICTURE = st.lists(st.text("X.", min_size=5, max_size=5), min_size=5, max_size=5).map(pictures.of)
LANGUAGE = st.sampled_from(LANGUAGES)
T = "XXXXX/..X../..X../..X../..X.."
H = "X...X/X...X/XXXXX/X...X/X...X"
BARS = "XXXXX/...../XXXXX/...../XXXXX"
POLES = pictures.turned(BARS)


@given(PICTURE)
def test_turning_twice_changes_nothing(picture: str) -> None:
    assert pictures.turned(pictures.turned(picture)) == picture
    assert pictures.well_formed(pictures.turned(picture))


@given(PICTURE, st.sets(st.integers(0, 24)))
def test_flipped_cells_are_the_distance(picture: str, cells: set[int]) -> None:
    other = pictures.flipped(picture, sorted(cells))
    assert pictures.distance(picture, other) == len(cells) == pictures.distance(other, picture)
    assert pictures.flipped(other, sorted(cells)) == picture


def test_drawn_for_prompts() -> None:
    assert pictures.drawn(T).splitlines()[:2] == ["X X X X X", ". . X . ."]


@pytest.mark.parametrize("text", ["", "XXXXX", T[:-1], T + "/XXXXX", T.replace("X", "Y"), T.replace("/", "\n")])
def test_ill_formed(text: str) -> None:
    assert not pictures.well_formed(text)


@pytest.mark.parametrize(
    ("picture", "rows", "columns"),
    [
        (BARS, True, False),
        (POLES, False, True),
        (T, False, False),
        ("XXXXX/XXXXX/...../...../XXXXX", True, False),
        (".XXX./...../XXXXX/...../.XXX.", True, False),
        (".XXX./.XXX./...../...../XXXXX", False, False),  # a block, not two lines
        ("XX.../...../XXXXX/...../XXXXX", False, False),  # too short for a line
        ("X.XXX/...../XXXXX/...../XXXXX", False, False),  # broken
        ("...../...../...../...../.....", False, False),
        ("XXXXX/XXXXX/XXXXX/XXXXX/XXXXX", False, False),
    ],
)
def test_rows_and_columns(picture: str, rows: bool, columns: bool) -> None:
    assert (pictures.of_rows(picture), pictures.of_columns(picture)) == (rows, columns)
    assert (pictures.of_columns(pictures.turned(picture)), pictures.of_rows(pictures.turned(picture))) == (
        rows,
        columns,
    )


@pytest.mark.parametrize(
    "picture", [BARS, POLES, T, H, "X.X.X/.X.X./X.X.X/.X.X./X.X.X", "X..../.X.../..X../...X./....X"]
)
def test_ordered_pictures_are_not_random(picture: str) -> None:
    assert not pictures.without_order(picture)


def test_random_pictures_come_from_luck_alone() -> None:
    made = [pictures.at_random(Random(seed)) for seed in range(50)]
    assert made == [pictures.at_random(Random(seed)) for seed in range(50)]
    assert len(set(made)) == 50
    assert all(8 <= picture.count("X") <= 14 and pictures.without_order(picture) for picture in made)


def test_material() -> None:
    letters, numbers = pictures.signs("letters.txt"), pictures.signs("numbers.txt")
    assert set(letters.values()) == set("ABCDEFGHIJKLMNOPQRSTUVWXYZ") and set(numbers.values()) == set("0123456789")
    assert letters[T] == "T"
    assert all(map(pictures.well_formed, (*letters, *numbers)))
    assert all(map(pictures.of_rows, pictures.lines_drawn("R"))) and all(
        map(pictures.of_columns, pictures.lines_drawn("C"))
    )
    assert len(pictures.lines_drawn("R")) == len(pictures.lines_drawn("C")) == 6
    assert len(set(pictures.all_rows())) == len(pictures.all_rows()) > 400


def test_wording() -> None:
    assert wording.sentence(Line("row", 1), "XXXXX", "en") == "row 1 is full"
    assert wording.sentence(Line("column", 2), ".....", "en") == "column 2 is empty"
    assert wording.sentence(Line("row", 3), "X.X.X", "en") == "row 3 is filled at 1, 3 and 5"
    assert wording.sentence(Line("row", 3), "..X..", "de") == "Zeile 3 ist gefüllt bei 3"


@given(PICTURE, LANGUAGE)
def test_a_description_is_understood_exactly(picture: str, language: str) -> None:
    said = wording.understood(wording.description(picture, language), language)
    assert said == {line: wording.cells(picture, line) for line in LINES[:5]}


@given(PICTURE, LANGUAGE, st.permutations(LINES))
def test_lines_in_any_order_are_understood(picture: str, language: str, lines: list[Line]) -> None:
    said = wording.understood(wording.sentences(picture, lines, language), language)
    assert said == {line: wording.cells(picture, line) for line in lines}


@given(st.lists(PICTURE, min_size=3, max_size=3, unique=True), LANGUAGE)
def test_telling_sentences_are_true_of_the_target_alone(seen: list[str], language: str) -> None:
    target, *others = seen
    found = wording.telling(target, others, language)
    assert 0 < len(found) <= wording.MOST
    for sentence in found:
        said = wording.understood(sentence, language)
        assert wording.misfit(target, said) == 0
        assert all(wording.misfit(other, said) for other in others)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Rows 1 and 3 are full", {Line("row", 1): "XXXXX", Line("row", 3): "XXXXX"}),
        ("rows 1, 2 and 4 are blank", {Line("row", n): "....." for n in (1, 2, 4)}),
        ("row 2: 1 to 4", {Line("row", 2): "XXXX."}),
        ("line 2: 2-3", {Line("row", 2): ".XX.."}),
        ("column 5 has nothing; row 1 has 1, 5", {Line("column", 5): ".....", Line("row", 1): "X...X"}),
        ("row 1 is full, row 2 is empty and column 5 is filled at 4", {
            Line("row", 1): "XXXXX", Line("row", 2): ".....", Line("column", 5): "...X."
        }),
        ("row 1 is empty. No, row 1 is full", {Line("row", 1): "XXXXX"}),
        ("row 6 is full, row 12 is full, row 3 is pretty", {}),
        ("it is full of 3 things", {}),
    ],
)  # fmt: skip
def test_what_people_write(text: str, wanted: dict[Line, str]) -> None:
    assert wording.understood(text, "en") == wanted


def test_what_people_write_in_german() -> None:
    said = wording.understood("Die Reihen 1 und 3 sind voll, Spalte 2 ist leer; Zeile 5: 1 bis 3", "de")
    assert said == {
        Line("row", 1): "XXXXX",
        Line("row", 3): "XXXXX",
        Line("column", 2): ".....",
        Line("row", 5): "XXX..",
    }


@given(st.text(max_size=300), LANGUAGE)
def test_any_text_is_understood_somehow(text: str, language: str) -> None:
    for candidate in (text, f"row 1 {text}", f"{text} row 2 is full"):
        assert all(pictures.well_formed(pictures.of([c] * 5)) for c in wording.understood(candidate, language).values())
        assert bots.best_fits([T, H, BARS], candidate, language)


def test_long_texts_are_understood_fast() -> None:
    start = time.process_time()
    for unit in ("row 1 ", "1, ", "row 1, ", "rows 1 and 2 and ", "a", " "):
        wording.understood(unit * 20_000, "en")
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("text", "language", "place"),
    [
        ("It looks like the letter T", "en", 0),
        ('the letter "h"', "en", 1),
        ("der Buchstabe T", "de", 0),
        ("three horizontal lines", "en", 2),
        ("senkrechte Striche", "de", 3),
        ("row 2 is empty", "en", 2),
        ("row 3 is full, and it is the letter H", "en", 1),
    ],
)
def test_the_guesser_understands_signs_and_lines(text: str, language: str, place: int) -> None:
    assert bots.best_fits([T, H, BARS, POLES], text, language) == [place]


def test_the_guesser_knows_when_it_does_not_know() -> None:
    assert bots.best_fits([T, H, BARS], "it is a nice picture", "en") == [0, 1, 2]
    assert bots.best_fits([T, H, BARS], "row 1 is full", "en") == [0, 2]


@pytest.mark.parametrize("language", LANGUAGES)
def test_competent_bots_are_always_right_and_random_ones_by_chance(language: str) -> None:
    game = ReferenceGame()
    won = dict.fromkeys(game.bots(), 0)
    for name, bot in game.bots().items():
        for seed, instance in enumerate(game.instances(language)):
            match = Match.new(game, instance, seed)
            for role in (DESCRIBER, GUESSER):
                match = match.play(bot(match.view(role), Random(seed)))
            won[name] += match.state.outcome == "success"
    total = len(game.instances(language))
    assert won["competent"] == total
    assert 0.2 < won["random"] / total < 0.47
