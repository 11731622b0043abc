"""A log of our own with everything that an export may meet: people of every level, a branch, judgements, calls."""

from __future__ import annotations

import contextlib

from tiny_game import Script, Tiny, new_match

from players.base import PlayerError
from players.driver import drive
from players.ports import Place
from store.ids import new_id, now


def put_candidate(log, episode, ply, text, person=None, turn=None):
    """One candidate of the player who spoke at this ply; returns its id."""
    id = new_id()
    sql = (
        "INSERT INTO candidates (id, episode_id, ply, role, turn_id, player_id, person_id, seen_hash, text, "
        "created_at) "
        "SELECT ?, ?, ?, t.role, ?, t.player_id, ?, t.seen_hash, ?, ? FROM turns t WHERE t.episode_id = ? AND t.ply = ?"
    )
    log.write(lambda db: db.execute(sql, (id, episode, ply, turn, person, text, now(), episode, ply)).rowcount)
    return id


def put_preference(log, annotator, chosen, rejected, supersedes=None):
    """One judgement; returns its id."""
    id = new_id()
    sql = (
        "INSERT INTO annotations (id, kind, annotator_id, chosen_id, rejected_id, value, created_at, supersedes) "
        "VALUES (?, 'preference', ?, ?, ?, '{}', ?, ?)"
    )
    log.write(lambda db: db.execute(sql, (id, annotator, chosen, rejected, now(), supersedes)).rowcount)
    return id


async def play(log, run, slot, asker, teller):
    """One episode, finished or not; returns its id."""
    seats = {"asker": asker, "teller": teller}
    with contextlib.suppress(PlayerError):
        await drive(new_match(), seats, log.recorder, place=Place(run=run, slot=slot))
    return log.queries.recent(1)[0].id


def person(id):
    return {"kind": "human", "name": id, "person": id}


async def fill(log):
    """Fill a log; returns ids by name."""
    open_, shared, private = (
        log.people.add(level, id=id).id
        for level, id in (("public", "amber-fox-100"), ("research", "brisk-owl-200"), ("local", "calm-mole-300"))
    )
    run = log.new_run("play", {"of": "everything"}, seed=3, app_version="t")
    ids = {"open": open_, "shared": shared, "private": private, "run": run}
    model = {"kind": "model", "name": "m", "calls": True}
    ids["model"] = await play(log, run, 0, Script("is it round?", "win", **model), Script("jä\0\x1b[31m"))
    ids["aborted"] = await play(log, run, 1, Script("!", "!", **model), Script())
    ids["unfinished"] = await play(log, run, 2, Script("one", name="n"), Script("zwölf"))
    ids["public"] = await play(log, run, 3, Script("publicword", "win", **person(open_)), Script("x"))
    ids["research"] = await play(log, run, 4, Script("sharedword", "win", **person(shared)), Script("x"))
    ids["local"] = await play(log, run, 5, Script("privateword", "win", **person(private)), Script("x"))
    for name, parent, line in (("branch", "model", "win"), ("privatebranch", "local", "win")):
        match = log.history.match(ids[parent], Tiny())
        match = match.replay(match.game, match.instance, match.seed, match.texts[:1])
        teller = Script("another answer", name="b")
        seats = {"asker": Script(line, name="b"), "teller": teller}
        await drive(match, seats, log.recorder, place=Place(parent=ids[parent], fork_ply=1))
        ids[name] = log.queries.recent(1)[0].id
    await log.tag(ids["model"], "fine")
    detail = log.queries.detail(ids["model"])
    chosen = put_candidate(log, ids["model"], 1, "an offered reply", turn=detail.turns[1].id)
    rejected = put_candidate(log, ids["model"], 1, "a refused reply")
    secret = put_candidate(log, ids["model"], 1, "privateoffer", person=private)
    ids["judged"] = put_preference(log, open_, chosen, rejected)
    ids["again"] = put_preference(log, open_, rejected, chosen, supersedes=ids["judged"])
    ids["private_judged"] = put_preference(log, private, chosen, rejected)
    ids["secret_judged"] = put_preference(log, open_, chosen, secret)
    return ids
