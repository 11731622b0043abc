"""The registry of actions: all in it works, is bound once, explained and in the palette; nothing is bound elsewhere."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import re
import threading
from collections import Counter
from pathlib import Path

import pytest
from differing import played_on
from finished import Played, put

from players.plan import Plan
from players.registry import ModelEntry
from players.scripted import BotPlayer
from playpen_tui import beginning
from playpen_tui.actions import ACTIONS, bindings, of
from playpen_tui.app import PlaypenApp
from playpen_tui.branching import BranchWish
from playpen_tui.figures import Asked
from playpen_tui.judging import Judging
from playpen_tui.messages import (
    Differ,
    Find,
    Follow,
    Fork,
    Go,
    Look,
    NewRun,
    NewTraining,
    OpenTraining,
    Sit,
    TakePart,
    Weigh,
)
from playpen_tui.screens.adjudicate import AdjudicateScreen
from playpen_tui.screens.agreement import AgreementScreen
from playpen_tui.screens.annotate import AnnotateScreen
from playpen_tui.screens.branches import BranchesScreen
from playpen_tui.screens.browse import BrowseScreen
from playpen_tui.screens.compare import CompareScreen
from playpen_tui.screens.dialogs import Choose, Curtain, Opening, Prompt, TextDialog
from playpen_tui.screens.disagreed import DisagreedScreen
from playpen_tui.screens.disagreement import DisagreementScreen
from playpen_tui.screens.episode import EpisodeScreen
from playpen_tui.screens.episodes import EpisodesDialog
from playpen_tui.screens.form import FormScreen
from playpen_tui.screens.home import HomeScreen
from playpen_tui.screens.models import ModelsScreen
from playpen_tui.screens.pick import PickScreen
from playpen_tui.screens.play import PlayScreen
from playpen_tui.screens.queues import QueuesScreen
from playpen_tui.screens.reply import CorrectDialog, ReplyDialog
from playpen_tui.screens.results import ResultsScreen
from playpen_tui.screens.selfplay import SelfplayScreen
from playpen_tui.screens.spectate import SpectateScreen
from playpen_tui.screens.stands import StandsScreen
from playpen_tui.screens.study import StudyScreen
from playpen_tui.screens.trace import TraceScreen
from playpen_tui.screens.train_compare import TraincompareScreen
from playpen_tui.screens.train_wizard import TrainwizardScreen
from playpen_tui.screens.training import TrainingScreen
from playpen_tui.screens.trainings import TrainingsScreen
from playpen_tui.screens.views import ViewsScreen
from playpen_tui.selfplay import Wish, open_selfplay
from playpen_tui.sitting import Setup
from playpen_tui.study import take_part
from playpen_tui.study_file import parse_study
from playpen_tui.watching import Watch
from playpen_tui.widgets.composer import Line, Options
from playpen_tui.widgets.dialogue import Dialogue
from playpen_tui.widgets.endcard import EndCard
from playpen_tui.widgets.page import Page
from playpen_tui.widgets.rows import Rows
from store import trainings
from store.curate import save_view
from store.errors import LogLocked
from store.records import Progress
from store.trace import Trace


def beside(name: str):
    """A module that lies beside this one."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


trained, queued = beside("trained"), beside("queued")

FACE = Path(__file__).parents[2] / "playpen_tui"
DOERS = {
    "app": (PlaypenApp,),
    "home": (HomeScreen,),
    "pick": (PickScreen,),
    "line": (Line, Options),
    "spectate": (SpectateScreen,),
    "stands": (StandsScreen,),
    "trace": (TraceScreen,),
    "study": (StudyScreen,),
    "models": (ModelsScreen,),
    "results": (ResultsScreen,),
    "episodes": (EpisodesDialog,),
    "form": (FormScreen,),
    "play": (PlayScreen,),
    "end": (EndCard,),
    "curtain": (Curtain,),
    "opening": (Opening,),
    "queues": (QueuesScreen,),
    "annotate": (AnnotateScreen,),
    "adjudicate": (AdjudicateScreen,),
    "agreement": (AgreementScreen,),
    "disagreement": (DisagreementScreen,),
    "disagreed": (DisagreedScreen,),
    "rows": (Rows,),
    "browse": (BrowseScreen,),
    "views": (ViewsScreen,),
    "episode": (EpisodeScreen,),
    "compare": (CompareScreen,),
    "branches": (BranchesScreen,),
    "trainings": (TrainingsScreen,),
    "training": (TrainingScreen,),
    "traincompare": (TraincompareScreen,),
    "trainwizard": (TrainwizardScreen,),
    "selfplay": (SelfplayScreen,),
    "turn": (Dialogue, Page),
    "reply": (ReplyDialog,),
    "choose": (Choose,),
    "dialog": (TextDialog, Prompt, CorrectDialog),
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
    offered_in_turn = {
        "play": {"escape"},
        "models": {"escape"},
        "spectate": {"z", "p", "escape", "ctrl+c"},
        "turn": {"j"},
        "annotate": {"d"},
    }  # stop or leave; open, or back to all; pause, or go on; end, or copy; words of an item, or what is disputed
    for place in DOERS:
        keys = Counter(key for action in of(place) for key in action.keys.split(","))
        double = {key for key, count in keys.items() if count > 1}
        assert double == offered_in_turn.get(place, set()), place


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
                whose = ast.unparse(node.value)  # a list may keep its own keys and no more
                assert whose.startswith("bindings(") or whose == "OptionList.BINDINGS", f"{path}:{node.lineno}"
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Binding":
                assert path.name == "actions.py", f"{path}:{node.lineno}"
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "bind":
                raise AssertionError(f"{path}:{node.lineno} binds a key")


MADE = {
    "help_text",
    "mark_words",
    "row",
    "summary",
    "words",
    "draw_card",
    "title",
    "ticker",
    "seat_line",
    "no_rows",
    "chips",
    "tabs",
    "draw",
}
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


async def offered_among_the_models(stage) -> set[str]:
    """Walk through the models room and its form, from Home."""
    await stage.to("HomeScreen")
    stage.press("m")
    await stage.to("ModelsScreen")
    await stage.until(lambda: stage.screen.chosen is not None, "a model under the cursor")
    found = here = await offered(stage)  # built in
    assert {"play", "test", "add", "edit", "look again", "copy", "scroll", "home"} <= here
    assert not {"remove", "stop"} & here
    stage.press("down")
    await stage.until(lambda: stage.screen.chosen.group == "registered", "an entry of one's own")
    here = await offered(stage)
    assert "remove" in here
    found |= here
    stage.press("a")
    await stage.to("FormScreen")
    await stage.settle()
    here = await offered(stage)
    assert {"save", "next", "back", "fill in", "close"} <= here
    assert not {"other", "before"} & here, "a line of text has no choices"
    stage.press("down")
    await stage.until(lambda: stage.screen.focused.key == "backend", "a field with choices")
    more = await offered(stage)
    assert {"other", "before"} <= more
    stage.press("escape")
    await stage.to("ModelsScreen")
    return found | here | more


async def offered_among_the_queues(stage, monkeypatch) -> set[str]:
    """Walk through the queues, one item of one, a verdict that cannot be saved, the end, and what is disputed."""
    for guesser in ("bot", "bot:random"):
        plan = Plan(("taboo",), seats={"describer": "bot", "guesser": guesser}, episodes=3, seed=3)
        await (await open_selfplay(stage.bench, Wish(plan))).run()
    log = await stage.bench.log()
    queued.says(log, queued.queue(log, many=1, judges=2), "amber-otter-417", "tie")
    stage.app.post_message(Go("home"))
    await stage.to("HomeScreen")
    stage.press("a")
    await stage.to("QueuesScreen")
    await stage.sees("pairs")
    found = await offered(stage)
    stage.press("t")
    await stage.to("AgreementScreen")
    await stage.until(lambda: stage.screen.found is not None, "the tables")
    await stage.settle()
    found |= await offered(stage)
    stage.press("escape")
    await stage.to("QueuesScreen")
    stage.press("enter")
    await stage.to("AnnotateScreen")
    await stage.until(lambda: stage.screen._ready, "an item")
    found |= await offered(stage)
    with monkeypatch.context() as patch:

        async def refuse(self, verdict, **how):
            raise LogLocked("locked")

        patch.setattr(Judging, "vote", refuse)
        stage.press("4")
        await stage.sees("not saved")
        found |= await offered(stage)
        stage.press("u")
        await stage.until(lambda: "not saved" not in stage.text, "forgotten")
    stage.press("4")
    await stage.sees("You have judged all")
    found |= await offered(stage)
    log.write(lambda db: [
        db.execute("INSERT INTO items SELECT 'x' || id, queue_id, 'endings', episode_id, ply, role, a_id, b_id, gold,"
                   " 0, '', created_at FROM items").rowcount,
        db.execute("INSERT INTO annotations (id, kind, item_id, annotator_id, chosen_id, rejected_id, strength, value,"
                   " shown_order, created_at) SELECT '0' || id, kind, 'x' || item_id, annotator_id, chosen_id,"
                   " rejected_id, strength, value, shown_order, created_at FROM annotations").rowcount,
    ])  # fmt: skip
    stage.press("d")
    await stage.to("AdjudicateScreen")
    found |= await offered(stage)
    made = queued.queue(log, "against", 1)
    queued.says(log, made, "amber-otter-417", "a", 1)
    for letter, reward in (("a", 0.0), ("b", 1.0)):
        played_on(log, queued.judging.items(log.reader(), made)[0].id, letter, [reward])
    stage.app.post_message(Differ(made.id))
    await stage.to("DisagreementScreen")
    await stage.until(lambda: stage.screen.chosen is not None, "a pair")
    await stage.settle()
    found |= await offered(stage)
    stage.press("enter")
    await stage.to("DisagreedScreen")
    return found | await offered(stage)


async def browsed(stage, found: set[str]) -> None:
    """The list of episodes, with two of them marked, and what opens from there."""
    for _ in range(2):
        await (await stage.bench.deal(Setup("taboo", {"describer": "bot", "guesser": "bot"}, seed=1))).play()
    stage.app.post_message(Find("game:taboo"))
    await stage.to("BrowseScreen")
    await stage.sees("3 found")
    stage.press("space", "space")
    await stage.sees("2 marked")
    found |= await offered(stage)
    for key, screen in (("=", "CompareScreen"), ("enter", "EpisodeScreen"), ("v", "ViewsScreen")):
        stage.press(key)
        await stage.to(screen)
        await stage.settle()
        found |= await offered(stage)
        stage.press("escape")
        await stage.to("BrowseScreen")


async def offered_among_the_trainings(stage, log, folder) -> set[str]:
    """Walk through the list of trainings, one that goes on, one that was stopped, and the wizard."""
    stopped = trained.train(log, folder, "old")
    trainings.end(log, stopped, "stopped")
    going = trained.train(log, folder)
    stage.app.post_message(Go("home"))
    await stage.to("HomeScreen")
    stage.press("t")
    await stage.to("TrainingsScreen")
    await stage.sees("smollm2 → bars")
    found = await offered(stage)
    for id in (going, stopped):
        stage.app.post_message(OpenTraining(id))
        await stage.to("TrainingScreen")
        await stage.until(lambda id=id: stage.screen.sight and stage.screen.sight.row.id == id, "the training")
        await stage.settle()
        found |= await offered(stage)
        stage.press("escape")
        await stage.to("TrainingsScreen")
    weights = folder / "weights"
    weights.mkdir()
    (weights / "config.json").write_text("{}")
    stage.bench.registry.add(ModelEntry("tiny", "transformers", str(weights)))
    await (await open_selfplay(stage.bench, Wish(Plan(("taboo",), ("bot",), episodes=6, seed=3)))).run()
    stage.app.post_message(NewTraining(beginning.Wish(learner="tiny", recipe="smoke", name="new")))
    await stage.to("TrainwizardScreen")
    await stage.sees("begins it")
    found |= await offered(stage)
    stage.app.post_message(NewRun())
    await stage.to("SelfplayScreen")
    await stage.sees("begins it")
    return found | await offered(stage)


async def offered_among_the_branches(stage, played: str) -> set[str]:
    """The branches of a turn, with a candidate that is being played on and one that was."""
    turn = BranchWish(((played, 1),), candidates=1, rollouts=1, by=("bot",), everybody="bot")
    stage.app.post_message(Fork(played, 1, turn))
    await stage.to("BranchesScreen")
    await stage.until(lambda: stage.screen.grown and stage.screen.grown.rollouts, "a rollout")
    await stage.settle()
    found = await offered(stage)
    assert "stop" not in found
    running = await stage.bench.branches.start(turn)
    running.scheduler.listen(lambda lane, event: lane.hold())
    found |= await offered(stage)
    running.stop()
    stage.press("escape")
    await stage.until(lambda: stage.at != "BranchesScreen", "the screen below")
    return found


async def test_every_action_is_in_the_palette_where_it_can_be_done(stage, taboo, tmp_path, monkeypatch):
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
        stage.app.push_screen(ReplyDialog("which?", "a", "b"))
        await stage.to("ReplyDialog")
        found |= await offered(stage)
        stage.press("escape")
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
        stage.press("f4")
        await stage.until(lambda: stage.screen.judging, "the cursor on a turn")
        found |= await offered(stage)
        stage.press("escape")
        await stage.until(lambda: not stage.screen.judging, "the cursor off")
        found |= await offered(stage)
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
        found |= await offered_among_the_models(stage)
        stage.press("escape")
        await stage.to("HomeScreen")
        stage.press("s")
        await stage.to("StandsScreen")
        await stage.settle()
        found |= await offered(stage)
        log = await stage.bench.log()
        save_view(log, "mine", "game:taboo")
        await browsed(stage, found)
        played = log.queries.recent(1)[0].id
        put(log, [Played("taboo", "i", {"describer": name, "guesser": name}) for name in ("a", "b", "c")])
        found |= await offered_among_the_branches(stage, played)
        stage.app.post_message(Go("results"))
        await stage.to("ResultsScreen")
        await stage.sees("clemscore[native-1.0]")
        found |= await offered(stage)
        stage.app.post_message(Weigh(Asked(names=("a", "b", "c"))))
        await stage.sees("1 of 3")
        found |= await offered(stage)
        stage.press("enter")
        await stage.to("EpisodesDialog")
        found |= await offered(stage)
        stopped = log.new_run("self_play", {})
        await log.beat(stopped, Progress("stopped", 9, 1, 0, 0))
        two, going, real = Plan(("taboo", "wordle"), ("bot",), episodes=2), asyncio.Event(), BotPlayer.speak

        async def speak(player, heard, ask):  # keys for a match are offered while it goes on
            await going.wait()
            return await real(player, heard, ask)

        monkeypatch.setattr(BotPlayer, "speak", speak)
        for watch in (Watch(wish=Wish(two)), Watch(run=stopped), Watch(episodes=(played,))):
            stage.app.post_message(Look(watch))
            await stage.to("SpectateScreen")
            await stage.until(lambda watch=watch: bool(stage.screen.stand.offered()) or watch.run, "something to see")
            await stage.settle()
            found |= await offered(stage)
            stage.press("1")
            await stage.settle()
            found |= await offered(stage)
            stage.app.post_message(Go("home"))
            await stage.to("HomeScreen")
        going.set()
        stage.app.post_message(Follow(Trace(log.reader).node("run", stopped)))
        await stage.to("TraceScreen")
        found |= await offered(stage)
        asked = parse_study(
            {"name": "s", "quota": 1, "consent": {"text": "?"}, "questions": [{"id": "q", "text": "?"}]}
        )
        stage.app.post_message(TakePart(lambda bench: take_part(bench, asked, "P01")))
        await stage.to("Choose")
        found |= await offered(stage)
        stage.press("escape")
        await stage.to("StudyScreen")
        await stage.settle()
        found |= await offered(stage)
        found |= await offered_among_the_trainings(stage, log, tmp_path)
        found |= await offered_among_the_queues(stage, monkeypatch)
    missing = {action.label for action in ACTIONS if action.name != "command_palette"} - found
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


async def test_a_test_of_a_model_can_be_stopped_from_the_palette(stage, server, monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{server.port}")
    let_go = threading.Event()
    server.paths = {"/v1/models": {"data": [{"id": "m"}]}, "/api/version": {"version": "1"}}
    server.scripts["m"] = lambda reply: let_go.wait(30)
    async with stage.open():
        await stage.to("HomeScreen")
        stage.press("m")
        await stage.to("ModelsScreen")
        await stage.sees("Ollama at")
        stage.press("end", "t")
        await stage.sees("test runs")
        commands = {command.title: command.callback for command in stage.app.get_system_commands(stage.screen)}
        assert "Home" not in commands, "escape stops first"
        await commands["Stop"]()
        await stage.sees("not tested yet")
        assert "Stop" not in {command.title for command in stage.app.get_system_commands(stage.screen)}
    let_go.set()


async def test_the_palette_does_in_the_form_what_it_offers(stage):
    async with stage.open():
        await stage.to("HomeScreen")
        stage.press("m")
        await stage.to("ModelsScreen")
        stage.press("a")
        await stage.to("FormScreen")
        stage.press("down")
        await stage.until(lambda: stage.screen.focused.key == "backend", "a field with choices")
        commands = {command.title: command.callback for command in stage.app.get_system_commands(stage.screen)}
        await commands["Other"]()
        assert stage.screen.focused.value == "vllm"
        await commands["Before"]()
        assert stage.screen.focused.value == "openai"
        await commands["Back"]()
        await stage.until(lambda: stage.screen.focused.key == "name", "the field before")
        await commands["Save"]()
        await stage.sees("name is missing")
        await commands["Close"]()
        await stage.to("ModelsScreen")


async def test_function_keys_of_the_app_reach_it_through_every_dialog(stage, tmp_path):
    async with stage.open():
        await stage.sees("nothing played yet")
        for number, dialog in enumerate((Choose("which?", [("a", "a")]), TextDialog("a", "b"), Curtain("a")), 1):
            stage.app.push_screen(dialog)
            await stage.to(type(dialog).__name__)
            before = stage.app.theme
            stage.press("f8", "f12")
            await stage.until(lambda before=before: stage.app.theme != before, "another theme")
            await stage.until(lambda n=number: len(list(tmp_path.glob("*.svg"))) == n, "a picture")
        stage.app.push_screen(Choose("which?", [("a", "a")]))
        await stage.to("Choose")
        stage.press("f1")
        await stage.sees("On this screen", "Further up in the text")


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
