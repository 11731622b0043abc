-- What many matches at once need: why an episode stands still, how far a run is, and who may take a seat from elsewhere.

CREATE TABLE failures (
  id TEXT PRIMARY KEY,
  episode_id TEXT NOT NULL REFERENCES episodes(id),
  ply INTEGER NOT NULL,                -- the utterance that was asked for and did not come
  role TEXT NOT NULL,
  player_id TEXT NOT NULL REFERENCES players(id),
  kind TEXT NOT NULL,                  -- timeout, refused, gone, …: what a program can test
  message TEXT NOT NULL,               -- one sentence for people
  created_at TEXT NOT NULL
) STRICT;
CREATE INDEX failures_episode ON failures(episode_id, ply);

CREATE TABLE progress (                -- one row per run, rewritten while it goes on: the one table that is no fact
  run_id TEXT PRIMARY KEY REFERENCES runs(id),
  state TEXT NOT NULL CHECK (state IN ('running', 'stopped', 'done')),
  planned INTEGER NOT NULL,            -- episodes that this process means to play in all, those done before included
  done INTEGER NOT NULL,
  failed INTEGER NOT NULL,             -- kept without a result, since a player failed
  running INTEGER NOT NULL,
  tokens_in INTEGER NOT NULL DEFAULT 0,
  tokens_out INTEGER NOT NULL DEFAULT 0,
  cost REAL,                           -- in US dollars; null where no price is known
  seconds REAL NOT NULL DEFAULT 0,     -- that this process has been at it
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  beat_at TEXT NOT NULL                -- a running run that has not beaten for a while was killed
) STRICT;

CREATE TABLE invitations (             -- a seat that another terminal may take: its turns are written there
  code TEXT PRIMARY KEY,
  episode_id TEXT NOT NULL REFERENCES episodes(id),
  role TEXT NOT NULL,
  opened_at TEXT NOT NULL,
  seen_at TEXT,                        -- when whoever joined was last there
  closed_at TEXT                       -- the seat was handed back
) STRICT;
CREATE INDEX invitations_episode ON invitations(episode_id, role);

-- Scores: one row per episode and scorer instead of one per number, since self-play writes them by the thousand.

CREATE TABLE scorings (
  episode_id TEXT NOT NULL REFERENCES episodes(id),
  scorer TEXT NOT NULL,                -- whose arithmetic, with version: taboo@1
  turns TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(turns)),      -- credit per ply: [[0, "describer", 1.0], …]
  metrics TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metrics)),  -- the game's own numbers of the whole episode
  created_at TEXT NOT NULL,
  PRIMARY KEY (episode_id, scorer)
) STRICT, WITHOUT ROWID;

INSERT INTO scorings (episode_id, scorer, turns, metrics, created_at)
SELECT
  episode_id,
  scorer,
  json_group_array(json_array(ply, role, value)) FILTER (WHERE ply >= 0),
  json_group_object(name, value) FILTER (WHERE ply < 0),
  max(created_at)
FROM scores GROUP BY episode_id, scorer;

DROP TABLE scores;

-- Every number by itself: the credit of one ply (name is turn), or a metric of the episode (ply is -1).
CREATE VIEW scores AS
SELECT
  s.episode_id AS episode_id,
  'turn' AS name,
  json_extract(t.value, '$[0]') AS ply,
  json_extract(t.value, '$[1]') AS role,
  s.scorer AS scorer,
  CAST(json_extract(t.value, '$[2]') AS REAL) AS value,
  s.created_at AS created_at
FROM scorings s JOIN json_each(s.turns) t
UNION ALL
SELECT s.episode_id, m.key, -1, '', s.scorer, CAST(m.value AS REAL), s.created_at
FROM scorings s JOIN json_each(s.metrics) m;

DROP VIEW unfinished;

-- Episodes without a result, newest first: what can be resumed, and what stopped it where a player failed.
CREATE VIEW unfinished AS
SELECT
  e.id AS episode,
  e.run_id AS run,
  e.slot AS slot,
  e.game AS game,
  i.name AS instance,
  (SELECT group_concat(s.role || '=' || p.name, ' ') FROM seats s JOIN players p ON p.id = s.player_id
   WHERE s.episode_id = e.id) AS seats,
  coalesce((SELECT max(t.ply) + 1 FROM turns t WHERE t.episode_id = e.id), e.fork_ply, 0) AS plies,
  (SELECT f.message FROM failures f WHERE f.episode_id = e.id ORDER BY f.id DESC LIMIT 1) AS failure,
  e.started_at AS started_at,
  coalesce((SELECT max(t.created_at) FROM turns t WHERE t.episode_id = e.id), e.started_at) AS last_at
FROM episodes e
JOIN instances i ON i.id = e.instance_id
WHERE NOT EXISTS (SELECT 1 FROM results r WHERE r.episode_id = e.id)
ORDER BY e.id DESC;
