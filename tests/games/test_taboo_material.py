"""The Taboo material as it is shipped: every promise of its README, checked on the real files."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import pytest
import snowballstemmer

from games.taboo.clue import faults

MATERIAL = files("games.taboo").joinpath("material")
LANGUAGES = ("en", "de")
BANDS = ("high", "medium", "low")
LEAST_TARGETS = {"en": 490, "de": 300}
LEAST_PER_BAND = {"en": 164, "de": 100}
LEAST_WORDS = {"en": 2700, "de": 2500}
LETTERS = {"en": re.compile(r"[a-z]+"), "de": re.compile(r"[A-ZÄÖÜa-zäöüß][a-zäöüß]*")}
WORD = re.compile(r"[^\W\d_]+")
# Words in -ed or -ing that are no forms of a shorter word on the list, but words of their own.
OWN = {
    "bed",
    "seed",
    "weed",
    "king",
    "spring",
    "blessing",
    "bowling",
    "building",
    "drawing",
    "warning",
    "lightning",
    "clothing",
}
ALWAYS_PLURAL = {"pants", "clothes", "news"}
COARSE = {  # in rot13
    "en": "shpx fuvg ovgpu phag qvpx pbpx chffl nefr nffubyr juber",
    "de": "sbgmr svpxra fpuynzcr nefpuybpu cbeab uher",
}
NAMES = {
    "john",
    "peter",
    "maria",
    "berlin",
    "london",
    "germany",
    "deutschland",
    "america",
    "january",
    "monday",
    "google",
}
UNWANTED = {language: NAMES | set(codecs.decode(coarse, "rot13").split()) for language, coarse in COARSE.items()}


class Row(NamedTuple):
    target: str
    band: str
    related: tuple[str, ...]
    clue: str


def text(name: str) -> str:
    return MATERIAL.joinpath(name).read_bytes().decode("utf-8")


@cache
def rows(language: str) -> tuple[Row, ...]:
    lines = text(f"targets_{language}.tsv").splitlines()[1:]
    fields = [line.split("\t") for line in lines]
    return tuple(Row(target, band, tuple(related.split(", ")), clue) for target, band, related, clue in fields)


@cache
def words(name: str) -> tuple[str, ...]:
    return tuple(text(name).splitlines())


@cache
def stem(word: str, language: str) -> str:
    return snowballstemmer.stemmer({"en": "english", "de": "german"}[language]).stemWord(word.lower())


def broken(row: Row, language: str, stop: frozenset[str]) -> list[str]:
    """What in a clue says too much, by the strictest reading of the rule: any shared stem, any containing."""
    target, found = row.target.lower(), []
    said = [word.lower() for word in WORD.findall(row.clue)]
    said += [word.lower() for word in WORD.findall(row.clue.replace("-", ""))]
    for word in set(said):
        forbidden = {stem(other, language): other for other in (row.target, *row.related)}
        if stem(word, language) in forbidden:
            found.append(f"{word} = {forbidden[stem(word, language)]}")
        if target in word or (word not in stop and len(word) > 2 and word in target):
            found.append(f"{word} ~ {row.target}")
        if word not in stop:
            found += [f"{word} > {other}" for other in row.related if len(other) > 3 and other.lower() in word]
    return found


def test_the_checker_catches_each_way_to_say_too_much():
    stop = frozenset({"the", "or", "it", "a", "with", "you"})
    row = Row("flashlight", "low", ("dark", "battery", "beam"), "")
    for clue in (
        "a flashlight",
        "it has a Flash",
        "it gives light",
        "two batteries inside",
        "beaming at you",
        "a flash-light",
        "flashlights with you",
        "the darkness",
    ):
        assert broken(row._replace(clue=clue), "en", stop), clue
    assert broken(row._replace(clue="the lamp you hold, or carry with you"), "en", stop) == []
    assert broken(Row("Igel", "low", ("Garten", "Laub", "Tier"), "viele Gärten"), "de", frozenset()) == [
        "gärten = Garten"
    ]


@pytest.mark.parametrize(
    "name", [f"{kind}_{lang}" for kind in ("vocabulary", "stopwords", "benchmark", "targets") for lang in LANGUAGES]
)
def test_files_are_plain_composed_text(name: str):
    found = text(f"{name}.tsv" if name.startswith("targets") else f"{name}.txt")
    assert found.endswith("\n")
    assert "\r" not in found
    assert "\n\n" not in found
    assert not found.startswith("\ufeff")
    assert unicodedata.is_normalized("NFC", found)
    hidden = {c for c in found if unicodedata.category(c).startswith(("C", "Z")) and c not in "\n\t "}
    assert hidden == set()
    assert all(line == line.strip() for line in found.splitlines())
    assert not any(line.startswith("#") for line in found.splitlines())  # the loader would skip it


@pytest.mark.parametrize("language", LANGUAGES)
def test_targets_file_has_its_header_and_enough_targets_in_every_band(language: str):
    assert text(f"targets_{language}.tsv").splitlines()[0].split("\t") == ["target", "band", "related", "clue"]
    counts = Counter(row.band for row in rows(language))
    assert set(counts) == set(BANDS)
    assert len(rows(language)) >= LEAST_TARGETS[language]
    assert min(counts.values()) >= LEAST_PER_BAND[language]
    assert max(counts.values()) - min(counts.values()) <= 0.05 * len(rows(language)), "no longer thirds"


@pytest.mark.parametrize("language", LANGUAGES)
def test_targets_are_sorted_by_band_and_letter(language: str):
    keys = [(BANDS.index(row.band), row.target.casefold()) for row in rows(language)]
    assert keys == sorted(keys)


@pytest.mark.parametrize("language", LANGUAGES)
def test_bands_are_the_thirds_that_the_readme_states(language: str):
    frequency = pytest.importorskip("wordfreq").zipf_frequency
    stated = re.search(rf"^\| {language} \| ([\d.]+) \| ([\d.]+) \|", text("README.md"), re.MULTILINE)
    assert stated, "the README must give the cut points"
    high, medium = float(stated[1]), float(stated[2])
    for row in rows(language):
        zipf = frequency(row.target, language)
        assert row.band == ("high" if zipf >= high else "medium" if zipf >= medium else "low"), row.target


@pytest.mark.parametrize("language", LANGUAGES)
def test_targets_are_single_words_of_content_and_each_stands_once(language: str):
    stop = set(words(f"stopwords_{language}.txt"))
    for row in rows(language):
        assert len(row.target) >= 3
        assert LETTERS[language].fullmatch(row.target)
        assert row.target.lower() not in stop | UNWANTED[language]
    assert [t for t, n in Counter(row.target.casefold() for row in rows(language)).items() if n > 1] == []
    assert [c for c, n in Counter(row.clue for row in rows(language)).items() if n > 1] == []


def test_german_nouns_have_their_capital_and_stay_most_of_the_targets():
    lower = {row.target for row in rows("de") if row.target[0].islower()}
    assert {"Elefant", "Haus", "Wasser", "Zwiebel"} <= {row.target for row in rows("de")}
    assert lower == {
        "faul", "flüstern", "geizig", "gähnen", "kitzeln", "lachen", "mutig", "niesen", "schnarchen", "schüchtern",
        "tollpatschig",
    }  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_target_has_three_related_words_of_their_own(language: str):
    stop = set(words(f"stopwords_{language}.txt"))
    for row in rows(language):
        assert len(row.related) == 3
        assert all(WORD.fullmatch(word) for word in row.related), row
        assert all(word.lower() not in stop for word in row.related), row
        assert len({stem(word, language) for word in (row.target, *row.related)}) == 4, row
        for word in row.related:
            assert row.target.lower() not in word.lower(), row
            assert word.lower() not in row.target.lower(), row
            assert list(faults(word, row.target, (), language)) == [], row


@pytest.mark.parametrize("language", LANGUAGES)
def test_clues_are_fragments_of_five_to_fourteen_words(language: str):
    for row in rows(language):
        assert 5 <= len(row.clue.split(" ")) <= 14, row
        assert row.clue[0].islower(), row
        assert row.clue[-1].isalnum(), row
        assert "  " not in row.clue


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_clue_says_its_target_or_a_related_word(language: str):
    stop = frozenset(words(f"stopwords_{language}.txt"))
    found = {row.target: said for row in rows(language) if (said := broken(row, language, stop))}
    assert found == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_game_itself_allows_every_clue(language: str):
    found = {
        row.target: said for row in rows(language) if (said := [*faults(row.clue, row.target, row.related, language)])
    }
    assert found == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_vocabulary_is_large_sorted_unique_and_holds_every_target(language: str):
    found = words(f"vocabulary_{language}.txt")
    assert len(found) >= LEAST_WORDS[language]
    assert list(found) == sorted(found, key=str.casefold)
    assert len({word.casefold() for word in found}) == len(found)
    assert {row.target for row in rows(language)} <= set(found)
    assert [word for word in found if not LETTERS[language].fullmatch(word) or len(word) < 3] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_vocabulary_has_no_function_words_names_or_coarse_words(language: str):
    folded = {word.casefold() for word in words(f"vocabulary_{language}.txt")}
    assert folded & (set(words(f"stopwords_{language}.txt")) | UNWANTED[language]) == set()


def test_english_vocabulary_has_base_forms_only():
    found = set(words("vocabulary_en.txt"))
    plural = {word for word in found if word.endswith("s") and not word.endswith("ss") and word[:-1] in found}
    plural |= {word for word in found if word.endswith("es") and word[:-2] in found}
    assert plural - ALWAYS_PLURAL == set()
    verbs = {word for word in found if word.endswith("ing") and {word[:-3], word[:-3] + "e", word[:-4]} & found}
    verbs |= {word for word in found if word.endswith("ed") and {word[:-2], word[:-1], word[:-3]} & found}
    assert verbs - OWN == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_stop_words_are_a_compact_sorted_list(language: str):
    found = words(f"stopwords_{language}.txt")
    assert 120 <= len(found) <= 180
    assert list(found) == sorted(set(found))
    assert all(word == word.lower() and WORD.fullmatch(word) for word in found)
    assert {"en": {"the", "and", "with", "you"}, "de": {"der", "und", "mit", "nicht"}}[language] <= set(found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_benchmark_is_twenty_targets_of_each_band(language: str):
    lines = [tuple(line.split("\t")) for line in words(f"benchmark_{language}.txt")]
    assert Counter(band for band, _ in lines) == dict.fromkeys(BANDS, 20)
    assert len({target for _, target in lines}) == 60
    assert set(lines) <= {(row.band, row.target) for row in rows(language)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_readme_states_the_counts(language: str):
    readme = text("README.md")
    counts = Counter(row.band for row in rows(language))
    assert f"{len(rows(language))} ({', '.join(f'{counts[band]} {band}' for band in BANDS)})" in readme
    for kind in ("vocabulary", "stopwords"):
        assert f"{len(words(f'{kind}_{language}.txt')):,}" in readme
