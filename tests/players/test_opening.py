"""From spec to player: everybody in the table of specs, the ways out where somebody is missing, shared backends."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from games.engine import Match
from players import opening
from players.backends import discovery
from players.base import Identity, PlayerError
from players.driver import drive
from players.entry import file_revision
from players.human import HumanPlayer
from players.model import ModelPlayer
from players.opening import Table, check, open_player
from players.ports import LoggedEpisode
from players.registry import ModelEntry, NoSuchModel, Registry, UnknownPlayer
from players.scripted import BotPlayer, ReplayPlayer
from players.spec import SpecError

KEY = "sk-very-secret-0123456789"


@pytest.fixture
def registry(tmp_path, monkeypatch) -> Registry:
    monkeypatch.chdir(tmp_path)
    return Registry.load()


@pytest.fixture
def sit(echo, registry):
    async def open_it(spec, **more):
        return await open_player(spec, **{"game": echo, "role": "first", "registry": registry, **more})

    return open_it


@pytest.fixture
def around(monkeypatch):
    """Sets which addresses count as this machine's servers."""

    def at(*ports):
        monkeypatch.setattr(discovery, "addresses", lambda: [("127.0.0.1", port) for port in ports])

    at()
    return at


@pytest.fixture
def embedded(monkeypatch, tmp_path):
    """In place of the real embedded backend: weights that are a file, clients that count."""
    weights = tmp_path / "smollm2.gguf"
    weights.write_bytes(b"GGUF weights")
    module = ModuleType("players.backends.embedded")
    opened, closed = [], []

    class Client:
        def __init__(self, path, name, threads):
            self.path, self.name, self.threads, self.model = path, name, threads, path.stem

        async def aclose(self):
            closed.append(self)

    async def embedded_client(path, *, name, threads=1, slots=0):
        opened.append(Client(path, name, threads))
        return opened[-1]

    module.embedded_client = embedded_client
    module.find_weights = lambda name: weights if name == "smollm2" else None
    module.opened, module.closed, module.weights = opened, closed, weights
    monkeypatch.setitem(sys.modules, "players.backends.embedded", module)
    return module


def one_sentence(error) -> str:
    text = str(error)
    assert text.isprintable() and text and not text.endswith(".") and len(text) < 400
    return text


async def test_people(sit):
    named, bare, far = await sit("human:Ann"), await sit("human", person="quiet-otter"), await sit("human@7FQX")
    assert isinstance(named, HumanPlayer) and named.identity == Identity("human", "human:Ann", person="Ann")
    assert bare.identity == Identity("human", "human", person="quiet-otter")
    assert (far.code, far.identity.name) == ("7FQX", "human@7FQX")


@pytest.mark.parametrize(("spec", "name"), [("bot", "bot:competent"), ("bot:random", "bot:random")])
async def test_bots(sit, spec, name):
    player = await sit(spec)
    assert isinstance(player, BotPlayer) and player.identity.name == name


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("nobody", ["'nobody'", "there are:"]),
        ("smolm2", ["did you mean smollm2?"]),
        ("bot:randon", ["echo has no bot 'randon'", "random"]),
    ],
)
async def test_unknown_names_are_wrong_usage_with_near_names(sit, spec, words):
    with pytest.raises(UnknownPlayer) as caught:
        await sit(spec)
    assert all(word in one_sentence(caught.value) for word in words) and caught.value.exit_code == 2


async def test_a_role_the_game_has_not_and_a_spec_that_is_none(sit):
    with pytest.raises(UnknownPlayer, match="no role 'third'"):
        await sit("bot", role="third")
    with pytest.raises(SpecError):
        await sit("bot:")


class History:
    def __init__(self, match, **more):
        self.logged = LoggedEpisode(
            **{
                "id": "01ABCDEF",
                "game": "echo",
                "version": 1,
                "instance": match.instance.model_dump(),
                "seed": match.seed,
                "texts": match.texts,
                "roles": [step.role for step in match.steps],
                "seats": {},
                "outcome": None,
                **more,
            }
        )

    def episode(self, id):
        if not self.logged.id.startswith(id):
            raise LookupError(f"no episode {id!r} in the log; see `playpen-tui browse`")
        return self.logged


async def test_replays_come_from_the_log(sit, match):
    history = History(match.play("SAY: one").play("SAY: two"))
    player = await sit("replay:01AB", role="second", history=history)
    assert isinstance(player, ReplayPlayer) and player.texts == ("SAY: two",)
    assert player.identity.name == "replay:01ABCDEF"


async def test_replays_that_cannot_be(sit, match):
    with pytest.raises(PlayerError, match="--db"):
        await sit("replay:01AB")
    with pytest.raises(UnknownPlayer, match="no episode 'XYZ' in the log"):
        await sit("replay:XYZ", history=History(match))
    with pytest.raises(UnknownPlayer, match="is of taboo, not of echo"):
        await sit("replay:01", history=History(match, game="taboo"))
    with pytest.raises(UnknownPlayer, match="--lang de"):
        await sit("replay:01", history=History(match, instance={"language": "de"}))


async def test_a_server_by_its_address(sit, server, ask):
    server.scripts["qwen"] = lambda reply: reply.say("SAY: hi")
    player = await sit(f"openai:qwen?base_url={server.url}&temperature=0.5&thinking=off&timeout=5")
    assert isinstance(player, ModelPlayer) and not player.assist
    assert player.identity == Identity(
        "model",
        "openai:qwen",
        f"qwen @ 127.0.0.1:{server.port}",
        sampling={"temperature": 0.5, "thinking": False},
    )
    assert (await player.speak((), ask)).text == "SAY: hi"
    assert server.requests[0]["temperature"] == 0.5 and player.client.timeout == 5.0
    await player.aclose()


async def test_openai_needs_its_key_and_says_so(sit, monkeypatch):
    with pytest.raises(PlayerError) as caught:
        await sit("openai:gpt-x")
    assert caught.value.kind == "unauthorized" and "$OPENAI_API_KEY" in one_sentence(caught.value)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    player = await sit("openai:gpt-x")
    assert player.client.base_url == "https://api.openai.com/v1"
    assert KEY not in repr(player.identity) + repr(player.client)
    await player.aclose()


async def test_openais_key_follows_its_variable_for_the_address_and_no_other(sit, server, ask, monkeypatch):
    server.scripts["m"] = lambda reply: reply.say("x")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    await (await sit("openai:m")).speak((), ask)
    monkeypatch.delenv("OPENAI_BASE_URL")
    await (await sit(f"openai:m?base_url={server.url}")).speak((), ask)
    monkeypatch.setenv("OTHER", "other-key")
    await (await sit(f"openai:m?base_url={server.url}&api_key_env=OTHER")).speak((), ask)
    sent = [headers["authorization"] for headers in server.headers]
    assert sent == [f"Bearer {KEY}", "Bearer none", "Bearer other-key"]


async def test_a_named_variable_must_be_set(sit, server):
    with pytest.raises(PlayerError, match=r"\$NOT_SET"):
        await sit(f"openai:m?base_url={server.url}&api_key_env=NOT_SET")


async def test_an_entry_of_the_registry_with_settings_over_its_own(sit, server, registry, ask, monkeypatch):
    server.scripts["served"] = lambda reply: reply.say("x")
    monkeypatch.setenv("MY_KEY", KEY)
    registry.entries["mine"] = ModelEntry(
        "mine",
        "openai",
        "served",
        base_url=server.url,
        api_key_env="MY_KEY",
        sampling={"temperature": 0.0, "max_tokens": 50},
        extra_body={"cache_prompt": True},
        assist=True,
        revision="r1",
        adapter="a1",
    )
    player = await sit("mine?max_tokens=9")
    wanted = {"temperature": 0.0, "max_tokens": 9}
    assert player.identity == Identity("model", "mine", "r1", "a1", wanted) and player.assist
    plain = await sit("mine?assist=off")
    await plain.speak((), ask)
    assert server.requests[0]["cache_prompt"] is True and server.requests[0]["max_tokens"] == 50
    elsewhere = await sit(f"mine?base_url=http://localhost:{server.port}/v1&assist=off")
    await elsewhere.speak((), ask)
    sent = [headers["authorization"] for headers in server.headers]
    assert sent == [f"Bearer {KEY}", "Bearer none"], "the key of an entry goes to the address of the entry only"
    for one in (player, plain, elsewhere):
        await one.aclose()


@pytest.mark.parametrize(
    ("spec", "asked", "wanted"),
    [
        ("smollm2", None, True),
        ("smollm2", False, False),
        ("smollm2?assist=on", False, True),
        ("smollm2?assist=off", True, False),
        ("llamacpp:{weights}", None, False),
        ("llamacpp:{weights}", True, True),
    ],
)
async def test_who_is_assisted(sit, embedded, spec, asked, wanted):
    assert (await sit(spec.format(weights=embedded.weights), assist=asked)).assist is wanted


async def test_the_built_in_model_is_pinned_by_its_file(sit, embedded):
    player = await sit("smollm2?threads=2&temperature=0.7")
    (client,) = embedded.opened
    assert (client.path, client.name, client.threads) == (embedded.weights, "smollm2", 2)
    assert player.identity.name == "smollm2" and player.identity.revision == file_revision(embedded.weights)
    assert player.identity.revision.startswith("smollm2.gguf @ sha256:")
    assert player.identity.sampling["temperature"] == 0.7 and "threads" not in player.identity.sampling
    await player.aclose()
    assert embedded.closed == [client]


async def test_missing_weights_files_and_runtime_each_say_how_to_get_them(sit, embedded, registry, monkeypatch):
    registry.entries["other"] = ModelEntry("other", "llamacpp", "qwen")
    for spec, words in (("other", "models get qwen"), ("llamacpp:./no.gguf", "there is no file ./no.gguf")):
        with pytest.raises(NoSuchModel) as caught:
            await sit(spec)
        assert words in one_sentence(caught.value) and caught.value.exit_code == 1

    async def no_runtime(path, *, name, threads=1, slots=0):
        raise ModuleNotFoundError("No module named 'xllamacpp'", name="xllamacpp")

    monkeypatch.setattr(embedded, "embedded_client", no_runtime)
    with pytest.raises(NoSuchModel) as caught:
        await sit("smollm2")
    text = one_sentence(caught.value)
    assert 'pip install "playpen-tui[local]"' in text and "playpen-tui models get smollm2" in text


async def test_other_missing_modules_are_not_mistaken_for_the_runtime(sit, embedded, monkeypatch):
    async def broken(path, *, name, threads=1, slots=0):
        raise ModuleNotFoundError("No module named 'json5'", name="json5")

    monkeypatch.setattr(embedded, "embedded_client", broken)
    with pytest.raises(ModuleNotFoundError, match="json5"):
        await sit("smollm2")


async def test_vllm_is_found_at_its_address(sit, server):
    server.paths["/v1/models"] = {"object": "list", "data": [{"id": "org/m", "owned_by": "vllm"}]}
    player = await sit(f"vllm:org/m?base_url={server.url}")
    assert player.identity.name == "vllm:org/m" and player.identity.revision == f"org/m @ 127.0.0.1:{server.port}"
    await player.aclose()
    with pytest.raises(NoSuchModel, match="does not serve 'org/n'; it offers org/m"):
        await sit(f"vllm:org/n?base_url={server.url}")


async def test_vllm_that_does_not_run_says_how_to_start_it(sit, closed_port):
    with pytest.raises(PlayerError) as caught:
        await sit(f"vllm:org/m?base_url=http://127.0.0.1:{closed_port}/v1")
    text = one_sentence(caught.value)
    assert caught.value.kind == "refused" and "vllm serve org/m" in text and "?base_url=URL" in text


async def test_transformers_are_honest(sit):
    with pytest.raises(NoSuchModel, match="holds no weights"):
        await sit("transformers:./out")


async def test_llama_is_the_users_entry_first(sit, registry, around, server):
    around(server.port)
    server.paths["/v1/models"] = {"data": [{"id": "llama3.2:1b"}]}
    registry.entries["llama"] = ModelEntry("llama", "openai", "my-llama", base_url="http://127.0.0.1:9/v1")
    assert (await sit("llama")).identity.revision == "my-llama @ 127.0.0.1:9"


async def test_llama_is_then_what_a_server_here_serves(sit, around, server, ask):
    around(server.port)
    server.paths["/v1/models"] = {"data": [{"id": "codellama"}, {"id": "llama3.2:1b"}]}
    server.paths["/api/version"] = {"version": "0.9"}
    server.scripts["llama3.2:1b"] = lambda reply: reply.say("SAY: hi")
    player = await sit("llama?temperature=0")
    assert player.identity == Identity(
        "model", "llama", f"llama3.2:1b @ Ollama at 127.0.0.1:{server.port}", sampling={"temperature": 0.0}
    )
    assert (await player.speak((), ask)).text == "SAY: hi"
    await player.aclose()


async def test_llama_is_then_weights_that_lie_here(sit, around, embedded, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    models = tmp_path / "playpen-tui" / "models"
    models.mkdir(parents=True)
    (models / "qwen.gguf").write_bytes(b"x")
    (models / "Llama-3.2-1B-Instruct-Q4_K_M.gguf").write_bytes(b"x")
    player = await sit("llama")
    assert player.identity.revision.startswith("Llama-3.2-1B-Instruct-Q4_K_M.gguf @ sha256:")
    assert embedded.opened[0].path.name.startswith("Llama-3.2") and not player.assist


async def test_llama_weights_of_the_hub_are_loaded_by_transformers(sit, around, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for name in ("models--nvidia--Llama-3.1-Nemotron-70B", "models--meta-llama--Llama-3.1-8B-Instruct"):
        (tmp_path / name / "snapshots" / "abc").mkdir(parents=True)
        (tmp_path / name / "snapshots" / "abc" / "config.json").write_text("{}")
    started = []

    async def start(kind, python, wanted):
        started.append((kind, wanted["model"]))
        raise PlayerError("server", "it was asked for")

    monkeypatch.setattr(opening.worker, "start", start)
    with pytest.raises(PlayerError, match="it was asked for"):
        await sit("llama")
    assert started[0][0] == "transformers" and "meta-llama--Llama-3.1-8B-Instruct" in started[0][1]


async def test_llama_never_becomes_another_model(sit, around, server, registry, embedded, closed_port):
    around(server.port, closed_port)
    server.paths["/v1/models"] = {"data": [{"id": "qwen"}, {"id": "tinyllama"}, {"id": "DeepSeek-R1-Distill-Llama-8B"}]}
    with pytest.raises(NoSuchModel) as caught:
        await sit("llama")
    text = one_sentence(caught.value)
    assert caught.value.exit_code == 1 and not embedded.opened
    assert "[models.llama]" in text and str(registry.path) in text
    assert "ollama run" in text and "weights" in text


async def test_a_table_shares_one_backend_between_seats_and_closes_it(echo, registry, embedded):
    async with Table(registry) as table:
        seats = await table.seats({"first": "smollm2?temperature=0.1", "second": "smollm2?assist=off"}, game=echo)
        assert seats["first"].client is seats["second"].client and len(embedded.opened) == 1
        assert seats["first"].identity.sampling["temperature"] == 0.1 and not seats["second"].assist
        other = await table.seat("smollm2?threads=2", game=echo, role="first")
        assert other.client is not seats["first"].client
        await seats["first"].aclose()
        assert not embedded.closed, "a seat does not close what it shares"
    assert embedded.closed == embedded.opened and len(embedded.closed) == 2


async def test_a_table_says_what_is_wrong_before_it_starts_anything(echo, registry, embedded):
    async with Table(registry) as table:
        with pytest.raises(UnknownPlayer):
            await table.seats({"first": "smollm2", "second": "nobody"}, game=echo)
    assert not embedded.opened


async def test_a_table_closes_all_even_when_one_fails(echo, registry, embedded):
    table = Table(registry)
    await table.seat("smollm2", game=echo, role="first")
    await table.seat("smollm2?threads=2", game=echo, role="first")

    async def broken():
        raise OSError("stuck")

    embedded.opened[0].aclose = broken
    with pytest.raises(OSError, match="stuck"):
        await table.aclose()
    assert embedded.closed == [embedded.opened[1]]
    await table.aclose()


async def test_a_table_plays_a_whole_match_over_http(echo, registry, server):
    server.scripts["m"] = lambda reply: reply.say("SAY: ", str(len(reply.body["messages"])))
    match = Match.new(echo, echo.instances("en")[0])
    async with Table(registry) as table:
        seats = await table.seats({"first": f"openai:m?base_url={server.url}", "second": "bot"}, game=echo)
        end = await drive(match, seats)
    assert end.texts == ["SAY: 1", "SAY: 1", "SAY: 3", "SAY: 3"] and end.over


def test_checking_opens_nothing(echo, registry, embedded):
    assert check("smollm2", game=echo, role="first", registry=registry).name == "smollm2"
    assert check("llama", game=echo, role="first", registry=registry).name == "llama"
    assert not embedded.opened


def test_a_file_is_pinned_by_its_content(tmp_path):
    path = Path(tmp_path / "w.gguf")
    path.write_bytes(b"abc")
    assert file_revision(path) == "w.gguf @ sha256:ba7816bf8f01cfea"


def test_opening_imports_nothing_heavy():
    import subprocess

    code = (
        "import sys; import players.opening; "
        "print([m for m in ('openai', 'httpx2', 'xllamacpp', 'torch', 'platformdirs') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]" and opening.OPENAI_URL


@pytest.fixture
def engines(monkeypatch, tmp_path):
    """In place of vLLM's worker: engines that only know what they were told."""
    from players.backends import worker

    started = []

    class Engine:
        def __init__(self, wanted):
            self.wanted, self.holders, self.stopped = wanted, 0, False
            self.title = "vLLM"
            self.ready = {"adapters": "adapter" in wanted, "version": "9", "dtype": "bfloat16"}

        async def stop(self):
            self.stopped = True

    async def start(kind, python, wanted):
        started.append(Engine({**wanted, "python": str(python)}))
        return started[-1]

    monkeypatch.setattr(worker, "start", start)
    monkeypatch.setenv("PLAYPEN_VLLM_PYTHON", sys.executable)
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder, started


async def test_a_folder_of_weights_is_loaded_by_vllm_in_a_worker(sit, engines):
    folder, started = engines
    player = await sit(f"vllm:{folder}?batch=8&context=512&dtype=float32&threads=2&adapter={folder}/a&temperature=0")
    (engine,) = started
    wanted = {"batch": 8, "context": 512, "dtype": "float32", "threads": 2, "adapter": str(folder / "a")}
    assert engine.wanted == {**wanted, "model": str(folder), "python": sys.executable}
    assert player.identity.revision == "weights @ vLLM 9 bfloat16" and player.identity.sampling == {"temperature": 0}
    assert player.identity.adapter == f"{folder}/a"
    await player.aclose()
    assert engine.stopped


async def test_adapters_of_one_model_share_an_engine(registry, echo, engines):
    folder, started = engines
    async with Table(registry) as table:
        specs = [f"vllm:{folder}?adapter={folder}/{name}" for name in "aba"] + [f"vllm:{folder}"]
        one, other, again, bare = [await table.seat(spec, game=echo, role="first") for spec in specs]
        assert one.client is again.client and other.client is not one.client
        assert {player.client.engine for player in (one, other, again, bare)} == set(started) and len(started) == 1
        assert bare.client.adapter == "" and not started[0].stopped
        wider = await table.seat(f"vllm:{folder}?context=64", game=echo, role="first")
        assert wider.client.engine is started[1]
    assert all(engine.stopped for engine in started)


async def test_an_engine_without_adapters_is_not_asked_for_one(registry, echo, engines):
    folder, started = engines
    async with Table(registry) as table:
        await table.seat(f"vllm:{folder}", game=echo, role="first")
        await table.seat(f"vllm:{folder}?adapter={folder}/a", game=echo, role="first")
    assert [engine.ready["adapters"] for engine in started] == [False, True]


async def test_without_an_interpreter_or_with_an_address_a_server_is_asked(sit, engines, monkeypatch):
    folder, started = engines
    spec = f"vllm:{folder}"
    monkeypatch.setattr("players.opening.VLLM_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(PlayerError) as caught:
        await sit(f"{spec}?base_url=http://127.0.0.1:9/v1")
    assert caught.value.kind == "refused"
    monkeypatch.delenv("PLAYPEN_VLLM_PYTHON")
    monkeypatch.setattr("players.environments.importlib.util.find_spec", lambda name: None)
    with pytest.raises(PlayerError) as caught:
        await sit(spec)
    assert "vllm serve" in str(caught.value) and "$PLAYPEN_VLLM_PYTHON" in str(caught.value)
    assert not started


async def test_a_path_that_is_no_folder_of_weights_says_so(sit, engines):
    folder, started = engines
    with pytest.raises(NoSuchModel) as caught:
        await sit(f"vllm:{folder.parent}")
    assert "has no config.json" in one_sentence(caught.value) and not started
