-- Judging: queues of items that wait for judges, what a judge was shown, candidates and how it went on from them, studies.

CREATE TABLE queues (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,                  -- as one types it; two files may have met with the same one
  seed INTEGER NOT NULL,               -- sides and repeats follow from it, the item and the judge
  judges INTEGER NOT NULL DEFAULT 1 CHECK (judges >= 1),             -- how many people an item needs
  repeats REAL NOT NULL DEFAULT 0.07 CHECK (repeats BETWEEN 0 AND 1),  -- share shown again, with sides swapped
  config TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(config)),      -- filters it was made from, and other choices
  created_at TEXT NOT NULL,
  closed_at TEXT
) STRICT;
CREATE INDEX queues_name ON queues(name);

CREATE TABLE guidelines (
  id TEXT PRIMARY KEY,
  queue_id TEXT NOT NULL REFERENCES queues(id),
  version INTEGER NOT NULL,
  text TEXT NOT NULL,                  -- markdown
  created_at TEXT NOT NULL,
  UNIQUE (queue_id, version)
) STRICT;

CREATE TABLE items (
  id TEXT PRIMARY KEY,                 -- hash of queue, kind and candidates: the same pair is one item, in every file
  queue_id TEXT NOT NULL REFERENCES queues(id),
  kind TEXT NOT NULL CHECK (kind IN ('pair', 'endings')),  -- two replies, or how it ended after each
  episode_id TEXT NOT NULL REFERENCES episodes(id),  -- whose dialogue stands before both
  ply INTEGER NOT NULL,
  role TEXT NOT NULL,
  a_id TEXT NOT NULL REFERENCES candidates(id),
  b_id TEXT NOT NULL REFERENCES candidates(id),
  gold TEXT CHECK (gold IN ('a', 'b', 'tie', 'bad')),  -- the known answer, never shown before the vote
  priority REAL NOT NULL DEFAULT 0,    -- the highest comes first
  why TEXT NOT NULL DEFAULT '',
  created_at TEXT NOT NULL,
  CHECK (a_id <> b_id)
) STRICT;
CREATE INDEX items_queue ON items(queue_id, priority);
CREATE INDEX items_a ON items(a_id);
CREATE INDEX items_b ON items(b_id);
CREATE INDEX items_episode ON items(episode_id);

CREATE TABLE reservations (            -- who looks at an item now, so that no two fill the same place: no fact, and not merged
  item_id TEXT NOT NULL REFERENCES items(id),
  judge TEXT NOT NULL,                 -- a person, or the player that judges
  until TEXT NOT NULL,
  PRIMARY KEY (item_id, judge)
) STRICT, WITHOUT ROWID;

CREATE TABLE drafts (                  -- what somebody was writing: no fact, gone when it is sent, and not merged
  judge TEXT NOT NULL,
  place TEXT NOT NULL,                 -- what it belongs to: an item, or a turn
  text TEXT NOT NULL,
  written_at TEXT NOT NULL,
  PRIMARY KEY (judge, place)
) STRICT, WITHOUT ROWID;

-- Of a preference: value is {"verdict": "a" | "b" | "tie" | "bad" | "skip" | null, …}, null where it was taken back; a
-- strength other than 0 stands only where one is better: 1, or 2 for much better. shown_order is left, right.
ALTER TABLE annotations ADD COLUMN item_id TEXT REFERENCES items(id);
-- a model or bot that judged; then annotator_id is null
ALTER TABLE annotations ADD COLUMN judge_id TEXT REFERENCES players(id);
-- what the judge had read
ALTER TABLE annotations ADD COLUMN guideline_id TEXT REFERENCES guidelines(id);
-- 1: the second time that this judge was shown the item
ALTER TABLE annotations ADD COLUMN repeat INTEGER NOT NULL DEFAULT 0 CHECK (repeat IN (0, 1));
CREATE INDEX annotations_item ON annotations(item_id) WHERE item_id IS NOT NULL;
CREATE INDEX annotations_annotator ON annotations(annotator_id) WHERE annotator_id IS NOT NULL;
CREATE INDEX annotations_rejected ON annotations(rejected_id) WHERE rejected_id IS NOT NULL;

-- What everybody thinks of every item now: one row per judge, item and time it was shown.
CREATE VIEW verdicts AS
SELECT
  q.name AS queue,
  a.item_id AS item,
  coalesce(a.annotator_id, p.name) AS judge,
  CASE WHEN a.judge_id IS NULL THEN 'person' ELSE 'model' END AS judge_kind,
  a.repeat AS repeat,
  json_extract(a.value, '$.verdict') AS verdict,
  a.strength AS strength,
  json_extract(a.shown_order, '$[0]') = i.a_id AS a_was_left,
  coalesce(json_extract(a.value, '$.adjudicated'), 0) AS adjudicated,
  i.gold AS gold,
  a.ms AS ms,
  a.created_at AS at,
  a.id AS annotation
FROM annotations a
JOIN items i ON i.id = a.item_id
JOIN queues q ON q.id = i.queue_id
LEFT JOIN players p ON p.id = a.judge_id
WHERE a.kind = 'preference' AND json_extract(a.value, '$.verdict') IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM annotations n WHERE n.supersedes = a.id);

CREATE TABLE rollouts (                -- an episode that went on from a candidate: its first turn says it
  episode_id TEXT PRIMARY KEY REFERENCES episodes(id),
  candidate_id TEXT NOT NULL REFERENCES candidates(id)
) STRICT;
CREATE INDEX rollouts_candidate ON rollouts(candidate_id);

-- the game master's word on it, asked of the rules alone; null where nobody asked
ALTER TABLE candidates ADD COLUMN verdict TEXT CHECK (verdict IN ('ok', 'illegal'));
CREATE TABLE branches (                -- which candidates a run of kind branch goes on from
  run_id TEXT NOT NULL REFERENCES runs(id),
  candidate_id TEXT NOT NULL REFERENCES candidates(id),
  place INTEGER NOT NULL,              -- among those of its point in this run: slots follow from it
  copies INTEGER NOT NULL DEFAULT 1 CHECK (copies >= 0),  -- how often it was said among those sampled; 0: it was not
  PRIMARY KEY (run_id, candidate_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX branches_candidate ON branches(candidate_id);

-- A candidate's value is always the mean reward of its role over its finished rollouts, whoever wrote them, and in which
-- order they came.
CREATE TRIGGER rollouts_begin AFTER INSERT ON rollouts BEGIN
  UPDATE candidates SET
    turn_id = coalesce(turn_id, (SELECT t.id FROM episodes e JOIN turns t ON t.episode_id = e.id AND t.ply = e.fork_ply
      WHERE e.id = new.episode_id)),
    value = (SELECT avg(json_extract(x.rewards, '$."' || candidates.role || '"'))
      FROM rollouts o JOIN results x ON x.episode_id = o.episode_id WHERE o.candidate_id = candidates.id)
  WHERE id = new.candidate_id;
END;
CREATE TRIGGER rollouts_end AFTER INSERT ON results
WHEN EXISTS (SELECT 1 FROM rollouts WHERE episode_id = new.episode_id) BEGIN
  UPDATE candidates SET
    value = (SELECT avg(json_extract(x.rewards, '$."' || candidates.role || '"'))
      FROM rollouts o JOIN results x ON x.episode_id = o.episode_id WHERE o.candidate_id = candidates.id)
  WHERE id = (SELECT candidate_id FROM rollouts WHERE episode_id = new.episode_id);
END;
CREATE TRIGGER rollouts_gone AFTER DELETE ON rollouts BEGIN
  UPDATE candidates SET
    value = (SELECT avg(json_extract(x.rewards, '$."' || candidates.role || '"'))
      FROM rollouts o JOIN results x ON x.episode_id = o.episode_id WHERE o.candidate_id = candidates.id)
  WHERE id = old.candidate_id;
END;

CREATE TABLE studies (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  config TEXT NOT NULL CHECK (json_valid(config)),  -- the whole file: consent text, quota, material, questions
  created_at TEXT NOT NULL
) STRICT;

CREATE TABLE participants (
  id TEXT PRIMARY KEY,
  study_id TEXT NOT NULL REFERENCES studies(id),
  person_id TEXT NOT NULL REFERENCES people(id),
  place INTEGER NOT NULL,              -- in the balanced order: which cell of the design they fill
  plan TEXT NOT NULL CHECK (json_valid(plan)),
  code TEXT NOT NULL,                  -- what they give back to be paid
  joined_at TEXT NOT NULL,
  finished_at TEXT,
  UNIQUE (study_id, person_id)
) STRICT;
CREATE INDEX participants_person ON participants(person_id);

CREATE TABLE answers (
  participant_id TEXT NOT NULL REFERENCES participants(id),
  question TEXT NOT NULL,
  value TEXT NOT NULL CHECK (json_valid(value)),
  created_at TEXT NOT NULL,
  PRIMARY KEY (participant_id, question)
) STRICT, WITHOUT ROWID;

-- Where words went from here. Nothing of it leaves this file: paths are this machine's.
CREATE TABLE copies (
  path TEXT PRIMARY KEY,               -- in full
  kind TEXT NOT NULL CHECK (kind IN ('backup', 'export')),
  made_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE unswept (                 -- redactions whose words are gone from the tables, and maybe not from the file
  redaction_id TEXT PRIMARY KEY REFERENCES redactions(id)
) STRICT, WITHOUT ROWID;
