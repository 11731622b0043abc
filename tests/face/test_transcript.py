"""What is read of a match by whom, as entries and as text for the clipboard."""

from __future__ import annotations

from games import catalog
from games.engine import Match
from playpen_tui.transcript import as_text, entries, spoken

TABOO = catalog.get("taboo")
CRITIC = catalog.get("wordle_withcritic")
NAMES = {"describer": "you", "guesser": "smollm2"}


def taboo(*texts: str) -> Match:
    return Match.replay(TABOO, catalog.instance(TABOO, "high-en-004"), 1, texts)


def test_an_explanation_comes_after_what_it_explains():
    match = Match.new(CRITIC, catalog.instance(CRITIC, "high-en-001"), 1)
    assert spoken(match, "guesser", "explanation: it is common\nguess: crane") == ("crane", "it is common")
    assert spoken(match, "guesser", "crane") is None


def test_half_a_reply_is_not_shown_as_one():
    match = Match.new(CRITIC, catalog.instance(CRITIC, "high-en-001"), 1)
    for half in ("", "expl", "explanation: it is", "explanation: it is common\ngue"):
        assert spoken(match, "guesser", half) is None
    assert spoken(taboo(), "describer", "CLU") is None
    assert spoken(taboo(), "describer", "CLUE: pap") == ("pap", "")


def test_a_broken_reply_is_shown_raw_with_what_was_wrong():
    (entry,) = entries(taboo("what shall I say?"), None)
    assert entry.raw and entry.text == "what shall I say?" and entry.broken and "\n" not in entry.broken


def test_after_the_end_everybody_reads_everything():
    match = Match.new(CRITIC, catalog.instance(CRITIC, "high-en-001"), 1)
    for text in (
        "explanation: one\nguess: crane",
        "explanation: two\nagreement: yes",
        "explanation: three\nguess: crane",
        "explanation: four\nguess: agree",
    ):
        match = match.play(text)
    before = entries(match, "critic")
    match = match.play("explanation: five\nagreement: no").play("explanation: six\nguess: agree")
    assert match.over
    assert [e.ply for e in entries(match, "critic")] == list(range(6)) == [e.ply for e in entries(match, None)]
    assert "three" not in [e.extra for e in before], "why the guesser decided so is not told to the critic"


def test_the_clipboard_gets_names_extras_and_breaches():
    text = as_text(taboo("CLUE: paper to borrow", "a library?"), "describer", NAMES)
    first, second = text.splitlines()
    assert first == "you: paper to borrow"
    assert second.startswith("smollm2: a library? [not accepted: ")
    match = Match.new(CRITIC, catalog.instance(CRITIC, "high-en-001"), 1).play("explanation: one\nguess: crane")
    assert as_text(match, None, {}) == "guesser: crane (one)"
