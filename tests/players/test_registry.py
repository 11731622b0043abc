"""The model registry: reading, checking, writing without loss, near names, clemcore's file, no keys."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from players.entry import BadField
from players.registry import ModelEntry, Registry, RegistryError, UnknownPlayer, config_dir, written
from players.spec import parse

FILE = """# my models
[models.qwen]
backend = "openai"
model = "qwen2.5:7b"   # the small one
base_url = "http://127.0.0.1:11434/v1"
description = "on the desk"
[models.qwen.sampling]
temperature = 0
stop = ["\\n"]

# a far one
[models."far.one"]
backend = "openai"
model = "big"
api_key_env = "FAR_KEY"
assist = true
"""


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "playpen-tui").mkdir()
    return tmp_path / "playpen-tui" / "models.toml"


def test_the_config_directory_follows_xdg(path, monkeypatch):
    assert config_dir() == path.parent
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert config_dir().name == "playpen-tui" and config_dir() != path.parent


def test_without_a_file_there_is_the_built_in_model_and_it_is_assisted(path):
    registry = Registry.load()
    entry = registry.get("smollm2")
    assert registry.names() == ["smollm2"] and registry.path == path
    assert (entry.backend, entry.assist, entry.source) == ("llamacpp", True, "built in")


def test_entries_are_read_and_typed(path):
    path.write_text(FILE)
    registry = Registry.load()
    qwen = registry.get("qwen")
    assert (qwen.model, qwen.base_url, qwen.source) == ("qwen2.5:7b", "http://127.0.0.1:11434/v1", "user")
    assert qwen.sampling == {"temperature": 0.0, "stop": ("\n",)} and qwen.assist is None
    assert registry.get("far.one").api_key_env == "FAR_KEY" and registry.get("far.one").assist is True


def test_a_user_may_give_a_built_in_name_to_another_model(path):
    path.write_text('[models.smollm2]\nbackend = "openai"\nmodel = "mine"\n')
    assert Registry.load().get("smollm2").model == "mine"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[models.x", ["models.toml", "mend it"]),
        ("[model.x]\n", ["'model'", "[models.NAME]"]),
        ("[models]\nx = 1\n", ["[models.x]", "table"]),
        ('[models.x]\nbackend = "openai"\n', ["model is missing"]),
        ('[models.x]\nbackend = "opnai"\nmodel = "m"\n', ["openai, vllm"]),
        ('[models.x]\nbackend = "openai"\nmodel = "m"\nbase = "u"\n', ["'base'", "base_url"]),
        ('[models.x]\nbackend = "openai"\nmodel = 3\n', ["model must be a text"]),
        ('[models.x]\nbackend = "openai"\nmodel = "m"\napi_key = "sk-secret"\n', ["api_key_env"]),
        ('[models.x]\nbackend = "openai"\nmodel = "m"\napi_key_env = "sk-secret"\n', ["environment variable"]),
        ('[models.x]\nbackend = "openai"\nmodel = "m"\nbase_url = "http://u:sk-secret@h/v1"\n', ["base_url must be"]),
        ('[models.x]\nbackend = "openai"\nmodel = "m"\nsampling = {temp = 1}\n', ["'temp'", "temperature"]),
        ('[models.x]\nbackend = "openai"\nmodel = "m"\nsampling = {top_p = 7}\n', ["top_p=7"]),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_no_key_is_repeated(path, text, words):
    path.write_text(text)
    with pytest.raises(RegistryError) as caught:
        Registry.load()
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "sk-secret" not in message and str(path) in message and caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("smolm2", "did you mean smollm2?"),
        ("lama", "llama"),
        ("random", "did you mean bot:random?"),
        ("compettent", "did you mean bot:competent?"),
        ("openia", "did you mean openai:MODEL?"),
        ("nobody", "there are: smollm2, llama, human, bot, bot:random"),
    ],
)
def test_unknown_names_come_with_the_nearest(path, name, near):
    with pytest.raises(UnknownPlayer) as caught:
        Registry.load().get(name)
    assert f"no player {name!r}; " in str(caught.value) and near in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_checkpoint_is_named_by_its_step(path, tmp_path):
    """Beside the weights of an adapter, or of a whole model; who asks for one that is gone hears which there are."""
    for step in (2, 4):
        (tmp_path / f"out/checkpoints/checkpoint-{step}").mkdir(parents=True)
        (tmp_path / f"out/checkpoints/checkpoint-{step}/adapter_model.safetensors").write_bytes(b"%d" % step)
    registry = Registry.load(path)
    registry.add(ModelEntry("mine", "transformers", "/base", adapter=str(tmp_path / "out"), revision="last"))
    found = registry.get("mine@2")
    assert (found.name, found.model) == ("mine@2", "/base") and found.adapter.endswith("checkpoint-2")
    assert found.revision not in ("last", registry.get("mine@4").revision)
    assert parse("mine@2?temperature=0").head == "mine@2"
    with pytest.raises(UnknownPlayer, match=r"no checkpoint 3 of mine here; there are mine@2, mine@4"):
        registry.get("mine@3")
    with pytest.raises(UnknownPlayer, match="no player 'yours@2'"):
        registry.get("yours@2")
    (tmp_path / "out/checkpoints/checkpoint-4/model.safetensors").write_bytes(b"whole")
    registry.add(ModelEntry("all", "transformers", str(tmp_path / "out")))
    (tmp_path / "out/checkpoints/checkpoint-4/adapter_model.safetensors").unlink()
    assert registry.get("all@4").model.endswith("checkpoint-4") and not registry.get("all@4").adapter


def test_near_names_know_the_bots_of_the_game(path):
    assert "bot:solver" in Registry.load().near("solvr", ("bot:random", "bot:solver"))


def test_adding_and_removing_keep_what_stood_around(path):
    path.write_text(FILE)
    registry = Registry.load()
    registry.add(ModelEntry("bars", "transformers", "out/bars", adapter="lora", description='she said "é"\n😀'))
    assert path.read_text().startswith(FILE.rstrip()) and Registry.load().get("bars") == registry.get("bars")
    registry.add(ModelEntry("qwen", "openai", "other"))
    assert Registry.load().get("qwen").model == "other" and "# a far one" in path.read_text()
    registry.remove("bars")
    registry.remove("qwen")
    assert Registry.load().names() == registry.names() == ["far.one", "smollm2"]
    assert "# my models" in path.read_text() and "qwen2.5" not in path.read_text()


def test_a_first_entry_makes_the_directory(path):
    path.parent.rmdir()
    Registry.load().add(ModelEntry("x", "openai", "m"))
    assert tomllib.loads(path.read_text()) == {"models": {"x": {"backend": "openai", "model": "m"}}}


def test_a_linked_file_stays_a_link(path, tmp_path):
    (tmp_path / "dotfiles.toml").write_text(FILE)
    path.symlink_to(tmp_path / "dotfiles.toml")
    Registry.load().add(ModelEntry("x", "openai", "m"))
    assert path.is_symlink() and "[models." in (tmp_path / "dotfiles.toml").read_text()


INLINE = 'models.x = {backend = "openai", model = "a"}\n'
TRAP = """[models.y]
backend = "openai"
model = '''
[models.x]
'''
[models.x]
backend = "openai"
model = "a"
"""


@pytest.mark.parametrize("text", [INLINE, TRAP])
def test_a_file_in_an_unforeseen_form_is_left_alone(path, text):
    path.write_text(text)
    registry = Registry.load()
    with pytest.raises(RegistryError, match="by hand"):
        registry.add(ModelEntry("x", "openai", "b"))
    assert path.read_text() == text and registry.get("x").model == "a"


@pytest.mark.parametrize("name", ["bot", "human:x", "openai:x", "two words", "openai"])
def test_names_that_mean_something_else_are_refused(path, name):
    with pytest.raises(RegistryError):
        Registry.load().add(ModelEntry(name, "openai", "m"))
    assert not path.exists()


def test_only_the_users_own_entries_can_be_removed(path):
    with pytest.raises(RegistryError, match="built in"):
        Registry.load().remove("smollm2")
    with pytest.raises(UnknownPlayer):
        Registry.load().remove("nobody")


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
words = texts.filter(bool)
shown = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=20).filter(str.isprintable)
bodies = st.dictionaries(texts, texts | st.integers(-(2**40), 2**40) | st.booleans() | st.lists(texts), max_size=3)
entries = st.builds(
    ModelEntry,
    name=st.from_regex(r"[a-z0-9][a-z0-9._+-]{0,8}", fullmatch=True).filter(
        lambda name: name not in ("human", "bot", "replay", "openai", "vllm", "transformers", "llamacpp")
    ),
    backend=st.sampled_from(["openai", "vllm", "transformers", "llamacpp"]),
    model=shown,
    sampling=st.fixed_dictionaries({}, optional={"temperature": st.floats(0, 10).map(abs), "stop": st.tuples(words)}),
    extra_body=bodies,
    assist=st.none() | st.booleans(),
    revision=st.just("") | shown,
    price_in=st.none() | st.floats(0, 1e6).map(abs),
    description=texts,
)


@given(st.lists(entries, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_what_is_written_is_read_back(path, found):
    path.unlink(missing_ok=True)
    registry = Registry.load()
    for entry in found:
        registry.add(entry)
    wanted = {entry.name: entry for entry in found}
    again = Registry.load().entries
    assert {name: again[name] for name in wanted} == wanted
    for name in wanted:
        registry.remove(name)
    assert Registry.load().names() == ["smollm2"]


def test_defaults_are_not_written():
    assert written(ModelEntry("x", "openai", "m")) == '[models."x"]\nbackend = "openai"\nmodel = "m"\n'


CLEM = [
    {"model_name": "gpt-x", "backend": "openai", "model_id": "gpt-x-2026"},
    {"model_name": "gpt-x", "backend": "openai", "model_id": "second"},
    {
        "model_name": "hf",
        "backend": "huggingface_local",
        "huggingface_id": "org/hf",
        "model_config": {"peft_model": "a/b"},
    },
    {
        "model_name": "served",
        "backend": "openai_compatible",
        "model_id": "s",
        "model_config": {"chat_template_kwargs": {"enable_thinking": False}},
    },
    {"model_name": "mock", "backend": "slurk"},
    {"model_name": "two words", "backend": "openai"},
    "junk",
]


def test_clemcores_registry_is_read_beside_ours(path):
    Path("model_registry.json").write_text(json.dumps(CLEM))
    Path("key.json").write_text(
        json.dumps({"openai_compatible": {"api_key": "sk-secret", "base_url": "http://h:1/v1"}})
    )
    registry = Registry.load()
    assert registry.names() == ["gpt-x", "hf", "served", "smollm2"]
    assert registry.get("gpt-x").model == "gpt-x-2026" and registry.get("gpt-x").api_key_env == "OPENAI_API_KEY"
    assert (registry.get("hf").backend, registry.get("hf").adapter) == ("transformers", "a/b")
    served = registry.get("served")
    assert served.base_url == "http://h:1/v1" and served.api_key_env == ""
    assert served.extra_body == {"chat_template_kwargs": {"enable_thinking": False}}
    assert "sk-secret" not in repr(registry)
    path.write_text('[models.hf]\nbackend = "vllm"\nmodel = "mine"\n')
    assert Registry.load().get("hf").model == "mine"


def test_without_an_address_a_compatible_entry_is_left_out_rather_than_sent_to_openai(path):
    (path.parent / "model_registry.json").write_text(json.dumps(CLEM))
    assert Registry.load().names() == ["gpt-x", "hf", "smollm2"]


@pytest.mark.parametrize("text", ["{", '{"a": 1}'])
def test_a_broken_clemcore_file_is_named(path, text):
    Path("model_registry.json").write_text(text)
    with pytest.raises(RegistryError, match=r"model_registry\.json"):
        Registry.load()


def test_an_edit_keeps_the_comments_inside_an_entry_too(path):
    path.write_text(FILE)
    registry = Registry.load()
    qwen = registry.get("qwen")
    registry.add(replace(qwen, model="qwen3:8b", sampling={**qwen.sampling, "temperature": 0.5}, description=""))
    text = path.read_text()
    for line in ("# my models", 'model = "qwen3:8b"   # the small one', "temperature = 0.5", "# a far one"):
        assert line in text.splitlines()
    assert "on the desk" not in text and Registry.load().entries == registry.entries
    registry.add(replace(registry.get("qwen"), model="qwen2.5:7b", sampling=qwen.sampling))
    assert path.read_text() == FILE.replace('description = "on the desk"\n', "").replace("= 0\n", "= 0.0\n")


def test_an_edit_of_another_process_in_between_is_kept(path):
    path.write_text(FILE)
    registry = Registry.load()
    Registry.load().add(ModelEntry("theirs", "openai", "m"))
    registry.add(ModelEntry("ours", "openai", "m"))
    assert {"theirs", "ours", "qwen", "far.one"} <= set(Registry.load().names())


def test_removing_a_name_brings_back_whom_it_hid(path):
    registry = Registry.load()
    registry.add(ModelEntry("smollm2", "openai", "mine"))
    registry.remove("smollm2")
    assert registry.get("smollm2").source == "built in"
    with pytest.raises(RegistryError, match="built in"):
        registry.remove("smollm2")


def test_a_folder_that_cannot_be_written_is_said_and_nothing_changes(path):
    path.write_text(FILE)
    registry = Registry.load()
    path.with_suffix(".toml.new").mkdir()
    with pytest.raises(RegistryError, match=r"cannot be written .*XDG_CONFIG_HOME"):
        registry.add(ModelEntry("x", "openai", "m"))
    assert path.read_text() == FILE and "x" not in registry.names()


def test_reloading_a_file_that_broke_holds_what_was_read(path):
    path.write_text(FILE)
    registry = Registry.load()
    path.write_text("[models.x")
    with pytest.raises(RegistryError, match="mend it"):
        registry.reload()
    assert "qwen" in registry.names()
    path.write_text(FILE + '[models.x]\nbackend = "openai"\nmodel = "m"\n')
    registry.reload()
    assert "x" in registry.names()


SECRET = "sk-planted-0123456789abcdef"


@pytest.mark.parametrize(
    "more",
    [
        {"model": SECRET},
        {"api_key_env": SECRET},
        {"base_url": f"http://u:{SECRET}@h/v1"},
        {"base_url": f"http://h/{SECRET}/v1"},
        {"description": f"with {SECRET}"},
        {"sampling": {"stop": (SECRET,)}},
        {"extra_body": {"api": SECRET}},
        {"adapter": SECRET},
    ],
    ids=lambda more: next(iter(more)),
)
def test_no_key_is_ever_written(path, more):
    path.write_text(FILE)
    registry = Registry.load()
    with pytest.raises(BadField) as caught:
        registry.add(replace(ModelEntry("x", "openai", "m"), **more))
    assert SECRET not in str(caught.value) and path.read_text() == FILE and "x" not in registry.names()
    assert [one.name for one in path.parent.iterdir()] == [path.name], "no draft is left"
