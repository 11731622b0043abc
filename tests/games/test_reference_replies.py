"""Reading replies: what is forgiven, what is not, and that nothing can break or stall it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from games.reference.replies import Malformed, answered, content, one_line

ANSWERS = (("first", "1"), ("second", "2"), ("third", "3"))

LINE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=80).map(str.strip)


def fault(text: str, tag: str = "Expression") -> str:
    with pytest.raises(Malformed) as caught:
        content(text, tag)
    return caught.value.fault


@pytest.mark.parametrize(
    "text",
    [
        "Expression: a T",
        "expression: a T",
        "  \n EXPRESSION :a T \n\n",
        "Expression:\na T",
        "Expression:\n\na T",
        "```\nExpression: a T\n```",
        "```text\nExpression: a T\n```",
        "```Expression: a T```",
        "**Expression:** a T",
        "**Expression**: a T",
        "**Expression: a T**",
        "# Expression: a T",
        "> Expression: a T",
    ],
)
def test_forgiven(text: str) -> None:
    assert content(text, "Expression") == "a T"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "tag"),
        ("   \n", "tag"),
        ("a T", "tag"),
        ("Sure! Expression: a T", "tag"),
        ("Expression a T", "tag"),
        ("Expressions: a T", "tag"),
        ("Expression:", "empty"),
        ("Expression: \n \t", "empty"),
        ("Expression: a T\n\nHope this helps", "paragraphs"),
        ("Expression: a T\nwith a bar", "paragraphs"),
        ("Expression: a T\u2028with a bar", "paragraphs"),
        ("Expression: a T\r\n\r\nwith a bar", "paragraphs"),
        ("Expression: a T\nAnswer: first", "paragraphs"),
    ],
)
def test_not_forgiven(text: str, wanted: str) -> None:
    assert fault(text) == wanted


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("first", 0),
        ("Second", 1),
        ("THIRD.", 2),
        ("1", 0),
        ("2)", 1),
        ("third, because the others have no bar", 2),
        ('"first"', 0),
        ("(2)", 1),
        ("**third**", 2),
    ],
)
def test_answers(said: str, place: int) -> None:
    assert answered(said, ANSWERS) == place


@pytest.mark.parametrize(
    "said", ["the first", "fourth", "4", "10", "1st", "firstly", "thirds", "", "0", "I say first", "٣"]
)
def test_no_answers(said: str) -> None:
    with pytest.raises(Malformed) as caught:
        answered(said, ANSWERS)
    assert caught.value.fault == "answer"


@given(LINE.filter(lambda line: line and line[0] not in "*_" and line[-1] not in "*_`"))
def test_what_is_written_is_read(line: str) -> None:
    assert content(f"Beschreibung: {one_line(line)}", "Beschreibung") == one_line(line)


@given(st.text(max_size=300), st.sampled_from(["Expression", "Antwort"]))
def test_any_text_is_one_line_or_malformed(text: str, tag: str) -> None:
    for candidate in (text, f"{tag}:{text}", f"```\n{tag}: {text}"):
        try:
            inner = content(candidate, tag)
        except Malformed as malformed:
            assert malformed.fault in ("tag", "empty", "paragraphs")
        else:
            assert inner.strip() == inner != "" and len(inner.splitlines()) == 1


@given(st.text(max_size=100))
def test_any_answer_is_one_of_three_or_malformed(said: str) -> None:
    try:
        assert answered(said, ANSWERS) in (0, 1, 2)
    except Malformed as malformed:
        assert malformed.fault == "answer"


@given(st.text(max_size=200))
def test_one_line_is_one_line_and_stays_so(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert one_line(line) == line


@pytest.mark.parametrize("unit", ["a", " ", "\n", "*", "`", "Expression: ", "#", "(", '"'])
def test_long_replies_are_read_fast(unit: str) -> None:
    start = time.process_time()
    for head in ("", "Expression: ", "```", "**Expression: "):
        try:
            answered(content(head + unit * (100_000 // len(unit)), "Expression"), ANSWERS)
        except Malformed as malformed:
            assert malformed.fault
    assert time.process_time() - start < 2
