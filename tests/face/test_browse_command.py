"""`browse` without a screen: lists, one episode, two side by side, tags and trash in bulk, views, and wrong usage."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from bench.big_log import RARE, make
from playpen_tui.cli import cli


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "episodes.sqlite"
    make(path, 60)
    return path


def run(log, *words, code=0):
    ran = CliRunner().invoke(cli, ["browse", *words, "--db", str(log)])
    assert ran.exit_code == code, ran.output
    return ran.output


def found(log, *words):
    return json.loads(run(log, *words, "--json"))


def test_a_query_lists_what_fits_page_after_page(log):
    every = found(log, "--limit", "0")
    assert every["found"] == len(every["episodes"]) == 60 and every["next"] is None
    pages, after = [], []
    while True:
        page = found(log, "sort:score", "--limit", "25", *after)
        pages += [episode["id"] for episode in page["episodes"]]
        if page["next"] is None:
            break
        after = ["--after", page["next"]]
    assert sorted(pages) == sorted(episode["id"] for episode in every["episodes"]) and len(pages) == 60
    some = found(log, "game:taboo", "-outcome:success", "plies>3")
    assert some["query"] == "game:taboo -outcome:success plies>3"
    assert 0 < some["found"] < 60 and {episode["game"] for episode in some["episodes"]} == {"taboo"}
    assert "success" not in {episode["outcome"] for episode in some["episodes"]}
    (first, *_) = found(log, RARE)["episodes"]
    assert f"[{RARE}]" in first["excerpt"]


def test_lines_say_how_many_there_are_and_how_to_go_on(log):
    text = run(log, "--plain", "--limit", "5")
    head, *rows, last = text.splitlines()
    assert head.startswith("episode") and len(rows) == 5
    assert last.startswith("5 of 60 episodes; --after ") and last.split()[5] == rows[-1].split()[0]
    assert run(log, "--plain", "kind:eval") == "0 of 0 episodes\n"


def test_one_episode_in_full_and_two_side_by_side(log):
    one, other = (episode["id"] for episode in found(log, "--limit", "2")["episodes"])
    text = run(log, one, "--plain")
    assert f"episode {one}\n" in text and "PROVENANCE" in text and "RAW REQUESTS" in text
    assert found(log, one)["id"] == one
    assert run(log, one, "--markdown").startswith("# ")
    role = found(log, one)["roles"][0]
    assert f"{role} heard: " in run(log, one, "--plain", "--eyes", role)
    assert "first difference: " in run(log, one, other, "--plain")
    assert found(log, one, other)["first"]["what"]
    assert found(log, one, one)["first"] is None


def test_bulk_actions_and_views(log):
    tagged = found(log, "game:wordle", "--add-tag", "odd")
    (change,) = tagged["changes"]
    assert change["kind"] == "tag" and len(change["episodes"]) == found(log, "tag:odd")["found"] > 0
    assert "took odd off" in run(log, "tag:odd", "--remove-tag", "odd")
    assert "moved" in run(log, "game:wordle", "--trash")
    left = found(log, "--limit", "0")
    assert left["found"] == 60 - len(change["episodes"]) == len(left["episodes"])
    run(log, "game:taboo", "score>40", "--save", "good taboo")
    assert found(log, "--view", "good taboo")["query"] == "game:taboo score>40"
    assert found(log, "--view", "good taboo", "plies>8")["query"] == "game:taboo score>40 plies>8"
    assert "took" in run(log, "--restore")
    assert found(log)["found"] == 60


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("gaem:taboo", "--plain"), 2, "did you mean game:?"),
        (("gaem:taboo",), 2, "did you mean game:?"),
        (("--view", "x", "--plain"), 2, "no view 'x'; --save NAME makes one"),
        (("01ABCDEF", "--plain"), 1, "no episode '01ABCDEF'"),
        (("01ABCDEF",), 1, "no episode '01ABCDEF'"),
        (("--after", "01ABCDEF", "--plain"), 1, "no episode"),
        (("--add-tag", "a,b"), 2, "a tag is up to 60 characters"),
        (("word",), 1, "this is no terminal"),
    ],
)
def test_what_cannot_be_is_a_sentence(log, words, code, told, monkeypatch, capsys):
    from playpen_tui.cli import main

    monkeypatch.setattr("sys.argv", ["playpen-tui", "--db", str(log), "browse", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
