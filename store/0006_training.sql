-- What a model was trained on, row by row. A row is a dialogue by the hash of its last message, so that the log itself
-- holds the data set: nothing has to be kept beside it, and what is erased here is erased there.

DROP VIEW leakage;

-- Nothing wrote this table before this version.
DROP TABLE dataset_rows;

CREATE TABLE dataset_rows (
  dataset_id TEXT NOT NULL REFERENCES datasets(id),
  position INTEGER NOT NULL,
  episode_id TEXT REFERENCES episodes(id),       -- null: general data from a file, kept in general
  role TEXT NOT NULL DEFAULT '',
  turn_id TEXT REFERENCES turns(id),             -- the last turn that is trained; all of them are in dataset_turns
  annotation_id TEXT REFERENCES annotations(id),
  chosen_id TEXT REFERENCES candidates(id),
  rejected_id TEXT REFERENCES candidates(id),
  prompt_hash TEXT REFERENCES messages(hash),    -- what stands before both sides of a pair, or before a completion
  tip_hash TEXT REFERENCES messages(hash),       -- the dialogue, or its preferred side
  rejected_hash TEXT REFERENCES messages(hash),  -- the other side of a pair
  loss TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(loss)),  -- which messages of the dialogue carry loss, from 0
  label INTEGER CHECK (label IN (0, 1)),         -- good or bad, where rows are labelled
  why TEXT NOT NULL DEFAULT '',                  -- why it is here, in a few words
  general TEXT CHECK (general IS NULL OR json_valid(general)),
  instance_id TEXT REFERENCES instances(id),     -- what is played from here on, where a row is a point to play from
  PRIMARY KEY (dataset_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX dataset_rows_turn ON dataset_rows(turn_id) WHERE turn_id IS NOT NULL;
CREATE INDEX dataset_rows_episode ON dataset_rows(episode_id) WHERE episode_id IS NOT NULL;
CREATE INDEX dataset_rows_chosen ON dataset_rows(chosen_id) WHERE chosen_id IS NOT NULL;
CREATE INDEX dataset_rows_rejected ON dataset_rows(rejected_id) WHERE rejected_id IS NOT NULL;

CREATE TABLE dataset_turns (
  dataset_id TEXT NOT NULL REFERENCES datasets(id),
  position INTEGER NOT NULL,
  turn_id TEXT NOT NULL REFERENCES turns(id),
  side TEXT NOT NULL CHECK (side IN ('trained', 'rejected')),
  PRIMARY KEY (dataset_id, position, turn_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX dataset_turns_turn ON dataset_turns(turn_id);

-- Content that was trained on and then evaluated on: must be empty.
CREATE VIEW leakage AS
SELECT DISTINCT
  i.key AS key,
  i.game AS trained_game,
  d.dataset_id AS dataset,
  j.game AS evaluated_game,
  x.run_id AS evaluation_run,
  x.id AS evaluation_episode
FROM dataset_rows d
LEFT JOIN episodes e ON e.id = d.episode_id
JOIN instances i ON i.id = coalesce(d.instance_id, e.instance_id)
JOIN instances j ON j.key = i.key
JOIN episodes x ON x.instance_id = j.id
JOIN runs r ON r.id = x.run_id AND r.kind = 'eval';

CREATE TABLE checkpoints (
  training_id TEXT NOT NULL REFERENCES trainings(id),
  step INTEGER NOT NULL,
  player_id TEXT REFERENCES players(id),         -- who plays with it; null where its weights are no file to name
  path TEXT NOT NULL,                            -- on the machine that trained; older ones are removed there
  created_at TEXT NOT NULL,
  PRIMARY KEY (training_id, step)
) STRICT, WITHOUT ROWID;
CREATE INDEX checkpoints_player ON checkpoints(player_id) WHERE player_id IS NOT NULL;

CREATE TABLE training_events (
  id TEXT PRIMARY KEY,
  training_id TEXT NOT NULL REFERENCES trainings(id),
  kind TEXT NOT NULL CHECK (kind IN ('start', 'preflight', 'order', 'warning', 'end')),
  step INTEGER NOT NULL,
  value TEXT NOT NULL CHECK (json_valid(value)), -- start: versions and machine; end: state, reason, last lines
  created_at TEXT NOT NULL
) STRICT;
CREATE INDEX training_events_training ON training_events(training_id, id);
