"""Assisted seats: the loop with a model that is scripted, on a small game and on Taboo; then the real one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import pairwise
from random import Random
from typing import Any, ClassVar

import pytest

from games import catalog
from games.boards import Board
from games.engine import Bot, Game, Illegal, Instance, Match, Message, Role, Say, State
from games.shapes import Choice, Literal, Seq, Shape, Text, fits
from games.taboo.lexicon import TabooInstance
from players import assist, weights
from players.assist import assisted
from players.base import Ask, Call, Called, Event, PlayerError, Reply, Restart

WORDS = tuple(f"{a}{b}{c}" for a in "bdfg" for b in "aeiou" for c in "klmnpr")
"""A vocabulary of 120 words: bak, bal, ..."""


class Deal(Instance):
    shape: str = "choice"
    ask: str = ""

    @property
    def key(self) -> str:
        return "probe:1"


class Here(State):
    instance: Deal
    said: tuple[str, ...] = ()


class Probe(Game[Deal, Here]):
    """One seat says words for ever; `bad` and words beginning with `bo` are refused."""

    name = "probe"
    title = "Probe"
    roles = ("one",)
    strikes: ClassVar = {}
    instance_type = Deal
    state_type = Here

    def start(self, instance: Deal, rng: Random) -> tuple[Here, Sequence[Say]]:
        return Here(instance=instance, turn="one"), [Say("one", "Long rules. Never say bad or bot.", kind="brief")]

    def play(self, state: Here, text: str, rng: Random) -> tuple[Here, Sequence[Say]]:
        if not text.startswith("SAY: "):
            raise Illegal("start with SAY:")
        if re.search(r"\b(?:bad|bo)", text):
            raise Illegal("that word is forbidden")
        return state.to(said=(*state.said, text)), [Say("one", "Go on.")]

    def board(self, state: Here, role: Role | None) -> Board:
        return Board("", ())

    def instances(self, language: str) -> Sequence[Deal]:
        return [Deal(name="p", experiment="e")]

    def bots(self) -> dict[str, Bot]:
        return {}

    def shape(self, state: Here) -> Shape | None:
        kinds: dict[str, Shape | None] = {
            "choice": Seq((Literal("SAY: "), Choice(WORDS, "word"))),
            "few": Seq((Literal("SAY: "), Choice(("yes", "no"), "word"))),
            "text": Seq((Literal("SAY: "), Text("word", 3, 30, letters=True))),
            "none": None,
        }
        return kinds[state.instance.shape]

    def examples(self, state: Here) -> tuple[Message, ...]:
        return (Message("user", "short?"), Message("assistant", "SAY: zip"))

    def question(self, state: Here) -> str:
        return state.instance.ask


class Model:
    """Says what is scripted, and keeps what it was asked. An exception in the script is raised."""

    def __init__(self, *script: str | BaseException, rows: Sequence[Sequence[Any]] = ()) -> None:
        self.script = list(script)
        self.rows = list(rows)
        self.asked: list[dict[str, Any]] = []
        self.prompts: list[tuple[Message, ...]] = []

    async def __call__(self, messages, sampling, *, role, emit, **rest) -> Call:
        self.prompts.append(tuple(messages))
        self.asked.append({**sampling, **rest})
        what = self.script.pop(0)
        if isinstance(what, BaseException):
            emit(Called(role, Call(tuple(messages), "SAY: par", finish="cancelled")))
            raise what
        raw = {"top_logprobs": self.rows.pop(0)} if self.rows else {}
        call = Call(tuple(messages), what, finish="stop", sampling=dict(sampling), assisted=True, raw=raw)
        emit(Called(role, call))
        return call


class Table:
    """An ask with ears."""

    def __init__(self, game: Game, match: Match, deadline: float | None = None) -> None:
        self.events: list[Event] = []
        self.match = match
        assert match.turn is not None
        self.ask = Ask(match.view(match.turn), seed=7, deadline=deadline, emit=self.events.append)

    @classmethod
    def probe(cls, shape: str = "choice", *, said: Sequence[str] = (), question: str = "", **more: Any) -> Table:
        match = Match.new(Probe(), Deal(name="p", experiment="e", shape=shape, ask=question), 1)
        for text in said:
            match = match.play(text)
        return cls(match.game, match, **more)

    async def reply(self, model: Any, **sampling: Any) -> Reply:
        assert self.match.turn is not None
        return await assisted(model, self.match.heard[self.match.turn], self.ask, sampling)

    @property
    def calls(self) -> list[Call]:
        return [event.call for event in self.events if isinstance(event, Called)]

    @property
    def restarts(self) -> list[str]:
        return [event.why for event in self.events if isinstance(event, Restart)]


async def test_a_good_reply_is_taken_at_once():
    table, model = Table.probe(question="short: now?"), Model("SAY: dak ")
    reply = await table.reply(model, seed=3)
    assert (reply.text, reply.assisted) == ("SAY: dak", True)
    assert table.calls == [reply.call] and table.restarts == []
    assert reply.call is table.calls[0] and reply.call.finish == "stop" and reply.call.assisted
    (asked,) = model.asked
    assert (asked["temperature"], asked["seed"], asked["assisted"]) == (0.0, 3, True)
    assert 'root ::= "SAY: "' in asked["grammar"] and "t1" not in asked["grammar"]


async def test_the_prompt_is_examples_and_the_question():
    table, model = Table.probe(question="short: now?", said=["SAY: dak"]), Model("SAY: dal")
    await table.reply(model)
    assert [m.content for m in model.prompts[0]] == ["short?", "SAY: zip", "short: now?"]


async def test_without_a_question_it_is_examples_and_all_that_was_heard():
    table, model = Table.probe(said=["SAY: dak"]), Model("SAY: dal")
    await table.reply(model)
    said = [m.content for m in model.prompts[0]]
    assert (
        said[:2] == ["short?", "SAY: zip"] and said[2].startswith("Long rules") and said[3:] == ["SAY: dak", "Go on."]
    )


async def test_a_system_prompt_stays_in_front():
    table, model = Table.probe(question="now?"), Model("SAY: dal")
    await assisted(model, (Message("system", "Be brief."), *table.match.heard["one"]), table.ask, {})
    assert model.prompts[0][0] == Message("system", "Be brief.") and len(model.prompts[0]) == 4


async def test_without_a_shape_nothing_is_assisted():
    table, model = Table.probe("none"), Model("hello")
    reply = await table.reply(model)
    assert (reply.text, reply.assisted) == ("hello", False) and "grammar" not in model.asked[0]


async def test_what_the_game_refuses_is_asked_again_without_that_option():
    table, model = Table.probe(), Model("SAY: bok", "SAY: bol", "SAY: dak")
    reply = await table.reply(model, seed=3)
    assert reply.text == "SAY: dak" and table.restarts == ["that word is forbidden"] * 2
    assert [call.finish for call in table.calls] == ["refused_by_check", "refused_by_check", "stop"]
    assert [call.text for call in table.calls] == ["SAY: bok", "SAY: bol", "SAY: dak"]
    assert [asked["seed"] for asked in model.asked] == [3, 4, 5]
    assert [asked["temperature"] for asked in model.asked] == [0.0] * 3, "another option is news enough"
    grammars = [asked["grammar"] for asked in model.asked]
    assert all(len(a) > len(b) for a, b in pairwise(grammars))


async def test_text_is_asked_again_warmer_when_nothing_was_learned():
    table, model = Table.probe("text", said=["SAY: dak"]), Model("SAY: dak", "SAY: dak", "SAY: dal")
    assert (await table.reply(model)).text == "SAY: dal"
    assert table.restarts == ["said before"] * 2
    assert [asked["temperature"] for asked in model.asked] == [0.0, 0.2, 0.4]


async def test_words_that_the_game_would_refuse_are_kept_out_of_text():
    """`bad` and `bot` stand in the briefing; `bones` is learned from a refusal, as `bon`, since `bo` is too short."""
    table, model = Table.probe("text"), Model("SAY: my bones ache", "SAY: my back aches")
    assert (await table.reply(model)).text == "SAY: my back aches"
    first, second = (without(asked["grammar"]) for asked in model.asked)
    assert first == {"bad", "bot"} and second == {"bad", "bot", "bon"}
    assert [asked["temperature"] for asked in model.asked] == [0.0, 0.0]


def without(grammar: str) -> set[str]:
    """The words that a grammar keeps out, of those that these tests know."""
    from players.gbnf import compiled

    shape = Probe().shape(Here(instance=Deal(name="p", experiment="e", shape="text"), turn="one"))
    assert shape is not None
    known = (("bad", "bot"), ("bad", "bon", "bot"), ())
    return next(set(words) for words in known if compiled(shape, words) == grammar)


async def test_a_vocabulary_loses_what_was_said_and_few_options_do_not():
    table, model = Table.probe(said=["SAY: dak", "SAY: dal"]), Model("SAY: fak")
    await table.reply(model)
    whole = Table.probe()
    other = Model("SAY: fak")
    await whole.reply(other)
    assert len(model.asked[0]["grammar"]) < len(other.asked[0]["grammar"])
    again = await Table.probe("few", said=["SAY: yes"]).reply(Model("SAY: yes"))
    assert again.text == "SAY: yes"


def row(token: str, own: float = -0.1, **others: float) -> list[Any]:
    """One step of decoding: the token taken, and others with their log-probabilities."""
    return [token, {token: own, **{key.replace("_", " "): value for key, value in others.items()}}]


async def test_a_likelier_option_beats_a_dead_end():
    """It began with `d`, for `drawer` maybe, and had to end as `dur`; `fin` was likelier than that."""
    steps = [row("SAY"), row(":"), row(" d", -1.0, _fin=-1.5, _gold=-0.2), row("ur", -6.0)]
    table, model = Table.probe(), Model("SAY: dur", "SAY: fin", rows=[steps])
    reply = await table.reply(model, seed=3)
    assert reply.text == "SAY: fin" and table.restarts == ["another word is likelier"]
    assert [call.finish for call in table.calls] == ["refused_by_check", "stop"]
    assert model.asked[0]["extra"] == {"logprobs": True, "top_logprobs": assist.RANKED}
    assert model.asked[1]["grammar"] == 'root ::= "SAY: " "fin"\n'
    assert all("top_logprobs" not in call.raw for call in table.calls), "far too long for the log"


@pytest.mark.parametrize(
    "steps",
    [
        [row("SAY"), row(":"), row(" d", -1.0, _fin=-8.0), row("ur", -6.0)],
        [row("SAY"), row(":"), row(" dur", -1.0, _gold=-0.1)],
        [row("SAY"), row(":"), row(" d", -1.0, _fi=-0.2), row("ur", -6.0, ir=-7.0)],
        [],
    ],
    ids=["worse", "no option", "no whole option", "nothing told"],
)
async def test_the_likeliest_option_stays(steps):
    table, model = Table.probe(), Model("SAY: dur", rows=[steps] if steps else [])
    assert (await table.reply(model)).text == "SAY: dur" and len(table.calls) == 1


async def test_a_likelier_option_that_is_refused_is_not_the_last_word():
    steps = [row("SAY"), row(":"), row(" d", -1.0, _bok=-1.5), row("ur", -6.0)]
    table, model = Table.probe(), Model("SAY: dur", "SAY: bok", "SAY: gal", rows=[steps, [], []])
    assert (await table.reply(model)).text == "SAY: gal"
    assert [call.text for call in table.calls] == ["SAY: bok", "SAY: dur", "SAY: gal"]
    assert len(model.asked[1]["grammar"]) < 30 < 300 < len(model.asked[2]["grammar"])


async def test_warm_sampling_is_left_alone():
    model = Model("SAY: dur", rows=[[row("SAY"), row(":"), row(" d", -1.0, _fin=-1.5), row("ur", -6.0)]])
    reply = await Table.probe().reply(model, temperature=0.7, top_p=0.9)
    assert reply.text == "SAY: dur" and model.asked[0]["extra"] is None
    assert (model.asked[0]["temperature"], model.asked[0]["top_p"]) == (0.7, 0.9)


async def test_when_all_is_refused_the_last_that_has_the_form_is_the_reply():
    said = [f"SAY: bo{letter}" for letter in "klmnpr"] + ["SAY: bok", "SAY: unknown"]
    table, model = Table.probe(), Model(*said)
    reply = await table.reply(model)
    assert len(model.asked) == assist.TRIES and reply.text == "SAY: bok" and reply.assisted
    assert len(table.calls) == assist.TRIES and [c for c in table.calls if c.finish == "stop"] == [reply.call]
    assert table.restarts[-1] == "not in form"


async def test_what_was_said_before_is_better_than_what_is_refused():
    table = Table.probe("text", said=["SAY: dak"])
    reply = await table.reply(Model(*["SAY: bad", "SAY: dak"] * 4))
    assert reply.text == "SAY: dak"


async def test_when_nothing_has_the_form_it_is_an_error():
    table = Table.probe()
    with pytest.raises(PlayerError) as caught:
        await table.reply(Model(*["no"] * assist.TRIES))
    assert caught.value.kind == "empty" and len(table.calls) == assist.TRIES


@pytest.mark.parametrize("end", [asyncio.CancelledError(), PlayerError("gone", "the server is gone")])
async def test_every_call_is_told_of_even_when_it_ends_badly(end):
    table = Table.probe()
    with pytest.raises(type(end)):
        await table.reply(Model("SAY: bok", end))
    assert [(call.text, call.finish) for call in table.calls] == [
        ("SAY: par", "cancelled"),
        ("SAY: bok", "refused_by_check"),
    ]


async def test_all_tries_share_one_deadline():
    class Slow(Model):
        async def __call__(self, *args, **kwargs) -> Call:
            await asyncio.sleep(0.15)
            return await super().__call__(*args, **kwargs)

    table, model = Table.probe(deadline=0.4), Slow(*["SAY: bok", "SAY: bol", "SAY: bom", "SAY: bon"])
    with pytest.raises(PlayerError) as caught:
        await table.reply(model)
    assert caught.value.kind == "timeout" and "0.4 s" in caught.value.message
    left = [asked["deadline"] for asked in model.asked]
    assert left == sorted(left, reverse=True) and left[0] <= 0.4 and left[-1] < 0.15


def taboo(target: str, *related: str, clue: str = "") -> Table:
    match = Match.new(catalog.get("taboo"), TabooInstance(name="t", experiment="e", target=target, related=related), 1)
    return Table(match.game, match.play(f"CLUE: {clue}") if clue else match)


async def test_a_describer_is_kept_from_target_and_related_words():
    table = taboo("guitar", "strings", "music")
    model = Model("CLUE: It is a guitar with strings.", "CLUE: It is played at the camp fire.")
    reply = await table.reply(model)
    assert reply.text == "CLUE: It is played at the camp fire."
    letters = "-".join(f"{ord(char):x}" for char in "guita")
    assert f"-{letters} ::=" in model.asked[0]["grammar"], "it follows the word as far as it may"
    assert f"-{letters}-72 ::=" not in model.asked[0]["grammar"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("It has a wide wide wide mouth.", True),
        ("It is very very big.", False),
        ("It is a mythical creature that is a mythical creature.", True),
        ("A big cat, and a big dog", False),
        ("no", False),
        ("", False),
    ],
)
def test_stuttering(text, wanted):
    assert assist.stutters(text) is wanted


async def test_who_stutters_is_asked_again():
    table = Table.probe("text")
    reply = await table.reply(Model("SAY: wide wide wide", "SAY: wide"))
    assert reply.text == "SAY: wide" and table.restarts == ["says the same twice"]


def test_shapes_of_every_game_can_be_filled_in():
    """Otherwise no word could be tried on `check`: the game would object to the filling itself."""
    for name in catalog.names():
        game = catalog.get(name)
        match = Match.new(game, game.instances("en")[0], 1)
        view = match.view(match.turn or "")
        assert view.shape is not None
        text = assist._filled(view.shape, "zqx")
        assert fits(view.shape, text) and view.check(text) == (), name


MISSING = 'the built-in model is not here: pip install "playpen-tui[local]", then playpen-tui models get smollm2'
SMOLLM2 = weights.find("smollm2")
real = pytest.mark.skipif(find_spec("xllamacpp") is None or SMOLLM2 is None, reason=MISSING)
DEVELOPMENT = {
    "guitar": "A musical instrument with six strings that people play with their fingers.",
    "kitchen": "The room in a house where people cook their meals.",
    "doctor": "You go to see this person when you are sick.",
    "bridge": "People build it so that cars can go over a river.",
    "coffee": "A hot dark drink that people have in the morning to wake up.",
    "horse": "A large animal that people ride with a saddle.",
    "school": "The place where children go to learn from teachers.",
    "king": "A man who rules a country and wears a crown.",
}
"""Clues that the examples were chosen with; `bench/assisted.py` measures with others."""


@pytest.fixture
async def smollm2():
    from players.backends.embedded import embedded_client

    assert SMOLLM2 is not None
    client = await embedded_client(SMOLLM2, name="smollm2")
    yield client
    await client.aclose()


@pytest.mark.model
@pytest.mark.slow
@real
async def test_the_real_model_guesses_everyday_words(smollm2):
    right = 0
    for target, clue in DEVELOPMENT.items():
        table = taboo(target, clue=clue)
        reply = await table.reply(smollm2.complete, seed=1)
        assert table.ask.shape is not None and fits(table.ask.shape, reply.text)
        assert all(call.assisted for call in table.calls) and table.calls.count(reply.call) == 1
        right += reply.text == f"GUESS: {target}"
    assert right >= len(DEVELOPMENT) // 2


@pytest.mark.model
@pytest.mark.slow
@real
async def test_the_real_model_describes_within_the_rules(smollm2):
    for instance in catalog.get("taboo").benchmark("en")[:4]:
        match = Match.new(catalog.get("taboo"), instance, 1)
        while match.turn is not None:
            table = Table(match.game, match)
            reply = await table.reply(smollm2.complete, seed=1)
            assert table.ask.view.check(reply.text) == ()
            match = match.play(reply.text).play("GUESS: zzz")
        assert match.state.reason == "rounds" and len(set(match.texts)) == 4, match.texts


@pytest.mark.model
@pytest.mark.slow
@real
@pytest.mark.parametrize("name", ["wordle", "wordle_withclue", "wordle_withcritic", "referencegame"])
async def test_no_episode_of_the_real_model_breaks_the_protocol(smollm2, name):
    game = catalog.get(name)
    match = Match.new(game, game.instances("en")[2], 1)
    while match.turn is not None:
        table = Table(game, match)
        reply = await table.reply(smollm2.complete, seed=1)
        assert table.ask.shape is not None and fits(table.ask.shape, reply.text)
        match = match.play(reply.text)
    assert match.state.outcome in ("success", "failure")
    assert all(step.verdict == "ok" for step in match.steps)
