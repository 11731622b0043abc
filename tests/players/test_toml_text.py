"""Edits of TOML as text: what was asked for is changed, and every comment, space and other table stays."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from players.toml_text import edited, replaced, toml_value, without

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
scalars = texts | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))


@given(values)
def test_a_value_is_read_back_as_it_was_written(value):
    read = tomllib.loads(f"x = {toml_value(value)}")["x"]
    assert read == value and type(read) is type(value)


def test_tuples_are_written_as_lists():
    assert tomllib.loads(f"x = {toml_value(('a', '#'))}") == {"x": ["a", "#"]}


names = st.sampled_from(["a", "b", "far.one", "c-d", 'qu"ote'])
keys = st.sampled_from(["backend", "model", "base_url", "assist", "price_in", "description"])
plain = (
    st.sampled_from(["x", "a # b", "it's", 'say "hi"', "é😀", "[models.a]", "\\", "k = 1"])
    | st.booleans()
    | st.just(0.5)
)
comments = st.sampled_from(["", "# mine", "# model = 'old'", "# [models.a]", "   # indented", '# "quoted', "\t# tab"])
gaps = st.sampled_from(["", "\n", "\n\n"])
tables = st.dictionaries(keys, plain, min_size=1, max_size=4)


@st.composite
def files(draw):
    """A registry as people write one: (text, what it says, its comments)."""
    found = draw(st.dictionaries(names, tables, min_size=1, max_size=4))
    lines, said = [], []

    def comment(before="", line=""):
        text = draw(comments)
        if text:
            said.append(text.strip())
        lines.append(f"{before}{line}{'  ' if line and text else ''}{text}" if line or text else "")

    comment()
    for name, table in found.items():
        lines.append(draw(gaps).rstrip("\n"))
        comment()
        comment(line=f"[models.{toml_value(name)}]")
        for key, value in table.items():
            space = draw(st.sampled_from(["", "  "]))
            comment(line=f"{space}{key}{draw(st.sampled_from([' = ', '=', '   =  ']))}{toml_value(value)}")
    return "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n"])), found, said


def kept(text: str, said: list[str]) -> bool:
    """Whether all these comments stand in the text, in their order."""
    at = 0
    for comment in said:
        at = text.find(comment, at) + 1
        if not at:
            return False
    return True


@given(files(), tables, st.data())
def test_an_edit_changes_one_table_and_keeps_every_comment(file, after, data):
    text, found, said = file
    name = data.draw(st.sampled_from(sorted(found)))
    before = found[name]
    out = edited(text, ("models", name), before, after)
    assert tomllib.loads(out) == {"models": {**found, name: after}}
    gone = before.keys() - after.keys()  # a line that goes takes along what was said of it, and nothing else does
    assert gone or kept(out, said)
    untouched = [key for key in before if after.get(key) == before[key]]
    assert all(line in out.splitlines() for line in text.splitlines() if line.split("=")[0].strip() in untouched)


@given(files(), tables, tables, st.data())
def test_an_edit_there_and_back_gives_the_same_text(file, more, other, data):
    text, found, said = file
    name = data.draw(st.sampled_from(sorted(found)))
    before = found[name]
    after = {key: other.get(key, more.get(key, value)) for key, value in before.items()}
    there = edited(text, ("models", name), before, after)
    assert edited(there, ("models", name), after, before) == edited(text, ("models", name), before, before) == text
    assert len(there.splitlines()) == len(text.splitlines()) and kept(there, said)


@given(files(), st.data())
def test_without_takes_one_table_and_no_comment_at_the_margin(file, data):
    text, found, _said = file
    name = data.draw(st.sampled_from(sorted(found)))
    out = without(text, ("models", name))
    rest = {other: table for other, table in found.items() if other != name}
    assert tomllib.loads(out).get("models", {}) == rest
    margin = [line for line in text.splitlines() if line.startswith("#")]
    assert [line for line in out.splitlines() if line.startswith("#")] == margin


@given(files(), st.data())
def test_replaced_puts_the_new_table_where_the_old_one_stood(file, data):
    text, found, _ = file
    name = data.draw(st.sampled_from(sorted(found)))
    out = replaced(text, ("models", name), f"[models.{toml_value(name)}]\nmodel = 'new'\n")
    assert tomllib.loads(out)["models"] == {**found, name: {"model": "new"}}
    assert list(tomllib.loads(out)["models"]) == list(found)


SECTIONED = """# before
[models.x]  # mine
backend = "openai"   # any server
model = "a # not a comment"   # the small one

[models.x.sampling]
temperature = 0  # cold
stop = ["#", "\\n"]  # ends

# about y
[models.y]
model = "m"
"""


def test_a_table_of_its_own_for_the_settings_is_edited_inside():
    before = tomllib.loads(SECTIONED)["models"]["x"]
    after = {**before, "model": "b", "sampling": {"temperature": 0.5, "top_k": 4}}
    out = edited(SECTIONED, ("models", "x"), before, after)
    assert tomllib.loads(out)["models"] == {"x": after, "y": {"model": "m"}}
    for line in (
        "# before",
        "[models.x]  # mine",
        'model = "b"   # the small one',
        "temperature = 0.5  # cold",
        "# about y",
    ):
        assert line in out.splitlines()
    assert out.index("top_k = 4") < out.index("# about y")


def test_taking_all_settings_away_leaves_an_empty_table():
    before = tomllib.loads(SECTIONED)["models"]["x"]
    out = edited(SECTIONED, ("models", "x"), before, {key: before[key] for key in ("backend", "model")})
    assert tomllib.loads(out)["models"]["x"]["sampling"] == {}


def test_a_table_that_goes_takes_its_own_tables_along():
    assert tomllib.loads(without(SECTIONED, ("models", "x"))) == {"models": {"y": {"model": "m"}}}
    assert "# about y" in without(SECTIONED, ("models", "x"))


@pytest.mark.parametrize(
    "text",
    [
        '[models.x]\nmodel = """\na\n"""\n',  # a value of several lines
        'models.x = {model = "a"}\n',  # a table on one line
        'models.x.model = "a"\n',  # dotted keys
        '[models]\nx = {model = "a"}\n',
    ],
)
def test_what_is_not_understood_is_left_as_it_is(text):
    """Whoever writes the outcome sees that it does not say what it should, and leaves the file alone."""
    before = tomllib.loads(text)["models"]["x"]
    out = edited(text, ("models", "x"), before, {"model": "b"})
    assert out == text


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("[models.x]", '[models.x]\nmodel = "b"\n'),
        ("[models.x]\n# all of it\n", '[models.x]\nmodel = "b"\n# all of it\n'),
        ("[models.x]\nbackend = 1\n\n[other]\n", '[models.x]\nbackend = 1\nmodel = "b"\n\n[other]\n'),
        ("[models.'x']\n'model' = 'a' # c\n", "[models.'x']\n'model' = \"b\" # c\n"),
        ('  [ models . "x" ]\n  model="a"\r\n', '  [ models . "x" ]\n  model="b"\r\n'),
    ],
)
def test_where_a_new_value_is_written(text, out):
    before = tomllib.loads(text)["models"]["x"]
    assert edited(text, ("models", "x"), before, {**before, "model": "b"}) == out
