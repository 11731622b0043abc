"""The clue rule: what counts as saying a forbidden word, and what must not."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from games.taboo import clue as rule
from games.taboo import lexicon
from games.taboo.clue import faults, fold, known_words, relation, same_stem, stop_words, tokens


def said(
    clue: str, target: str = "elephant", related: Sequence[str] = ("trunk", "ivory", "tusk"), language: str = "en"
):
    return [(fault.said, fault.place, fault.how) for fault in faults(clue, target, tuple(related), language)]


@pytest.mark.parametrize(
    ("clue", "found"),
    [
        ("it is an elephant", ("elephant", 0, "same")),
        ("ELEPHANT!", ("elephant", 0, "same")),
        ("two elephants", ("elephants", 0, "form")),
        ("the elephant's ear", ("elephant", 0, "same")),
        ("a Trunk.", ("trunk", 1, "same")),
        ("many tusks", ("tusks", 3, "form")),
        ("“ivory”—white", ("ivory", 2, "same")),
        ("grey\nelephant", ("elephant", 0, "same")),
        ("grey\u2028elephant", ("elephant", 0, "same")),
        ("big-elephant-like", ("elephant", 0, "same")),
        ("big/elephant_thing", ("elephant", 0, "same")),
        ("e-l-e-p-h-a-n-t", ("e-l-e-p-h-a-n-t", 0, "pieces")),
        ("spell e l e p h a n t please", ("e l e p h a n t", 0, "pieces")),
        ("E. L. E. P. H. A. N. T.", ("e. l. e. p. h. a. n. t", 0, "pieces")),
        ("ele-phant", ("ele-phant", 0, "pieces")),
        ("an ele phant", ("ele phant", 0, "pieces")),
        ("ele\u200bphant", ("elephant", 0, "same")),
        ("e\u0301le\u0301phant", ("elephant", 0, "same")),
        ("ｅｌｅｐｈａｎｔ", ("elephant", 0, "same")),
        ("ele\u00adphant", ("elephant", 0, "same")),
    ],
)
def test_said_in_whatever_disguise(clue: str, found: tuple[str, int, str]) -> None:
    assert found in said(clue)


@pytest.mark.parametrize(
    "clue",
    [
        "a large animal in Africa",
        "it never forgets",
        "",
        "… 123 !?",
        "eight letters, the first one is e and the last one t",
        "ele and phants are no words",
    ],
)
def test_legal_clues(clue: str) -> None:
    assert said(clue) == []


@pytest.mark.parametrize(
    ("clue_word", "forbidden"),
    [
        ("flash", "flashlight"),
        ("flashlights", "light"),
        ("teach", "teacher"),
        ("rainy", "rain"),
        ("sunflowers", "flower"),
        ("craftsman", "craft"),
        ("unhappy", "happy"),
        ("basketball", "ball"),
    ],
)
def test_parts_of_compounds(clue_word: str, forbidden: str) -> None:
    assert relation(clue_word, forbidden, "en") == "part"


@pytest.mark.parametrize(
    ("clue_word", "forbidden"),
    [
        ("hair", "chair"),
        ("each", "beach"),
        ("thinking", "king"),
        ("thinking", "thin"),
        ("part", "party"),
        ("rest", "forest"),
        ("other", "mother"),
        ("ready", "read"),
        ("pants", "panther"),
        ("does", "doe"),
        ("should", "shoulder"),
    ],
)
def test_no_false_hits(clue_word: str, forbidden: str) -> None:
    assert relation(clue_word, forbidden, "en") is None
    assert said(f"well, {clue_word} it", forbidden, ()) == []


def test_a_short_word_inside_another_is_not_said() -> None:
    assert said("nothing goes without saying in a kitchen", "it", ("hen", "say")) == [("saying", 2, "form")]


@pytest.mark.parametrize(
    ("clue", "target"), [("to get her there", "together"), ("this is land at sea", "island"), ("a long way", "along")]
)
def test_words_that_spell_another_by_chance_are_not_counted(clue: str, target: str) -> None:
    assert [fault for fault in said(clue, target, ()) if fault[2] == "pieces"] == []


@pytest.mark.parametrize("clue", ["to-get-her", "t o g e t h e r", "toge ther"])
def test_but_on_purpose_they_are(clue: str) -> None:
    assert [fault[2] for fault in said(clue, "together", ())] == ["pieces"]


@pytest.mark.parametrize(("form", "word"), [("mice", "mouse"), ("went", "go"), ("wolves", "wolf"), ("taught", "teach")])
def test_irregular_forms(form: str, word: str) -> None:
    assert relation(form, word, "en") == relation(word, form, "en") == "form"


@pytest.mark.parametrize(
    ("clue", "target", "found"),
    [
        ("er trägt viele Äpfel", "Apfel", ("äpfel", 0, "form")),
        ("zwei Aepfel", "Apfel", ("aepfel", 0, "form")),
        ("der Apfelbaum", "Apfel", ("apfelbaum", 0, "part")),
        ("graue Häuserwände", "Haus", ("häuserwände", 0, "part")),
        ("das zieht man über die Hand", "Handschuh", ("hand", 0, "part")),
        ("sie isst", "essen", ("isst", 0, "form")),
        ("eine STRASSE", "Straße", ("strasse", 0, "same")),
        ("er saß da", "sitzen", ("sass", 0, "form")),
        ("sie hat gegossen", "gießen", ("gegossen", 0, "form")),
    ],
)
def test_german(clue: str, target: str, found: tuple[str, int, str]) -> None:
    assert found in said(clue, target, (), "de")


@pytest.mark.parametrize(
    ("clue", "target"), [("praktisch", "Tisch"), ("ein Kuchen", "Küche"), ("gegen den Strom", "Gen"), ("wegen", "Weg")]
)
def test_german_false_hits(clue: str, target: str) -> None:
    assert said(clue, target, (), "de") == []


def test_related_words_of_several_words() -> None:
    assert ("ice cream", 1, "pieces") in said("cold ice cream", "cone", ("ice cream",))
    assert ("icecream", 1, "same") in said("cold icecream", "cone", ("ice cream",))
    assert said("ice on a lake, cream in a cup", "cone", ("ice cream",)) == []


def test_all_faults_are_told_target_first() -> None:
    assert [place for _, place, _ in said("a tusk, some ivory, no elephants")] == [0, 2, 3]


def test_words_without_letters_forbid_nothing() -> None:
    assert said("anything at all", "???", ("", "123")) == []


def test_a_long_run_of_letters_is_searched_and_not_stemmed() -> None:
    assert said("x" * 50_000 + "elephant" + "x" * 50_000)[0][1:] == (0, "part")


def test_endless_clues_are_checked_in_no_time() -> None:
    started = time.perf_counter()
    for unit in ("elep ", "e l e p h a n ", "elephan", "ele\n", "eee eleph a n "):
        said((unit * 100_000)[:100_000])
    assert time.perf_counter() - started < 20


@pytest.mark.parametrize("language", lexicon.LANGUAGES)
def test_every_clue_of_the_material_is_legal(language: str) -> None:
    entries = lexicon.entries(language)
    assert len(entries) > 420
    assert [
        (entry.target, found)
        for entry in entries
        if (found := faults(entry.clue, entry.target, entry.related, language))
    ] == []


@pytest.mark.parametrize("language", lexicon.LANGUAGES)
def test_plain_sentences_are_legal_for_nearly_every_target(language: str) -> None:
    """Clues of other targets are everyday language: hits must be rare, or the rule sees ghosts."""
    entries = lexicon.entries(language)
    pairs = [(a, b) for n, a in enumerate(entries) for b in entries[n + 1 : n + 9]]
    hit = [found for a, b in pairs for found in faults(b.clue, a.target, a.related, language)]
    assert len(hit) / len(pairs) < 0.03


@given(st.text(max_size=80))
def test_any_text_is_checked(text: str) -> None:
    for language in lexicon.LANGUAGES:
        for fault in faults(text, "elephant", ("trunk", "ivory", "tusk"), language):
            assert fault.said and fault.place in range(4)


WORDS = st.text("abcdefghij", min_size=3, max_size=8)


@given(WORDS, st.lists(WORDS, max_size=4), st.integers(0, 4), st.sampled_from([" ", "\n", "-", ", ", "/", "…"]))
def test_a_word_is_found_wherever_it_stands(word: str, others: list[str], place: int, gap: str) -> None:
    clue = gap.join([*others[:place], word.upper(), *others[place:]])
    assert (word, 0, "same") in said(clue, word.capitalize(), ())


@given(st.text("elphantru", min_size=3, max_size=10), st.sampled_from(["-", " ", ".", "_", "*", " . "]))
def test_spelling_never_helps(word: str, gap: str) -> None:
    assert said(gap.join(word), word, ())


def test_folding_keeps_german_umlauts_and_nothing_else() -> None:
    assert fold("ÀÉÄÖÜß", "de") == "aeäöüss"
    assert fold("ÀÉÄÖÜß", "en") == "aeaouss"
    assert tokens("Don't re-enter, 2nd\tAWAY_x", "en") == ["don", "t", "re", "enter", "nd", "away", "x"]


def test_lists_are_there() -> None:
    for language in lexicon.LANGUAGES:
        assert 100 < len(stop_words(language)) < len(known_words(language))
    assert same_stem("mice", "mouse", "en") and not same_stem("mice", "cat", "en")


@pytest.mark.parametrize("language", lexicon.LANGUAGES)
def test_the_quick_look_loses_no_form(language: str) -> None:
    """Whatever real words share a stem, one of them in a clue is found when the other is forbidden."""
    known = {word for text in lexicon.vocabulary(language) for word in tokens(text, language)}
    known |= {word for entry in lexicon.entries(language) for word in tokens(entry.clue, language)}
    known |= {f"{word}{end}" for word in known for end in ("s", "e", "en") if len(word) > 3}
    families: dict[str, list[str]] = defaultdict(list)
    for word in sorted(known - stop_words(language)):
        families[rule.stem(word, language)].append(word)
    related = [words for words in families.values() if len(words) > 1]
    assert len(related) > 1_000
    for words in related:
        for a, b in pairwise(words):
            assert rule._alike(a, b) and rule._alike(b, a), (a, b)
            assert frozenset((a, b)) in rule._unrelated(language) or said(f"so {a} so", b, (), language), (a, b)


@pytest.mark.parametrize(
    ("clue", "target", "language"),
    [
        ("using", "use", "en"),
        ("icing", "ice", "en"),
        ("dries", "drying", "en"),
        ("skies", "sky", "en"),
        ("lying", "lie", "en"),
        ("Aepfel", "Apfel", "de"),
        ("Äpfel", "Aepfel", "de"),
        ("Oefen", "Ofen", "de"),
        ("Baeume", "Baum", "de"),
        ("geschwommen", "schwimmen", "de"),
    ],
)
def test_forms_that_begin_otherwise(clue: str, target: str, language: str) -> None:
    assert [found[1:] for found in said(clue, target, (), language)] == [(0, "form")]


def test_long_words_stay_out_of_the_caches() -> None:
    before = rule.relation.cache_info().currsize, rule._stem.cache_info().currsize
    said("q" * 70)
    rule.stem("q" * 70, "en")
    assert (rule.relation.cache_info().currsize, rule._stem.cache_info().currsize) == before
