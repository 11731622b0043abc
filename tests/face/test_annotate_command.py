"""`annotate` from end to end: a filter, votes in lines, models, decisions, packs that join."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from judged_log import played

from playpen_tui import model_judge
from playpen_tui.judging import Shown, Side
from store import judging, queues
from store.keep import check
from store.log import Log


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = tmp_path / "e.sqlite"
    played(path, many=6).close()
    return path


def run(path, *words, typed="", fails=0):
    """What the command prints; a document where --json was asked for."""
    call = [sys.executable, "-m", "playpen_tui", "--db", str(path), "annotate", *words]
    done = subprocess.run(call, input=typed, capture_output=True, text=True, timeout=120, env=os.environ)
    assert done.returncode == fails, done.stderr
    if fails:
        return done.stderr
    return json.loads(done.stdout) if "--json" in words else done.stdout


def rows(path, sql, *values):
    with Log.open(path, readonly=True) as log:
        return log.reader().execute(sql, values).fetchall()


def test_from_a_filter_to_votes_in_lines(path, tmp_path):
    guide = tmp_path / "guide.md"
    guide.write_text("# The better clue")
    made = run(
        path, "queue", "new", "clues", "--role", "describer", "--judges", "2", "--seed", "3", "--limit", "5",
        "--guidelines", str(guide), "--repeats", "0", "--json",
    )  # fmt: skip
    assert (made["items"], made["judges"], made["seed"], made["not_for_training"]) == (5, 2, 3, 0)
    typed = "1\nnonsense\nf\nc so so\n2!\nu\n3\n4\ns\n1\nq\n"
    text = run(path, "--queue", "clues", "--plain", "--as", "kind-owl-1", typed=typed)
    assert "guidelines, version 1:\n# The better clue" in text and "1 of 5: taboo, describer" in text
    assert "'nonsense' is no answer" in text and "taken back" in text and "nothing is left for you" in text
    assert "CLUE:" not in text and "6 votes in clues as kind-owl-1" in text
    kept = [verdict for (verdict,) in rows(path, "SELECT verdict FROM verdicts ORDER BY at")]
    assert kept[1:4] == ["tie", "bad", "skip"] and kept[0] in ("a", "b") and len(kept) == 5
    flagged = rows(path, "SELECT value FROM annotations WHERE json_extract(value, '$.verdict') = 'tie'")
    assert json.loads(flagged[0][0]) == {"verdict": "tie", "flag": True, "comment": "so so"}
    told = run(path, "queue", "show", "clues", "--items", "--json")
    assert told["tally"]["votes"] == 4 and len(told["items"]) == 5 and told["guidelines"] == "# The better clue"
    (line,) = run(path, "queue", "list", "--json")["queues"]
    assert (line["name"], line["judges"], line["open"]) == ("clues", 2, True)


def test_the_input_may_end_and_json_says_what_is_left(path):
    run(path, "queue", "new", "clues", "--limit", "3", "--repeats", "0")
    told = run(path, "--json", "--as", "kind-owl-1", typed="1\n2")
    assert (told["votes"], told["left"], told["queue"], told["judge"]) == (2, True, "clues", "kind-owl-1")
    assert run(path, "--json", "--limit", "1", "--as", "kind-owl-1", typed="3\n3\n")["verdicts"] == {"tie": 1}


def test_wrong_usage_is_a_sentence(path):
    assert "`playpen-tui annotate queue new NAME` makes one" in run(path, "--plain", fails=2)
    run(path, "queue", "new", "one", "--limit", "2"), run(path, "queue", "new", "two", "--limit", "2")
    assert "several queues are open; name one with --queue: two, one" in run(path, "--plain", fails=2)
    assert "there is a queue 'one' already" in run(path, "queue", "new", "one", fails=2)
    assert "did you mean 'one'" in run(path, "queue", "show", "onee", fails=2)
    assert "nothing to judge" in run(path, "queue", "new", "x", "--game", "wordle", fails=2)
    assert "no judge bot:best" in run(path, "--queue", "one", "--as", "judge:bot:best", fails=2)
    assert "go together" in run(path, "adjudicate", "one", "--item", "x", fails=2)
    run(path, "queue", "close", "one"), run(path, "queue", "close", "two")
    assert "is closed" in run(path, "--queue", "one", "--plain", fails=2)
    assert run(path, "queue", "close", "one", "--again") == "one is open\n"


def test_adding_more_known_answers_and_new_guidelines(path, tmp_path):
    run(path, "queue", "new", "q", "--limit", "4", "--role", "describer")
    again = run(path, "queue", "new", "q", "--more", "--limit", "4", "--role", "describer", "--json")
    assert (again["items"], again["there_before"]) == (0, 4)
    (pair,) = rows(path, "SELECT t.turn_id, u.turn_id FROM items i JOIN candidates t ON t.id = i.a_id "
                         "JOIN candidates u ON u.id = i.b_id LIMIT 1")  # fmt: skip
    gold = tmp_path / "gold.jsonl"
    gold.write_text(json.dumps({"a": pair[1], "b": pair[0], "gold": "a"}) + "\n")
    run(path, "queue", "new", "q", "--more", "--limit", "4", "--role", "describer", "--gold", str(gold))
    assert rows(path, "SELECT gold FROM items WHERE gold IS NOT NULL") == [("b",)], "it stood the other way round"
    gold.write_text('{"a": "x", "b": "y", "gold": "a"}')
    assert "line 1: no turn or candidate 'x'" in run(path, "queue", "new", "g", "--gold", str(gold), fails=2)
    gold.write_text("nonsense")
    assert "line 1 is not" in run(path, "queue", "new", "g", "--gold", str(gold), fails=2)
    page = tmp_path / "g.md"
    page.write_text("first")
    assert "version 1 is in force" in run(path, "queue", "guidelines", "q", str(page))
    page.write_text("second")
    told = run(path, "queue", "guidelines", "q", str(page), "--json")
    assert told["version"] == 2 and [one["text"] for one in told["versions"]] == ["first", "second"]
    assert run(path, "queue", "guidelines", "q", "--version", "1") == "first\n"


def test_mined_pairs_fill_a_queue_that_is_made_once(path):
    made = run(path, "mine", "mined", "--limit", "5", "--json")
    assert made["items"] == 5
    again = run(path, "mine", "mined", "--limit", "5", "--json")
    assert (again["items"], again["there_before"]) == (0, 5)
    assert all(":" in why for (why,) in rows(path, "SELECT why FROM items"))


def test_scripted_models_judge_everything_and_are_kept_apart(path):
    run(path, "queue", "new", "q", "--limit", "6", "--repeats", "0")
    told = run(path, "--as", "judge:bot:left", "--json")
    assert (told["judge"], told["votes"], told["verdicts"], told["failed"]) == ("bot:left", 6, {"left": 6}, 0)
    assert run(path, "--as", "judge:bot:left", "--json")["votes"] == 0
    assert run(path, "--as", "judge:bot:longer", "--limit", "2", "--json")["votes"] == 2
    assert rows(path, "SELECT DISTINCT judge_kind FROM verdicts") == [("model",)]
    assert rows(path, "SELECT count(*) FROM people") == [(0,)]


def test_decisions(path):
    run(path, "queue", "new", "q", "--limit", "1", "--judges", "2", "--repeats", "0")
    run(path, "--plain", "--as", "kind-owl-1", typed="3\n"), run(path, "--plain", "--as", "shy-fox-2", typed="4\n")
    (one,) = run(path, "adjudicate", "q", "--json")["disputed"]
    assert [o["verdict"] for o in one["opinions"]] == ["tie", "bad"]
    assert "shy-fox-2 says both are bad" in run(path, "adjudicate", "q")
    assert (
        run(path, "adjudicate", "q", "--plain", "--as", "calm-hen-3", "--json", typed="1\n1 it is true\n")["decided"]
        == 1
    )
    assert run(path, "adjudicate", "q") == "nothing is disputed\n"
    assert "decided by calm-hen-3: A is better, it is true" in run(path, "adjudicate", "q", "--all")
    item = one["item"]
    run(path, "adjudicate", "q", "--item", item[:8], "--verdict", "bad", "--reason", "no", "--as", "kind-owl-1")
    kept = rows(path, "SELECT judge, verdict FROM verdicts WHERE adjudicated")
    assert kept == [("kind-owl-1", "bad")]


def test_a_pack_is_judged_elsewhere_and_joins_once(path, tmp_path):
    run(path, "queue", "new", "q", "--limit", "6", "--kind", "all", "--judges", "2", "--repeats", "0")
    run(path, "--plain", "--as", "kind-owl-1", typed="1\n1\n"), run(path, "--plain", "--as", "shy-fox-2", typed="3\n")
    pack = tmp_path / "pack.sqlite"
    told = run(path, "pack", "q", "--out", str(pack), "--for", "shy-fox-2", "--json")
    assert told["items"] == 6 and told["withheld"] == 0
    with Log.open(pack) as log:
        assert check(log).ok
        assert log.reader().execute("SELECT DISTINCT annotator_id FROM annotations").fetchall() == [("shy-fox-2",)]
        assert log.reader().execute("SELECT count(*) FROM calls").fetchone() == (0,)
        queue = queues.find_queue(log.reader(), "q")
        assert judging.left_for(log.reader(), queue, judging.Judge("shy-fox-2")) == (1, 5)
    assert run(pack, "--json", "--as", "shy-fox-2", typed="2\n" * 9)["votes"] == 5
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "playpen_tui", "--db", str(path), "db", "merge", str(pack)],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert rows(path, "SELECT judge, count(*) FROM verdicts GROUP BY 1 ORDER BY 1") == [
            ("kind-owl-1", 2), ("shy-fox-2", 6),
        ]  # fmt: skip
    with Log.open(path) as log:
        assert check(log).ok
    assert "exists" in run(path, "pack", "q", "--out", str(pack), fails=1)


def test_what_may_not_leave_stays(path, tmp_path):
    run(path, "queue", "new", "q", "--limit", "6")
    with Log.open(path) as log:
        log.people.add("local", "home-hen-1")
        human = "INSERT INTO players (id, kind, name) VALUES ('h', 'human', 'human')"
        seat = """UPDATE seats SET player_id = 'h', person_id = 'home-hen-1' WHERE role = 'describer' AND episode_id =
          (SELECT episode_id FROM items ORDER BY id LIMIT 1)"""
        log.write(lambda db: (db.execute(human).rowcount, db.execute(seat).rowcount))
    told = run(path, "pack", "q", "--out", str(tmp_path / "p.sqlite"), "--json")
    assert told["withheld"] >= 1 and told["items"] + told["withheld"] == 6
    assert rows(tmp_path / "p.sqlite", "SELECT count(*) FROM people") == [(0,)]
    assert run(path, "pack", "q", "--out", str(tmp_path / "l.sqlite"), "--consent", "local", "--json")["withheld"] == 0


# models


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("VERDICT: A", "left"),
        ("I think so.\n\n**VERDICT:** b.", "right"),
        ("verdict: tie\n", "tie"),
        ("VERDICT: BAD", "bad"),
        ("VERDICT: A or B", None),
        ("VERDICT: A\nbut then again", None),
        ("A", None),
        ("", None),
    ],
)
def test_an_answer_is_read_strictly(text, verdict):
    assert model_judge.read(text) == verdict


def shown(left="one", right="another"):
    context = (("board", "secret word: RAIN"), ("guesser", "sun?"))
    return Shown("i", "pair", "taboo", "describer", context, Side("x", left), Side("y", right), False, 1, 1)


def test_what_a_model_is_asked_has_the_guidelines_and_nobodys_name():
    text = model_judge.prompt(shown(), "Prefer the shorter.")
    assert "Prefer the shorter." in text and text.index("<A>\n[describer] one") < text.index("<B>\n[describer] another")
    assert "[what you see] secret word: RAIN" in text and "x" not in text.split("<A>")[1].split("</A>")[0].split("]")[1]


def _model(server, path, *answers, queue="q", more=(), settings=""):
    told = iter(answers)
    server.scripts["m"] = lambda reply: reply.say(next(told, "VERDICT: A"))
    spec = f"judge:openai:m?base_url={server.url}{settings}"
    return run(path, "--queue", queue, "--as", spec, "--json", *more)


@pytest.mark.slow
def test_items_without_a_verdict_count_for_the_limit(path, server):
    run(path, "queue", "new", "q", "--limit", "3", "--repeats", "0")
    told = _model(server, path, "VERDICT: TIE", *["never"] * 9, more=("--limit", "2"))
    assert (told["votes"], told["failed"], len(server.requests)) == (1, 1, 4)


@pytest.mark.slow
def test_a_model_that_is_assisted_writes_within_a_grammar(path, server):
    run(path, "queue", "new", "q", "--limit", "2", "--repeats", "0")
    told = _model(server, path, "VERDICT: B", "VERDICT: BAD", settings="&assist=true")
    assert (told["votes"], told["failed"], told["verdicts"]) == (2, 0, {"right": 1, "bad": 1})
    for asked in server.requests:
        assert asked["grammar"] == model_judge.GRAMMAR and asked["max_tokens"] == model_judge.SHORT
        assert "think" not in asked["messages"][0]["content"]


@pytest.mark.slow
def test_a_model_is_asked_again_and_what_it_never_says_is_a_failure(path, server):
    run(path, "queue", "new", "q", "--limit", "3", "--repeats", "0")
    told = _model(server, path, "hm", "VERDICT: TIE", "no", "never", "not at all", "VERDICT: BAD")
    assert (told["votes"], told["verdicts"]) == (2, {"tie": 1, "bad": 1})
    assert told["failures"] == {"no verdict in 3 answers": 1}
    assert "VERDICT: A, VERDICT: B" in server.requests[1]["messages"][-1]["content"]
    later = _model(server, path)
    assert (later["votes"], later["failed"]) == (1, 0), "what failed is still open to it"
