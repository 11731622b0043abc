"""Build and check the Taboo material, whose targets, related words, clues and word lists are written by hand.

Needs the dev-only packages wordfreq 3.1.1 and simplemma 2.0.0, and Debian's wamerican and wngerman. `build` sets bands,
sorts, adds missing targets to the vocabularies and reports each broken promise (exit status 1); `draw LANG` prints a
seeded proposal for the benchmark set, since then frozen; `suggest LANG` prints frequent words to pick from by hand.
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from pathlib import Path

import simplemma
import snowballstemmer
from wordfreq import top_n_list, zipf_frequency

ROOT = Path(__file__).resolve().parents[1]
MATERIAL = ROOT / "games" / "taboo" / "material"
DICTIONARY = {"en": Path("/usr/share/dict/american-english"), "de": Path("/usr/share/dict/ngerman")}
STEMMER = {"en": "english", "de": "german"}
HIGH = {"en": 4.6, "de": 4.4}
MEDIUM = {"en": 3.9, "de": 3.6}
LEAST = {"en": 164, "de": 100}
BANDS = ("high", "medium", "low")
PER_BAND = 20
SEED = 20261122
WORD = re.compile(r"[^\W\d_]+")
HYPHENATED = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)+")

Row = tuple[str, str, str, str]


def band(target: str, language: str) -> str:
    """High, medium or low, by wordfreq's Zipf frequency (3 is one in a million words)."""
    zipf = zipf_frequency(target, language)
    return "high" if zipf >= HIGH[language] else "medium" if zipf >= MEDIUM[language] else "low"


def read_rows(language: str) -> list[Row]:
    """The targets file without its header; a line that has not four fields is an error."""
    rows: list[Row] = []
    lines = (MATERIAL / f"targets_{language}.tsv").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines[1:], 2):
        fields = line.split("\t")
        if len(fields) != 4:
            raise SystemExit(f"targets_{language}.tsv, line {number}: {len(fields)} fields where 4 belong")
        rows.append((fields[0], fields[1], fields[2], fields[3]))
    return rows


def words(name: str) -> list[str]:
    """A list with one word a line."""
    return (MATERIAL / name).read_text(encoding="utf-8").split()


def said_by(clue: str) -> list[str]:
    """The words of a clue in lower case, hyphenated ones also in one piece."""
    glued = (match.replace("-", "") for match in HYPHENATED.findall(clue))
    return [word.lower() for word in (*WORD.findall(clue), *glued)]


def clue_problems(row: Row, language: str, stop: set[str]) -> list[str]:
    """What is wrong with a clue; stricter than the game, which lets `clouds` pass for `loud`."""
    stem = snowballstemmer.stemmer(STEMMER[language]).stemWord
    target, related = row[0].lower(), [word.lower() for word in row[2].split(", ")]
    found = [] if 5 <= len(row[3].split()) <= 14 else [f"{len(row[3].split())} words"]
    if not row[3][0].islower() or row[3] != row[3].strip(" .") or not row[3].isprintable():
        found.append("must start in lower case, without period, tabs or spaces around")
    for word in said_by(row[3]):
        if target in word or stem(word) == stem(target):
            found.append(f"{word!r} says the target")
        if word in stop:
            continue
        if len(word) >= 3 and (word in target or (len(stem(word)) >= 3 and stem(word) in target)):
            found.append(f"{word!r} is part of the target")
        for other in related:
            part = (len(other) >= 4 and other in word) or (len(word) >= 4 and word in other)
            edge = len(other) == 3 and (word.startswith(other) or word.endswith(other))
            if word == other or stem(word) == stem(other) or part or edge:
                found.append(f"{word!r} says the related word {other!r}")
    return found


def related_problems(row: Row, language: str, stop: set[str]) -> list[str]:
    """What is wrong with the related words, and with the target itself."""
    stem = snowballstemmer.stemmer(STEMMER[language]).stemWord
    target, related = row[0].lower(), row[2].split(", ")
    found: list[str] = []
    if len(related) != 3 or not all(WORD.fullmatch(word) for word in related):
        found.append(f"related must be three single words: {row[2]}")
    if len({stem(word.lower()) for word in (target, *related)}) != 4:
        found.append("related words share a stem with each other or the target")
    found += [f"{word!r} and the target are parts" for word in related if word.lower() in target]
    found += [f"{word!r} and the target are parts" for word in related if target in word.lower()]
    found += [f"{word!r} is a stop word" for word in (target, *related) if word.lower() in stop]
    if len(target) < 3 or not WORD.fullmatch(target):
        found.append("the target must be one word of three letters or more")
    return found


def problems(rows: list[Row], language: str) -> list[str]:
    """Everything that is wrong with the targets of one language, one line each."""
    stop = set(words(f"stopwords_{language}.txt"))
    found = [
        f"{row[0]}: {problem}"
        for row in rows
        for problem in (*clue_problems(row, language, stop), *related_problems(row, language, stop))
    ]
    for name, index in (("target", 0), ("clue", 3)):
        counted = Counter(row[index].lower() for row in rows)
        found += [f"{name} twice: {text}" for text, times in counted.items() if times > 1]
    counts = Counter(row[1] for row in rows)
    found += [f"only {counts[name]} targets are {name}" for name in BANDS if counts[name] < LEAST[language]]
    banded = {f"{row[1]}\t{row[0]}" for row in rows}
    found += [f"the benchmark line {line!r} fits no target" for line in _benchmark(language) if line not in banded]
    return found


def _benchmark(language: str) -> list[str]:
    path = MATERIAL / f"benchmark_{language}.txt"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def build(language: str) -> list[str]:
    """Write targets and vocabulary of one language anew; returns the problems found."""
    rows = [(target, band(target, language), related, clue) for target, _, related, clue in read_rows(language)]
    rows.sort(key=lambda row: (BANDS.index(row[1]), row[0].casefold()))
    text = "".join("\t".join(row) + "\n" for row in (("target", "band", "related", "clue"), *rows))
    (MATERIAL / f"targets_{language}.tsv").write_text(text, encoding="utf-8")

    by_fold = {word.casefold(): word for word in words(f"vocabulary_{language}.txt")}
    by_fold |= {row[0].casefold(): row[0] for row in rows}
    (MATERIAL / f"vocabulary_{language}.txt").write_text(
        "".join(by_fold[fold] + "\n" for fold in sorted(by_fold)), encoding="utf-8"
    )
    stop = sorted(set(words(f"stopwords_{language}.txt")))
    (MATERIAL / f"stopwords_{language}.txt").write_text("".join(word + "\n" for word in stop), encoding="utf-8")

    counts = Counter(row[1] for row in rows)
    shown = ", ".join(f"{counts[name]} {name}" for name in BANDS)
    print(f"{language}: {len(rows)} targets ({shown}), {len(by_fold)} words, {len(stop)} stop words")
    return [f"{language}: {problem}" for problem in problems(rows, language)]


def draw(language: str) -> list[str]:
    """A seeded choice of benchmark targets, `band<TAB>target`, for a person to look over."""
    rng = random.Random(f"{SEED}:{language}")
    chosen: list[str] = []
    for name in BANDS:
        pool = sorted(row[0] for row in read_rows(language) if row[1] == name)
        chosen += [f"{name}\t{target}" for target in sorted(rng.sample(pool, PER_BAND), key=str.casefold)]
    return chosen


def suggest(language: str, most: int = 400) -> list[str]:
    """Frequent lemmas of the dictionary that the vocabulary lacks, most frequent first."""
    dictionary = set(DICTIONARY[language].read_text(encoding="utf-8").split())
    known = {word.casefold() for word in words(f"vocabulary_{language}.txt")}
    known |= set(words(f"stopwords_{language}.txt"))
    found: list[str] = []
    for word in top_n_list(language, 12000):
        forms = [form for form in (word.capitalize(), word) if form in dictionary] if language == "de" else [word]
        good = [form for form in forms if form in dictionary and simplemma.lemmatize(form, lang=language) == form]
        if good and word not in known and len(word) > 2:
            found.append(good[0])
    return found[:most]


def main() -> int:
    match sys.argv[1:]:
        case ["build"]:
            found = [problem for language in STEMMER for problem in build(language)]
            print("\n".join(found) or "no problems")
            return 1 if found else 0
        case ["draw", ("en" | "de") as language]:
            print("\n".join(draw(language)))
        case ["suggest", ("en" | "de") as language]:
            print(" ".join(suggest(language)))
        case _:
            print("usage: taboo_material.py build | draw LANG | suggest LANG", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
