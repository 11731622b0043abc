"""The models room by its keys: list, try, add, change, remove; with a real server, and with keys that must not show."""

from __future__ import annotations

import asyncio
import threading
import time
import tomllib

import pytest
from textual.widgets import OptionList

from players.trying import STORY, Step, Trial
from playpen_tui.screens.form import FIELDS, Choice, Entry

KEY = "sk-planted-0123456789abcdef"
PLAIN = "Planted/Value+That9Looks"
"""A key that only its value gives away."""
FILE = """# my models
[models.far]
backend = "openai"
model = "big"   # the big one
api_key_env = "FAR_API_KEY"

[models.far.sampling]
temperature = 0  # cold
"""


@pytest.fixture(autouse=True)
def _keys(calm, monkeypatch):
    monkeypatch.setenv("FAR_API_KEY", KEY)
    monkeypatch.setenv("OTHER_API_KEY", PLAIN)


@pytest.fixture
def ollama(calm, server, monkeypatch):
    """The server, found on this machine as an Ollama with the models `m` and `llama3.2:1b`."""
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{server.port}")
    server.paths = {
        "/v1/models": {"object": "list", "data": [{"id": name} for name in ("m", "llama3.2:1b")]},
        "/api/version": {"version": "0.9.0"},
    }
    return server


@pytest.fixture
def own(stage):
    """An entry of one's own, in a file with comments."""
    path = stage.bench.registry.path
    path.parent.mkdir(parents=True)
    path.write_text(FILE)
    stage.bench.registry.reload()
    return path


def models(stage) -> dict:
    path = stage.bench.registry.path
    return tomllib.loads(path.read_text()).get("models", {}) if path.exists() else {}


async def room(stage, at: str | None = None) -> None:
    """Into the room; the cursor to the model of this spec."""
    stage.press("m")
    await stage.to("ModelsScreen")
    await stage.until(lambda: not stage.screen._looking, "the servers looked for")
    await to(stage, at)


async def to(stage, at: str | None) -> None:
    box = stage.screen.query_one(OptionList)
    for _ in range(box.option_count if at else 0):
        if stage.screen.chosen.spec == at:
            return
        before = stage.screen.chosen
        stage.press("down")
        await stage.until(lambda before=before: stage.screen.chosen is not before, "the cursor moved")
    assert not at, f"{at} is not in the list:\n{stage.text}"


def fields(stage) -> dict[str, Entry | Choice]:
    return {one.key: one for one in stage.screen.query("Entry, Choice")}


def footer(stage) -> str:
    return stage.text.splitlines()[-1]


async def form(stage, *keys: str) -> None:
    stage.press(*keys)
    await stage.to("FormScreen")
    await stage.settle()


async def fill(stage, key: str, text: str) -> None:
    """Go to a field, empty it, and type."""
    fields(stage)[key].focus()
    stage.press("end", "ctrl+u")
    stage.type(text)
    await stage.until(lambda: fields(stage)[key].value == text, f"{text!r} in {key}")


# the list


async def test_the_room_says_what_there_is_and_what_enter_does(stage):
    async with stage.open(size=(80, 24)):
        await room(stage)
        await stage.sees("built in", "smollm2", "registered", "scripted", "found here", "no server answers")
        await stage.sees("no servers found", "r looks again", "not tested yet: t asks it for a few words")
        assert "enter play" in footer(stage) and "t test" in footer(stage) and "esc home" in footer(stage)
        assert "d remove" not in footer(stage)
        await to(stage, "scripted")
        await stage.sees("speaks by the book", "set the variable OPENAI_API_KEY")
        assert "d remove" in footer(stage)
        stage.press("escape")
        await stage.to("HomeScreen")


async def test_servers_are_found_and_looked_for_again(stage, ollama):
    async with stage.open():
        await room(stage, f"openai:m?base_url={ollama.url}")
        await stage.sees(f"Ollama at 127.0.0.1:{ollama.port}", "1 server found", "llama3.2:1b")
        ollama.paths["/v1/models"]["data"].append({"id": "new-one"})
        stage.press("r")
        await stage.sees("new-one")
        assert stage.screen.chosen.spec == f"openai:m?base_url={ollama.url}", "the cursor stays with whom it was"
        ollama.paths.clear()
        stage.press("r")
        await stage.sees("no servers found", "no server answers")


async def test_a_file_that_was_changed_by_hand_is_read_again(stage, own):
    async with stage.open():
        await room(stage, "far")
        own.write_text(FILE.replace("models.far", "models.near"))
        stage.press("r")
        await stage.sees("near")
        assert "scripted" not in stage.text


async def test_a_registry_that_cannot_be_read_hides_nothing_that_runs(stage, ollama, own):
    own.write_text("[models.far")
    stage.bench._registry = None
    async with stage.open():
        await room(stage)
        await stage.sees("models.toml cannot be read", "llama3.2:1b")
        stage.press("a")
        await stage.until(lambda: "cannot be read" in stage.notes, "a note instead of a form")
        assert stage.at == "ModelsScreen"


async def test_a_click_only_looks_and_enter_goes_to_the_picker_with_it(stage, own):
    async with stage.open():
        await room(stage)
        rows = stage.text.splitlines()
        row = next(number for number, line in enumerate(rows) if line.strip().startswith("far"))
        await stage.pilot.click(offset=(4, row))
        await stage.until(lambda: stage.screen.chosen.spec == "far", "the clicked one")
        assert stage.at == "ModelsScreen"
        stage.press("enter")
        await stage.to("PickScreen")
        await stage.until(lambda: stage.screen._at("partner") == "far", "far as partner")


async def test_the_spec_is_copied(stage, ollama):
    async with stage.open():
        await room(stage, f"openai:m?base_url={ollama.url}")
        stage.press("y")
        await stage.until(lambda: "copied" in stage.notes, "a note")
        assert stage.app.clipboard == f"openai:m?base_url={ollama.url}"


async def test_what_cannot_be_named_cannot_be_tried_or_played(stage, ollama):
    ollama.paths["/v1/models"]["data"] = [{"id": "odd\x1b[2J"}]
    async with stage.open():
        await room(stage)
        stage.press("end")
        await stage.sees("give it another on the server")
        for number, key in enumerate(("t", "enter", "e", "y"), 1):
            stage.press(key)
            await stage.until(lambda n=number: stage.notes.count("give it another") == n, f"a note for {key}")
        assert stage.at == "ModelsScreen" and not ollama.requests


# trying


@pytest.mark.slow
async def test_a_test_that_passes_shows_steps_speed_and_words(stage, ollama):
    def script(reply):
        if reply.body["messages"][-1]["content"] != STORY:
            return reply.say("one", ", two", ", three")
        reply.begin()
        while True:
            reply.send(reply.chunk("and "))
            time.sleep(0.01)

    ollama.scripts["m"] = script
    async with stage.open():
        await room(stage, f"openai:m?base_url={ollama.url}")
        stage.press("t")
        await stage.sees("test passed", "✓ ping", "✓ stream", "in 3 pieces", "✓ stop", "it said   one, two, three")
        await stage.sees("✓ m")
        assert "esc home" in footer(stage)
        stage.press("escape")
        await stage.to("HomeScreen")
        await room(stage)
        await stage.sees("✓ m")


async def test_a_server_that_hangs_is_left_with_escape(stage, ollama):
    let_go = threading.Event()
    ollama.scripts["m"] = lambda reply: let_go.wait(30)
    try:
        async with stage.open(size=(80, 24)):
            await room(stage, f"openai:m?base_url={ollama.url}")
            stage.press("t")
            await stage.sees("✓ ping", "… stream", "test runs", "testing openai:m")
            await stage.until(lambda: "esc stop" in footer(stage), "esc stop in the footer")
            assert "esc home" not in footer(stage)
            stage.press("t")
            await stage.until(lambda: "a test is running: esc stops it" in stage.notes, "a note")
            stage.press("escape")
            await stage.sees("not tested yet")
            await stage.until(lambda: "esc home" in footer(stage), "esc home in the footer")
            assert stage.at == "ModelsScreen" and not stage.bench.trials
            stage.press("escape")
            await stage.to("HomeScreen")
    finally:
        let_go.set()


async def test_leaving_the_app_in_the_middle_of_a_test_leaves_nothing_behind(stage, ollama):
    def script(reply):
        reply.begin()
        for _ in range(1000):
            reply.send(reply.chunk("la "))
            time.sleep(0.01)

    ollama.scripts["m"] = script
    async with stage.open():
        await room(stage, f"openai:m?base_url={ollama.url}")
        stage.press("t")
        await stage.sees("la la")
        stage.press("ctrl+q")
        await stage.until(lambda: not stage.app.is_running, "the end")
    assert await asyncio.to_thread(ollama.until, ollama.gone.is_set)


async def test_a_test_that_fails_says_why(stage, ollama, own):
    ollama.scripts["m"] = lambda reply: reply.say("all at once")
    ollama.scripts["llama3.2:1b"] = lambda reply: reply.error(400, f"I do not take {KEY}")
    own.write_text(FILE.replace('"big"', f'"llama3.2:1b"\nbase_url = "{ollama.url}"'))
    stage.bench.registry.reload()
    async with stage.open():
        await room(stage, "far")
        stage.press("t")
        await stage.sees(
            "test failed", "✓ ping", "✗ stream", f"failed: 127.0.0.1:{ollama.port}", "I do not take …", "✗ far"
        )
        await to(stage, f"openai:m?base_url={ollama.url}")
        stage.press("t")
        await stage.sees("in one piece", "it said   all at once", "✗ m")
        assert KEY not in stage.text and KEY not in repr(stage.bench.trials)


async def test_a_missing_key_fails_the_test_at_once(stage, own, monkeypatch):
    monkeypatch.delenv("FAR_API_KEY")
    async with stage.open():
        await room(stage, "far")
        await stage.sees("⊘ far", "FAR_API_KEY · not set", "⊘ first   set the variable FAR_API_KEY")
        stage.press("t")
        await stage.sees("✗ ping", "far needs a key in $FAR_API_KEY")


# adding and changing


async def test_a_served_model_is_added_with_a_name_and_enter(stage, ollama):
    async with stage.open(size=(80, 24)):
        await room(stage, f"openai:m?base_url={ollama.url}")
        await form(stage, "a")
        await stage.sees("A new model", ollama.url)
        stage.line("mine")
        await stage.to("ModelsScreen")
        await stage.until(lambda: "mine stands in" in stage.notes, "a note")
        assert models(stage) == {"mine": {"backend": "openai", "model": "m", "base_url": ollama.url}}
        assert stage.screen.chosen.spec == "mine" and "d remove" in footer(stage)


async def test_every_field_is_written_by_its_keys(stage):
    async with stage.open():
        await room(stage)
        await form(stage, "a")
        stage.type("one")
        stage.press("down", "right", "right", "left", "down")
        stage.type("meta/weights")
        stage.press("down")
        stage.type("http://127.0.0.1:8000/v1")
        stage.press("tab")
        stage.type("FAR_API_KEY")
        await stage.sees("the variable is set here")
        stage.press("down")
        stage.type("temperature=0 stop=%0A")
        stage.press("down")
        stage.type("out/lora")
        stage.press("down", "space", "space", "down")
        stage.type("0.5")
        stage.press("down")
        stage.type("1")
        stage.press("down")
        stage.type("what? a [b]test[/b]")
        stage.press("enter")
        await stage.to("ModelsScreen")
        assert models(stage)["one"] == {
            "backend": "vllm",
            "model": "meta/weights",
            "base_url": "http://127.0.0.1:8000/v1",
            "api_key_env": "FAR_API_KEY",
            "sampling": {"temperature": 0.0, "stop": ["\n"]},
            "adapter": "out/lora",
            "assist": False,
            "price_in": 0.5,
            "price_out": 1.0,
            "description": "what? a [b]test[/b]",
        }
        await stage.sees("what? a [b]test[/b]", "$0.50 in, $1.00 out")


async def test_keys_typed_fast_keep_their_order(stage):
    """Backspaces once ran behind the letters that were typed after them."""
    async with stage.open():
        await room(stage)
        await form(stage, "a")
        stage.type("wrong")
        stage.press(*["backspace"] * 5)
        stage.type("right")
        stage.press("left", "left", "left", "left", "left")
        stage.type("b")
        stage.press("tab", "right", "tab")
        stage.type("abc")
        stage.press("ctrl+u")
        stage.type("mx")
        stage.press("backspace", "shift+tab", "left", "up", "end")
        stage.type("er")
        await stage.until(lambda: fields(stage)["name"].value == "brighter", "the name")
        assert fields(stage)["model"].value == "m" and fields(stage)["backend"].value == "openai"


async def test_changing_an_own_entry_keeps_the_comments_of_its_file(stage, own):
    async with stage.open():
        await room(stage, "far")
        await form(stage, "e")
        await stage.sees("Change far", "temperature=0")
        assert "name" not in fields(stage)
        await fill(stage, "model", "bigger")
        await fill(stage, "sampling", "temperature=0.5 max_tokens=30")
        stage.press("enter")
        await stage.to("ModelsScreen")
        await stage.sees("bigger", "temperature=0.5 max_tokens=30")
    text = own.read_text()
    for line in ("# my models", 'model = "bigger"   # the big one', "temperature = 0.5  # cold", "max_tokens = 30"):
        assert line in text.splitlines()


async def test_changing_what_is_not_ones_own_makes_an_entry_of_ones_own(stage):
    async with stage.open():
        await room(stage, "smollm2")
        await form(stage, "e")
        await stage.sees("A new model", "temperature=0 max_tokens=200")
        assert (fields(stage)["name"].value, fields(stage)["assist"].value) == ("", "on")
        stage.line("warm")
        await stage.to("ModelsScreen")
        assert models(stage)["warm"]["assist"] is True and models(stage)["warm"]["backend"] == "llamacpp"


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("name", "two words", "letters, digits and . _ + / - only"),
        ("name", "human", "'human' already names a player of another kind"),
        ("name", "far", "there is a model far already"),
        ("address", "localhost:8000", "address must be http://HOST:PORT/v1"),
        ("key variable", "MY-KEY", "key variable must be the name of an environment variable"),
        ("key variable", KEY, "key variable holds what looks like a key"),
        ("model", KEY, "model holds what looks like a key"),
        ("settings", "temp=1", "did you mean temperature"),
        ("settings", "temperature=0 max_tokens", "'max_tokens' is no setting: write KEY=VALUE"),
        ("settings", "timeout=9", "timeout is no decoding setting"),
        ("settings", f"stop={KEY}", "settings holds what looks like a key"),
        ("price in", "-1", "price in must be US dollars per million tokens"),
        ("price out", "cheap", "price out must be US dollars per million tokens"),
        ("about", f"with {PLAIN}", "about holds what looks like a key"),
    ],
)
async def test_a_wrong_field_is_marked_at_once_named_by_its_label_and_not_written(stage, own, key, text, said):
    label = {one.label: one.key for one in FIELDS}
    async with stage.open(size=(80, 24)):
        await room(stage, "far")
        await form(stage, "a")
        if key != "name":
            await fill(stage, "name", "good")
        if key != "model":
            await fill(stage, "model", "m")
        await fill(stage, label[key], text)
        await stage.sees("✗ " + said.split(" ")[0] if said.startswith(key) else "✗", said)
        row = next(line for line in stage.text.splitlines() if f"│  {key} " in line)
        assert "✗" in row and KEY not in stage.text and PLAIN not in stage.text
        stage.press("up", "up", "enter")
        await stage.settle()
        assert stage.at == "FormScreen" and stage.screen.focused.key == label[key], "the cursor goes to what is wrong"
        assert own.read_text() == FILE and fields(stage)[label[key]].value == text
        assert "base_url" not in stage.text and "api_key_env" not in stage.text


async def test_what_is_missing_is_asked_for(stage):
    async with stage.open():
        await room(stage)
        await form(stage, "a")
        stage.press("enter")
        await stage.sees("✗ name is missing: how do you want to call it?")
        stage.line("x")
        await stage.sees("✗ model is missing")
        assert stage.screen.focused.key == "model" and not models(stage)
        stage.line("m")
        await stage.to("ModelsScreen")
        assert models(stage) == {"x": {"backend": "openai", "model": "m"}}


async def test_a_folder_that_cannot_be_written_keeps_the_form(stage):
    stage.bench.registry.path.with_suffix(".toml.new").mkdir(parents=True)  # where the draft is written
    async with stage.open():
        await room(stage)
        await form(stage, "a")
        await fill(stage, "name", "x")
        await fill(stage, "model", "m")
        stage.press("enter")
        await stage.sees("cannot be written", "make its folder writable, or set $XDG_CONFIG_HOME to another")
        assert stage.at == "FormScreen" and fields(stage)["name"].value == "x"


async def test_what_was_typed_is_there_again_after_escape(stage, own):
    async with stage.open():
        await room(stage, "far")
        await form(stage, "a")
        stage.type("half")
        stage.press("escape")
        await stage.to("ModelsScreen")
        await stage.until(lambda: "what you typed is kept" in stage.notes, "a note")
        await form(stage, "a")
        assert fields(stage)["name"].value == "half"
        stage.press(*["backspace"] * 4, "escape")
        await stage.to("ModelsScreen")
        await form(stage, "e")
        await fill(stage, "model", "other")
        stage.press("escape")
        await stage.to("ModelsScreen")
        await form(stage, "e")
        assert fields(stage)["model"].value == "other"


async def test_the_form_is_filled_in_from_a_server(stage, ollama):
    async with stage.open():
        await room(stage, "smollm2")
        await form(stage, "a")
        stage.type("mine")
        stage.press("ctrl+o")
        await stage.to("Choose")
        await stage.sees("llama3.2:1b · Ollama at")
        stage.press("down", "enter")
        await stage.to("FormScreen")
        await stage.until(lambda: fields(stage)["model"].value == "llama3.2:1b", "the model filled in")
        assert fields(stage)["base_url"].value == ollama.url and fields(stage)["name"].value == "mine"
        stage.press("ctrl+s")
        await stage.to("ModelsScreen")
        assert models(stage)["mine"]["model"] == "llama3.2:1b"


async def test_without_a_server_there_is_nothing_to_fill_in_from(stage):
    async with stage.open():
        await room(stage)
        await form(stage, "a")
        stage.press("ctrl+o")
        await stage.until(lambda: "no server on this machine offers a model now" in stage.notes, "a note")


async def test_removing_asks_first_and_the_harmless_answer_is_the_first(stage, own):
    stage.bench.trials["far"] = Trial("far", steps=(Step("ping", "ok", "there"),))
    async with stage.open(size=(80, 24)):
        await room(stage, "far")
        for keys in (("enter",), ("escape",)):
            stage.press("d")
            await stage.to("Choose")
            await stage.sees("Take far out of", "Episodes in the log keep its name.", "keep it")
            stage.press(*keys)
            await stage.to("ModelsScreen")
            assert own.read_text() == FILE
        stage.press("d")
        await stage.to("Choose")
        stage.press("down", "enter")
        await stage.to("ModelsScreen")
        await stage.sees("none yet: a adds one")
        assert own.read_text().startswith("# my models") and not models(stage) and "far" not in stage.bench.trials
        stage.press("d")
        await stage.settle()
        assert stage.at == "ModelsScreen", "what is built in stays"


# over dialogs


@pytest.mark.slow
async def test_help_theme_and_picture_work_over_the_form_and_over_questions(stage, own, tmp_path):
    async with stage.open(size=(100, 40)):
        await room(stage, "far")
        await form(stage, "e")
        before = stage.app.theme
        stage.press("f8", "f12")
        await stage.until(lambda: stage.app.theme != before and "saved" in stage.notes, "theme and picture")
        stage.press("f1")
        await stage.to("TextDialog")
        await stage.sees("Write the entry into your registry", "Fill in from a model that is served")
        stage.press("f1", "escape")
        await stage.to("FormScreen")
        stage.press("escape")
        await stage.to("ModelsScreen")
        stage.press("d")
        await stage.to("Choose")
        stage.press("f12", "f1")
        await stage.to("TextDialog")
        await stage.until(lambda: len(list(tmp_path.glob("*.svg"))) == 2, "two pictures")
    assert any("Change&#160;far" in picture.read_text() for picture in tmp_path.glob("*.svg"))


# keys that must not show


def nowhere(stage, tmp_path, *secrets: str) -> None:
    """None of these stands on the screen, in a picture of it, in a note, or in any file."""
    picture = stage.app.export_screenshot().replace("&#160;", " ").replace("&#43;", "+")
    seen = {"screen": stage.text, "picture": picture, "notes": stage.notes, "trials": repr(stage.bench.trials)}
    seen |= {str(p): p.read_bytes().decode(errors="replace") for p in tmp_path.rglob("*") if p.is_file()}
    for secret in secrets:
        assert [place for place, text in seen.items() if secret in text] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "secret"),
    [*((one.key, KEY) for one in FIELDS if not one.choices), ("sampling", PLAIN), ("description", PLAIN)],
)
async def test_a_key_typed_into_any_field_shows_at_most_its_first_letters(stage, tmp_path, key, secret):
    async with stage.open(size=(80, 24)):
        await room(stage)
        await form(stage, "a")
        fields(stage)[key].focus()
        for at in (*range(4, 10), len(secret) - 1, len(secret)):
            stage.type(secret[len(fields(stage)[key].value) : at])
            await stage.until(lambda at=at: fields(stage)[key].value == secret[:at], "the letters")
            assert secret[:6] not in stage.text, at
        stage.press("f12", "enter")
        await stage.until(lambda: "saved" in stage.notes, "a picture")
        await stage.settle()
        nowhere(stage, tmp_path, secret[:6])
        assert stage.at == "FormScreen" and not models(stage)
        stage.press("escape")
        await stage.to("ModelsScreen")
        await form(stage, "a")
        assert fields(stage)[key].value == secret
        nowhere(stage, tmp_path, secret[:6])


@pytest.mark.slow
@pytest.mark.parametrize("key", [one.key for one in FIELDS if not one.choices])
async def test_a_pasted_key_never_shows(stage, tmp_path, key):
    async with stage.open(size=(80, 24)):
        await room(stage)
        await form(stage, "a")
        fields(stage)[key].focus()
        stage.paste(f"{KEY}\n")
        await stage.until(lambda: KEY in fields(stage)[key].value, "the paste")
        nowhere(stage, tmp_path, KEY[:6])
        await stage.sees("✗")
        nowhere(stage, tmp_path, KEY[:6])


@pytest.mark.slow
async def test_a_server_that_gives_the_key_back_is_shown_without_it(stage, ollama, own, tmp_path):
    ollama.paths["/v1/models"]["data"] = [{"id": "big"}, {"id": f"stolen {KEY}"}]
    own.write_text(FILE.replace('"big"', f'"big"\nbase_url = "{ollama.url}"'))
    stage.bench.registry.reload()

    def echo(reply):
        if reply.number:
            reply.error(400, f"no {reply.handler.headers['authorization']}")
        else:
            reply.say("you", " sent ", *reply.handler.headers["authorization"])

    ollama.scripts["big"] = echo
    async with stage.open():
        await room(stage, "far")
        await stage.sees("stolen •••")
        stage.press("t")
        await stage.sees("it said", "you sent Bearer •••", "✗ stop")
        nowhere(stage, tmp_path, KEY)
        stage.press("f12", "y")
        await stage.until(lambda: "saved" in stage.notes and "copied" in stage.notes, "notes")
        stage.press("end")
        await stage.sees("model     stolen •••")
        stage.press("y", "ctrl+p")
        await stage.settle()
        nowhere(stage, tmp_path, KEY)


@pytest.mark.slow
async def test_hostile_names_and_words_are_harmless(stage, ollama, own):
    hostile = "[/] [@click=app.quit]x[/] \u202eevil\x1b]0;owned\x07 \x9b2J\u200b"
    own.write_text(FILE.replace("# the big one", f"\ndescription = {tomllib_text(hostile)}"))
    stage.bench.registry.reload()
    ollama.paths["/v1/models"]["data"] = [{"id": hostile}, {"id": "m"}, {"id": "long" * 500}]
    ollama.scripts["m"] = lambda reply: reply.say(*hostile)
    async with stage.open(size=(80, 24)):
        for at in ("far", f"openai:m?base_url={ollama.url}"):
            await room(stage, at)
            stage.press("t")
            await stage.sees("it said" if at != "far" else "test failed")
            harmless(stage)
            stage.press("e")
            await stage.to("FormScreen")
            await stage.settle()
            harmless(stage)
            stage.press("escape")
            await stage.to("ModelsScreen")
            stage.press("end", "y", "escape")
            await stage.to("HomeScreen")


def tomllib_text(text: str) -> str:
    return '"' + "".join(c if c.isascii() and c.isprintable() else f"\\u{ord(c):04X}" for c in text) + '"'


def harmless(stage) -> None:
    for strip in stage.screen._compositor.render_strips():
        for segment in strip:
            assert segment.control is None and not segment.style.meta.get("@click"), segment
            assert not set(segment.text) & set("\x1b\x07\x9b\u202e\u200b"), repr(segment.text)
        assert strip.cell_length <= stage.app.size.width


async def test_a_row_that_is_too_long_for_the_list_is_cut_with_an_ellipsis(stage, ollama):
    ollama.paths["/v1/models"]["data"] = [{"id": "a-model-with-a-name-that-no-list-can-hold-in-one-line"}]
    async with stage.open(size=(80, 24)):
        await room(stage)
        await stage.sees("a-model-with-a-name-…")
        stage.press("end")
        await stage.until(lambda: "one-line" in stage.words.replace(" ", ""), "the whole name in the details")


@pytest.mark.slow
async def test_other_sizes_are_drawn_anew(stage, own):
    async with stage.open(size=(120, 36)):
        await room(stage, "far")
        for size in ((60, 18), (80, 24), (40, 12), (120, 36)):
            await stage.pilot.resize_terminal(*size)
            await stage.settle()
            assert stage.app.screen.chosen.spec == "far" and isinstance(stage.screen.focused, OptionList)
        stage.press("f6")
        await stage.until(lambda: stage.screen.focused.id == "one", "the details in focus")
