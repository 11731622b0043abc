"""What goes out with the episodes that leave, the same for a bundle and for lines: candidates, judgements, studies.

The chosen rows are marked in temporary tables, whichever file they are in: `going` (episodes), `agreed` (people),
`offered` (candidates), `shown` (items), `asked` (queues), `judged` (annotations, each with the episode under whose line
it stands), `held` (studies), `taking` (participants) and `dead` (tombstones). Whoever agreed to less than is asked for
is left out with what they wrote, judged or answered, and so is what speaks of it; that is counted.
"""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence

from store.exchange.chosen import Held, allowed
from store.people import Level

MARKS = (
    *("going", "barred", "agreed", "offered", "shown", "asked", "judged", "kept_back", "held", "taking", "dead"),
    "withheld",
)
"""The temporary tables."""


def mark(
    db: sqlite3.Connection,
    ids: Iterable[str],
    level: Level,
    *,
    whole: bool,
    barred: Iterable[str] = (),
    schema: str = "main",
) -> Held:
    """Mark all that goes with these episodes of the database `schema`; what stays for want of consent is counted.

    `whole` where nothing was filtered: then queues without items and studies that nobody has begun go as well. `barred`
    are the episodes that may not leave at this level.
    """
    for table in MARKS:
        db.execute(f"DROP TABLE IF EXISTS temp.{table}")
    for table, some in (("going", ids), ("barred", barred)):
        db.execute(f"CREATE TEMP TABLE {table} (id TEXT PRIMARY KEY) WITHOUT ROWID")
        db.executemany(f"INSERT INTO temp.{table} VALUES (?)", ((id,) for id in some))
    levels = allowed(level)
    db.execute(
        f"CREATE TEMP TABLE agreed AS SELECT id FROM {schema}.people WHERE withdrawn_at IS NULL "
        f"AND consent IN ({', '.join('?' * len(levels))})",
        levels,
    )
    db.execute("CREATE UNIQUE INDEX temp.agreed_id ON agreed(id)")
    for sql in _CANDIDATES:
        db.execute(sql.format(s=schema))
    _values(db, schema)
    for sql in (*_JUDGED, *(_WHOLE if whole else _PART)):
        db.execute(sql.format(s=schema))
    gone = 1
    while gone:  # a judgement that supersedes one that stays does not go either
        gone = db.execute(_ORPHANS).rowcount
    db.execute(_LINES)
    db.execute("CREATE INDEX temp.judged_line ON judged(line)")
    db.execute((_DEAD if whole else _DEAD + _DEAD_HERE).format(s=schema))
    return _count(db, schema)


def _values(db: sqlite3.Connection, schema: str) -> None:
    """What a candidate is worth is the mean of its rollouts that go: those that stay cannot be asked there."""
    worth: dict[str, list[float]] = defaultdict(list)
    for id, reward in db.execute(_REWARDS.format(s=schema)):
        worth[id] += [] if reward is None else [reward]
    db.executemany(
        "UPDATE temp.offered SET value = ? WHERE id = ?",
        [(math.fsum(some) / len(some) if some else None, id) for id, some in worth.items()],
    )


def _count(db: sqlite3.Connection, schema: str) -> Held:
    """How much stays for want of consent: directly, or since it speaks of what stays."""
    db.execute(_KEPT_BACK.format(s=schema))
    more = 1
    while more:
        more = db.execute(_KEPT_ALONG.format(s=schema)).rowcount
    numbers: Sequence[int] = [
        db.execute(sql.format(s=schema)).fetchone()[0]
        for sql in (
            "SELECT count(*) FROM temp.withheld",
            "SELECT count(*) FROM temp.kept_back",
            "SELECT count(*) FROM {s}.participants p JOIN temp.held h ON h.id = p.study_id "
            "WHERE p.person_id NOT IN (SELECT id FROM temp.agreed)",
        )
    ]
    return Held(*numbers)


_GOES = "IN (SELECT id FROM temp.going)"
_TURN_GOES = f"EXISTS (SELECT 1 FROM {{s}}.turns t WHERE t.id = o.turn_id AND t.episode_id {_GOES})"
_MAY = (
    "(o.person_id IS NULL OR o.person_id IN (SELECT id FROM temp.agreed)) AND NOT EXISTS (SELECT 1 FROM {s}.turns t "
    "WHERE t.id = o.turn_id AND t.person_id IS NOT NULL AND t.person_id NOT IN (SELECT id FROM temp.agreed))"
)

_CANDIDATES = (
    f"CREATE TEMP TABLE withheld AS SELECT o.id FROM {{s}}.candidates o WHERE o.episode_id {_GOES} AND NOT ({_MAY})",
    # a turn or call of an episode that stays is not named; the first rollout that goes says the same words
    f"""CREATE TEMP TABLE offered AS SELECT o.id, o.episode_id, o.person_id, o.player_id, o.seen_hash, o.value,
      CASE WHEN {_TURN_GOES} THEN o.turn_id ELSE (SELECT t.id FROM {{s}}.rollouts r
        JOIN {{s}}.episodes e ON e.id = r.episode_id JOIN {{s}}.turns t ON t.episode_id = e.id AND t.ply = e.fork_ply
        WHERE r.candidate_id = o.id AND r.episode_id {_GOES} ORDER BY r.episode_id LIMIT 1) END AS turn_id,
      (SELECT c.id FROM {{s}}.calls c WHERE c.id = o.call_id AND c.episode_id {_GOES}) AS call_id
    FROM {{s}}.candidates o WHERE o.episode_id {_GOES} AND ({_MAY})""",
    "CREATE UNIQUE INDEX temp.offered_id ON offered(id)",
    "CREATE INDEX temp.offered_episode ON offered(episode_id)",
)
_REWARDS = f"""
SELECT r.candidate_id, json_extract(x.rewards, '$."' || c.role || '"') FROM {{s}}.rollouts r
JOIN temp.offered o ON o.id = r.candidate_id JOIN {{s}}.candidates c ON c.id = o.id
LEFT JOIN {{s}}.results x ON x.episode_id = r.episode_id AND r.episode_id {_GOES}
ORDER BY r.candidate_id, r.episode_id"""

_ABOUT = """coalesce(o.episode_id, (SELECT t.episode_id FROM {s}.turns t WHERE t.id = o.turn_id),
    (SELECT c.episode_id FROM {s}.candidates c WHERE c.id = o.chosen_id))"""
_JUDGED = (
    f"""CREATE TEMP TABLE shown AS SELECT o.id, o.queue_id, o.episode_id FROM {{s}}.items o WHERE o.episode_id {_GOES}
      AND o.a_id IN (SELECT id FROM temp.offered) AND o.b_id IN (SELECT id FROM temp.offered)""",
    "CREATE UNIQUE INDEX temp.shown_id ON shown(id)",
    "CREATE INDEX temp.shown_episode ON shown(episode_id)",
    f"""CREATE TEMP TABLE judged AS SELECT o.id, o.annotator_id, o.judge_id, o.supersedes, {_ABOUT} AS line
    FROM {{s}}.annotations o WHERE {_ABOUT} {_GOES}
      AND (o.turn_id IS NULL OR {_TURN_GOES})
      AND (o.chosen_id IS NULL OR o.chosen_id IN (SELECT id FROM temp.offered))
      AND (o.rejected_id IS NULL OR o.rejected_id IN (SELECT id FROM temp.offered))
      AND (o.item_id IS NULL OR o.item_id IN (SELECT id FROM temp.shown))
      AND (o.guideline_id IS NULL OR o.item_id IS NOT NULL)
      AND (o.annotator_id IS NULL OR o.annotator_id IN (SELECT id FROM temp.agreed))""",
    "CREATE UNIQUE INDEX temp.judged_id ON judged(id)",
)
_ORPHANS = "DELETE FROM temp.judged WHERE supersedes IS NOT NULL AND supersedes NOT IN (SELECT id FROM temp.judged)"
_LINES = """
WITH RECURSIVE first(id, line) AS (
  SELECT id, line FROM temp.judged WHERE supersedes IS NULL
  UNION ALL SELECT j.id, f.line FROM first f JOIN temp.judged j ON j.supersedes = f.id)
UPDATE temp.judged SET line = (SELECT f.line FROM first f WHERE f.id = judged.id) WHERE supersedes IS NOT NULL"""
"""A change of mind stands where the first judgement does, so that whoever reads lines has read that one."""

_STUDY_RUN = "u.kind = 'study' AND json_extract(u.config, '$.study') = o.id"
_TAKING = "CREATE TEMP TABLE taking AS SELECT o.id, o.study_id, o.person_id FROM {s}.participants o WHERE "
_MAY_TAKE = "o.study_id IN (SELECT id FROM temp.held) AND o.person_id IN (SELECT id FROM temp.agreed)"
_WHOLE = (
    """CREATE TEMP TABLE asked AS SELECT o.id FROM {s}.queues o WHERE o.id IN (SELECT queue_id FROM temp.shown)
      OR NOT EXISTS (SELECT 1 FROM {s}.items i WHERE i.queue_id = o.id)""",
    "CREATE TEMP TABLE held AS SELECT o.id FROM {s}.studies o",
    f"{_TAKING}{_MAY_TAKE}",
)
_PART = (
    "CREATE TEMP TABLE asked AS SELECT DISTINCT queue_id AS id FROM temp.shown",
    f"""CREATE TEMP TABLE held AS SELECT o.id FROM {{s}}.studies o WHERE EXISTS (SELECT 1 FROM {{s}}.runs u
      JOIN {{s}}.episodes e ON e.run_id = u.id WHERE {_STUDY_RUN} AND e.id {_GOES})""",
    f"""{_TAKING}{_MAY_TAKE} AND EXISTS (SELECT 1 FROM {{s}}.runs u JOIN {{s}}.episodes e ON e.run_id = u.id
      JOIN {{s}}.seats x ON x.episode_id = e.id WHERE u.kind = 'study'
      AND json_extract(u.config, '$.study') = o.study_id AND x.person_id = o.person_id AND e.id {_GOES})""",
)

_DEAD = "CREATE TEMP TABLE dead AS SELECT o.kind, o.id, o.redaction_id FROM {s}.tombstones o"
_DEAD_HERE = f""" WHERE o.kind = 'people' OR (o.kind = 'episodes' AND o.id {_GOES})
  OR (o.kind = 'turns' AND EXISTS (SELECT 1 FROM {{s}}.turns t WHERE t.id = o.id AND t.episode_id {_GOES}))"""

_KEPT_BACK = f"""
CREATE TEMP TABLE kept_back AS SELECT o.id FROM {{s}}.annotations o
WHERE {_ABOUT} {_GOES} AND o.id NOT IN (SELECT id FROM temp.judged) AND (
  (o.annotator_id IS NOT NULL AND o.annotator_id NOT IN (SELECT id FROM temp.agreed))
  OR EXISTS (SELECT 1 FROM {{s}}.candidates c LEFT JOIN {{s}}.items i ON i.id = o.item_id
    WHERE c.id IN (o.chosen_id, o.rejected_id, i.a_id, i.b_id)
      AND (c.id IN (SELECT id FROM temp.withheld) OR c.episode_id IN (SELECT id FROM temp.barred))))"""
_KEPT_ALONG = """
INSERT INTO temp.kept_back SELECT o.id FROM {s}.annotations o JOIN temp.kept_back k ON k.id = o.supersedes
WHERE o.id NOT IN (SELECT id FROM temp.judged) AND o.id NOT IN (SELECT id FROM temp.kept_back)"""
