"""The door for notebooks: every block of its page runs, frames hold what the log holds, and names are few."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from playpen_tui import api

PAGE = Path(__file__).parents[2] / "docs" / "notebooks.md"


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The page run from top to bottom in an empty folder: its names, and what it printed."""
    pytest.importorskip("pandas", reason="pandas is not here: it comes with playpen-tui[train]")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PLAYPEN_DB", raising=False)
    names = {"__name__": "notebook"}
    monkeypatch.setitem(sys.modules, "notebook", type(sys)("notebook"))
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, str(PAGE), "exec", dont_inherit=True), names)
    return names


@pytest.mark.slow
def test_every_block_of_the_page_runs(page, capsys):
    assert page["episodes"].outcome.tolist() == ["success"] and page["match"].state.outcome == "success"
    assert page["turns"].role.tolist() == ["describer", "guesser"]
    assert page["episodes"].players.iloc[0] == {"describer": "bot:competent", "guesser": "bot:competent"}
    assert str(page["episodes"].started_at.dtype).startswith("datetime64")
    assert {branch["relation"] for branch in page["tree"]["from"]} >= {"said in", "said by"}
    assert api.check(page["Guess"]()) == []


@pytest.mark.slow
async def test_filters_and_words_that_are_wrong(page, tmp_path):
    with api.open(tmp_path / "episodes.sqlite") as log:
        assert len(log.episodes(games=("wordle",))) == 0 and len(log.turns(models=("bot:competent",))) == 2
        assert log.heard(page["episodes"].index[0][:20], "guesser")[1]["content"].startswith("GUESS:")
        with pytest.raises(ValueError, match="no outcome 'won'"):
            log.episodes(outcomes=("won",))
        with pytest.raises(LookupError, match="nothing in the log"):
            log.trace("nothing")


def test_fewer_than_ten_names_each_explained():
    assert len(api.__all__) < 10
    assert all(getattr(api, name).__doc__ for name in api.__all__)


def test_without_pandas_there_is_a_way_out(monkeypatch, tmp_path):
    from store.log import Log

    Log.open(tmp_path / "e.sqlite").close()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with api.open(tmp_path / "e.sqlite") as log, pytest.raises(ModuleNotFoundError, match="pip install pandas"):
        log.episodes()
