"""Training data on the hub: with a card, without what may not be published, and with failures of one sentence."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from test_judged import annotate, log, turn  # noqa: F401
from test_rows_out import judged  # noqa: F401

from playpen_tui.cli import cli
from store.copies import copies
from store.datasets import get
from store.filters import Filters
from training.hub import CannotPush
from training.rows_out import export_rows
from training.rows_push import push_rows


def export(log, *words):  # noqa: F811
    return CliRunner().invoke(cli, ["export", "--db", str(log.path), *words])


def sets(log):  # noqa: F811
    return log.reader().execute("SELECT count(*) FROM datasets").fetchone()[0]


@pytest.mark.parametrize("form", ["sft", "dpo", "kto", "ranking"])
def test_rows_go_with_their_card_and_the_log_knows_where(form, judged, hub, tmp_path):  # noqa: F811
    ran = export(judged, "--format", form, "--push", "me/games", "--license", "cc-by-4.0", "--json")
    assert ran.exit_code == 0, (ran.output, ran.exception, hub.asked)
    told = json.loads(ran.stdout)
    assert told["consent"] == "public" and told["pushed"]["url"].endswith("/datasets/me/games")
    assert sorted(hub.files) == ["README.md", "data/train.jsonl"]
    assert all("/models/" not in path for _, path in hub.asked) and any("/datasets/" in path for _, path in hub.asked)
    assert {name: len(content) for name, content in hub.files.items()} == told["pushed"]["files"]
    lines = [json.loads(line) for line in hub.files["data/train.jsonl"].decode().splitlines()]
    assert len(lines) == told["rows"] and lines[0]["source"]["dataset"] == told["dataset"]
    assert get(judged.reader(), told["dataset"]).content_hash == told["content_hash"]
    path = tmp_path / "file.jsonl"
    assert export_rows(judged, form, Filters(), "public", path).content_hash == told["content_hash"]
    for one, other in zip(lines, map(json.loads, path.read_text(encoding="utf-8").splitlines()), strict=True):
        one["source"].pop("dataset"), other["source"].pop("dataset")
        assert one == other
    card = hub.files["README.md"].decode()
    head = card.split("---")[1]
    assert "license: cc-by-4.0" in head and "path: data/train.jsonl" in head and f"- {form}" in head
    for word in (told["content_hash"], told["dataset"], "agreed to be published", f"--format {form} --consent public"):
        assert word in card
    assert f"{told['rows']:,} rows" in card and "filters: splits = train\n" in card
    assert "episodes of people who did not agree: 0" in card
    for content in hub.files.values():
        assert str(tmp_path).encode() not in content and b"shy-fox-2" not in content
    (copy,) = copies(judged.reader(), judged.path, ["kind-owl-1"])
    assert (copy.path, copy.holds, copy.there) == (told["pushed"]["url"], None, True)


def test_a_dry_run_names_files_and_sizes_and_neither_sends_nor_freezes(judged, hub):  # noqa: F811
    before = sets(judged)
    ran = export(judged, "--format", "dpo", "--push", "me/games", "--dry-run")
    assert ran.exit_code == 0, ran.output
    assert "rows of dpo would be pushed to me/games; nothing was sent" in ran.stdout
    assert "data/train.jsonl" in ran.stdout and "content hash" in ran.stdout
    assert hub.asked == [] and sets(judged) == before
    sizes = json.loads(export(judged, "--format", "dpo", "--push", "me/games", "--dry-run", "--json").stdout)
    sent = json.loads(export(judged, "--format", "dpo", "--push", "me/games", "--json").stdout)
    assert sizes["pushed"]["files"]["data/train.jsonl"] == sent["pushed"]["files"]["data/train.jsonl"]


def test_what_is_for_researchers_goes_to_no_public_place(judged, hub):  # noqa: F811
    before = sets(judged)
    for consent, words in (("research", "with --private"), ("local", "this machine only")):
        with pytest.raises(CannotPush, match=words):
            push_rows(judged, "dpo", Filters(), consent, "me/games")
    ran = export(judged, "--format", "ranking", "--push", "me/games", "--private")
    assert ran.exit_code == 1 and "me/games is there already and public" in str(ran.exception or ran.output)
    assert sets(judged) == before and hub.files == {}
    hub.private = True
    done, pushed = push_rows(judged, "ranking", Filters(), "research", "me/games", private=True)
    assert pushed.url and "shared with researchers" in hub.files["README.md"].decode() and done.votes["better"] == 3


def test_a_hub_that_refuses_or_is_not_there_is_one_sentence_and_nothing_is_frozen(judged, hub, monkeypatch):  # noqa: F811
    before = sets(judged)
    hub.refuses = 401
    ran = export(judged, "--format", "kto", "--push", "me/games")
    assert ran.exit_code == 1 and "the hub refused me/games (401); log in" in str(ran.exception or ran.output)
    for module in ("constants", "hf_api.constants"):
        monkeypatch.setattr(f"huggingface_hub.{module}.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(CannotPush, match="the hub cannot be reached"):
        push_rows(judged, "kto", Filters(), "public", "me/games")
    assert sets(judged) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--format", "dpo", "--push", "games"), "--push takes OWNER/NAME"),
        (("--format", "jsonl", "--push", "me/games"), "--push takes training data"),
        (("--format", "dpo", "--push", "me/games", "--out", "x.jsonl"), "--push goes by itself"),
        (("--format", "dpo", "--dry-run"), "say how to --push"),
    ],
)
def test_what_cannot_be_pushed_is_one_sentence(words, told, judged):  # noqa: F811
    ran = export(judged, *words)
    assert ran.exit_code and told in str(ran.exception or "") + ran.output
