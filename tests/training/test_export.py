"""What leaves: pushed copies hold no path, pickle or optimiser state; GGUF needs its script; merged weights play."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from players.entry import ModelEntry
from players.registry import Registry
from playpen_tui.cli import cli
from training import export
from training.launch import CannotTrain

LEFT = ("training_args.bin", "job.json", "job.log", "preflight.json", "optimizer.pt", "ended.json", "scheduler.pt")


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """The folder of a training as it ends, registered as `bars`; its weights are a few bytes."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    (folder / "adapter_config.json").write_text(json.dumps({"r": 8, "base_model_name_or_path": str(tmp_path / "base")}))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "README.md").write_text(f"---\nbase_model: base\n---\nIts base lay in {tmp_path}/base once.\n")
    (folder / "checkpoints").mkdir()
    for name in LEFT:
        (folder / name).write_text(str(tmp_path))
    (folder / "job.json").write_text(json.dumps({"base": {"name": "smollm2"}}))
    registry = Registry.load()
    registry.add(ModelEntry("bars", "transformers", str(tmp_path / "base"), adapter=str(folder)))
    return folder


def push(*words):
    return CliRunner().invoke(cli, ["models", "push", *words])


def test_what_is_pushed_has_no_paths_pickles_or_states(trained, hub, tmp_path):
    ran = push("bars", "--to", "me/bars")
    assert ran.exit_code == 0, (ran.output, ran.exception, hub.asked)
    assert sorted(hub.files) == ["README.md", "adapter_config.json", "adapter_model.safetensors", "tokenizer.json"]
    assert hub.files["adapter_model.safetensors"] == b"weights"
    for content in hub.files.values():
        assert str(tmp_path).encode() not in content
    settings = json.loads(hub.files["adapter_config.json"])
    assert settings == {"r": 8, "base_model_name_or_path": "HuggingFaceTB/SmolLM2-135M-Instruct"}
    assert "bars is at http://127.0.0.1" in ran.stdout
    assert json.loads((trained / "adapter_config.json").read_text())["base_model_name_or_path"] == str(
        tmp_path / "base"
    )


def test_a_dry_run_says_what_it_would_push_and_sends_nothing(trained, hub):
    found = json.loads(push("bars", "--to", "me/bars", "--base", "you/base", "--dry-run", "--json").stdout)
    assert found["url"] == "" and found["files"]["adapter_model.safetensors"] == 7 and len(found["files"]) == 4
    assert hub.asked == []


def test_the_base_in_the_card_is_the_one_that_was_named(trained):
    with export.staged(Registry.load().get("bars"), "you/base") as folder:
        assert "base_model: you/base" in (folder / "README.md").read_text()
        assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == "you/base"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--to", "bars"], "--to takes OWNER/NAME"),
        (["--to", "me/bars", "--base", "here"], "--base takes OWNER/NAME"),
    ],
)
def test_what_cannot_be_pushed_is_one_sentence(trained, words, told):
    ran = push("bars", *words)
    assert ran.exit_code == 1 and told in str(ran.exception or ran.output)


def test_a_base_without_a_public_name_must_be_named(trained):
    (trained / "job.json").write_text(json.dumps({"base": {"name": "transformers:/models/own"}}))
    ran = push("bars", "--to", "me/bars", "--dry-run")
    assert ran.exit_code == 1 and "--base OWNER/NAME" in str(ran.exception or ran.output)


def test_a_hub_that_refuses_says_how_to_log_in(trained, hub):
    hub.refuses = 401
    ran = push("bars", "--to", "me/bars")
    assert ran.exit_code == 1 and "the hub refused me/bars (401); log in" in str(ran.exception or ran.output)


def test_gguf_needs_the_script_of_llama_cpp(trained, tmp_path, monkeypatch):
    monkeypatch.delenv(export.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotTrain, match=r"git clone https://github\.com/ggml-org/llama"):
        export.converter()
    monkeypatch.setenv(export.VARIABLE, str(tmp_path))
    with pytest.raises(CannotTrain, match=r"there is no convert_hf_to_gguf\.py"):
        export.converter()


def test_export_wants_one_place(trained):
    ran = CliRunner().invoke(cli, ["models", "export", "bars"])
    assert ran.exit_code == 2 and "--merged DIR for safetensors, or --gguf FILE" in ran.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("torch")
def test_merged_weights_are_base_and_adapter_together(tiny_model, tmp_path, monkeypatch):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(tiny_model),
        LoraConfig(r=2, init_lora_weights=False, target_modules=["q_proj"]),
    )
    model.save_pretrained(tmp_path / "adapter")
    registry = Registry.load()
    registry.add(ModelEntry("bars", "transformers", str(tiny_model), adapter=str(tmp_path / "adapter")))
    whole = export.merged("bars", registry, tmp_path / "whole")
    ids = torch.arange(3, 20)[None]
    with torch.no_grad():
        theirs = AutoModelForCausalLM.from_pretrained(whole).eval()(ids).logits
        assert torch.allclose(theirs, model.eval()(ids).logits, atol=1e-5)
    assert (whole / "tokenizer.json").is_file() and not (whole / "adapter_config.json").exists()
    assert str(tmp_path) not in (whole / "config.json").read_text()
    with pytest.raises(CannotTrain, match="is not empty"):
        export.merged("bars", registry, whole)

    script = tmp_path / export.CONVERT
    script.write_text(
        "import sys, pathlib\n"
        "assert pathlib.Path(sys.argv[1], 'model.safetensors').is_file() and sys.argv[3] == 'f16'\n"
        "pathlib.Path(sys.argv[5]).write_bytes(b'GGUF')\n"
    )
    monkeypatch.setenv(export.VARIABLE, str(tmp_path))
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: object())
    assert export.gguf("bars", registry, tmp_path / "bars.gguf", "f16").read_bytes() == b"GGUF"
    script.write_text("raise SystemExit('no such architecture')")
    with pytest.raises(CannotTrain, match="did not convert bars: no such architecture"):
        export.gguf("bars", registry, tmp_path / "other.gguf")
    assert not (tmp_path / "other.gguf").exists()


SCRIPT = Path(os.environ.get(export.VARIABLE) or Path(__file__).parents[2] / ".llama.cpp")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("torch")
@pytest.mark.skipif(not (SCRIPT / export.CONVERT).is_file(), reason="llama.cpp's script is not here: make llama-cpp")
def test_what_the_real_script_makes_plays_under_llama_cpp(tmp_path, monkeypatch, unpacked_once):
    """The built-in model, from its file of small numbers to weights and back to a file."""
    pytest.importorskip("xllamacpp")
    monkeypatch.setenv(export.VARIABLE, str(SCRIPT))
    made = tmp_path / "made.gguf"
    ran = CliRunner().invoke(cli, ["models", "export", "smollm2", "--gguf", str(made)], catch_exceptions=False)
    assert ran.exit_code == 0 and f"play taboo --vs llamacpp:{made}" in ran.output
    assert made.read_bytes()[:4] == b"GGUF" and made.stat().st_size > 100_000_000
    player = f"llamacpp:{made}?max_tokens=12&temperature=0"
    command = ["selfplay", "taboo", "--player", player, "--episodes", "1", "--assist", "--json"]
    ran = CliRunner().invoke(cli, [*command, "--db", str(tmp_path / "e.sqlite")], catch_exceptions=False)
    told = json.loads(ran.stdout)
    assert told["done"] == 1 and told["failed"] == 0, told
