-- What was brought in from elsewhere, byte for byte, so that it can go out again as it came.

CREATE TABLE blobs (
  hash TEXT PRIMARY KEY,               -- BLAKE2b, 16 bytes, of the plain content: equal files are one row
  content BLOB NOT NULL,               -- zlib
  size INTEGER NOT NULL CHECK (size >= 0)  -- bytes before compression
) STRICT;

CREATE TABLE files (
  run_id TEXT NOT NULL REFERENCES runs(id),      -- the import that brought it
  episode_id TEXT REFERENCES episodes(id),       -- whose it is; null where it belongs to the run or an experiment
  path TEXT NOT NULL,                            -- with slashes, from the folder that held the models' folders
  hash TEXT NOT NULL REFERENCES blobs(hash),
  PRIMARY KEY (run_id, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX files_episode ON files(episode_id) WHERE episode_id IS NOT NULL;
CREATE INDEX files_hash ON files(hash);

CREATE TRIGGER blobs_stay BEFORE UPDATE ON blobs
WHEN NOT EXISTS (SELECT 1 FROM redactions WHERE closed_at IS NULL)
BEGIN SELECT raise(ABORT, 'imported files are append-only; open a redaction to erase one'); END;
CREATE TRIGGER blobs_remain BEFORE DELETE ON blobs
WHEN NOT EXISTS (SELECT 1 FROM redactions WHERE closed_at IS NULL)
BEGIN SELECT raise(ABORT, 'imported files are append-only; open a redaction to erase one'); END;
CREATE TRIGGER files_stay BEFORE UPDATE ON files
WHEN NOT EXISTS (SELECT 1 FROM redactions WHERE closed_at IS NULL)
BEGIN SELECT raise(ABORT, 'imported files are append-only; open a redaction to erase one'); END;
CREATE TRIGGER files_remain BEFORE DELETE ON files
WHEN NOT EXISTS (SELECT 1 FROM redactions WHERE closed_at IS NULL)
BEGIN SELECT raise(ABORT, 'imported files are append-only; open a redaction to erase one'); END;
