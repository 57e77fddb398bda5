-- Version 1. Every record of a tenant carries it in its key, so that no join can leave it.
CREATE TABLE tenants (id TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE teams (
  tenant_id TEXT NOT NULL REFERENCES tenants, id TEXT NOT NULL, name TEXT NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE users (id TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE roles (
  tenant_id TEXT NOT NULL REFERENCES tenants, user_id TEXT NOT NULL REFERENCES users, role TEXT NOT NULL,
  PRIMARY KEY (tenant_id, user_id, role)
) STRICT, WITHOUT ROWID;

CREATE TABLE releases (
  tenant_id TEXT NOT NULL REFERENCES tenants, id TEXT NOT NULL, name TEXT NOT NULL, application TEXT,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE certifications (
  tenant_id TEXT NOT NULL, id TEXT NOT NULL, release_id TEXT NOT NULL,
  status TEXT NOT NULL, team TEXT, summary TEXT NOT NULL,
  PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, release_id),
  FOREIGN KEY (tenant_id, release_id) REFERENCES releases (tenant_id, id)
) STRICT, WITHOUT ROWID;

-- `source` is the name of the imported file that an evidence or finding comes from.
CREATE TABLE nodes (
  tenant_id TEXT NOT NULL, certification_id TEXT NOT NULL, id TEXT NOT NULL,
  type TEXT NOT NULL, title TEXT NOT NULL, status TEXT NOT NULL, required INTEGER, severity TEXT,
  provider TEXT, owner TEXT, due_date TEXT, observed_at TEXT, url TEXT, description TEXT, digest TEXT,
  source TEXT,
  PRIMARY KEY (tenant_id, certification_id, id),
  FOREIGN KEY (tenant_id, certification_id) REFERENCES certifications (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE edges (
  tenant_id TEXT NOT NULL, certification_id TEXT NOT NULL,
  from_id TEXT NOT NULL, to_id TEXT NOT NULL, type TEXT NOT NULL,
  PRIMARY KEY (tenant_id, certification_id, from_id, to_id, type),
  FOREIGN KEY (tenant_id, certification_id, from_id)
    REFERENCES nodes (tenant_id, certification_id, id) ON DELETE CASCADE,
  FOREIGN KEY (tenant_id, certification_id, to_id)
    REFERENCES nodes (tenant_id, certification_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX edges_to ON edges (tenant_id, certification_id, to_id);

-- AUTOINCREMENT: a number is never given twice, not even after its record is gone.
CREATE TABLE stories (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL GENERATED ALWAYS AS ('STORY-' || number) STORED UNIQUE,
  tenant_id TEXT NOT NULL, release_id TEXT NOT NULL, certification_id TEXT NOT NULL,
  title TEXT NOT NULL, description TEXT, owner TEXT NOT NULL, status TEXT NOT NULL, reason TEXT,
  approval_id TEXT, created_at TEXT NOT NULL,
  FOREIGN KEY (tenant_id, release_id) REFERENCES releases (tenant_id, id),
  FOREIGN KEY (tenant_id, certification_id) REFERENCES certifications (tenant_id, id)
) STRICT;

CREATE TABLE tasks (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL GENERATED ALWAYS AS ('TASK-' || number) STORED UNIQUE,
  tenant_id TEXT NOT NULL REFERENCES tenants, story_id TEXT NOT NULL REFERENCES stories (id),
  title TEXT NOT NULL, description TEXT, owner TEXT NOT NULL, status TEXT NOT NULL, severity TEXT,
  reference TEXT, created_at TEXT NOT NULL
) STRICT;
CREATE INDEX tasks_of_story ON tasks (story_id);
CREATE INDEX tasks_by_reference ON tasks (tenant_id, reference);

-- `created_at` is in seconds since 1970, because keys are forgotten by age.
CREATE TABLE idempotency_keys (
  tenant_id TEXT NOT NULL REFERENCES tenants, key TEXT NOT NULL,
  payload_digest TEXT NOT NULL, result TEXT NOT NULL, created_at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant_id TEXT NOT NULL REFERENCES tenants, user_id TEXT NOT NULL REFERENCES users,
  tool TEXT NOT NULL, outcome TEXT NOT NULL, story_id TEXT NOT NULL REFERENCES stories (id),
  approval_id TEXT NOT NULL, idempotency_key TEXT NOT NULL,
  request_id TEXT, workflow TEXT, traceparent TEXT, at TEXT NOT NULL
) STRICT;
