-- The last turn that a row trains stands in the row itself: dataset_turns has the others, and those on a rejected side.
-- Most rows train one turn, so what said it twice was a third of the time it takes to freeze a data set.

DELETE FROM dataset_turns WHERE side = 'trained' AND EXISTS (
  SELECT 1 FROM dataset_rows d
  WHERE d.dataset_id = dataset_turns.dataset_id AND d.position = dataset_turns.position
    AND d.turn_id = dataset_turns.turn_id
);

-- Where a row trains a turn, the episode is found by that: only the others need an index of their own.
DROP INDEX dataset_rows_episode;
CREATE INDEX dataset_rows_episode ON dataset_rows(episode_id) WHERE episode_id IS NOT NULL AND turn_id IS NULL;

-- Every turn behind a row, each once.
CREATE VIEW dataset_row_turns AS
SELECT dataset_id, position, turn_id, 'trained' AS side FROM dataset_rows WHERE turn_id IS NOT NULL
UNION ALL
SELECT dataset_id, position, turn_id, side FROM dataset_turns;
