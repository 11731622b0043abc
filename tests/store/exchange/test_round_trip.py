"""Everything that was judged goes out as lines and comes back as the very rows, less what somebody did not agree to."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from own_log import fill, put_candidate
from test_merge import content
from tiny_game import Tiny

from store import studies
from store.exchange.bundle import export_bundle
from store.exchange.chosen import Held
from store.exchange.jsonl import ERASED, export_jsonl
from store.exchange.jsonl_in import import_jsonl
from store.filters import Filters
from store.forget import forget
from store.ids import now
from store.keep import check
from store.log import Log
from store.merge import ORDER, merge

ALL = Filters()
JUDGING = (
    *("queues", "guidelines", "items", "annotations", "candidates", "branches", "rollouts"),
    *("studies", "participants", "answers", "people", "runs", "episodes", "turns", "results"),
)


def judge(log, id, who, chosen, rejected, item=None, supersedes=None, verdict="a"):
    sql = (
        "INSERT INTO annotations (id, kind, annotator_id, chosen_id, rejected_id, strength, value, item_id, "
        "guideline_id, created_at, supersedes) VALUES (?, 'preference', ?, ?, ?, 1, ?, ?, ?, '2026', ?)"
    )
    values = (id, who, chosen, rejected, json.dumps({"verdict": verdict}), item, "G" if item else None, supersedes)
    log.write(lambda db: db.execute(sql, values).rowcount)


@pytest.fixture
async def ids(log):
    """A queue with a judged and an unjudged item, one without any, pairs across episodes, branches, and a study."""
    ids = await fill(log)
    teller = "SELECT id FROM turns WHERE episode_id = ? AND ply = 1"
    said = log.reader().execute(teller, (ids["branch"],)).fetchone()[0]
    ids["a"] = put_candidate(log, ids["model"], 1, "another answer", turn=said)
    ids["b"] = put_candidate(log, ids["model"], 1, "b")
    ids["far"] = put_candidate(log, ids["research"], 0, "elsewhere", person=ids["shared"])
    run = log.new_run("branch", {"of": "model"}, seed=1, app_version="t")

    def write(db):
        for queue in ("Q", "EMPTY"):
            db.execute("INSERT INTO queues (id, name, seed, created_at) VALUES (?, ?, 1, '2026')", (queue, queue))
        for id, queue in (("G", "Q"), ("H", "EMPTY")):
            db.execute("INSERT INTO guidelines VALUES (?, ?, 1, 'be fair', '2026')", (id, queue))
        item = "INSERT INTO items (id, queue_id, kind, episode_id, ply, role, a_id, b_id, created_at) VALUES "
        for id, other in (("I", ids["b"]), ("J", ids["far"])):
            values = (id, ids["model"], ids["a"], other)
            db.execute(f"{item} (?, 'Q', 'pair', ?, 1, 'teller', ?, ?, '2026')", values)
        for place, candidate in enumerate((ids["a"], ids["b"])):
            db.execute("INSERT INTO branches VALUES (?, ?, ?, 1)", (run, candidate, place))
        db.execute("INSERT INTO rollouts VALUES (?, ?)", (ids["branch"], ids["a"]))

    log.write(write)
    # a change of mind whose preferred side lies in another episode, and a skipped repeat of it
    judge(log, "V1", ids["open"], ids["a"], ids["far"], "J")
    judge(log, "V2", ids["open"], ids["far"], ids["a"], "J", supersedes="V1", verdict="b")
    judge(log, "V3", ids["shared"], ids["a"], ids["b"], "I")
    study = studies.add_study(log, "s", {"consent": "yes?"})
    for name, level in (("open", "public"), ("shared", "research"), ("private", "local")):
        about = SimpleNamespace(level=level, quota=9, hours=1)
        one = studies.join(
            log, study.id, ids[name], level=about.level, quota=9, hours=1, plan=lambda place: [{"place": place}],
            code=f"CODE{name}", consent={"answer": "yes"},
        )  # fmt: skip
        for question, value in (("age", None), ("words", 'a "quoted" ü\0'), ("odd", {"$text": 1})):
            studies.answer(log, one.id, question, value)
        studies.finish(log, one.id)
    return ids


def rows(path):
    return content(path, skip=set(ORDER) - set(JUDGING))


def out_and_in(log, tmp_path, filters=ALL, level="local", name="a"):
    """The bytes of an export, and those of the export of a log that took it in; and that log's path."""
    done = export_jsonl(log, filters, tmp_path / f"{name}.jsonl", level)
    with Log.open(tmp_path / f"{name}.sqlite") as target:
        taken = import_jsonl(target, tmp_path / f"{name}.jsonl")
        assert (taken.refused, taken.left_out, taken.forgotten) == ([], {}, [])
        before = rows(target.path)
        again = import_jsonl(target, tmp_path / f"{name}.jsonl")
        assert again.rows == {} and rows(target.path) == before, "twice is once"
        export_jsonl(target, ALL, tmp_path / f"{name}-again.jsonl", level)
        assert check(target, game_of=lambda name: Tiny()).ok
    first, second = ((tmp_path / f"{name}{end}.jsonl").read_bytes() for end in ("", "-again"))
    assert first == second
    return done, tmp_path / f"{name}.sqlite"


async def test_all_that_was_judged_comes_back_and_goes_out_again_to_the_byte(log, ids, path, tmp_path):
    done, other = out_and_in(log, tmp_path)
    assert done.held == Held(0, 0, 0)
    there, here = rows(other), rows(path)
    assert all("CODE" in str(row) for row in here["participants"])
    here["participants"] = [tuple("" if "CODE" in str(value) else value for value in row)
                            for row in here["participants"]]  # fmt: skip
    for table in JUDGING:
        assert there[table] == here[table], table
    assert len(here["rollouts"]) == 1 and len(here["branches"]) == 2 and len(here["answers"]) == 12


async def test_who_agreed_to_less_is_left_out_of_lines_and_bundles_and_counted(log, ids, tmp_path):
    done, other = out_and_in(log, tmp_path, level="research")
    bundled = export_bundle(log, ALL, tmp_path / "b.sqlite", "research")
    # privateoffer; what calm-mole-300 judged, and what was judged of privateoffer; calm-mole-300 in the study
    assert done.held == bundled.held == Held(1, 2, 1)
    assert rows(other) == rows(tmp_path / "b.sqlite")
    assert b"CODE" not in (tmp_path / "b.sqlite").read_bytes() + (tmp_path / "a.jsonl").read_bytes()
    with Log.open(tmp_path / "b.sqlite") as bundle:
        assert check(bundle, game_of=lambda name: Tiny()).ok
    log.people.withdraw(ids["shared"])
    fewer, third = out_and_in(log, tmp_path, level="local", name="c")
    # the candidate elsewhere stays with its episode, so both votes and the item on it stay as well
    assert fewer.held == Held(0, 3, 1) and fewer.withheld == 1
    assert [row[0] for row in rows(third)["items"]] == ["I"]
    assert b"elsewhere" not in (tmp_path / "c.jsonl").read_bytes()


async def test_under_a_filter_only_what_belongs_to_its_episodes_goes(log, ids, tmp_path):
    _, other = out_and_in(log, tmp_path, Filters(where=f"e.id = '{ids['model']}'"))
    found = rows(other)
    assert [row[0] for row in found["queues"]] == ["Q"] and [row[0] for row in found["items"]] == ["I"]
    assert found["rollouts"] == found["studies"] == found["participants"] == []
    texts = {row[columns_of(other, "candidates").index("text")]: row for row in found["candidates"]}
    one = dict(zip(columns_of(other, "candidates"), texts["another answer"], strict=True))
    assert (one["turn_id"], one["value"]) == (None, None), "the rollout that says it and won stays"


def columns_of(path, table):
    from store.exchange.rows import columns

    with Log.open(path) as log:
        return columns(log.reader(), table)


async def test_a_judge_who_was_forgotten_here_does_not_come_back_and_the_episode_does(log, ids, tmp_path):
    export_jsonl(log, ALL, tmp_path / "old.jsonl", "local")
    other = tmp_path / "o.sqlite"
    with Log.open(other) as target:
        merge(target, log.path)
        assert rows(other)["annotations"] == rows(log.path)["annotations"], "changes of mind come in one merge"
    forget(other, "brisk-owl-200")
    with Log.open(other) as target:
        before = rows(other)
        taken = import_jsonl(target, tmp_path / "old.jsonl")
        after = rows(other)
        for table in JUDGING:
            assert sorted(after[table], key=str) == sorted(before[table], key=str), table
        assert [one.reason for one in taken.refused] == ["was erased here, and does not come back"]
        assert taken.left_out == {"annotations": 3, "answers": 4, "items": 1, "participants": 1}
        assert "brisk-owl-200" not in json.dumps(content(other), default=str)
    # and in a log that never knew the episodes, only the words of the forgotten are missing
    with Log.open(tmp_path / "n.sqlite") as fresh:
        fresh.people.add("local", id="brisk-owl-200")
    forget(tmp_path / "n.sqlite", "brisk-owl-200")
    with Log.open(tmp_path / "n.sqlite") as fresh:
        taken = import_jsonl(fresh, tmp_path / "old.jsonl")
        assert taken.episodes == 7 and len(taken.refused) == 1
        assert "holds somebody who was forgotten here" in taken.refused[0].reason
        assert "brisk-owl-200" not in json.dumps(content(fresh.path), default=str)
        assert check(fresh, game_of=lambda name: Tiny()).ok


async def test_what_was_erased_goes_out_erased_and_stays_so(log, ids, path, tmp_path):
    export_jsonl(log, ALL, tmp_path / "old.jsonl", "local")
    old = tmp_path / "old.sqlite"
    log.reader().execute("VACUUM INTO ?", (str(old),))
    log.close()
    forget(path, "brisk-owl-200")
    with Log.open(path) as erased:
        done, other = out_and_in(erased, tmp_path, name="e")
    assert json.loads((tmp_path / "e.jsonl").read_text(encoding="utf-8").splitlines()[0])["format"] == ERASED
    assert done.episodes == 8
    with Log.open(other) as target:
        merge(target, old)
        assert import_jsonl(target, tmp_path / "old.jsonl").episodes == 0
        assert "brisk-owl-200" not in json.dumps(content(other), default=str)
        assert "sharedword" not in json.dumps(content(other), default=str)
    # a log that knows them is told, and loses nothing of its own
    with Log.open(old) as target:
        before = content(old, skip={"players"})
        taken = import_jsonl(target, tmp_path / "e.jsonl")
        assert taken.forgotten == ["brisk-owl-200"] and content(old, skip={"players"}) == before


async def test_an_erasure_that_was_left_open_does_not_come_in(log, ids, tmp_path):
    row = {"id": "R", "person_id": None, "reason": "", "opened_at": now(), "closed_at": None}
    line = {"format": ERASED, "redactions": [row], "tombstones": []}
    (tmp_path / "x.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    taken = import_jsonl(log, tmp_path / "x.jsonl")
    assert [one.reason for one in taken.refused] == ["has an erasure that was never closed"]
    assert log.reader().execute("SELECT count(*) FROM redactions").fetchone() == (0,)
