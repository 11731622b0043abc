-- What finding, putting aside and coming back to episodes takes: saved views, a trash, who sat in for whom, and indexes.

CREATE TABLE saved_views (
  name TEXT PRIMARY KEY,
  query TEXT NOT NULL,                 -- one line of the query language: game:taboo outcome:failure
  saved_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE trash (                   -- episodes that lists, exports and results leave out; nothing of them is deleted
  episode_id TEXT PRIMARY KEY REFERENCES episodes(id),
  trashed_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Who spoke in a seat without having sat there at the start. The trigger keeps it; that this is seldom is what makes
-- it worth keeping, for looking through every turn to find them takes seconds.
CREATE TABLE substitutes (
  episode_id TEXT NOT NULL REFERENCES episodes(id),
  role TEXT NOT NULL,
  player_id TEXT NOT NULL REFERENCES players(id),
  PRIMARY KEY (episode_id, role, player_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX substitutes_player ON substitutes(player_id);

INSERT INTO substitutes (episode_id, role, player_id)
SELECT DISTINCT t.episode_id, t.role, t.player_id FROM turns t LEFT JOIN seats s
ON s.episode_id = t.episode_id AND s.role = t.role WHERE s.player_id IS NOT t.player_id;

CREATE TRIGGER turns_substitutes AFTER INSERT ON turns
WHEN NOT EXISTS (
  SELECT 1 FROM seats s WHERE s.episode_id = new.episode_id AND s.role = new.role AND s.player_id = new.player_id
)
BEGIN
  INSERT INTO substitutes (episode_id, role, player_id) VALUES (new.episode_id, new.role, new.player_id)
  ON CONFLICT DO NOTHING;
END;

-- Everybody who sat or spoke in a seat.
CREATE VIEW sitters AS
SELECT episode_id, role, player_id FROM seats
UNION ALL
SELECT episode_id, role, player_id FROM substitutes;

-- The one index that lists needed beyond those there were: other orders and conditions are read off the ids in less
-- than a tenth of a second for 100,000 episodes, and every index is paid for by each episode that is recorded.
CREATE INDEX episodes_game ON episodes(game, id);
