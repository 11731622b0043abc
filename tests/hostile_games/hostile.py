"""A game made of hostile text, to be found through $PLAYPEN_GAMES: every string of it wants to break the screen.

The sayer says one string of the corpus after the other, the listener nods; any reply is legal but `illegal`. Titles,
boards, fields, verdicts, instances and experiments hold the same kind of text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from games.boards import Board, Card, Facts, Field, Grid, Keys, Lines, Tile, Tiles
from games.engine import Bot, Game, Illegal, Instance, Match, Role, Say, State, Strikes, View

HOSTILE = {
    "closing tag": "[/foo] and [/]",
    "comprehension": "x = [i for i in y]",
    "action": "[@click=app.quit]press me[/]",
    "style": "[bold red on blue]loud[/bold red on blue]",
    "theme variable": "[$accent]yellow[/]",
    "link": "[link=https://example.org]here[/link]",
    "escaped": r"\[b] \\[/b]",
    "markdown": "# big **bold** `code` [text](https://example.org)",
    "screen": "before\x1b[2J\x1b[7777hafter",
    "title": "before\x1b]0;owned\x07after",
    "clipboard": "before\x1b]52;c;b3duZWQ=\x07after",
    "device": "before\x1bPowned\x1b\\after",
    "c1": "before\x9b7777h\x9d0;owned\x9cafter",
    "nul": "be\x00fore\x07 bell\x08\x7f",
    "carriage return": "secret\rpublic",
    "tabs": "left\tright\x0bdown\x0cfeed",
    "bidi": "user \u202etxt.exe\u202c \u2066left\u2069",
    "invisible": "zero\u200bwidth\u200djoin\ufeffmark\u00adsoft\u2060word",
    "tag characters": "flag\U000e0041\U000e0042end",
    "separators": "one\u2028two\u2029three\x85four",
    "wide": "漢字かな交じり文 한국어 ＦＵＬＬ",
    "emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪",
    "combining": "Z̸̢̛͍͙a̶l̴g̵o̷ e\u0301\u0301\u0301",
    "surrogate": "half \ud800 pair",
    "long word": "w" * 5_000,
    "very long": "long line " * 10_000,
    "many lines": "line\n" * 3_000,
    "json": '{"role": "system", "content": "[/b]"}',
}
TEXTS = tuple(HOSTILE.values())
SHORT = tuple(text[:40] for text in TEXTS)
SAYER, LISTENER = "say[/]er", "list\u202eener"


class HostileInstance(Instance):
    """The place in the corpus to begin with."""

    at: int = 0

    @property
    def key(self) -> str:
        return f"hostile:{self.at}"


class HostileState(State):
    """What was said so far."""

    instance: HostileInstance
    said: tuple[str, ...] = ()


class Hostile(Game[HostileInstance, HostileState]):
    """Every string of it is hostile."""

    name = "hostile"
    title = "Host[/]ile \x1b]0;owned\x07 \u202eemag"
    summary = "[/summary] \x1b[7777h sums \u200bup"
    roles = (SAYER, LISTENER)
    strikes: Mapping[str, Strikes] = {"format": Strikes(1_000, "match")}
    instance_type = HostileInstance
    state_type = HostileState

    def start(self, instance: HostileInstance, rng: Random) -> tuple[HostileState, Sequence[Say]]:
        return HostileState(instance=instance, turn=SAYER), [Say(role, TEXTS[0], kind="brief") for role in self.roles]

    def play(self, state: HostileState, text: str, rng: Random) -> tuple[HostileState, Sequence[Say]]:
        if text == "illegal":
            raise Illegal(TEXTS[(state.round + state.instance.at) % len(TEXTS)])
        said = (*state.said, text)
        other = LISTENER if state.turn == SAYER else SAYER
        says = [Say(other, text, state.turn, "relay")]
        if len(said) >= 2 * len(TEXTS):
            return state.end("success", "\x1b[7777h", said=said), says
        return state.to(turn=other, round=len(said) // 2 + 1, said=said), says

    def board(self, state: HostileState, role: Role | None) -> Board:
        number = (len(state.said) + state.instance.at) % len(TEXTS)
        here, text = SHORT[number], TEXTS[number]
        tiles = Tiles((tuple(Tile(letter or "?", "here") for letter in (here + "?????")[:5]),))
        return Board(
            here,
            (
                Card(here, text, here, (text, here), private=role is not None),
                tiles,
                Keys(("\u202e\x1b[", "abc")),
                Grid(here, ((here, "x"), ("\x00", "y")), target=True),
                Facts(((here, text), ("b", here)), title=here),
                Lines(here, (text, here), private=True),
            ),
        )

    def fields(self, state: HostileState) -> tuple[Field, ...]:
        here = SHORT[(len(state.said) + state.instance.at) % len(TEXTS)]
        if state.turn == LISTENER:
            return (Field("a choice [/]", here, here, options=(here, "nod")),)
        return (Field("what is it [/]", here, here), Field("\x1b why", here, here, optional=True))

    def compose(self, state: HostileState, role: Role, fields: Mapping[str, str]) -> str:
        return " ".join(text for text in fields.values() if text)

    def check(self, state: HostileState, text: str) -> tuple[str, ...]:
        return tuple(SHORT) if text == "wrong" else ()

    def instances(self, language: str) -> Sequence[HostileInstance]:
        if language != "en":
            return []
        return [HostileInstance(name=text + str(n), experiment=text, at=n) for n, text in enumerate(SHORT)]

    def bots(self) -> Mapping[str, Bot]:
        return {"random": bot, "competent": bot}

    def rules(self, language: str) -> str:
        return "\n\n".join(SHORT)

    def verdict(self, match: Match) -> str:
        return TEXTS[match.ply % len(TEXTS)]


def bot(view: View, rng: Random) -> str:
    """The sayer says the corpus in order."""
    return TEXTS[view.ply // 2 % len(TEXTS)] if view.role == SAYER else "nod"
