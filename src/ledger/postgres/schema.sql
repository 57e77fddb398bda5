-- Version 1. `migrations` says which steps made the tables, and by which text.
CREATE TABLE loopgate.meta (name text COLLATE "C" PRIMARY KEY, value text COLLATE "C" NOT NULL);

-- `text` is the event; all other columns are what it says, so that it is found by them, and its digest.
-- `position` grows in the order in which events were added; numbers may be left out.
CREATE TABLE loopgate.events (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  chain text COLLATE "C" NOT NULL,
  sequence bigint NOT NULL,
  digest text COLLATE "C" NOT NULL UNIQUE,
  subject text COLLATE "C",
  key text COLLATE "C",
  record text COLLATE "C",
  text text COLLATE "C" NOT NULL,
  UNIQUE (chain, sequence)
);

CREATE INDEX events_by_subject ON loopgate.events (subject) WHERE subject IS NOT NULL;
CREATE INDEX events_by_key ON loopgate.events (key) WHERE key IS NOT NULL;
CREATE INDEX events_by_record ON loopgate.events (record) WHERE record IS NOT NULL;

-- Who took the locks of those who write, and which; `backend` is the session that holds them. Only who took them
-- last adds events.
CREATE TABLE loopgate.epochs (
  epoch bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  locks bigint[] NOT NULL,
  backend integer NOT NULL,
  holder text COLLATE "C" NOT NULL,
  at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);

CREATE FUNCTION loopgate.refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  RAISE EXCEPTION 'a ledger is only ever added to' USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER meta_is_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON loopgate.meta
  FOR EACH STATEMENT EXECUTE FUNCTION loopgate.refuse();
CREATE TRIGGER events_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON loopgate.events
  FOR EACH STATEMENT EXECUTE FUNCTION loopgate.refuse();
CREATE TRIGGER epochs_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON loopgate.epochs
  FOR EACH STATEMENT EXECUTE FUNCTION loopgate.refuse();
