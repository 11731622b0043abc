-- The facts. Identifiers are ULIDs (26 characters, sortable by time) or content hashes; times are UTC text; JSON is checked.

CREATE TABLE people (
  id TEXT PRIMARY KEY,                 -- random pseudonym such as amber-otter-417; no name, no mail, anywhere
  consent TEXT NOT NULL CHECK (consent IN ('none', 'local', 'research', 'public')),
  consent_version TEXT NOT NULL,       -- which text was shown when the person answered
  consented_at TEXT NOT NULL,
  withdrawn_at TEXT,                   -- set when the person took the consent back
  created_at TEXT NOT NULL
) STRICT;

CREATE TABLE players (
  id TEXT PRIMARY KEY,                 -- hash of the other columns: equal players are one row
  kind TEXT NOT NULL CHECK (kind IN ('human', 'model', 'bot', 'replay')),
  name TEXT NOT NULL,                  -- as one would type it: smollm2, bot:random, a pseudonym
  revision TEXT NOT NULL DEFAULT '',   -- what pins a model: file hash, server's model id, package version
  adapter_hash TEXT NOT NULL DEFAULT '',
  sampling TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(sampling))
) STRICT;

CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('play', 'self_play', 'eval', 'train', 'branch', 'study', 'import')),
  created_at TEXT NOT NULL,
  app_version TEXT NOT NULL,
  git_commit TEXT,                     -- null where the program is not run from a checkout
  git_dirty INTEGER CHECK (git_dirty IN (0, 1)),
  seed INTEGER,
  config TEXT NOT NULL CHECK (json_valid(config)),
  config_hash TEXT NOT NULL,
  hardware TEXT NOT NULL CHECK (json_valid(hardware))
) STRICT;

CREATE TABLE instances (
  id TEXT PRIMARY KEY,                 -- hash of game and data
  game TEXT NOT NULL,
  name TEXT NOT NULL,                  -- unique in its game, gives nothing away
  key TEXT NOT NULL,                   -- the content that a learner would recognise; splits go by it
  experiment TEXT NOT NULL,
  language TEXT NOT NULL,
  split TEXT NOT NULL CHECK (split IN ('train', 'validation', 'test')),
  translation_of TEXT REFERENCES instances(id),
  data TEXT NOT NULL CHECK (json_valid(data))
) STRICT;
CREATE INDEX instances_key ON instances(key);
CREATE INDEX instances_name ON instances(game, name);

CREATE TABLE episodes (
  id TEXT PRIMARY KEY,
  run_id TEXT REFERENCES runs(id),
  slot INTEGER,                        -- the planned place in its run: a resumed run fills each once
  group_id TEXT,                       -- siblings: same instance and seed
  instance_id TEXT NOT NULL REFERENCES instances(id),
  game TEXT NOT NULL,
  game_version INTEGER NOT NULL,
  seed INTEGER NOT NULL,               -- of the match, and so of its group
  parent_id TEXT REFERENCES episodes(id),
  fork_ply INTEGER,                    -- a branch has its parent's turns below this ply, and its own from there
  opening TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(opening)),  -- what the game master said before the first turn
  started_at TEXT NOT NULL,
  UNIQUE (run_id, slot),
  CHECK ((parent_id IS NULL) = (fork_ply IS NULL))
) STRICT;
CREATE INDEX episodes_instance ON episodes(instance_id);
CREATE INDEX episodes_parent ON episodes(parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX episodes_group ON episodes(group_id) WHERE group_id IS NOT NULL;

CREATE TABLE seats (
  episode_id TEXT NOT NULL REFERENCES episodes(id),
  role TEXT NOT NULL,
  player_id TEXT NOT NULL REFERENCES players(id),  -- who sat there at the start; turns say who spoke
  person_id TEXT REFERENCES people(id),
  PRIMARY KEY (episode_id, role)
) STRICT, WITHOUT ROWID;
CREATE INDEX seats_player ON seats(player_id);
CREATE INDEX seats_person ON seats(person_id) WHERE person_id IS NOT NULL;

CREATE TABLE messages (
  hash TEXT PRIMARY KEY,               -- of parent, role and content: a conversation is the hash of its last message
  parent_hash TEXT REFERENCES messages(hash),
  role TEXT NOT NULL CHECK (role IN ('system', 'user', 'assistant')),
  content TEXT NOT NULL
) STRICT;
-- Hashes are indexed nowhere else: each such index is a random write for every message. Erasing builds its own.

CREATE TABLE turns (
  seq INTEGER PRIMARY KEY,             -- order of arrival in this file; the search index goes by it
  id TEXT NOT NULL UNIQUE,
  episode_id TEXT NOT NULL REFERENCES episodes(id),
  ply INTEGER NOT NULL CHECK (ply >= 0),
  round INTEGER NOT NULL,              -- the game's own count when it was said
  role TEXT NOT NULL,
  player_id TEXT NOT NULL REFERENCES players(id),
  person_id TEXT REFERENCES people(id),
  assisted INTEGER NOT NULL DEFAULT 0 CHECK (assisted IN (0, 1)),  -- the reply was held to a grammar or given examples
  text TEXT NOT NULL,                  -- what was said, tags and all: replay reads only this
  verdict TEXT NOT NULL CHECK (verdict IN ('ok', 'illegal')),
  note TEXT NOT NULL DEFAULT '',       -- what the game master objected to
  says TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(says)),  -- what the game master told whom because of it
  seen_hash TEXT REFERENCES messages(hash),  -- the conversation this role had heard before it spoke
  ms REAL NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL,
  UNIQUE (episode_id, ply)
) STRICT;
CREATE INDEX turns_player ON turns(player_id);
CREATE INDEX turns_person ON turns(person_id) WHERE person_id IS NOT NULL;

CREATE TABLE heard (
  episode_id TEXT NOT NULL REFERENCES episodes(id),
  role TEXT NOT NULL,
  hash TEXT NOT NULL REFERENCES messages(hash),  -- the whole conversation of this role when the episode was over
  PRIMARY KEY (episode_id, role)
) STRICT, WITHOUT ROWID;

CREATE TABLE calls (
  id TEXT PRIMARY KEY,
  episode_id TEXT NOT NULL REFERENCES episodes(id),
  ply INTEGER NOT NULL,
  role TEXT NOT NULL,
  turn_id TEXT REFERENCES turns(id),   -- null: the reply was refused, failed or cancelled
  player_id TEXT NOT NULL REFERENCES players(id),
  prompt_hash TEXT REFERENCES messages(hash),  -- what was sent, examples and system prompt and all
  text TEXT NOT NULL,                  -- what came back, partial when it was cut off
  reasoning TEXT NOT NULL DEFAULT '',
  finish TEXT NOT NULL DEFAULT '',
  tokens_in INTEGER,
  tokens_out INTEGER,
  ms REAL NOT NULL DEFAULT 0,
  first_token_ms REAL,
  assisted INTEGER NOT NULL DEFAULT 0 CHECK (assisted IN (0, 1)),
  sampling TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(sampling)),
  error TEXT NOT NULL DEFAULT '',
  token_ids BLOB,                      -- unsigned 32 bit, little-endian
  logprobs BLOB,                       -- 32 bit floats, little-endian
  raw TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(raw)),
  created_at TEXT NOT NULL
) STRICT;
CREATE INDEX calls_episode ON calls(episode_id, ply);
CREATE INDEX calls_turn ON calls(turn_id) WHERE turn_id IS NOT NULL;

CREATE TABLE candidates (
  id TEXT PRIMARY KEY,
  episode_id TEXT NOT NULL REFERENCES episodes(id),
  ply INTEGER NOT NULL,
  role TEXT NOT NULL,
  turn_id TEXT REFERENCES turns(id),   -- the turn it became, here or in a branch; null while it became none
  rank INTEGER NOT NULL DEFAULT 0,     -- its place among those sampled together
  player_id TEXT NOT NULL REFERENCES players(id),
  person_id TEXT REFERENCES people(id),
  call_id TEXT REFERENCES calls(id),
  seen_hash TEXT REFERENCES messages(hash),
  text TEXT NOT NULL,
  token_ids BLOB,
  logprobs BLOB,
  value REAL,                          -- mean return of the branches that went on from it, 0 to 1
  created_at TEXT NOT NULL
) STRICT;
CREATE INDEX candidates_place ON candidates(episode_id, ply);
CREATE INDEX candidates_turn ON candidates(turn_id) WHERE turn_id IS NOT NULL;

CREATE TABLE results (
  episode_id TEXT PRIMARY KEY REFERENCES episodes(id),  -- no row: unfinished
  outcome TEXT NOT NULL CHECK (outcome IN ('success', 'failure', 'aborted', 'draw')),
  reason TEXT NOT NULL DEFAULT '',
  main REAL,                           -- main score, 0 to 100; null when aborted
  rewards TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(rewards)),  -- per role, 0 to 1
  winners TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(winners)),
  plies INTEGER NOT NULL,
  ended_at TEXT NOT NULL
) STRICT;
CREATE INDEX results_outcome ON results(outcome);

CREATE TABLE scores (
  episode_id TEXT NOT NULL REFERENCES episodes(id),
  name TEXT NOT NULL,                  -- turn: credit of one ply; else the game's own metric
  ply INTEGER NOT NULL DEFAULT -1,     -- -1: of the whole episode
  role TEXT NOT NULL DEFAULT '',       -- empty: of all roles
  scorer TEXT NOT NULL,                -- whose arithmetic, with version: taboo@1
  value REAL NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (episode_id, name, ply, role, scorer)
) STRICT, WITHOUT ROWID;

CREATE TABLE annotations (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('preference', 'rating', 'edit', 'label', 'note')),
  episode_id TEXT REFERENCES episodes(id),
  turn_id TEXT REFERENCES turns(id),
  annotator_id TEXT REFERENCES people(id),
  chosen_id TEXT REFERENCES candidates(id),
  rejected_id TEXT REFERENCES candidates(id),
  strength INTEGER,                    -- 0: a tie
  value TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(value)),
  blind INTEGER NOT NULL DEFAULT 0 CHECK (blind IN (0, 1)),
  shown_order TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(shown_order)),  -- candidates as they stood on the screen
  ms REAL,
  created_at TEXT NOT NULL,
  supersedes TEXT UNIQUE REFERENCES annotations(id),  -- a change of mind is a new row
  CHECK (coalesce(episode_id, turn_id, chosen_id) IS NOT NULL)
) STRICT;
CREATE INDEX annotations_turn ON annotations(turn_id) WHERE turn_id IS NOT NULL;
CREATE INDEX annotations_episode ON annotations(episode_id) WHERE episode_id IS NOT NULL;
CREATE INDEX annotations_chosen ON annotations(chosen_id, rejected_id) WHERE chosen_id IS NOT NULL;

CREATE TABLE datasets (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('sft', 'dpo', 'kto', 'grpo')),
  query TEXT NOT NULL DEFAULT '',
  filters TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(filters)),  -- consent among them
  content_hash TEXT NOT NULL,
  rows INTEGER NOT NULL,
  created_at TEXT NOT NULL
) STRICT;

CREATE TABLE dataset_rows (
  dataset_id TEXT NOT NULL REFERENCES datasets(id),
  position INTEGER NOT NULL,
  turn_id TEXT REFERENCES turns(id),
  annotation_id TEXT REFERENCES annotations(id),
  chosen_id TEXT REFERENCES candidates(id),
  rejected_id TEXT REFERENCES candidates(id),
  PRIMARY KEY (dataset_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX dataset_rows_turn ON dataset_rows(turn_id) WHERE turn_id IS NOT NULL;

CREATE TABLE trainings (
  id TEXT PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs(id),
  method TEXT NOT NULL CHECK (method IN ('sft', 'dpo', 'kto', 'grpo')),
  base_player_id TEXT NOT NULL REFERENCES players(id),
  result_player_id TEXT REFERENCES players(id),   -- the checkpoint is a player
  dataset_id TEXT REFERENCES datasets(id),
  state TEXT NOT NULL CHECK (state IN ('running', 'stopped', 'failed', 'done')),
  created_at TEXT NOT NULL
) STRICT;

CREATE TABLE metrics (
  training_id TEXT NOT NULL REFERENCES trainings(id),
  step INTEGER NOT NULL,
  name TEXT NOT NULL,
  value REAL,                          -- null where it was not a number
  PRIMARY KEY (training_id, name, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE evaluations (
  id TEXT PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs(id),  -- its episodes are those of the run
  name TEXT NOT NULL,                  -- the suite with its version: native-1.0
  suite_hash TEXT NOT NULL,
  player_ids TEXT NOT NULL CHECK (json_valid(player_ids)),
  created_at TEXT NOT NULL
) STRICT;

CREATE TABLE tags (
  episode_id TEXT NOT NULL REFERENCES episodes(id),
  tag TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (episode_id, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_tag ON tags(tag);

CREATE TABLE redactions (
  id TEXT PRIMARY KEY,
  person_id TEXT REFERENCES people(id),
  reason TEXT NOT NULL,
  opened_at TEXT NOT NULL,
  closed_at TEXT                       -- null only inside the transaction that redacts
) STRICT;

CREATE TABLE tombstones (
  kind TEXT NOT NULL,                  -- the table of what was erased
  id TEXT NOT NULL,                    -- its id or hash: no merge brings it back
  redaction_id TEXT NOT NULL REFERENCES redactions(id),
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

-- Append-only: what was said and judged stays as it was. The one exception is redaction: inside a transaction that has
-- inserted a row into redactions and not yet closed it, these triggers let pass.

CREATE TRIGGER turns_stay BEFORE UPDATE ON turns
WHEN NOT EXISTS (SELECT 1 FROM redactions WHERE closed_at IS NULL)
BEGIN SELECT raise(ABORT, 'turns are append-only; open a redaction to erase one'); END;
CREATE TRIGGER turns_remain BEFORE DELETE ON turns
WHEN NOT EXISTS (SELECT 1 FROM redactions WHERE closed_at IS NULL)
BEGIN SELECT raise(ABORT, 'turns are append-only; open a redaction to erase one'); END;
CREATE TRIGGER messages_stay BEFORE UPDATE ON messages
WHEN NOT EXISTS (SELECT 1 FROM redactions WHERE closed_at IS NULL)
BEGIN SELECT raise(ABORT, 'messages are append-only; open a redaction to erase one'); END;
CREATE TRIGGER messages_remain BEFORE DELETE ON messages
WHEN NOT EXISTS (SELECT 1 FROM redactions WHERE closed_at IS NULL)
BEGIN SELECT raise(ABORT, 'messages are append-only; open a redaction to erase one'); END;
CREATE TRIGGER results_stay BEFORE UPDATE ON results
WHEN NOT EXISTS (SELECT 1 FROM redactions WHERE closed_at IS NULL)
BEGIN SELECT raise(ABORT, 'results are append-only; score again instead'); END;
CREATE TRIGGER results_remain BEFORE DELETE ON results
WHEN NOT EXISTS (SELECT 1 FROM redactions WHERE closed_at IS NULL)
BEGIN SELECT raise(ABORT, 'results are append-only; score again instead'); END;
CREATE TRIGGER annotations_stay BEFORE UPDATE ON annotations
WHEN NOT EXISTS (SELECT 1 FROM redactions WHERE closed_at IS NULL)
BEGIN SELECT raise(ABORT, 'annotations are append-only; add one that supersedes it'); END;
CREATE TRIGGER annotations_remain BEFORE DELETE ON annotations
WHEN NOT EXISTS (SELECT 1 FROM redactions WHERE closed_at IS NULL)
BEGIN SELECT raise(ABORT, 'annotations are append-only; add one that supersedes it'); END;

-- Full-text search over what was said: SELECT * FROM turns_fts WHERE turns_fts MATCH 'word'; rowid is turns.seq.

CREATE VIRTUAL TABLE turns_fts USING fts5(
  text, content='turns', content_rowid='seq', tokenize="unicode61 remove_diacritics 2"
);
CREATE TRIGGER turns_fts_insert AFTER INSERT ON turns BEGIN
  INSERT INTO turns_fts(rowid, text) VALUES (new.seq, new.text);
END;
CREATE TRIGGER turns_fts_update AFTER UPDATE OF text ON turns BEGIN
  INSERT INTO turns_fts(turns_fts, rowid, text) VALUES ('delete', old.seq, old.text);
  INSERT INTO turns_fts(rowid, text) VALUES (new.seq, new.text);
END;
CREATE TRIGGER turns_fts_delete AFTER DELETE ON turns BEGIN
  INSERT INTO turns_fts(turns_fts, rowid, text) VALUES ('delete', old.seq, old.text);
END;
