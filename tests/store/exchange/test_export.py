"""Episodes out: lines that come back exactly, tables, bundles without a word of others, and trees of our own."""

from __future__ import annotations

import contextlib
import csv
import json
import sqlite3

import pytest
from clem_trees import tree
from own_log import fill
from test_merge import content
from tiny_game import Tiny

from store.errors import FileExists, NoFolder
from store.exchange.bundle import export_bundle
from store.exchange.clembench import import_clembench
from store.exchange.clembench_out import export_clembench
from store.exchange.intake import NothingThere
from store.exchange.jsonl import export_jsonl
from store.exchange.jsonl_in import import_jsonl
from store.exchange.tables import COLUMNS, export_csv
from store.filters import Filters
from store.keep import check
from store.log import Log
from store.merge import ORDER

ALL = Filters()
OTHERS = ("privateword", "privateoffer", "calm-mole-300")
"""What nobody but this machine may have."""


@pytest.fixture
async def ids(log):
    return await fill(log)


def sound(path):
    with Log.open(path) as log:
        report = check(log, game_of=lambda name: Tiny())
    assert report.ok, report.problems
    return report


def episode_rows(path, table):
    """Rows of a table as a set, without the order of arrival."""
    return content(path, skip=set(ORDER) - {table})[table]


async def test_lines_come_back_as_the_very_rows(log, ids, path, tmp_path):
    done = export_jsonl(log, ALL, tmp_path / "a.jsonl", "local")
    assert (done.episodes, done.withheld) == (8, 0)
    other = tmp_path / "other.sqlite"
    with Log.open(other) as target:
        found = import_jsonl(target, tmp_path / "a.jsonl")
        assert (found.episodes, found.refused) == (8, [])
        again = import_jsonl(target, tmp_path / "a.jsonl")
        assert (again.episodes, again.known, again.rows) == (0, 8, {})
        for id in (ids["model"], ids["aborted"], ids["unfinished"], ids["branch"]):
            assert target.queries.detail(id) == log.queries.detail(id)
            for role in ("asker", "teller"):
                assert target.queries.perspective(id, role) == log.queries.perspective(id, role)
        export_jsonl(target, ALL, tmp_path / "b.jsonl", "local")
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    for table in (
        "episodes",
        "turns",
        "heard",
        "calls",
        "results",
        "scorings",
        "failures",
        "candidates",
        "annotations",
    ):
        assert episode_rows(other, table) == episode_rows(path, table), table
    assert sound(other).replayed == 8


async def test_an_episode_that_went_on_is_continued_and_another_is_not(log, ids, tmp_path):
    export_jsonl(log, ALL, tmp_path / "a.jsonl")
    lines = (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    model = next(json.loads(line) for line in lines if json.loads(line)["episode"]["id"] == ids["model"])
    half = {**model, "turns": model["turns"][:1], "heard": [], "results": [], "scorings": [], "calls": []}
    half |= {"candidates": [], "annotations": []}
    odd = json.loads(json.dumps(half))
    odd["turns"][0] |= {"id": "0" * 26, "text": "different"}
    with Log.open(tmp_path / "o.sqlite") as target:
        for number, (one, told) in enumerate(((half, (1, 0)), (model, (0, 1)), (half, (0, 0)), (odd, None))):
            file = tmp_path / f"{number}.jsonl"
            file.write_text(json.dumps(one) + "\n", encoding="utf-8")
            done = import_jsonl(target, file)
            if told is None:
                assert "went on differently" in done.refused[0].reason
            else:
                assert (done.episodes, done.continued) == told and done.refused == []
    sound(tmp_path / "o.sqlite")


def bent(line, **changes):
    return json.dumps({**line, **changes})


async def test_lines_that_do_not_fit_are_listed(log, ids, tmp_path):
    export_jsonl(log, Filters(runs=(ids["run"],)), tmp_path / "a.jsonl")
    good = (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()[0]
    line = json.loads(good)
    message = {**line["messages"][0], "content": "something else"}
    player = {**line["players"][0], "name": "somebody else"}
    nobody = [{**line["seats"][0], "player_id": "nobody"}]
    refusing = {"id": "calm-mole-300", "consent": "none", "consent_version": "1", "consented_at": "", "created_at": ""}
    broken = [
        (good[:-20], "is no JSON"),
        ("[]", "no object"),
        (bent(line, format="other"), "no line of ours"),
        (bent(line, messages=[message]), "message that is not the one"),
        (bent(line, players=[player]), "has a player who is not"),
        (bent(line, seats=nobody), "does not fit"),
        (bent(line, turns=[{**line["turns"][0], "episode_id": "x"}]), "of another episode"),
        (bent(line, turns=[{**line["turns"][0], "more": 1}]), "not known here"),
        (bent(line, turns=[{**line["turns"][0], "ply": "x"}]), "does not fit"),
        (bent(line, turns=[{**line["turns"][0], "text": {}}]), "no plain value"),
        (bent(line, people=[refusing], seats=[{**line["seats"][0], "person_id": "calm-mole-300"}]), "does not agree"),
        (bent(line, turns=3), "holds no rows"),
        (bent(line, episode=None), "names no episode"),
        (bent(line, calls=[{**line["calls"][0], "token_ids": "%"}]), "no base64"),
    ]
    text = "\n".join(one for one, _ in broken) + "\n\n" + good + "\n"
    (tmp_path / "b.jsonl").write_text(text, encoding="utf-8")
    with Log.open(tmp_path / "o.sqlite") as target:
        done = import_jsonl(target, tmp_path / "b.jsonl")
        assert done.episodes == 1
        assert len(done.refused) == len(broken)
        told = {refused.path: refused.reason for refused in done.refused}
        for number, (_, reason) in enumerate(broken, 1):
            assert reason in told[f"b.jsonl:{number}"]
        with pytest.raises(NothingThere):
            import_jsonl(target, tmp_path / "nix.jsonl")
    sound(tmp_path / "o.sqlite")


async def test_what_was_erased_does_not_come_back_by_lines(log, ids, tmp_path):
    export_jsonl(log, ALL, tmp_path / "a.jsonl")
    with Log.open(tmp_path / "o.sqlite") as target:

        def erase(db):
            db.execute("INSERT INTO redactions VALUES ('R', NULL, 'asked', '', '')")
            db.execute("INSERT INTO tombstones VALUES ('episodes', ?, 'R')", (ids["model"],))

        target.write(erase)
        done = import_jsonl(target, tmp_path / "a.jsonl")
        told = [refused.reason for refused in done.refused]
        assert told[0] == "was erased here, and does not come back"
        assert target.reader().execute("SELECT 1 FROM episodes WHERE id = ?", (ids["model"],)).fetchone() is None
    sound(tmp_path / "o.sqlite")


@pytest.mark.parametrize(
    "write, name",
    [(export_jsonl, "a.jsonl"), (export_csv, "a.csv"), (export_bundle, "a.sqlite"), (export_clembench, "a")],
)
async def test_no_word_of_those_who_did_not_agree_leaves(log, ids, tmp_path, write, name):
    done = write(log, ALL, tmp_path / name)
    assert (done.episodes, done.withheld) == (6, 2), "the private episode, and the branch that shows its words"
    files = [path for path in (tmp_path / name).rglob("*") if path.is_file()] or [tmp_path / name]
    data = b"".join(path.read_bytes() for path in files)
    assert ids["model"].encode() in data
    for word in (*OTHERS, ids["local"], ids["privatebranch"]):
        assert word.encode() not in data
    strict = write(log, ALL, tmp_path / f"strict-{name}", "public")
    assert (strict.episodes, strict.withheld) == (5, 3)
    assert sorted(path.name for path in tmp_path.glob("*-wal")) == ["episodes.sqlite-wal"], "only that of the log"


async def test_a_bundle_is_a_log_of_its_own(log, ids, tmp_path):
    import_clembench(log, tree(tmp_path, 2))
    export_bundle(log, ALL, tmp_path / "b.sqlite")
    report = sound(tmp_path / "b.sqlite")
    assert (report.episodes, report.replayed) == (8, 6)
    with Log.open(tmp_path / "b.sqlite", readonly=True) as bundle:
        for id in (ids["model"], ids["branch"], ids["unfinished"], ids["public"]):
            assert bundle.queries.detail(id) == log.queries.detail(id)
        reader = bundle.reader()
        kept = {id for (id,) in reader.execute("SELECT id FROM annotations")}
        assert kept == {ids["judged"], ids["again"]}
        assert reader.execute("SELECT text FROM candidates ORDER BY id").fetchall() == [
            ("an offered reply",),
            ("a refused reply",),
        ]
        assert bundle.queries.search("publicword") and not bundle.queries.search("privateword")
        assert {person.id for person in bundle.people.all()} == {"amber-fox-100", "brisk-owl-200"}
        assert reader.execute("SELECT count(*) FROM files").fetchone() == (8,)
        assert reader.execute("PRAGMA freelist_count").fetchone() == (0,)


async def test_a_bundle_of_few_holds_nothing_of_the_rest(log, ids, tmp_path):
    import_clembench(log, tree(tmp_path, 2))
    done = export_bundle(log, Filters(where=f"e.id = '{ids['branch']}'"), tmp_path / "b.sqlite")
    assert (done.episodes, done.notes) == (2, ("1 of them are parents of branches that were asked for",))
    with contextlib.closing(sqlite3.connect(tmp_path / "b.sqlite")) as db:
        assert {id for (id,) in db.execute("SELECT id FROM episodes")} == {ids["model"], ids["branch"]}
        assert db.execute("SELECT count(*) FROM blobs").fetchone() == (0,)
        assert db.execute("SELECT name FROM players WHERE name LIKE '%fox%' OR kind = 'human'").fetchall() == []
    sound(tmp_path / "b.sqlite")


async def test_a_table_has_a_row_per_episode(log, ids, tmp_path):
    await log.tag(ids["model"], "=cmd()")
    done = export_csv(log, Filters(outcomes=("success", "aborted")), tmp_path / "a.csv", "local")
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["episode"]: row for row in csv.DictReader(file)}
    assert done.episodes == len(rows) == 7 and tuple(next(iter(rows.values()))) == COLUMNS
    row = rows[ids["model"]]
    assert (row["game"], row["outcome"], row["main"], row["turns"], row["split"]) == (
        "tiny",
        "success",
        "100.0",
        "3",
        "train",
    )
    assert json.loads(row["seats"]) == {"asker": "m", "teller": "script"}
    assert json.loads(row["scores"]) == {"tiny@1": {"plies": 3.0}}
    assert json.loads(row["tags"]) == ["=cmd()", "fine"]
    assert (rows[ids["aborted"]]["illegal"], rows[ids["aborted"]]["main"]) == ("2", "")


async def test_nothing_is_overwritten_and_nothing_is_left_of_a_failure(log, ids, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_text("x", encoding="utf-8")
    for write in (export_jsonl, export_csv, export_bundle):
        with pytest.raises(FileExists):
            write(log, ALL, tmp_path / "there" / "file")
        with pytest.raises(NoFolder):
            write(log, ALL, tmp_path / "nix" / "file")
    with pytest.raises(FileExists):
        export_clembench(log, ALL, tmp_path / "there")
    with pytest.raises(Exception, match="no condition"):
        export_bundle(log, Filters(where="nonsense("), tmp_path / "b.sqlite")
    assert not (tmp_path / "b.sqlite").exists()


async def test_our_own_episodes_are_told_in_clembench_s_words(log, ids, tmp_path):
    export_clembench(log, Filters(models=("m",)), tmp_path / "out")
    folders = sorted(str(path.parent.relative_to(tmp_path / "out")) for path in tmp_path.rglob("interactions.json"))
    assert folders == [f"m--script/native_tiny/easy/episode_0000{n}" for n in (1, 2)]
    first = tmp_path / "out" / folders[0]
    told = json.loads((first / "interactions.json").read_text(encoding="utf-8"))
    events = [event for events in told["turns"] for event in events]
    said = [event["action"]["content"] for event in events if event["action"]["type"] == "get message"]
    assert said == ["is it round?", "jä\0\x1b[31m", "win"]
    assert told["players"]["Player 1"] == {"game_role": "asker", "model_name": "m"}
    scores = json.loads((first / "scores.json").read_text(encoding="utf-8"))["episode scores"]
    assert (scores["Main Score"], scores["Success"], scores["Aborted"], scores["plies"]) == (100.0, 1, 0, 3.0)
    lost = (tmp_path / "out" / folders[1] / "scores.json").read_text(encoding="utf-8")
    assert '"Main Score": NaN' in lost and json.loads(lost)["episode scores"]["Violated Request Count"] == 2
    requests = json.loads((first / "player_1.requests.json").read_text(encoding="utf-8"))
    assert requests["calls"][0]["call"]["manipulated_prompt_obj"][0] == {"role": "system", "content": "You play."}
    with Log.open(tmp_path / "back.sqlite") as back:
        done = import_clembench(back, tmp_path / "out")
        assert (done.episodes, done.refused) == (2, [])
        again = back.queries.by_game()
    assert again == {"clem:native_tiny": {"success": 1, "aborted": 1}}
    sound(tmp_path / "back.sqlite")


def test_imported_trees_go_out_byte_for_byte(log, tmp_path):
    root = tree(tmp_path / "in", 3)
    odd = root / "taboo" / "high_en" / "instance_00001" / "images" / "a.png"
    odd.parent.mkdir()
    odd.write_bytes(b"\x89PNG\0")
    import_clembench(log, root)
    export_clembench(log, ALL, tmp_path / "out")
    before = {str(path.relative_to(tmp_path / "in")): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    out = tmp_path / "out"
    assert {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    export_clembench(log, Filters(where="i.name = 'high_en/1'"), tmp_path / "one")
    names = {path.name for path in (tmp_path / "one").rglob("*") if path.is_dir()}
    assert names == {"m", "taboo", "high_en", "instance_00001", "images"}
    assert (tmp_path / "one" / "m" / "run.json").is_file()


def test_two_trees_of_one_name_do_not_mix_and_no_path_leads_out(log, tmp_path):
    tree(tmp_path / "a", 1)
    second = tree(tmp_path / "b", 2)
    run = json.loads((second / "run.json").read_text(encoding="utf-8"))
    (second / "run.json").write_text(json.dumps({**run, "created": "2026-08-01T00:00:00"}), encoding="utf-8")
    text = (second / "taboo" / "high_en" / "instance_00001" / "interactions.json").read_text(encoding="utf-8")
    (second / "taboo" / "high_en" / "instance_00001" / "interactions.json").write_text(text + " ", encoding="utf-8")
    import_clembench(log, tmp_path / "a")
    import_clembench(log, tmp_path / "b")
    (run_id,) = log.reader().execute("SELECT run_id FROM files LIMIT 1").fetchone()
    sql = "INSERT INTO files SELECT run_id, episode_id, '../../evil.json', hash FROM files WHERE run_id = ? LIMIT 1"
    log.write(lambda db: db.execute(sql, (run_id,)).rowcount)
    done = export_clembench(log, ALL, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"m", "m~2"}
    assert not list(tmp_path.rglob("evil.json"))
    assert ["leads out of the tree" in note for note in done.notes] == [True]


def test_parts_of_a_tree_that_came_one_after_the_other_go_out_as_one(log, tmp_path):
    root = tree(tmp_path / "in", 3)
    for name in ("instance_00001", "instance_00002"):
        (root / "taboo" / "high_en" / name).rename(tmp_path / name)
    import_clembench(log, root / "taboo" / "high_en")
    for name in ("instance_00001", "instance_00002"):
        (tmp_path / name).rename(root / "taboo" / "high_en" / name)
    assert import_clembench(log, root).episodes == 2
    export_clembench(log, ALL, tmp_path / "out")
    before = {str(path.relative_to(tmp_path / "in")): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    out = tmp_path / "out"
    assert {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


async def test_imported_lines_without_files_are_told_again(log, tmp_path):
    import_clembench(log, tree(tmp_path, 2))
    export_jsonl(log, ALL, tmp_path / "a.jsonl")
    with Log.open(tmp_path / "o.sqlite") as other:
        import_jsonl(other, tmp_path / "a.jsonl")
        done = export_clembench(other, ALL, tmp_path / "out")
        assert done.episodes == 2 and "were written from their turns" in done.notes[0]
    found = sorted(path.parent.parent.name for path in (tmp_path / "out").rglob("scores.json"))
    assert found == ["high_en", "high_en"]
    assert [path.name for path in (tmp_path / "out" / "m").iterdir() if path.is_dir()] == ["taboo"]


async def test_the_trash_stays_unless_a_branch_needs_it(log, ids, tmp_path):
    for name in ("aborted", "model"):
        log.write(lambda db, id=ids[name]: db.execute("INSERT INTO trash VALUES (?, '2026')", (id,)).rowcount)
    export_jsonl(log, ALL, tmp_path / "a.jsonl")
    found = {
        json.loads(line)["episode"]["id"] for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    }
    assert ids["aborted"] not in found and {ids["model"], ids["branch"]} <= found
    done = export_csv(log, ALL, tmp_path / "a.csv")
    assert (done.episodes, done.withheld) == (4, 2)


@pytest.mark.parametrize("form", ["jsonl", "bundle"])
async def test_judged_items_go_with_their_queue_and_come_back(form, log, ids, tmp_path):
    from store.exchange.bundle import export_bundle
    from store.exchange.jsonl import export_jsonl
    from store.exchange.jsonl_in import import_jsonl
    from store.filters import Filters

    rows = "SELECT chosen_id, rejected_id FROM annotations WHERE id = ?"
    a, b = log.reader().execute(rows, (ids["judged"],)).fetchone()

    def judge(db):
        db.execute("INSERT INTO queues (id, name, seed, created_at) VALUES ('Q', 'q', 1, '2026')")
        db.execute("INSERT INTO guidelines VALUES ('G', 'Q', 1, 'be fair', '2026')")
        item = "INSERT INTO items (id, queue_id, kind, episode_id, ply, role, a_id, b_id, created_at) VALUES "
        db.execute(f"{item} ('I', 'Q', 'pair', ?, 1, 'teller', ?, ?, '2026')", (ids["model"], a, b))
        vote = "INSERT INTO annotations (id, kind, annotator_id, judge_id, chosen_id, rejected_id, value, item_id, "
        verdict = '{"verdict": "a"}'
        model = db.execute("SELECT id FROM players WHERE name = 'm'").fetchone()[0]
        for id, who, judge in (("V1", ids["open"], None), ("V2", ids["private"], None), ("V3", None, model)):
            values = (id, who, judge, a, b, verdict)
            db.execute(
                f"{vote} guideline_id, created_at) VALUES (?, 'preference', ?, ?, ?, ?, ?, 'I', 'G', '')", values
            )

    log.write(judge)
    out, back = tmp_path / f"out.{form}", tmp_path / "back.sqlite"
    (export_bundle if form == "bundle" else export_jsonl)(log, Filters(), out)
    if form == "jsonl":
        with Log.open(back) as target:
            assert import_jsonl(target, out).refused == []
    with Log.open(back if form == "jsonl" else out, readonly=True) as target:
        found = target.reader().execute("SELECT judge_kind, verdict FROM verdicts ORDER BY annotation").fetchall()
        assert found == [("person", "a"), ("model", "a")]  # who agreed to less stays
        assert target.reader().execute("SELECT text FROM guidelines").fetchall() == [("be fair",)]
