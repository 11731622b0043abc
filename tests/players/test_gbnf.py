"""The grammars are read here by a parser of GBNF that knows nothing of how they are made."""

from __future__ import annotations

import re
import sys
from functools import cache
from importlib.util import find_spec
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from games.engine import Message
from games.shapes import Choice, Grid, Literal, Seq, Text, fits
from players import weights
from players.gbnf import compiled, one_of, quoted

patient = settings(deadline=None)
sys.setrecursionlimit(max(sys.getrecursionlimit(), 5000))

TOKEN = re.compile(r'\s*("(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|::=|[a-z][a-z0-9-]*|[()|])')
ESCAPE = re.compile(r"\\x([0-9A-F]{2})|\\u([0-9A-F]{4})|\\(.)|(.)", re.DOTALL)


def chars(body: str) -> list[tuple[str, bool]]:
    """Characters of a string or class, and whether each was escaped."""
    short = {"n": "\n"}
    return [
        (chr(int(m[1] or m[2], 16)) if m[1] or m[2] else short.get(m[3], m[3]) if m[3] else m[4], m[4] is None)
        for m in ESCAPE.finditer(body)
    ]


def parse_class(body: str):
    negated, found, out = body.startswith("^"), chars(body.removeprefix("^")), []
    while found:
        first, _ = found.pop(0)
        last = first
        if len(found) > 1 and found[0] == ("-", False):
            found.pop(0)
            last, _ = found.pop(0)
        out.append((first, last))
    return ("class", negated, tuple(out))


class Grammar:
    """Rules as nested tuples; `ends` gives every place where a match that begins here may end."""

    def __init__(self, text: str) -> None:
        self.rules = {}
        for line in text.strip().split("\n"):
            name, _, body = line.partition(" ::= ")
            tokens, at = [], 0
            body = body.rstrip()
            while at < len(body):
                match = TOKEN.match(body, at)
                assert match, (name, body[at : at + 40])
                tokens.append(match[1])
                at = match.end()
            assert name not in self.rules
            self.rules[name] = self.alternatives(tokens)
            assert not tokens

    def alternatives(self, tokens):
        found = [self.sequence(tokens)]
        while tokens and tokens[0] == "|":
            tokens.pop(0)
            found.append(self.sequence(tokens))
        return ("or", tuple(found))

    def sequence(self, tokens):
        found = []
        while tokens and tokens[0] not in ("|", ")"):
            token = tokens.pop(0)
            if token == "(":
                found.append(self.alternatives(tokens))
                assert tokens.pop(0) == ")"
            elif token[0] == '"':
                found.append(("text", "".join(char for char, _ in chars(token[1:-1]))))
            elif token[0] == "[":
                found.append(parse_class(token[1:-1]))
            else:
                found.append(("rule", token))
        assert found, "an empty alternative"
        return ("and", tuple(found))

    def accepts(self, text: str) -> bool:
        @cache
        def ends(node, at):
            match node:
                case ("or", options):
                    return frozenset().union(*(ends(option, at) for option in options))
                case ("and", parts):
                    here = frozenset({at})
                    for part in parts:
                        here = frozenset().union(*(ends(part, place) for place in here))
                    return here
                case ("text", word):
                    return frozenset({at + len(word)} if text.startswith(word, at) else ())
                case ("class", negated, spans):
                    inside = at < len(text) and any(a <= text[at] <= b for a, b in spans)
                    return frozenset({at + 1} if at < len(text) and inside != negated else ())
                case ("rule", name):
                    return ends(self.rules[name], at)

        return len(text) in ends(self.rules["root"], 0)

    def write(self, luck: Random) -> str:
        """A text of this grammar."""

        def some(node) -> str:
            match node:
                case ("or", options):
                    return some(luck.choice(options))
                case ("and", parts):
                    return "".join(map(some, parts))
                case ("text", word):
                    return word
                case ("class", False, spans):
                    first, last = luck.choice(spans)
                    return chr(luck.randint(ord(first), ord(last)))
                case ("class", True, spans):
                    free = [c for c in '0#@/ñ漢😀&"\\[^]`' if not any(a <= c <= b for a, b in spans)]
                    return luck.choice(free)
                case ("rule", name):
                    return some(self.rules[name])

        return some(self.rules["root"])


words = st.text('abcde-"\\]^[\n\té漢 ', min_size=1, max_size=6)
literals = st.builds(Literal, st.text(max_size=12))
choices = st.builds(lambda o: Choice(tuple(o)), st.lists(words, min_size=1, max_size=12, unique=True))
grids = st.builds(
    Grid, st.integers(1, 3), st.integers(1, 3), st.text("XO▢^-]\\[", min_size=1, max_size=4), st.sampled_from([" ", ""])
)
texts = st.builds(
    lambda low, more, letters: Text("t", low, low + more, letters), st.integers(0, 6), st.integers(1, 20), st.booleans()
)
closed = st.one_of(literals, choices, grids)
shapes = st.one_of(closed, texts, st.builds(lambda p: Seq(tuple(p)), st.lists(st.one_of(closed, texts), max_size=4)))


def drawn(shape, draw) -> str:
    """A text of a shape without free text, made from the shape itself."""
    match shape:
        case Literal(text):
            return text
        case Choice(options):
            return draw(st.sampled_from(options))
        case Grid(rows, cols, symbols, gap):
            return "\n".join(gap.join(draw(st.sampled_from(symbols)) for _ in range(cols)) for _ in range(rows))
        case Seq(parts):
            return "".join(drawn(part, draw) for part in parts)


@patient
@given(shapes, st.randoms(use_true_random=False))
def test_what_a_grammar_writes_has_the_form(shape, luck):
    text = Grammar(compiled(shape)).write(luck)
    assert fits(shape, text), text


@patient
@given(st.one_of(closed, st.builds(lambda p: Seq(tuple(p)), st.lists(closed, max_size=4))), st.data())
def test_without_free_text_grammar_and_pattern_are_one(shape, data):
    grammar = Grammar(compiled(shape))
    text = drawn(shape, data.draw)
    assert grammar.accepts(text) and fits(shape, text)
    at = data.draw(st.integers(0, len(text)))
    other = text[:at] + data.draw(st.text("abX \n-\\", max_size=2)) + text[at + 1 :]
    assert grammar.accepts(other) == fits(shape, other), other


@patient
@given(st.text("ab ,.9é\x00\t\n\u2028", max_size=20), st.integers(0, 8), st.integers(8, 30), st.booleans())
@example("ab", 1, 8, True)
@example("ab ", 1, 8, True)
def test_free_text_is_narrower_only_at_its_ends_and_blanks(text, low, high, letters):
    shape = Text("t", low, high, letters)
    tidy = text == text.strip(" ") and "  " not in text and not re.search(r"[\x00-\x1f\u2028]", text)
    late = " " in text[max(high - 12, min(low, high - 1)) :]
    assert Grammar(compiled(shape)).accepts(text) == (fits(shape, text) and tidy and not late)


FORBIDDEN = ("guitar", "gas", "Übung")
LONG = Text("t", 0, 120, letters=True)
SAID = ["guitar", "Guitars", "guit", "gum", "GAS", "gasoline", "ga", "übung", "üb", "a"]


@pytest.fixture(scope="module")
def with_and_without():
    return Grammar(compiled(LONG)), Grammar(compiled(LONG, FORBIDDEN))


@patient
@given(said=st.lists(st.sampled_from(SAID), max_size=8))
@example(said=["a", "Guitars"])
def test_text_keeps_out_the_beginnings_of_forbidden_words(said, with_and_without):
    text = ", ".join(said)
    free, strict = with_and_without
    bad = any(word.lower().startswith(tuple(f.lower() for f in FORBIDDEN)) for word in said)
    assert strict.accepts(text) == (not bad)
    assert free.accepts(text)


@patient
@given(st.randoms(use_true_random=False))
def test_what_is_written_without_words_has_none_of_them(luck):
    grammar = Grammar(compiled(Seq((Literal("CLUE: "), Text("t", 3, 30, letters=True))), ("a", "be", "bee")))
    text = grammar.write(luck).removeprefix("CLUE: ")
    assert not any(word.lower().startswith(("a", "be")) for word in re.findall(r"[^\W\d_]+", text)), text


def test_words_of_other_scripts_cannot_be_kept_out_and_do_no_harm():
    assert compiled(Text("t", 1, 5), ("漢字", "")) == compiled(Text("t", 1, 5))


def test_thousands_of_words_become_a_small_trie():
    luck = Random(1)
    options = tuple({"".join(luck.choices("abcdefghijklmnop", k=luck.randint(3, 9))) for _ in range(3000)})
    text = compiled(Seq((Literal("GUESS: "), Choice(options, "guess"))))
    assert len(text) < 25 * len(options)
    grammar = Grammar(text)
    assert all(grammar.accepts(f"GUESS: {word}") for word in options[:50])
    assert not grammar.accepts("GUESS: ") and not grammar.accepts(f"GUESS: {options[0]}z")


def test_an_option_may_be_the_beginning_of_another():
    grammar = Grammar(compiled(Choice(("snow", "snowman", "snowed", ""))))
    assert all(map(grammar.accepts, ("snow", "snowman", "snowed", ""))) and not grammar.accepts("snowm")


def test_escapes():
    assert quoted('a"\\\n\x7f') == r'"a\"\\\n\x7F"'
    assert quoted("\ud800") == r'"\uD800"'
    assert one_of("cab]") == r"[\x5Da-c]"
    assert one_of("-^") == r"[\x2D\x5E]"


REAL = [
    Seq((Literal("CLUE: "), Text("clue", 10, 60, letters=True))),
    Seq((Literal('say "\\x":\n'), Choice(("naïve 漢", 'q"uo\\te', "[a-z]", "^", "-")))),
    Seq((Literal("Command: "), Text("command", 1, 40))),
    Grid(3, 4, "▢AX-]^\\", " "),
    Choice(tuple(f"word{n}" for n in range(3000))),
]
MISSING = 'the built-in model is not here: pip install "playpen-tui[local]", then playpen-tui models get smollm2'


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.skipif(find_spec("xllamacpp") is None or weights.find("smollm2") is None, reason=MISSING)
@pytest.mark.parametrize("shape", REAL, ids=lambda shape: type(shape).__name__)
async def test_llama_cpp_takes_each_grammar_and_keeps_to_it(shape):
    from players.backends.embedded import embedded_client

    path = weights.find("smollm2")
    assert path is not None
    client = await embedded_client(path, name="smollm2")
    try:
        for seed in range(3):
            call = await client.complete(
                [Message("user", "Write something.")],
                {"temperature": 1.5, "seed": seed, "max_tokens": 200},
                role="x",
                emit=lambda event: None,
                grammar=compiled(shape, ("guitar", "the", "write")),
            )
            assert call.finish == "stop" and fits(shape, call.text), call.text
            assert not re.search(r"(?i)\b(?:the|write)", call.text)
    finally:
        await client.aclose()


def test_the_parser_of_these_tests_finds_faults():
    """A check of the checker: it must tell grammars apart."""
    assert Grammar('root ::= "a" [b-d] (x | "")\nx ::= "\\x41"').accepts("acA")
    assert not Grammar('root ::= "a" [^b-d]').accepts("ac")
    with pytest.raises(AssertionError):
        Grammar('root ::= "a" |')
