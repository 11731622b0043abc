from __future__ import annotations

import sys
from pathlib import Path

import pytest

from players.environments import worker_python
from players.registry import RegistryError


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("PLAYPEN_VLLM_PYTHON", raising=False)
    folder = tmp_path / "playpen-tui"
    folder.mkdir()
    return folder / "config.toml"


def test_none_is_known_where_nothing_says_so():
    assert worker_python("no_such_library") is None


def test_what_can_be_imported_here_runs_here():
    assert worker_python("json") == Path(sys.executable)


def test_the_variable_goes_before_the_file(config: Path, monkeypatch: pytest.MonkeyPatch):
    config.write_text(f'[workers]\nvllm = "{sys.executable}"\n')
    assert worker_python("vllm") == Path(sys.executable)
    monkeypatch.setenv("PLAYPEN_VLLM_PYTHON", "/bin/sh")
    assert worker_python("vllm") == Path("/bin/sh")


def test_an_interpreter_that_is_not_there_is_an_error(config: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PLAYPEN_VLLM_PYTHON", "/nowhere/python")
    with pytest.raises(RegistryError, match="PLAYPEN_VLLM_PYTHON names /nowhere/python, which is no program"):
        worker_python("vllm")


@pytest.mark.parametrize("text", ["[workers", "[workers]\nvllm = 3", "workers = 3"])
def test_a_file_that_is_wrong_says_so(config: Path, text: str):
    config.write_text(text)
    with pytest.raises(RegistryError, match="config"):
        worker_python("vllm")
