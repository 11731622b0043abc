"""The registry of actions: all in it works, is bound once, explained and in the palette; nothing is bound elsewhere."""

from __future__ import annotations

import ast
import asyncio
import re
from collections import Counter
from pathlib import Path

import pytest

from players.plan import Plan
from playpen_tui.actions import ACTIONS, bindings, of
from playpen_tui.app import PlaypenApp
from playpen_tui.messages import Go, Look, Sit
from playpen_tui.screens.dialogs import Choose, Curtain, TextDialog
from playpen_tui.screens.form import FormScreen
from playpen_tui.screens.home import HomeScreen
from playpen_tui.screens.models import ModelsScreen
from playpen_tui.screens.pick import PickScreen
from playpen_tui.screens.play import PlayScreen
from playpen_tui.screens.spectate import SpectateScreen
from playpen_tui.selfplay import Wish
from playpen_tui.watching import Watch
from playpen_tui.widgets.composer import Line, Options
from playpen_tui.widgets.endcard import EndCard
from store.records import Progress

FACE = Path(__file__).parents[2] / "playpen_tui"
DOERS = {
    "app": (PlaypenApp,),
    "home": (HomeScreen,),
    "pick": (PickScreen,),
    "line": (Line, Options),
    "spectate": (SpectateScreen,),
    "models": (ModelsScreen,),
    "form": (FormScreen,),
    "play": (PlayScreen,),
    "end": (EndCard,),
    "curtain": (Curtain,),
    "dialog": (TextDialog, Choose),
}
ids = [f"{action.place}.{action.name}" for action in ACTIONS]
each = pytest.mark.parametrize("action", ACTIONS, ids=ids)


def test_every_place_has_somebody_who_does_its_actions():
    assert {action.place for action in ACTIONS} == set(DOERS)


@each
def test_every_action_has_a_method_a_key_a_label_and_a_sentence(action):
    for doer in DOERS[action.place]:
        owner = doer if hasattr(doer, f"action_{action.name}") else PlaypenApp
        assert callable(getattr(owner, f"action_{action.name}")), f"{doer.__name__} cannot {action.name}"
    assert action.keys and all(action.keys.split(",")) and action.label and len(action.label) <= 14
    assert action.help[0].isupper() and not action.help.endswith(".")
    assert action.shown_key and "," not in action.shown_key


def test_no_key_means_two_things_in_one_place():
    for place in DOERS:
        keys = Counter(key for action in of(place) for key in action.keys.split(","))
        double = {key for key, count in keys.items() if count > 1}
        assert double == ({"escape"} if place == "play" else set()), place  # stop or leave: one of them is offered


@pytest.mark.parametrize("place", [place for place in DOERS if place != "app"])
def test_no_place_takes_a_key_of_the_app(place):
    everywhere = {key for action in of("app") for key in action.keys.split(",")}
    assert not everywhere & {key for action in of(place) for key in action.keys.split(",")}


def test_no_letter_fires_while_somebody_writes():
    """A binding with priority fires from inside a line: only keys that cannot be typed may have it."""
    for action in ACTIONS:
        if action.priority or action.place == "play":
            assert all(len(key) > 1 and key not in ("space", "enter") for key in action.keys.split(",")), action


def test_the_bindings_of_each_doer_are_those_of_the_registry():
    for place, doers in DOERS.items():
        wanted = {(binding.key, binding.action) for binding in bindings(place)}
        for doer in doers:
            assert {(binding.key, binding.action) for binding in doer.BINDINGS} == wanted, doer


def test_ids_are_unique_so_that_a_keymap_can_change_each():
    found = [binding.id for place in DOERS for binding in bindings(place)]
    assert len(found) == len(set(found))


def sources():
    for path in sorted(FACE.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_no_key_is_bound_outside_the_registry():
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign | ast.AnnAssign) and re.match(r"BINDINGS\b", ast.unparse(node)):
                assert ast.unparse(node.value).startswith("bindings("), f"{path}:{node.lineno}"
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Binding":
                assert path.name == "actions.py", f"{path}:{node.lineno}"
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "bind":
                raise AssertionError(f"{path}:{node.lineno} binds a key")


MADE = {"help_text", "summary", "words", "draw_card", "title", "ticker", "seat_line"}
"""Functions of ours that return Content."""


class Drawn(ast.NodeVisitor):
    """Finds what is handed to widgets that read markup and cannot be seen to be Content or a constant."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.wrong: list[str] = []
        self.known: dict[str, list[ast.expr | None]] = {}

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        before, self.known = self.known, {}
        for argument in node.args.args:
            content = argument.annotation is not None and ast.unparse(argument.annotation) == "Content"
            self.known[argument.arg] = [None if content else argument.annotation or ast.Name("anything")]
        for inner in ast.walk(node):
            if isinstance(inner, ast.Assign) and isinstance(inner.targets[0], ast.Name):
                self.known.setdefault(inner.targets[0].id, []).append(inner.value)
            elif isinstance(inner, ast.For) and isinstance(inner.target, ast.Tuple):
                for name in (name for name in ast.walk(inner.target) if isinstance(name, ast.Name)):
                    constant = all(isinstance(one, ast.Constant | ast.Tuple | ast.Load) for one in ast.walk(inner.iter))
                    of_content = name.id == "content"  # pairs of (private, Content)
                    self.known.setdefault(name.id, []).append(None if constant or of_content else inner.iter)
        self.generic_visit(node)
        self.known = before

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Call(self, node: ast.Call) -> None:
        name = getattr(node.func, "id", "") or getattr(node.func, "attr", "")
        if name in ("Static", "Option", "update") and node.args and not self.plain(node.args[0]):
            self.wrong.append(f"{self.path}:{node.lineno} {ast.unparse(node)[:90]}")
        self.generic_visit(node)

    def plain(self, node: ast.expr) -> bool:
        match node:
            case ast.Constant():
                return True
            case ast.Call(func=ast.Name(id=name)):
                return name == "Content" or name in MADE
            case ast.Call(func=ast.Attribute(value=ast.Name(id="Content"))):
                return True
            case ast.Call(func=ast.Attribute(value=inner)):
                return self.plain(inner) and not isinstance(inner, ast.Constant)
            case ast.BinOp(left=left, right=right):
                return self.plain(left) and self.plain(right)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                known = ast.unparse(test) == f"isinstance({ast.unparse(body)}, Content)"
                return (known or self.plain(body)) and self.plain(orelse)
            case ast.Name(id=name):
                found = self.known.get(name)
                return bool(found) and all(
                    value is None or (value is not node and self.plain(value)) for value in found
                )
            case _:
                return False


def test_widgets_for_data_get_content_and_never_strings_made_from_data():
    """`Static(f"…")` and the like read markup: a name with a bracket in it would crash the screen or vanish."""
    wrong = []
    for path, tree in sources():
        if path.parent.name in ("screens", "widgets"):
            drawn = Drawn(path.relative_to(FACE))
            drawn.visit(tree)
            wrong += drawn.wrong
    assert not wrong, wrong


@pytest.mark.parametrize(
    ("code", "good"),
    [
        ('def f(name):\n Static(f"hello {name}")', False),
        ("def f(name):\n Static(name)", False),
        ('def f(name):\n Static("a" + name)', False),
        ('def f(name):\n Static("{}".format(name))', False),
        ("def f(name: Content):\n Static(name)", True),
        ('def f(name):\n Static(Content(name), id="x")', True),
        ('def f(name):\n line = Content.styled(name, "bold") + Content("x")\n box.update(line if name else "")', True),
        ("def f(name):\n line = name\n box.update(line)", False),
    ],
)
def test_the_check_itself_tells_good_from_bad(code, good):
    drawn = Drawn(Path("x.py"))
    drawn.visit(ast.parse(code))
    assert (not drawn.wrong) == good


def test_notifications_never_read_markup():
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "notify":
                off = [k for k in node.keywords if k.arg == "markup" and getattr(k.value, "value", None) is False]
                assert off, f"{path}:{node.lineno}"


def test_widgets_that_read_markup_are_not_used_for_data():
    used = Counter(
        name
        for _, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("textual.widgets")
        for name in (alias.name for alias in node.names)
    )
    assert set(used) <= {"Footer", "Input", "OptionList", "Option", "Static"}, (
        "look whether it reads markup, then list it"
    )


async def offered(stage) -> set[str]:
    return {command.title.lower() for command in stage.app.get_system_commands(stage.screen)}


async def test_every_action_is_in_the_palette_where_it_can_be_done(stage, taboo):
    """Walk through all states of the app and gather what the palette offers."""
    found: set[str] = set()
    stage.bench.hold = asyncio.Event()
    async with stage.open():
        await stage.sees("nothing played yet")
        found |= await offered(stage)
        stage.press("p")
        await stage.to("PickScreen")
        await stage.settle()
        found |= await offered(stage)
        stage.app.push_screen(TextDialog("a", "b"))
        await stage.to("TextDialog")
        found |= await offered(stage)
        stage.app.push_screen(Curtain("a"))
        await stage.to("Curtain")
        found |= await offered(stage)
        stage.press("enter")
        await stage.to("TextDialog")
        stage.press("escape", "escape")
        await stage.to("HomeScreen")
        stage.app.post_message(Sit(taboo()))
        await stage.my_turn()
        here = await offered(stage)
        assert {"send", "leave", "rules"} <= here and not {"stop", "retry", "again"} & here
        await stage.say("a house of paper")
        await stage.sees("esc stop")
        here |= await offered(stage)
        assert "stop" in await offered(stage)
        stage.press("escape")
        await stage.sees("you stopped")
        assert "retry" in await offered(stage)
        found |= here | await offered(stage)
        stage.bench.hold.set()
        stage.bench.models[-1].say = lambda ask: "GUESS: library"
        stage.press("ctrl+r")
        await stage.over()
        found |= await offered(stage)
        stage.app.post_message(Go("home"))
        await stage.to("HomeScreen")
        stage.press("m")
        await stage.to("ModelsScreen")
        await stage.settle()
        found |= await offered(stage)
        stage.press("a")
        await stage.to("FormScreen")
        await stage.settle()
        found |= await offered(stage)
        stage.press("escape")
        await stage.to("ModelsScreen")
        log = await stage.bench.log()
        stopped = log.new_run("self_play", {})
        await log.beat(stopped, Progress("stopped", 9, 1, 0, 0))
        two = Plan(("taboo", "wordle"), ("bot",), episodes=2)
        for watch in (Watch(wish=Wish(two)), Watch(run=stopped), Watch(episodes=(log.queries.recent(1)[0].id,))):
            stage.app.post_message(Look(watch))
            await stage.to("SpectateScreen")
            await stage.until(lambda watch=watch: bool(stage.screen.stand.offered()) or watch.run, "something to see")
            await stage.settle()
            stage.press("1")
            await stage.settle()
            found |= await offered(stage)
            stage.app.post_message(Go("home"))
            await stage.to("HomeScreen")
    elsewhere = {"remove", "other", "before"}  # these need an entry of one's own, and a field with choices
    missing = {action.label for action in ACTIONS if action.name != "command_palette"} - found - elsewhere
    assert not missing


async def test_what_the_palette_offers_it_does(stage, taboo):
    async with stage.open(taboo()):
        await stage.my_turn()
        stage.type("a house of paper")
        await stage.until(lambda: stage.draft, "the draft")
        commands = {command.title: command.callback for command in stage.app.get_system_commands(stage.screen)}
        before = stage.app.theme
        await commands["Theme"]()
        await stage.until(lambda: stage.app.theme != before, "another theme")
        await commands["Send"]()
        await stage.until(lambda: stage.match.ply > 0, "the clue sent")


async def test_themes_are_remembered(stage):
    async with stage.open():
        stage.press("f8")
        await stage.until(lambda: stage.app.theme == "playpen-light", "the light theme")
    assert stage.bench.settings.theme == "playpen-light"
    assert re.search('theme = "playpen-light"', stage.bench.settings.path.read_text())


async def test_a_picture_is_saved_here(stage, tmp_path):
    async with stage.open():
        await stage.sees("nothing played yet")
        stage.press("f12")
        await stage.until(lambda: "saved" in stage.notes, "a note")
    (picture,) = tmp_path.glob("*.svg")
    assert "<svg" in picture.read_text() and "playpen" in picture.read_text()


async def test_help_lists_every_action_of_the_place(stage):
    async with stage.open(size=(100, 50)):
        await stage.sees("nothing played yet")
        stage.press("?")
        await stage.to("TextDialog")
        for action in (*of("home"), *of("app")):
            await stage.sees(action.help)
