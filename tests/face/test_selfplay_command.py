"""`selfplay` in lines: limits that hold over a resume, budgets that end a run, prices, and what is refused."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner, Result

from players.plan import Plan
from players.scheduler import Tally
from playpen_tui import selfplay
from playpen_tui.cli import cli
from playpen_tui.cli import selfplay as command
from playpen_tui.overview import overview
from playpen_tui.run_end import closing
from playpen_tui.selfplay import told
from playpen_tui.sitting import Setup
from playpen_tui.stands import FollowStand
from playpen_tui.workbench import Workbench
from store.errors import Damaged, DiskFull
from store.log import Log

CALL = 15
"""Tokens of a reply of the test server, in and out."""


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    for name in ("CONFIG", "DATA", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PLAYPEN_DB", str(tmp_path / "e.sqlite"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def seats(server):
    """A describer on the test server who breaks the rules at once: every match is one call."""
    server.scripts["m"] = lambda reply: reply.say("no clue")
    return ["--seat", f"describer=openai:m?base_url={server.url}", "--seat", "guesser=bot"]


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["selfplay", *words, "--json"])


def refused(*words: str) -> str:
    """The sentence of a refusal; nothing may be printed as a result."""
    found = run(*words)
    assert found.exit_code and not found.stdout
    return found.stderr or str(found.exception)


def begun(host: str, pid: int, beat_at: str = "2999-01-01T00:00:00.000Z") -> str:
    """A run of bots that another process began and has said to be running; returns its id."""
    document = json.loads(run("taboo", "--player", "bot", "--episodes", "2").stdout)
    said = ("running", 2, 0, 0, 1, host, pid, beat_at)
    with Log.open(None) as log:
        other = log.new_run("self_play", log.queries.run(document["run"]).config)
        sql = "INSERT INTO progress (run_id, state, planned, done, failed, running, host, pid, beat_at) VALUES "
        log.write(lambda db: db.execute(f"{sql} (?, ?, ?, ?, ?, ?, ?, ?, ?)", (other, *said)))
    return other


def test_a_budget_that_ends_a_run_is_named_and_holds_over_a_resume(server, seats):
    first = run("taboo", *seats, "--episodes", "16", "--max-tokens", "45", "--concurrency", "1")
    document = json.loads(first.stdout)
    done, used = document["done"], CALL * server.count("m")  # some were under way when the budget was spent
    resume = ("--resume", document["run"])
    assert first.exit_code == 1 and document["stopped_by"] == "tokens" and 3 <= done <= 4
    assert f"the budget of 45 tokens for openai:m is spent; {16 - done} of 16 are left" in first.stderr
    assert f"selfplay --resume {document['run']} --max-tokens N goes on, with N above {used}" in first.stderr
    said = refused(*resume)
    assert "the budget of 45 tokens for openai:m is spent" in said and f"--max-tokens N, N above {used}" in said
    assert run(*resume).exception.exit_code == 1 and server.count("m") == done
    more = run(*resume, "--max-tokens", str(used + 1))
    assert done < json.loads(more.stdout)["done"] <= done + 4  # what was used before counts
    assert "of 16 are left" in more.stderr
    last = run(*resume, "--max-tokens", "1000")
    document = json.loads(last.stdout)
    assert last.exit_code == 0 and document["done"] == 16 and document["stopped_by"] is None
    assert run(*resume).exit_code == 0  # there is nothing left that would need a budget
    assert json.loads(run("--resume", "last").stdout)["run"] == document["run"]


def test_plain_lines_say_that_the_budget_is_spent(seats):
    words = ["selfplay", "taboo", *seats, "--episodes", "8", "--max-tokens", "15", "--concurrency", "1", "--plain"]
    found = CliRunner().invoke(cli, words)
    assert "the budget of 15 tokens for openai:m is spent; 4 of 8 are left; playpen-tui selfplay" in found.stderr
    unkept = CliRunner().invoke(cli, [*words, "--no-record"])
    assert "is spent; 4 of 8 are left\n" in unkept.stderr and "--resume" not in unkept.stderr


def test_a_resumed_run_has_the_limits_it_began_with_but_for_those_that_are_named(seats):
    words = ("--episodes", "4", "--max-tokens", "15", "--timeout", "7", "--retries", "1", "--concurrency", "1")
    document = json.loads(run("taboo", *seats, *words).stdout)
    with Log.open(None, readonly=True) as log:
        config = log.queries.run(document["run"]).config
    wish = selfplay.Wish(resume=document["run"], limits={"tokens": 30})
    limits = selfplay._limits(wish, {**config, "limits": {**config["limits"], "of_another_version": 1}})
    assert (limits.tokens, limits.timeout, limits.retries, config["concurrency"]) == (30, 7, 1, 1)


def test_a_budget_of_dollars_holds_over_a_resume_and_needs_prices(server):
    server.scripts["m"] = lambda reply: reply.say("no clue")
    add = ["models", "add", "dear", "--backend", "openai", "--model", "m", "--base-url", server.url]
    assert CliRunner().invoke(cli, add).exit_code == 0
    words = ("taboo", "--seat", "describer=dear", "--seat", "guesser=bot", "--episodes", "12", "--concurrency", "1")
    said = refused(*words, "--max-cost", "1")
    assert "the price of dear is not known" in said
    assert "`playpen-tui models edit dear --price-in USD --price-out USD`" in said and server.count("m") == 0
    assert CliRunner().invoke(cli, ["models", "edit", "dear", "--price-in", "0"]).exit_code == 0
    assert "is not known" in refused(*words, "--max-cost", "1")  # half a price is none
    assert CliRunner().invoke(cli, ["models", "edit", "dear", "--price-out", "1000000"]).exit_code == 0
    first = run(*words, "--max-cost", "6")  # three dollars a reply
    document = json.loads(first.stdout)
    done = document["done"]
    assert document["stopped_by"] == "cost" and 2 <= done <= 4
    assert "the budget of $6 for dear is spent" in first.stderr and "--max-cost N" in first.stderr
    assert f"--max-cost N, N above {3 * done}" in refused("--resume", document["run"])
    more = json.loads(run("--resume", document["run"], "--max-cost", str(3 * done + 1)).stdout)
    assert done < more["done"] <= done + 4


def test_who_costs_nothing_needs_no_price_and_who_is_not_registered_is_to_be(server, seats):
    assert run("taboo", "--player", "bot", "--episodes", "2", "--max-cost", "1").exit_code == 0
    said = refused("taboo", *seats, "--episodes", "2", "--max-cost", "1")
    assert "models add NAME --backend openai --model m" in said and server.count("m") == 0
    for local in ("smollm2", "vllm:x", "transformers:/x", "llamacpp:x.gguf"):
        found = run("taboo", "--player", f"{local}", "--episodes", "1", "--max-cost", "1", "--per-instance", "1")
        assert "price" not in str(found.exception)


def test_a_run_whose_matches_failed_is_stopped_and_can_be_resumed(server, seats):
    server.scripts["m"] = lambda reply: reply.error(400, "no") if reply.number < 2 else reply.say("no clue")
    document = json.loads(run("taboo", *seats, "--episodes", "4", "--concurrency", "1").stdout)
    assert (document["done"], document["failed"]) == (2, 2)
    with Log.open(None) as log:
        stand = FollowStand(log, document["run"])
        assert stand.word == "stopped" and "resume" in stand.abilities
        (line,) = (one.line for one in overview(log, Setup("taboo")).unfinished if one.run)
        assert line.endswith("2 of 4 · stopped")
        log.write(lambda db: db.execute("UPDATE progress SET state = 'done'"))  # as earlier versions left it
        stand = FollowStand(log, document["run"])
        assert stand.word == "stopped" and "resume" in stand.abilities
    assert run("--resume", document["run"]).exit_code == 0
    with Log.open(None) as log:
        assert FollowStand(log, document["run"]).word == "done"


def test_a_run_that_a_living_process_plays_is_not_resumed():
    here = begun(host=socket.gethostname(), pid=os.getpid())
    assert "is being played right now" in refused("--resume", here)
    there = begun(host="elsewhere", pid=1)
    assert "is being played right now, by process 1 on elsewhere" in refused("--resume", there)


def test_a_run_whose_process_was_killed_is_resumed_at_once():
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    dead = begun(host=socket.gethostname(), pid=gone.pid)
    silent = begun(host="elsewhere", pid=1, beat_at="2020-01-01T00:00:00.000Z")
    for resumed in (dead, silent):
        assert run("--resume", resumed).exit_code == 0
    unreaped = subprocess.Popen([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, unreaped.pid, os.WEXITED | os.WNOWAIT)
    assert not selfplay._lives(socket.gethostname(), unreaped.pid)
    unreaped.wait()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--episodes", "3"), "leave out --episodes"),
        (("--cross",), "leave out --cross"),
        (("--swap",), "leave out --swap"),
        (("--per-instance", "2"), "leave out --per-instance"),
        (("--experiment", "x"), "leave out --experiment"),
        (("--lang", "de"), "leave out --lang"),
        (("--assist",), "leave out --assist"),
        (("--no-assist",), "leave out --no-assist"),
        (("--no-record",), "leave out --no-record"),
        (("--seed", "0"), "leave out --seed"),
        (("--player", "bot", "--seat", "guesser=bot"), "leave out --player and --seat"),
    ],
)
def test_what_a_resumed_run_has_planned_already_is_refused_as_typed(words, said):
    assert said in refused("--resume", "01ABC", *words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--timeout", "nan"), "'--timeout'"),
        (("--timeout", "inf"), "'--timeout'"),
        (("--max-cost", "nan"), "'--max-cost'"),
        (("--max-cost", "inf"), "'--max-cost'"),
        (("--max-cost", "0"), "'--max-cost'"),
        (("--seat", "guesser=bot", "--seat", "guesser=bot:random"), "--seat names guesser twice"),
    ],
)
def test_what_is_no_limit_and_a_seat_named_twice_are_refused(words, said):
    assert said in refused("taboo", "--player", "bot", *words)


@pytest.mark.parametrize(
    ("rate", "words"), [(1860.4, "1,860/s"), (999.7, "1,000/s"), (41.26, "41.3/s"), (0.5, "0.5/s")]
)
def test_rates_are_numbers_that_people_read(rate, words):
    class Opened:
        class scheduler:
            @staticmethod
            def count():
                return Tally(planned=10**6, done=round(rate * 1000), seconds=1000.0)

    assert words in told(Opened())[1]


def test_a_run_that_cannot_begin_leaves_none_behind(tmp_path):
    run("taboo", "--player", "bot", "--episodes", "1")
    (tmp_path / "no.gguf").write_text("no weights")
    assert "is not a GGUF file" in refused("taboo", "--player", f"llamacpp:{tmp_path / 'no.gguf'}", "--episodes", "1")
    with Log.open(None, readonly=True) as log:
        assert len(log.queries.runs()) == 1


def test_a_seat_that_cannot_be_assisted_is_refused_before_anything_is_played(tmp_path):
    weights = f"transformers:{tmp_path / 'weights.gguf'}"
    for words in ((weights, "--assist"), (f"{weights}?assist=on",)):
        said = refused("taboo", "--player", *words, "--episodes", "1")
        assert "transformers keeps no grammar here" in said and "leave that out" in said
    assert "no grammar" not in refused("taboo", "--player", f"{weights}?assist=off", "--assist", "--episodes", "1")


def test_matches_that_all_fail_alike_end_the_run_and_lines_say_why(server, seats):
    server.scripts["m"] = lambda reply: reply.error(400, "no such setting here")
    words = ["selfplay", "taboo", *seats, "--episodes", "30", "--concurrency", "2", "--plain"]
    found = CliRunner().invoke(cli, words)
    assert found.exit_code == 1 and "could not go on, rejected: " in found.stdout
    assert found.stdout.count("no such setting here") == 1
    assert "all failed for the same reason, so no more were begun: " in found.stderr
    assert "30 of 30 are not finished; go on with: playpen-tui selfplay --resume" in found.stderr
    with Log.open(None, readonly=True) as log:
        assert 8 <= log.queries.counts().episodes <= 10


def test_matches_aborted_for_their_form_are_explained(server, seats):
    server.scripts["m"] = lambda reply: reply.say("no form")
    found = run("taboo", *seats, "--episodes", "4")
    assert found.exit_code == 0 and json.loads(found.stdout)["outcomes"] == {"aborted": 4}
    assert "4 of 4 were aborted: a model that is not assisted must keep the form" in found.stderr
    assert "--assist helps" in found.stderr
    words = ("taboo", "--player", "bot:random", "--episodes", "2")
    assert "--assist" not in run(*words).stderr


def test_a_finished_run_is_not_resumed_but_said_to_be_finished(monkeypatch):
    document = json.loads(run("taboo", "--player", "bot", "--episodes", "2").stdout)
    again = run("--resume", document["run"])
    assert again.exit_code == 0 and "was finished already: nothing of it was left to play" in again.stderr
    opened = []
    monkeypatch.setattr("playpen_tui.cli.play.open_app", lambda *some, **more: opened.append(more) or 0)
    monkeypatch.setattr(command, "sys", Terminal())
    found = CliRunner().invoke(cli, ["selfplay", "--resume", document["run"]])
    assert found.exit_code == 0 and not opened
    assert "is finished: all 2 were played" in found.stdout and "spectate --run" in found.stdout
    assert CliRunner().invoke(cli, ["selfplay", "taboo", "--player", "bot"]).exit_code == 0 and opened


class Terminal:
    """What the command sees of a terminal."""

    stdin = stdout = stderr = type("Stream", (), {"isatty": lambda self: True})()


def test_a_line_of_progress_has_the_width_of_the_terminal(monkeypatch):
    monkeypatch.setattr(command.sys, "stderr", type("Stream", (), {"fileno": lambda self: 2})())
    monkeypatch.setattr(command.os, "get_terminal_size", lambda at: os.terminal_size((60, 20)))
    assert command._width() == 59


@pytest.mark.parametrize(("fault", "said"), [(DiskFull, "disk full"), (Damaged, "log not written")])
async def test_why_the_log_could_not_be_written_stays_with_the_run(tmp_path, monkeypatch, fault, said):
    async with Workbench(tmp_path / "e.sqlite") as bench:
        opened = await selfplay.open_selfplay(bench, selfplay.Wish(Plan(("taboo",), ("bot",), episodes=2)))

        async def begin(*some):
            raise fault("no more of this")

        monkeypatch.setattr(opened.scheduler._recorder, "begin", begin)
        with pytest.raises(fault):
            await opened.run()
        assert opened.reason == said and "no more of this" in closing(opened)
        assert "running" not in selfplay.line(opened)


def test_a_run_that_drains_says_so_and_one_that_is_over_has_no_end_to_come():
    class Opened:
        class scheduler:
            tally = Tally(planned=100, done=10, running=4, seconds=10.0, draining=True)
            count = classmethod(lambda cls: cls.tally)

    assert told(Opened()) == (["10 of 100 done", "4 running", "0 failed"], ["1/s", "ETA 4 s", "no more begin"])
    Opened.scheduler.tally = Tally(planned=100, done=14, seconds=14.0, draining=True, over=True)
    assert told(Opened()) == (["14 of 100 done", "0 failed"], ["1/s"])
