"""Queues for tests of screens: pairs of replies to the same words, from episodes that bots played."""

from __future__ import annotations

from players.plan import Plan
from playpen_tui.selfplay import Wish, open_selfplay
from store import judging, queues
from store.candidates import candidate_of
from store.judging import Ballot, Judge
from store.log import Log
from store.queues import NewItem, Queue

MODEL = "bot:random"
"""Who wrote one of each pair; the other is by `bot`."""
ASKED = "Which reply would you rather get?\n\n* true before clever\n* short before long"


_PLAYED: dict[tuple[int, int], bytes] = {}
"""Logs that were played already by this process."""


async def played(bench, episodes: int = 8, seed: int = 3) -> Log:
    """Taboo, the same describer with two kinds of guesser on the same instances. The bench must be a fresh one."""
    if (episodes, seed) in _PLAYED:
        await bench.close()
        bench.path.write_bytes(_PLAYED[episodes, seed])
        return await bench.log()
    for guesser in ("bot", MODEL):
        seats = {"describer": "bot", "guesser": guesser}
        plan = Plan(("taboo",), (), seats=seats, episodes=episodes, seed=seed)
        await (await open_selfplay(bench, Wish(plan))).run()
    await bench.close()
    _PLAYED[episodes, seed] = bench.path.read_bytes()
    return await bench.log()


def pairs(log: Log, most: int) -> list[tuple[str, str]]:
    """Turns that answer the same words and say something else, by different players; no turn in two pairs."""
    sql = """SELECT t.id, u.id FROM turns t JOIN turns u ON u.seen_hash = t.seen_hash AND u.role = t.role
    WHERE t.id < u.id AND t.text <> u.text AND t.player_id <> u.player_id ORDER BY t.id, u.id"""
    used: set[str] = set()
    found: list[tuple[str, str]] = []
    for one, other in log.reader().execute(sql).fetchall():
        if one not in used and other not in used and len(found) < most:
            used |= {one, other}
            found.append((one, other))
    return found


def queue(log: Log, name: str = "pairs", many: int = 6, guidelines: str = ASKED, **how) -> Queue:
    """A queue of so many pairs, by default without repeats."""
    made = queues.new_queue(log, name, seed=7, guidelines=guidelines, **{"repeats": 0.0, **how})
    found = pairs(log, many)
    assert len(found) == many, f"only {len(found)} pairs"
    items = log.write(lambda db: [NewItem("pair", candidate_of(db, one), candidate_of(db, two)) for one, two in found])
    queues.add_items(log, made, items)
    return made


def says(log: Log, made: Queue, who: str, verdict: str, many: int = 99, comment: str = "") -> None:
    """Let a person judge up to so many items."""
    if log.people.find(who) is None:
        log.people.add("local", who)
    judge = Judge(who)
    while many and (found := judging.reserve(log, made, judge)) is not None:
        ballot = Ballot(found.item.id, verdict, found.left, found.right, repeat=found.repeat, comment=comment)
        judging.vote(log, made, judge, ballot)
        many -= 1


def against(log: Log, made: Queue, who: str, many: int, comment: str = "") -> list[str]:
    """Let a person prefer the side whose game came to less, of the first so many items by their words; their ids."""
    if log.people.find(who) is None:
        log.people.add("local", who)
    sql = """SELECT c.text, coalesce(r.main, 0) FROM candidates c JOIN turns t ON t.id = c.turn_id
      JOIN results r ON r.episode_id = t.episode_id WHERE c.id = ?"""
    found = {
        item: [log.reader().execute(sql, (id,)).fetchone() for id in (item.a, item.b)]
        for item in judging.items(log.reader(), made)
    }
    items = sorted((item for item, (a, b) in found.items() if a[1] != b[1]), key=lambda item: found[item])[:many]
    for item in items:
        verdict = "a" if found[item][0][1] < found[item][1][1] else "b"
        judging.vote(log, made, Judge(who), Ballot(item.id, verdict, item.a, item.b, comment=comment))
    return [item.id for item in items]
