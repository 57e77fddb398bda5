-- Version 1. `migrations` says which steps made the tables, and by which text.
CREATE TABLE migrations (version INTEGER PRIMARY KEY, checksum TEXT NOT NULL) STRICT;

CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- `text` is the event; all other columns are what it says, so that it is found by them, and its digest.
-- `position` counts the events of all chains from 1, in the order in which they were added.
CREATE TABLE events (
  position INTEGER PRIMARY KEY,
  chain TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  digest TEXT NOT NULL UNIQUE,
  subject TEXT,
  key TEXT,
  record TEXT,
  text TEXT NOT NULL,
  UNIQUE (chain, sequence)
) STRICT;

CREATE INDEX events_by_subject ON events (subject) WHERE subject IS NOT NULL;
CREATE INDEX events_by_key ON events (key) WHERE key IS NOT NULL;
CREATE INDEX events_by_record ON events (record) WHERE record IS NOT NULL;

CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'a ledger is only ever added to'); END;

CREATE TRIGGER events_are_never_removed BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'a ledger is only ever added to'); END;

-- INSERT OR REPLACE removes rows without a word to the trigger above.
CREATE TRIGGER events_are_never_replaced BEFORE INSERT ON events
WHEN EXISTS (
  SELECT 1 FROM events
  WHERE position = NEW.position OR digest = NEW.digest OR (chain = NEW.chain AND sequence = NEW.sequence)
)
BEGIN SELECT RAISE(ABORT, 'a ledger is only ever added to'); END;
