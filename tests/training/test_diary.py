"""The diary's thread: it tries again what a log refuses, and ends with a log that was closed."""

from __future__ import annotations

from store.log import Log
from training import diary
from training.diary import Diary


def test_it_ends_with_its_log_and_says_nothing_more(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(diary, "BEAT", 0.01)
    log = Log.open(tmp_path / "e.sqlite")
    kept = Diary(log, lambda db: None)
    kept.start()
    log.close()
    kept._thread.join(10)
    assert not kept._thread.is_alive() and not capsys.readouterr().err
