"""Whom one can play with here, and what is told of each: everything but the key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from players import known
from players.backends.discovery import Server
from players.known import (
    GROUPS,
    as_json,
    details,
    key_names,
    key_of,
    lying,
    of_server,
    price_text,
    registered,
    served,
    settings_text,
)
from players.masking import HIDDEN
from players.registry import BUILT_IN, ModelEntry, Registry
from players.spec import parse

KEY = "sk-planted-0123456789abcdef"
FAR = ModelEntry(
    "far",
    "openai",
    "big",
    base_url="https://far.example/v1",
    api_key_env="FAR_KEY",
    sampling={"temperature": 0.0, "max_tokens": 300, "stop": ("\n", "END")},
    extra_body={"cache_prompt": True},
    price_in=0.15,
    price_out=2.0,
    description="a far one",
)


@pytest.fixture
def registry(tmp_path, monkeypatch) -> Registry:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FAR_KEY", raising=False)
    found = Registry.load()
    found.add(FAR)
    return found


def by_name(registry: Registry, built_in_ready: bool = True):
    return {one.spec: one for one in registered(registry, built_in_ready)}


def test_the_registry_says_who_is_whose_and_what_stands_in_the_way(registry, monkeypatch):
    Path("model_registry.json").write_text(json.dumps([{"model_name": "gpt-x", "backend": "openai"}]))
    registry.reload()
    found = by_name(registry)
    assert {name: one.group for name, one in found.items()} == {
        "far": "registered",
        "gpt-x": "from clemcore",
        "smollm2": "built in",
    }
    assert found["far"].where == str(registry.path) and found["gpt-x"].where == "model_registry.json"
    assert found["far"].trouble == "set the variable FAR_KEY" and not found["smollm2"].trouble
    assert found["gpt-x"].trouble == "set the variable OPENAI_API_KEY"
    monkeypatch.setenv("FAR_KEY", KEY)
    assert not by_name(registry)["far"].trouble
    monkeypatch.setenv("FAR_KEY", "  ")
    assert by_name(registry)["far"].trouble, "a variable with nothing in it is not set"


@pytest.mark.parametrize(("runtime", "way"), [(object(), "models get smollm2"), (None, "playpen-tui[local]")])
def test_a_built_in_model_that_is_not_ready_says_how_it_comes(registry, monkeypatch, runtime, way):
    monkeypatch.setattr(known, "find_spec", lambda name: runtime)
    trouble = by_name(registry, built_in_ready=False)["smollm2"].trouble
    assert way in trouble and "models get smollm2" in trouble


def test_an_own_entry_of_a_built_in_name_is_ones_own(registry):
    registry.add(ModelEntry("smollm2", "openai", "mine", base_url="http://127.0.0.1:1/v1"))
    assert by_name(registry, built_in_ready=False)["smollm2"].group == "registered"
    assert not by_name(registry, built_in_ready=False)["smollm2"].trouble


@pytest.mark.parametrize(
    ("entry", "variable"),
    [
        (FAR, "FAR_KEY"),
        (ModelEntry("x", "openai", "m"), "OPENAI_API_KEY"),
        (ModelEntry("x", "openai", "m", base_url="http://127.0.0.1:1/v1"), ""),
        (ModelEntry("x", "vllm", "m"), "VLLM_API_KEY"),
        (ModelEntry("x", "vllm", "m", base_url="http://far.example/v1"), ""),
        (ModelEntry("x", "llamacpp", "m", api_key_env="FAR_KEY"), ""),
    ],
)
def test_which_variable_holds_the_key(entry, variable, monkeypatch):
    monkeypatch.delenv("FAR_KEY", raising=False)
    assert key_of(entry) == (variable, False)
    if variable:
        monkeypatch.setenv(variable, KEY)
        assert key_of(entry) == (variable, True)
    assert key_names([entry, entry]) == ([variable] if variable else [])


async def test_servers_here_are_found_and_each_model_can_be_typed(server, monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{server.port}")
    monkeypatch.setattr("players.backends.discovery.PORTS", {"ollama": 1})
    server.paths = {
        "/v1/models": {"data": [{"id": "llama3.2:1b"}, {"id": "odd?name & more"}, {"id": "bad\x1b[2J"}]},
        "/api/version": {"version": "0.9.0"},
    }
    first, odd, bad = await served()
    assert first.spec == f"openai:llama3.2:1b?base_url={server.url}" and first.group == "found here"
    assert first.where == f"Ollama at 127.0.0.1:{server.port}" and not first.trouble
    assert parse(odd.spec).name == "odd?name & more" and odd.nameable
    assert not bad.nameable and "cannot be shown" in bad.trouble


async def test_no_server_no_models(closed_port, monkeypatch):
    monkeypatch.setattr("players.backends.discovery.PORTS", {"ollama": closed_port})
    assert await served() == []


def test_a_vllm_server_is_reached_as_vllm():
    found = of_server(Server("vllm", "http://127.0.0.1:8000/v1", ("m",)), "m")
    assert found.entry.backend == "vllm" and parse(found.spec).settings == {"base_url": "http://127.0.0.1:8000/v1"}


def test_weights_that_lie_here(tmp_path, monkeypatch):
    assert lying(tmp_path / "none") == []
    (tmp_path / "good.gguf").write_bytes(b"GGUF" + bytes(64))
    (tmp_path / "smollm2.gguf").write_bytes(b"GGUF" + bytes(64))
    (tmp_path / "half.gguf").write_bytes(b"<html>")
    (tmp_path / "notes.txt").write_text("no weights")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "config.json").write_text("{}")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad\x1b.gguf").write_bytes(b"GGUF" + bytes(64))
    found = {one.spec: one for one in lying(tmp_path)}
    assert set(found) == {"llamacpp:good", f"transformers:{tmp_path}/folder"}
    assert all(one.group == "weights here" for one in found.values())
    monkeypatch.setattr(known, "find_spec", lambda name: None)
    troubles = {one.spec: one.trouble for one in lying(tmp_path)}
    assert "playpen-tui[local]" in troubles["llamacpp:good"] and not troubles[f"transformers:{tmp_path}/folder"]


def test_without_a_folder_the_data_directory_is_looked_into(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    (tmp_path / "playpen-tui" / "models").mkdir(parents=True)
    (tmp_path / "playpen-tui" / "models" / "a.gguf").write_bytes(b"GGUF" + bytes(64))
    assert [one.spec for one in lying()] == ["llamacpp:a"]


def test_what_is_told_of_an_entry(registry, monkeypatch):
    monkeypatch.setenv("FAR_KEY", KEY)
    told = dict(details(by_name(registry)["far"]))
    assert told == {
        "spec": "far",
        "about": "a far one",
        "backend": "openai",
        "model": "big",
        "address": "https://far.example/v1",
        "key": "FAR_KEY · set",
        "settings": "temperature=0  max_tokens=300  stop=%0A  stop=END",
        "body": "cache_prompt=True",
        "assisted": "no, unless asked for",
        "price": "$0.15 in, $2.00 out, a million tokens",
        "from": str(registry.path),
    }
    built_in = dict(details(by_name(registry)["smollm2"]))
    assert built_in["assisted"] == "yes" and "address" not in built_in and "key" not in built_in


def test_json_tells_the_same_and_numbers_stay_numbers(registry, monkeypatch):
    monkeypatch.setenv("FAR_KEY", KEY)
    told = json.loads(json.dumps(as_json(by_name(registry)["far"])))
    assert told["sampling"] == {"temperature": 0.0, "max_tokens": 300, "stop": ["\n", "END"]}
    assert (told["group"], told["ready"], told["key"], told["price_out"]) == ("registered", True, "set", 2.0)
    assert as_json(by_name(registry)["smollm2"])["key"] is None


SLIPPED = [
    {"base_url": f"http://h/{'a1b2c3d4' * 4}/v1"},
    {"base_url": f"http://h/v1/{KEY}"},
    {"api_key_env": "a1B2c3D4e5F6a7B8c9D0e1F2"},
    {"description": f"use {KEY}"},
    {"extra_body": {"headers": {"Authorization": "Bearer abcdefghij"}, "note": KEY}},
    {"sampling": {"stop": (KEY,)}},
    {"adapter": KEY},
    {"revision": KEY},
    {"model": KEY},
    {"api_key_env": "a1B2c3D4e5F6a7B8c9D0e1F2", "base_url": ""},
    {"api_key_env": "ODD", "description": "the plain value of ODD"},
]
SECRETS = (KEY, "a1b2c3d4" * 4, "a1B2c3D4e5F6a7B8c9D0e1F2", "abcdefghij", "the plain value of ODD")


@pytest.mark.parametrize("more", SLIPPED, ids=[next(iter(more)) for more in SLIPPED])
def test_a_key_that_slipped_into_a_file_by_hand_is_not_told(more, monkeypatch):
    monkeypatch.setenv("ODD", "the plain value of ODD")
    fields = {"backend": "openai", "model": "m", "base_url": "http://127.0.0.1:1/v1", **more}
    entry = ModelEntry("x", source="user", **fields)
    (one,) = registered(Registry(Path("models.toml"), {"x": entry}), True)
    told = json.dumps(as_json(one)) + repr(details(one))
    assert not [secret for secret in SECRETS if secret in told] and (HIDDEN in told or "\\u2022" in told)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, ""),
        ({"price_in": 0.0, "price_out": 0.0}, "$0.00 in, $0.00 out, a million tokens"),
        ({"price_in": 0.075}, "$0.075 in, a million tokens"),
        ({"price_out": 1234.5}, "$1,234.50 out, a million tokens"),
    ],
)
def test_prices_in_words(given, words):
    assert price_text(ModelEntry("x", "openai", "m", **given)) == words


def test_settings_in_words():
    assert settings_text(BUILT_IN["smollm2"]) == "temperature=0&max_tokens=200"
    assert settings_text(ModelEntry("x", "openai", "m")) == ""


def test_groups_are_all_there_are(registry):
    assert {one.group for one in registered(registry, True)} < set(GROUPS)
