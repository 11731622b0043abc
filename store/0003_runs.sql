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
