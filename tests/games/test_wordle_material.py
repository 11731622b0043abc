"""The promises of the Wordle material, checked on the shipped files themselves: words, bands, clues, benchmark."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
import snowballstemmer  # pyright: ignore[reportMissingTypeStubs]

import games

MATERIAL = Path(games.__file__).parent / "wordle" / "material"
LETTERS = {"en": re.compile("[a-z]{5}"), "de": re.compile("[a-zäöüß]{5}")}
STEMMERS = {"en": "english", "de": "german"}
HIGH = {"en": 4.5, "de": 4.2}
MEDIUM = {"en": 2.7, "de": 2.5}
LEAST_GUESSES = {"en": 8_000, "de": 3_000}
LEAST_EXTRA = {"en": 900, "de": 400}
LEAST_WITH_CLUE = {"en": {"high": 110, "medium": 230}, "de": {"high": 50, "medium": 110}}
SINGULAR_IN_S = {"atlas", "basis", "chaos", "oasis"}
SHORT_NOUNS = {"menu", "area", "idea", "taxi", "thou"}
COARSE = {"bitch", "whore", "pussy", "penis", "semen", "arsch", "titte", "hoden", "hurer", "pisse", "dildo"}

pytestmark = pytest.mark.parametrize("lang", ["en", "de"])


def lines(name: str) -> list[str]:
    """The lines of a file, which must be UTF-8 in composed letters, end in a newline, and have no stray blanks."""
    text = (MATERIAL / name).read_bytes().decode("utf-8")
    assert text.endswith("\n") and "\r" not in text
    found = text.removesuffix("\n").split("\n")
    assert all(line == line.strip() and line for line in found)
    return found


def guesses(lang: str) -> list[str]:
    return lines(f"guesses_{lang}.txt")


def targets(lang: str) -> list[tuple[str, str, str]]:
    """Target, band and clue of every row."""
    header, *rows = lines(f"targets_{lang}.tsv")
    assert header == "target\tband\tclue"
    return [(target, band, clue) for target, band, clue in (row.split("\t") for row in rows)]


def pairs(name: str) -> list[tuple[str, str]]:
    """Band and word of every row."""
    return [(band, word) for band, word in (line.split("\t") for line in lines(name))]


def all_targets(lang: str) -> dict[str, str]:
    """Band by target, with and without clue."""
    return {t: b for t, b, _ in targets(lang)} | {w: b for b, w in pairs(f"targets_extra_{lang}.txt")}


def gives_away(clue: str, target: str, lang: str) -> list[str]:
    """Words of the clue that hold the target, or its stem as their stem or in a compound."""
    stem = snowballstemmer.stemmer(STEMMERS[lang]).stemWord
    root = stem(target)
    words = re.findall(r"\w+", clue.lower())
    return [w for w in words if target in w or stem(w) == root or (len(root) >= 4 and root in w)]


def test_guesses_are_enough_sorted_unique_five_letter_words(lang: str) -> None:
    words = guesses(lang)
    assert len(words) >= LEAST_GUESSES[lang]
    assert words == sorted(set(words))
    assert [w for w in words if not LETTERS[lang].fullmatch(w)] == []


def test_targets_can_be_guessed(lang: str) -> None:
    assert sorted(all_targets(lang).keys() - set(guesses(lang))) == []


def test_there_are_enough_targets_in_each_band(lang: str) -> None:
    counts = Counter(band for _, band, _ in targets(lang))
    assert counts.keys() == {"high", "medium"}
    assert all(counts[band] >= least for band, least in LEAST_WITH_CLUE[lang].items())
    assert len(pairs(f"targets_extra_{lang}.txt")) >= LEAST_EXTRA[lang]


def test_no_target_stands_twice(lang: str) -> None:
    words = [t for t, _, _ in targets(lang)] + [w for _, w in pairs(f"targets_extra_{lang}.txt")]
    assert [word for word, count in Counter(words).items() if count > 1] == []


def test_targets_are_sorted_by_band_and_word(lang: str) -> None:
    rows = [(band, target) for target, band, _ in targets(lang)]
    assert rows == sorted(rows)
    extra = pairs(f"targets_extra_{lang}.txt")
    assert extra == sorted(extra)


def test_clues_are_three_to_nine_words_on_one_line_and_each_its_own(lang: str) -> None:
    clues = {target: clue for target, _, clue in targets(lang)}
    assert {t: c for t, c in clues.items() if not 3 <= len(c.split()) <= 9} == {}
    assert {t: c for t, c in clues.items() if not c.isprintable() or "  " in c or c.endswith(".")} == {}
    assert [clue for clue, count in Counter(clues.values()).items() if count > 1] == []


def test_no_clue_gives_its_target_away(lang: str) -> None:
    found = {target: gives_away(clue, target, lang) for target, _, clue in targets(lang)}
    assert {target: words for target, words in found.items() if words} == {}


def test_the_clue_check_catches_word_form_and_compound(lang: str) -> None:
    bad = {
        "en": [("apple", "a pineapple cut up"), ("dance", "what dancing people do"), ("smile", "she smiled at us")],
        "de": [("apfel", "ein Bratapfel im Ofen"), ("blume", "viele Blumen im Garten"), ("tisch", "auf dem Tische")],
    }
    assert all(gives_away(clue, target, lang) for target, clue in bad[lang])
    assert not gives_away("red or green thing on a tree", "apple", lang)


def test_targets_are_neither_plurals_in_s_nor_past_tenses_nor_coarse(lang: str) -> None:
    words = all_targets(lang).keys()
    assert words & COARSE == set()
    if lang == "en":
        allowed = {"bleed", "breed", "speed", "greed", "tweed", "creed", "steed"}
        assert [w for w in words if w.endswith("ed") and w not in allowed] == []
        assert sorted(w for w in words if re.search(r"[^su]s$", w) and w not in SINGULAR_IN_S) == []
        assert sorted(w for w in words if w[:-1] in SHORT_NOUNS and w.endswith("s")) == []


def test_the_benchmark_is_ten_high_and_twenty_medium_targets_with_clues(lang: str) -> None:
    bench = pairs(f"benchmark_{lang}.txt")
    band_of = {target: band for target, band, _ in targets(lang)}
    assert Counter(band for band, _ in bench) == {"high": 10, "medium": 20}
    assert len({word for _, word in bench}) == 30
    assert [(band, word) for band, word in bench if band_of.get(word) != band] == []


def test_the_benchmark_has_words_with_and_without_double_letters(lang: str) -> None:
    doubled = sum(len(set(word)) < 5 for _, word in pairs(f"benchmark_{lang}.txt"))
    assert 5 <= doubled <= 20


def test_the_benchmark_is_frozen(lang: str) -> None:
    frozen = {
        "en": "agree award beach court dress mouth music owner prove serve berry candy cargo ditch drain feast globe "
        "gravy onion peach plead raven snail spear surge swing token trash tutor zebra",
        "de": "fisch fuchs größe kette motor nacht paket platz preis roman achse altar beere blüte gasse krach kurve "
        "lehne möbel puppe robbe salon schal segen seife spatz sturz tiger wange zebra",
    }
    assert [word for _, word in pairs(f"benchmark_{lang}.txt")] == frozen[lang].split()


def test_bands_are_those_of_wordfreq(lang: str) -> None:
    wordfreq: ModuleType = pytest.importorskip("wordfreq")
    for word, band in all_targets(lang).items():
        zipf = wordfreq.zipf_frequency(word, lang)
        assert zipf >= MEDIUM[lang], word
        assert band == ("high" if zipf >= HIGH[lang] else "medium"), word


def test_the_readme_tells_the_true_counts_and_cut_points(lang: str) -> None:
    page = (MATERIAL / "README.md").read_text(encoding="utf-8")
    bands = Counter(band for _, band, _ in targets(lang))
    extra = pairs(f"targets_extra_{lang}.txt")
    assert f"| {len(guesses(lang)):,} |" in page
    assert f"{bands.total()} ({bands['high']} high, {bands['medium']} medium)" in page
    assert f"{len(extra)} ({sum(band == 'high' for band, _ in extra)} high)" in page
    assert f"{HIGH[lang]} and above | {MEDIUM[lang]} up to below {HIGH[lang]}" in page


def test_german_words_are_spelt_with_sharp_s_where_german_has_it(lang: str) -> None:
    words = set(guesses(lang))
    if lang == "de":
        assert {"größe", "große", "weiße", "fleiß", "gefäß", "außen"} <= words
        assert words & {"gross", "weiss", "heiss", "spass", "füsse", "gruss"} == set()
    else:
        assert {"gross", "floss"} <= words


def test_the_notices_travel_with_the_lists(lang: str) -> None:
    notice = (MATERIAL / "NOTICE-SCOWL.txt").read_text(encoding="utf-8")
    assert f"guesses_{lang}.txt" in (notice if lang == "en" else "guesses_de.txt")
    for holder in ("Kevin Atkinson", "Geoff Kuenning", "J Ross Beresford", "Princeton University", "Alan Beale"):
        assert holder in notice
