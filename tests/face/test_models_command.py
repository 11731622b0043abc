"""`models` from outside: list, add, edit, show, test, remove and get, against a real server; no key in any output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import tomllib
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from playpen_tui.cli import cli
from playpen_tui.cli.errors import sentence

KEY = "sk-planted-0123456789abcdef"


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def home(monkeypatch, tmp_path, closed_port) -> Path:
    """A machine with a registry of its own, a key in a variable, and no server."""
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PLAYPEN_DB", str(tmp_path / "episodes.sqlite"))
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OLLAMA_HOST", "VLLM_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FAR_KEY", KEY)
    monkeypatch.setattr("players.backends.discovery.PORTS", {"ollama": closed_port})
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(home):
    """Runs `models WORDS`; an error becomes its sentence, as the console script prints it. Looks for keys each time."""

    def ran(*words: str) -> Ran:
        done = CliRunner().invoke(cli, ["models", *words], standalone_mode=False)
        error, err = done.exception, done.stderr
        code = done.return_value if isinstance(done.return_value, int) else 0
        if isinstance(error, click.ClickException):
            said, code = error.format_message(), error.exit_code
        elif error is not None:
            said, code = sentence(error)
        err += said if error is not None else ""
        assert KEY not in done.stdout + err + str(error)
        assert "a fault of ours" not in err
        return Ran(code, done.stdout, err)

    return ran


@pytest.fixture
def ollama(server, home, monkeypatch):
    """The server, found here as an Ollama that serves `m` and `llama3.2:1b`."""
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{server.port}")
    server.paths = {
        "/v1/models": {"object": "list", "data": [{"id": name} for name in ("m", "llama3.2:1b")]},
        "/api/version": {"version": "0.9.0"},
    }
    server.scripts["m"] = lambda reply: reply.say("one", ", two", f", {KEY}")
    return server


def registry(home: Path) -> dict:
    return tomllib.loads((home / "config" / "playpen-tui" / "models.toml").read_text()).get("models", {})


def test_the_list_without_anything(run, home):
    told = run().out
    assert "smollm2" in told and "built in" in told and "models add NAME" in told and str(home / "config") in told
    (only,) = run("--json").json["models"]
    assert only["name"] == "smollm2" and only["sampling"]["max_tokens"] == 200 and only["key"] is None


def test_the_list_with_a_server_an_own_entry_and_weights(run, home, ollama):
    run("add", "far", "--backend", "openai", "--model", "big", "--base-url", "http://h/v1", "--api-key-env", "FAR_KEY")
    (home / "data" / "playpen-tui" / "models").mkdir(parents=True)
    (home / "data" / "playpen-tui" / "models" / "here.gguf").write_bytes(b"GGUF" + bytes(64))
    told = run().out
    assert f"Ollama at 127.0.0.1:{ollama.port}" in told and "registered" in told and "weights here" in told
    found = {one["name"]: one for one in run("--json").json["models"]}
    assert set(found) == {
        "smollm2",
        "far",
        f"openai:m?base_url={ollama.url}",
        f"openai:llama3.2:1b?base_url={ollama.url}",
        "llamacpp:here",
    }
    assert (found["far"]["key"], found["far"]["api_key_env"], found["far"]["ready"]) == ("set", "FAR_KEY", True)


def test_add_edit_show_and_remove(run, home):
    said = run("add", "far", "--backend", "openai", "--model", "big", "--set", "temperature=0", "--set", "stop=a b")
    assert said.code == 0 and "models test far" in said.out
    assert registry(home)["far"]["sampling"] == {"temperature": 0.0, "stop": ["a b"]}
    said = run("edit", "far", "--price-in", "0.5", "--no-assist", "--set", "temperature=", "--api-key-env", "FAR_KEY")
    assert said.out.startswith("changed sampling, api_key_env, assist, price_in of far in")
    assert registry(home)["far"] == {
        "backend": "openai",
        "model": "big",
        "api_key_env": "FAR_KEY",
        "sampling": {"stop": ["a b"]},
        "assist": False,
        "price_in": 0.5,
    }
    shown = run("show", "far").out
    assert "FAR_KEY · set" in shown and "$0.50 in" in shown and "stop=a%20b" in shown
    assert run("show", "far", "--json").json["assist"] is False
    assert "is like that already" in run("edit", "far", "--model", "big").out
    run("edit", "far", "--api-key-env", "", "--price-in", "", "--set", "stop=")
    assert registry(home)["far"] == {"backend": "openai", "model": "big", "assist": False}
    said = run("remove", "far", "--yes")
    assert "far is out of" in said.out and registry(home) == {}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("add", "two words", "--backend", "openai", "--model", "m"), 2, "is no name of a player"),
        (("add", "human", "--backend", "openai", "--model", "m"), 2, "choose another name"),
        (("add", "x", "--model", "m"), 2, "--backend must be one of openai, vllm"),
        (("add", "x", "--backend", "olama", "--model", "m"), 2, "--backend must be one of"),
        (("add", "x", "--backend", "openai"), 2, "--model is missing"),
        (("add", "x", "--backend", "openai", "--model", "m", "--base-url", "h:1"), 2, "--base-url must be http://"),
        (
            ("add", "x", "--backend", "openai", "--model", "m", "--api-key-env", KEY),
            2,
            "--api-key-env must be the name",
        ),
        (("add", "x", "--backend", "openai", "--model", KEY), 2, "--model holds what looks like a key"),
        (("add", "x", "--backend", "openai", "--model", "m", "--set", f"stop={KEY}"), 2, "--set holds what looks"),
        (("add", "x", "--backend", "openai", "--model", "m", "--set", "temp=1"), 2, "did you mean temperature"),
        (("add", "x", "--backend", "openai", "--model", "m", "--set", "temperature"), 2, "--set takes KEY=VALUE"),
        (("add", "x", "--backend", "openai", "--model", "m", "--price-in", "much"), 2, "--price-in must be US dollars"),
        (("add", "x", "--from-server"), 2, "no server was found that offers one (this machine)"),
        (("edit", "smollm2", "--model", "m"), 2, "smollm2?temperature=0.7"),
        (("edit", "nobody", "--model", "m"), 2, "no player 'nobody'"),
        (("edit", "smollm2"), 2, "stays as it is"),
        (("show", "smolm2"), 2, "did you mean smollm2?"),
        (("remove", "smollm2", "--yes"), 1, "is from elsewhere (built in) and stays"),
        (("remove", "nobody", "--yes"), 2, "no player 'nobody'"),
        (("test", "bot"), 2, "bot is no model"),
        (("test", "two words"), 2, "no name of a player"),
        (("get", "nonsense"), 1, "there are no weights 'nonsense'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_in_the_words_of_the_command(run, home, words, code, said):
    ran = run(*words)
    assert ran.code == code and said in ran.err and "\n" not in ran.err.strip(), ran
    assert not (home / "config" / "playpen-tui" / "models.toml").exists()


def test_a_name_that_is_taken_and_an_edit_of_nothing(run):
    run("add", "x", "--backend", "openai", "--model", "m")
    assert "`playpen-tui models edit x`" in run("add", "x", "--backend", "openai", "--model", "m").err
    nothing = run("edit", "x")
    assert nothing.code == 2 and "nothing was named to change" in nothing.err


def test_removing_asks_and_without_a_terminal_wants_to_be_told(run, home):
    run("add", "x", "--backend", "openai", "--model", "m")
    ran = run("remove", "x")
    assert ran.code == 2 and "--yes" in ran.err and "x" in registry(home)


def test_an_entry_from_a_server(run, home, ollama):
    several = run("add", "x", "--from-server")
    assert several.code == 2 and "--model (m, llama3.2:1b)" in several.err
    assert "no model 'q' is served there" in run("add", "x", "--from-server", "--model", "q").err
    assert run("add", "x", "--from-server", "--model", "m", "--set", "max_tokens=20").code == 0
    assert registry(home)["x"] == {
        "backend": "openai",
        "model": "m",
        "base_url": ollama.url,
        "sampling": {"max_tokens": 20},
    }


def test_of_many_models_on_a_server_the_rest_is_counted_and_the_nearest_found(run, server):
    server.paths["/v1/models"] = {"object": "list", "data": [{"id": f"model-{n:02}"} for n in range(18)]}
    words = ("add", "x", "--base-url", server.url, "--from-server")
    assert "model-11 and 6 more" in run(*words).err and "and 6 more" in run(*words, "--model", "zzz").err
    assert "did you mean model-17" in run(*words, "--model", "model-17b").err


def test_an_entry_from_a_server_at_an_address_with_a_key(run, home, server):
    server.paths["/v1/models"] = {"object": "list", "data": [{"id": "only"}]}
    words = ("--base-url", server.url, "--api-key-env", "FAR_KEY", "--from-server")
    assert run("add", "x", *words).code == 0
    assert registry(home)["x"] == {
        "backend": "openai",
        "model": "only",
        "base_url": server.url,
        "api_key_env": "FAR_KEY",
    }
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    server.paths["/v1/models"] = (401, {"error": {"message": f"{KEY} is no good"}})
    refused = run("add", "y", *words)
    assert refused.code == 1 and "$FAR_KEY" in refused.err and "y" not in registry(home)


def test_a_test_that_passes_as_lines_and_as_json(run, ollama):
    spec = f"openai:m?base_url={ollama.url}&max_tokens=20"
    ran = run("test", spec)
    assert ran.code == 0
    assert [line.split()[:2] for line in ran.out.splitlines()[:3]] == [
        ["ping", "ok"],
        ["stream", "ok"],
        ["stop", "skipped"],
    ]
    assert "it said 'one, two, •••'" in ran.out
    found = run("test", spec, "--json").json
    assert found["model"] == spec and found["ok"] and found["text"] == "one, two, •••"
    assert found["first_token_ms"] > 0 and found["steps"][1]["tokens_out"] == 3


def test_a_test_that_fails_leaves_with_1_and_says_what_to_do(run, closed_port, server):
    ran = run("test", f"openai:m?base_url=http://127.0.0.1:{closed_port}/v1")
    assert ran.code == 1 and ran.out.startswith("ping    failed") and "start the server" in ran.out
    server.paths["/v1/models"] = (403, {"error": {"message": f"not with {KEY}"}})
    run("add", "far", "--backend", "openai", "--model", "m", "--base-url", server.url, "--api-key-env", "FAR_KEY")
    failed = run("test", "far", "--json")
    assert failed.code == 1 and failed.json["steps"][0]["state"] == "failed" and not failed.json["ok"]


def test_a_registry_that_cannot_be_read_is_named(run, home):
    run("add", "x", "--backend", "openai", "--model", "m")
    (home / "config" / "playpen-tui" / "models.toml").write_text(f'[models.x]\napi_key = "{KEY}"\n')
    for words in ((), ("show", "x"), ("add", "y", "--backend", "openai", "--model", "m"), ("remove", "x", "--yes")):
        ran = run(*words)
        assert ran.code == 1 and "models.toml, [models.x]: keys do not belong in a file" in ran.err


@pytest.mark.slow
def test_no_file_and_no_stream_of_a_process_ever_has_the_key(home, server):
    """The program itself, with a server that gives the key back in every way it can."""
    server.paths["/v1/models"] = {"object": "list", "data": [{"id": "m"}]}
    told = threading.Event()

    def echo(reply):
        said = reply.handler.headers.get("authorization", "")
        told.set()
        if reply.number:
            reply.error(400, f"you said {said}")
        else:
            reply.say("your", " header", " was ", said)

    server.scripts["m"] = echo

    def program(*words: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", "playpen_tui", *words],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return ran.stdout + ran.stderr

    where = ("--backend", "openai", "--model", "m", "--base-url", server.url, "--api-key-env", "FAR_KEY")
    said = program("models", "add", "far", *where) + program("models", "test", "far", "--json")
    assert told.is_set() and '"state": "failed"' in said
    said += program("models", "show", "far") + program("models", "--json") + program("models")
    said += program("--debug", "models", "test", "far")
    said += program("play", "taboo", "--seat", "describer=bot", "--seat", "guesser=far", "--plain")
    assert "•••" in said and KEY not in said
    files = [path for path in home.rglob("*") if path.is_file()]
    assert any(path.name == "models.toml" for path in files) and any(path.suffix == ".sqlite" for path in files)
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
