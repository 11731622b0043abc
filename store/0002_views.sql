-- What people read with sqlite-utils, Datasette or the sqlite3 shell. A WHERE on episode is fast in each of them.

-- Every turn in reading order: who said what, what the game master made of it, and how the episode ended.
CREATE VIEW transcript AS
SELECT
  e.id AS episode,
  e.game AS game,
  i.name AS instance,
  t.ply AS ply,
  t.round AS round,
  t.role AS role,
  p.name AS speaker,
  t.text AS text,
  t.verdict AS verdict,
  t.note AS note,
  t.assisted AS assisted,
  coalesce(r.outcome, 'unfinished') AS outcome,
  r.reason AS reason,
  r.main AS score,
  t.created_at AS at
FROM turns t
JOIN episodes e ON e.id = t.episode_id
JOIN instances i ON i.id = e.instance_id
JOIN players p ON p.id = t.player_id
LEFT JOIN results r ON r.episode_id = e.id
ORDER BY t.episode_id, t.ply;

-- The last message of each seat's conversation: at the end of the episode, or before its latest turn.
CREATE VIEW tips AS
SELECT episode_id, role, hash FROM heard
UNION ALL
SELECT t.episode_id, t.role, t.seen_hash
FROM turns t
WHERE t.seen_hash IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM results r WHERE r.episode_id = t.episode_id)
  AND NOT EXISTS (
    SELECT 1 FROM turns later WHERE later.episode_id = t.episode_id AND later.role = t.role AND later.ply > t.ply
  );

-- One seat's eyes: everything it was told (user) and said (assistant), in order, and nothing else.
CREATE VIEW perspective AS
SELECT
  s.episode_id AS episode,
  s.role AS role,
  m.key AS position,
  json_extract(m.value, '$.role') AS sender,
  json_extract(m.value, '$.content') AS content
FROM tips s
JOIN json_each((
  WITH RECURSIVE walk(hash, parent_hash, role, content, back) AS (
    SELECT hash, parent_hash, role, content, 0 FROM messages WHERE hash = s.hash
    UNION ALL
    SELECT m.hash, m.parent_hash, m.role, m.content, w.back + 1 FROM walk w JOIN messages m ON m.hash = w.parent_hash
  )
  SELECT json_group_array(json_object('role', role, 'content', content))
  FROM (SELECT role, content FROM walk ORDER BY back DESC)
)) m;

-- Which of two replies to the same words people preferred, how many agreed, and how each of them went on.
CREATE VIEW preference_pairs AS
SELECT
  c.game AS game,
  a.role AS role,
  a.episode_id AS episode,
  a.ply AS ply,
  a.seen_hash AS seen_hash,
  a.text AS chosen,
  b.text AS rejected,
  count(*) AS judgements,
  (
    SELECT count(*) FROM annotations o
    WHERE o.kind = 'preference' AND o.chosen_id = j.rejected_id AND o.rejected_id = j.chosen_id
      AND coalesce(o.strength, 1) <> 0 AND NOT EXISTS (SELECT 1 FROM annotations n WHERE n.supersedes = o.id)
  ) AS disagreed,
  (
    SELECT r.outcome FROM turns t JOIN results r ON r.episode_id = t.episode_id WHERE t.id = a.turn_id
  ) AS chosen_outcome,
  (
    SELECT r.outcome FROM turns t JOIN results r ON r.episode_id = t.episode_id WHERE t.id = b.turn_id
  ) AS rejected_outcome,
  a.value AS chosen_value,
  b.value AS rejected_value,
  a.id AS chosen_id,
  b.id AS rejected_id
FROM annotations j
JOIN candidates a ON a.id = j.chosen_id
JOIN candidates b ON b.id = j.rejected_id
JOIN episodes c ON c.id = a.episode_id
WHERE j.kind = 'preference' AND coalesce(j.strength, 1) <> 0
  AND NOT EXISTS (SELECT 1 FROM annotations n WHERE n.supersedes = j.id)
GROUP BY j.chosen_id, j.rejected_id;

-- Per game, role and player. A seat that changed hands counts for nobody; assisted seats stand apart.
CREATE VIEW leaderboard AS
SELECT
  game,
  role,
  player,
  assisted,
  count(*) AS episodes,
  round(100.0 * avg(outcome <> 'aborted'), 1) AS played,
  sum(outcome = 'success') AS success,
  sum(outcome = 'failure') AS failure,
  sum(outcome = 'draw') AS draw,
  sum(outcome = 'aborted') AS aborted,
  sum(won) AS won,
  round(avg(main), 1) AS quality,
  round(avg(reward), 3) AS reward
FROM (
  SELECT
    e.game AS game,
    s.role AS role,
    p.name AS player,
    (
      SELECT CASE WHEN max(t.player_id <> s.player_id) THEN NULL ELSE coalesce(max(t.assisted), 0) END
      FROM turns t WHERE t.episode_id = e.id AND t.role = s.role
    ) AS assisted,
    r.outcome AS outcome,
    r.main AS main,
    instr(r.winners, json_quote(s.role)) > 0 AS won,
    json_extract(r.rewards, '$.' || json_quote(s.role)) AS reward
  FROM results r
  JOIN episodes e ON e.id = r.episode_id
  JOIN seats s ON s.episode_id = e.id
  JOIN players p ON p.id = s.player_id
)
WHERE assisted IS NOT NULL
GROUP BY game, role, player, assisted;

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
JOIN episodes e ON e.id = coalesce(
  (SELECT t.episode_id FROM turns t WHERE t.id = d.turn_id),
  (SELECT c.episode_id FROM candidates c WHERE c.id = d.chosen_id)
)
JOIN instances i ON i.id = e.instance_id
JOIN instances j ON j.key = i.key
JOIN episodes x ON x.instance_id = j.id
JOIN runs r ON r.id = x.run_id AND r.kind = 'eval';

-- Episodes without a result, newest first: what can be resumed.
CREATE VIEW unfinished AS
SELECT
  e.id AS episode,
  e.run_id AS run,
  e.game AS game,
  i.name AS instance,
  (SELECT group_concat(s.role || '=' || p.name, ' ') FROM seats s JOIN players p ON p.id = s.player_id
   WHERE s.episode_id = e.id) AS seats,
  coalesce((SELECT max(t.ply) + 1 FROM turns t WHERE t.episode_id = e.id), e.fork_ply, 0) AS plies,
  e.started_at AS started_at,
  coalesce((SELECT max(t.created_at) FROM turns t WHERE t.episode_id = e.id), e.started_at) AS last_at
FROM episodes e
JOIN instances i ON i.id = e.instance_id
WHERE NOT EXISTS (SELECT 1 FROM results r WHERE r.episode_id = e.id)
ORDER BY e.id DESC;
