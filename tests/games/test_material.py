"""The loader of package data: what is there is read once, what is missing is named."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from games import material
from games.material import MissingMaterial, Prompts, prompts

PROMPTS = """
plain = "word"
list = ["a", "b"]
[brief]
guesser = \"\"\"
Find $count letters for $$5 in
$place.
\"\"\"
broken = "50 $ off"
[brief.deep]
down = "here"
words = ["x"]
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    folder = tmp_path / "some_material"
    (folder / "prompts").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "prompts" / "en.toml").write_text(PROMPTS, encoding="utf-8")
    (folder / "words.txt").write_text("# a comment\nÄpfel\n\n  \nbirds\n", encoding="utf-8")
    (folder / "table.tsv").write_text("word\tband\nice\thigh\nfog\tlow\n", encoding="utf-8")
    (folder / "ragged.tsv").write_text("word\tband\nice\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    caches = (material.text, material.lines, material.table, material.prompts)
    for cached in caches:
        cached.cache_clear()
    yield "some_material"
    sys.modules.pop("some_material", None)
    for cached in caches:
        cached.cache_clear()


def test_lines_without_comments_and_blanks(package: str) -> None:
    assert material.lines(package, "words.txt") == ("Äpfel", "birds")
    assert material.lines(package, "words.txt") is material.lines(package, "words.txt")


def test_tables(package: str) -> None:
    assert material.table(package, "table.tsv") == ({"word": "ice", "band": "high"}, {"word": "fog", "band": "low"})
    with pytest.raises(ValueError):
        material.table(package, "ragged.tsv")


def test_a_missing_file_is_named(package: str) -> None:
    with pytest.raises(MissingMaterial, match=r"some_material has no file nothing\.txt"):
        material.text(package, "nothing.txt")
    with pytest.raises(MissingMaterial, match=r"prompts/xx\.toml"):
        prompts(package, "xx")


def test_words_by_path(package: str) -> None:
    said = prompts(package, "en")
    assert said.word("plain") == "word"
    assert said.word("brief.deep.down") == "here"
    assert said.words("list") == ("a", "b")
    assert said.words("brief.deep.words") == ("x",)


@pytest.mark.parametrize("path", ["nothing", "brief.nothing", "plain.deeper", "brief.deep.down.below"])
def test_missing_words_are_named(package: str, path: str) -> None:
    with pytest.raises(MissingMaterial, match=rf"en\.toml lacks {path}"):
        prompts(package, "en").word(path)


@pytest.mark.parametrize("path", ["list", "brief", "brief.deep"])
def test_what_is_no_text_is_not_taken_for_one(package: str, path: str) -> None:
    with pytest.raises(MissingMaterial, match="is not a text"):
        prompts(package, "en").word(path)


@pytest.mark.parametrize("path", ["plain", "nothing", "nowhere.list", "brief.guesser"])
def test_what_is_no_list_is_not_taken_for_one(package: str, path: str) -> None:
    with pytest.raises(MissingMaterial, match="lacks the list"):
        prompts(package, "en").words(path)


def test_prompts_are_filled_in(package: str) -> None:
    said = prompts(package, "en")
    assert said.fill("brief.guesser", count=5, place="here") == "Find 5 letters for $5 in\nhere."
    assert said.fill("brief.guesser", count="$place", place="x", unused=1).startswith("Find $place letters")


def test_a_hole_is_an_error(package: str) -> None:
    said = prompts(package, "en")
    with pytest.raises(MissingMaterial, match=r"brief\.guesser in some_material/prompts/en\.toml.*place"):
        said.fill("brief.guesser", count=5)
    with pytest.raises(MissingMaterial, match=r"brief\.broken"):
        said.fill("brief.broken")


def test_prompts_are_read_once(package: str) -> None:
    assert prompts(package, "en") is prompts(package, "en")
    assert Prompts(package, "en") is not prompts(package, "en")
