"""An episode in words: who saw what, checks, scores, origin, requests; as text, markdown, JSON; two side by side."""

from __future__ import annotations

import json

import pytest
from tiny_game import Script, new_match

from players.driver import drive
from players.ports import Place
from store import curate, render
from store.diverge import compare
from store.dossier import gather
from store.errors import UnknownEpisode
from store.log import Log
from store.render import TABS, page


@pytest.fixture
async def told(log):
    """Ids of four episodes: with requests, its sibling with a broken rule, another instance, one with a person."""
    run = log.new_run("self_play", {"lines": 1}, seed=5, app_version="9.9")
    me = log.people.add(consent="research").id
    ids = []

    async def one(asker, teller, **match):
        await drive(new_match(**match), {"asker": asker, "teller": teller}, log.recorder, place=Place(run=run))
        ids.append(log.queries.recent(1)[0].id)

    await one(Script("is it round", "win", name="ada", kind="model", calls=True), Script("yes it is"))
    await one(Script("is it red", "!", "!", name="ada", kind="model"), Script("no"))
    await one(Script("win", name="bob"), Script(), name="riddle-1", answer="sun")
    await one(Script("win", kind="human", name=me, person=me), Script())
    return ids


def words(pieces):
    return [(piece.kind, piece.label, piece.text) for piece in pieces]


async def test_the_game_master_sees_all_and_each_seat_what_it_heard(log, told):
    dossier = gather(log, told[0])
    assert dossier.roles == ("asker", "teller") and dossier.code.startswith("the code of tiny is not here")
    turns = words(page(dossier, "turns"))
    assert turns[0][0] == "quiet" and turns[1:3] == [
        ("told", "game master → asker", "Ask."),
        ("told", "game master → teller", "It is moon."),
    ]
    assert ("said", "0 asker", "is it round") in turns and ("told", "→ teller hears", "these words") in turns
    assert turns[-1] == ("good", "success", "said · main score 100")
    heard = words(page(dossier, "turns", "asker"))
    assert heard[:2] == [("told", "asker heard", "Ask."), ("said", "asker said", "is it round")]
    assert "moon" not in str(heard) and "moon" in str(page(dossier, "turns", "teller"))
    assert "no messages of nobody" in page(dossier, "turns", "nobody")[0].text


async def test_rule_checks_name_what_was_broken(log, told):
    pieces = words(page(gather(log, told[1]), "checks"))
    assert pieces[0] == ("fact", "turns", "4, of which 2 broke a rule")
    assert ("bad", "2 asker", "illegal · no shouting") in pieces and ("quiet", "it said", "!") in pieces
    assert ("good", "0 asker", "ok") in pieces


async def test_scores_rewards_and_the_credit_of_turns(log, told):
    pieces = words(page(gather(log, told[0]), "scores"))
    assert ("fact", "reward asker", "1 of 1 · winner") in pieces and ("fact", "reward teller", "0.25 of 1") in pieces
    assert ("fact", "plies", "3 · tiny@1") in pieces and ("fact", "2 asker", "1 · tiny@1") in pieces


async def test_provenance_says_what_it_takes_to_repeat_it(log, told):
    text = str(words(page(gather(log, told[0]), "origin")))
    for fact in (told[0], "tiny@1 · en", "riddle-0 · easy · train", "tiny:en:moon", "ada · model", "self_play", "9.9"):
        assert fact in text, fact
    assert '{"lines": 1}' in text and "sqlite" in text
    people = words(page(gather(log, told[3]), "origin"))
    assert any("consent research" in piece[2] for piece in people)


async def test_requests_show_what_was_sent_and_only_once(log, told):
    pieces = words(page(gather(log, told[0]), "requests"))
    titles = [label for kind, label, _ in pieces if kind == "title"]
    assert len(titles) == 4 and titles[0] == "request 1 · ply 0 · asker · ada"
    assert pieces.count(("told", "sent system", "You play.")) == 1
    assert ("quiet", "sent", "the first 2 as with the request before, then") in pieces
    assert ("quiet", "note", "this reply was not used") in pieces and ("said", "reply", "nonsense") in pieces
    assert ("fact", "sampling", '{"temperature": 0.5}') in pieces
    assert "no request to a model" in page(gather(log, told[1]), "requests")[0].text


async def test_as_text_markdown_and_json(log, told):
    curate.tag(log, told[:1], "odd")
    dossier = gather(log, told[0])
    text = render.as_text(dossier, tuple(TABS))
    assert text.startswith(f"tiny · riddle-0 · success: said · 100\nepisode {told[0]}\n")
    assert "0 asker · ada: is it round\n" in text and "RULE CHECKS" in text and "tags: odd" in text
    markdown = render.as_markdown(dossier)
    assert markdown.startswith("# tiny · riddle-0 · success: said · 100\n") and "> is it round  \n" in markdown
    data = json.loads(render.as_json(dossier))
    assert data["id"] == told[0] and data["tags"] == ["odd"] and data["run_facts"]["seed"] == 5
    assert data["heard"]["asker"][0] == {"role": "user", "content": "Ask."} and data["replayable"] is False
    assert len(data["calls"]) == 4 and set(data["prompts"]) == {call["prompt_hash"] for call in data["calls"]}
    assert render.copied(dossier, "json") == render.as_json(dossier)
    assert render.copied(dossier, "text", ("turns",), "teller") == render.as_text(dossier, ("turns",), "teller")


async def test_nothing_that_was_said_is_markup_in_markdown(log):
    run = log.new_run("play", {})
    said = "# not a *heading* <b>x</b> `code` [link](http://x) | cell\n> quoted\n\\back"
    await drive(new_match(), {"asker": Script(said, "win"), "teller": Script("y")}, log.recorder, place=Place(run=run))
    text = render.as_markdown(gather(log, log.queries.recent(1)[0].id), ("turns",))
    assert "> \\# not a \\*heading\\* \\<b\\>x\\</b\\> \\`code\\` \\[link\\](http://x) \\| cell  \n> \\> quoted" in text


async def test_two_are_laid_side_by_side_with_the_first_difference(log, told):
    first, sibling, other, _ = (gather(log, id) for id in told)
    two = compare(first, sibling)
    assert (two.first.ply, two.first.what, two.first.at) == (0, "asker says something else", 6)
    assert [tuple(turn is not None for turn in row) for row in two.rows] == [(True, True)] * 3 + [(False, True)]
    assert compare(first, first).first is None
    assert compare(first, other).first.ply is None and "two instances" in compare(first, other).first.what
    ids = []
    for lines in (("is it round",), ("is it round", "win")):
        try:
            await drive(new_match(), {"asker": Script(*lines), "teller": Script("yes it is")}, log.recorder)
        except Exception as error:
            assert "no more lines" in str(error)
        ids.append(log.queries.recent(1)[0].id)
    two = compare(*(gather(log, id) for id in ids))
    assert two.first.what == "only the right one goes on" and two.first.ply == 2


async def test_the_trash_and_a_missing_run_are_told(log):
    await drive(new_match(), {"asker": Script("win"), "teller": Script()}, log.recorder)
    id = log.queries.recent(1)[0].id
    curate.trash(log, [id])
    pieces = words(page(gather(log, id), "origin"))
    assert ("bad", "in the trash", "lists, exports and results leave it out") in pieces
    assert ("quiet", "note", "it belongs to no run") in pieces
    with pytest.raises(UnknownEpisode):
        gather(log, "0000")


def test_an_imported_episode_without_code_is_shown_from_its_messages(path):
    from bench.big_log import make

    make(path, 3)
    with Log.open(path) as log:
        log.write(lambda db: db.execute("UPDATE episodes SET game = 'clem:' || game").rowcount)
        id = log.queries.recent(1)[0].id
        dossier = gather(log, id)
        assert "is not here, so it is shown as it was logged" in dossier.code
        assert dossier.roles and all(dossier.heard[role] for role in dossier.roles)
        assert "said" in {piece.kind for piece in page(dossier, "turns", dossier.roles[0])}
