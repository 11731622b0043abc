-- Rankings as data sets: more than two replies to the same words, best first, and the votes that said so.

-- A check cannot be changed in place; the table is made anew, with foreign keys off, so that its rows keep their children.
CREATE TABLE datasets_with_rankings (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('sft', 'dpo', 'kto', 'grpo', 'ranking')),
  query TEXT NOT NULL DEFAULT '',
  filters TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(filters)),  -- consent among them
  content_hash TEXT NOT NULL,
  rows INTEGER NOT NULL,
  created_at TEXT NOT NULL
) STRICT;
INSERT INTO datasets_with_rankings (id, kind, query, filters, content_hash, rows, created_at)
SELECT id, kind, query, filters, content_hash, rows, created_at FROM datasets ORDER BY rowid;
DROP TABLE datasets;
ALTER TABLE datasets_with_rankings RENAME TO datasets;

CREATE TABLE dataset_ranked (            -- the replies of a row that is a ranking
  dataset_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  place INTEGER NOT NULL CHECK (place >= 0),      -- from 0, the best first
  tip_hash TEXT NOT NULL REFERENCES messages(hash),  -- the dialogue with this reply at its end
  rank INTEGER NOT NULL CHECK (rank >= 1),        -- replies that are worth the same have the same rank
  score REAL NOT NULL,                            -- its mean over the votes about it: 1 better, half a tie, 0 worse
  votes INTEGER NOT NULL CHECK (votes >= 1),
  PRIMARY KEY (dataset_id, position, place),
  FOREIGN KEY (dataset_id, position) REFERENCES dataset_rows(dataset_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE dataset_votes (             -- the judgements behind a row that comes of several
  dataset_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  annotation_id TEXT NOT NULL REFERENCES annotations(id),
  PRIMARY KEY (dataset_id, position, annotation_id),
  FOREIGN KEY (dataset_id, position) REFERENCES dataset_rows(dataset_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX dataset_votes_annotation ON dataset_votes(annotation_id);
