-- Version 2. Work of every kind stands in one table, releases have dates, and what surrounds a release is there:
-- checks, rollback decisions, sprints, incidents, change requests, metrics, dashboards, agents' runs, notes.
ALTER TABLE releases ADD COLUMN team TEXT;
ALTER TABLE releases ADD COLUMN status TEXT NOT NULL DEFAULT 'planned';
ALTER TABLE releases ADD COLUMN planned_at TEXT;
ALTER TABLE releases ADD COLUMN released_at TEXT;
ALTER TABLE releases ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE certifications ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
UPDATE releases SET team = (SELECT team FROM certifications c
  WHERE c.tenant_id = releases.tenant_id AND c.release_id = releases.id);
CREATE INDEX releases_by_application ON releases (tenant_id, application);
CREATE INDEX releases_planned ON releases (tenant_id, planned_at);
CREATE INDEX releases_released ON releases (tenant_id, released_at);

CREATE TABLE release_checks (
  tenant_id TEXT NOT NULL, id TEXT NOT NULL, release_id TEXT NOT NULL, label TEXT NOT NULL, severity TEXT,
  status TEXT NOT NULL, due_date TEXT, owner TEXT, source_entity TEXT, url TEXT,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, release_id) REFERENCES releases (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX checks_of_release ON release_checks (tenant_id, release_id);

CREATE TABLE rollback_decisions (
  tenant_id TEXT NOT NULL, id TEXT NOT NULL, release_id TEXT NOT NULL, status TEXT NOT NULL, reason TEXT,
  due_date TEXT, rollback_plan TEXT, execution_state TEXT, decided_at TEXT, owner TEXT,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, release_id) REFERENCES releases (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX decisions_of_release ON rollback_decisions (tenant_id, release_id);

CREATE TABLE sprints (
  tenant_id TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, team TEXT NOT NULL, status TEXT NOT NULL,
  start_date TEXT NOT NULL, end_date TEXT NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, team) REFERENCES teams (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX sprints_of_team ON sprints (tenant_id, team, start_date);

CREATE TABLE capacity (
  tenant_id TEXT NOT NULL, sprint_id TEXT NOT NULL, user_id TEXT NOT NULL REFERENCES users, points REAL NOT NULL,
  PRIMARY KEY (tenant_id, sprint_id, user_id),
  FOREIGN KEY (tenant_id, sprint_id) REFERENCES sprints (tenant_id, id)
) STRICT, WITHOUT ROWID;

-- The number that was given last, by kind: none is ever given twice, not even after its record is gone.
CREATE TABLE numbers (kind TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO numbers VALUES
  ('STORY', coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'stories'), 0)),
  ('TASK', coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'tasks'), 0)),
  ('RUN', 0),
  ('NOTE', 0);

CREATE TABLE work_items (
  tenant_id TEXT NOT NULL REFERENCES tenants, id TEXT NOT NULL, type TEXT NOT NULL, title TEXT NOT NULL,
  description TEXT, owner TEXT, status TEXT NOT NULL, severity TEXT, due_date TEXT, effort REAL, team TEXT,
  assignee TEXT REFERENCES users, sprint_id TEXT, release_id TEXT, certification_id TEXT, parent_id TEXT,
  reason TEXT, approval_id TEXT, created_at TEXT NOT NULL, version INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, team) REFERENCES teams (tenant_id, id),
  FOREIGN KEY (tenant_id, sprint_id) REFERENCES sprints (tenant_id, id),
  FOREIGN KEY (tenant_id, release_id) REFERENCES releases (tenant_id, id),
  FOREIGN KEY (tenant_id, certification_id) REFERENCES certifications (tenant_id, id),
  FOREIGN KEY (tenant_id, parent_id) REFERENCES work_items (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX work_of_release ON work_items (tenant_id, release_id);
CREATE INDEX work_of_team ON work_items (tenant_id, team);
CREATE INDEX work_of_sprint ON work_items (tenant_id, sprint_id);
CREATE INDEX work_of_parent ON work_items (tenant_id, parent_id);

-- What an item refers to; of a story, what its tasks refer to as well.
CREATE TABLE work_references (
  tenant_id TEXT NOT NULL, item_id TEXT NOT NULL, reference TEXT NOT NULL,
  PRIMARY KEY (tenant_id, item_id, reference),
  FOREIGN KEY (tenant_id, item_id) REFERENCES work_items (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX work_by_reference ON work_references (tenant_id, reference);

INSERT INTO work_items (tenant_id, id, type, title, description, owner, status, release_id, certification_id,
    reason, approval_id, created_at)
  SELECT tenant_id, id, 'story', title, description, owner, status, release_id, certification_id, reason,
    approval_id, created_at
  FROM stories;
INSERT INTO work_items (tenant_id, id, type, title, description, owner, status, severity, release_id, parent_id,
    created_at)
  SELECT t.tenant_id, t.id, 'task', t.title, t.description, t.owner, t.status, t.severity, s.release_id,
    t.story_id, t.created_at
  FROM tasks t JOIN stories s ON s.id = t.story_id;
INSERT INTO work_references
  SELECT tenant_id, id, reference FROM tasks WHERE reference IS NOT NULL
  UNION
  SELECT tenant_id, story_id, reference FROM tasks WHERE reference IS NOT NULL;

CREATE TABLE incidents (
  tenant_id TEXT NOT NULL REFERENCES tenants, id TEXT NOT NULL, title TEXT NOT NULL, status TEXT NOT NULL,
  impact TEXT, opened_at TEXT NOT NULL, resolved_at TEXT, application TEXT, service TEXT, team TEXT, owner TEXT,
  url TEXT, reason TEXT, approval_id TEXT, version INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, team) REFERENCES teams (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX incidents_opened ON incidents (tenant_id, opened_at);
CREATE INDEX incidents_by_application ON incidents (tenant_id, application);

CREATE TABLE change_requests (
  tenant_id TEXT NOT NULL REFERENCES tenants, id TEXT NOT NULL, title TEXT NOT NULL, status TEXT NOT NULL,
  application TEXT, service TEXT, starts_at TEXT, ends_at TEXT, release_id TEXT, risk TEXT, owner TEXT,
  version INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, release_id) REFERENCES releases (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX changes_begin ON change_requests (tenant_id, starts_at);
CREATE INDEX changes_by_application ON change_requests (tenant_id, application);

CREATE TABLE incident_releases (
  tenant_id TEXT NOT NULL, incident_id TEXT NOT NULL, release_id TEXT NOT NULL,
  PRIMARY KEY (tenant_id, incident_id, release_id),
  FOREIGN KEY (tenant_id, incident_id) REFERENCES incidents (tenant_id, id),
  FOREIGN KEY (tenant_id, release_id) REFERENCES releases (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE incident_changes (
  tenant_id TEXT NOT NULL, incident_id TEXT NOT NULL, change_id TEXT NOT NULL,
  PRIMARY KEY (tenant_id, incident_id, change_id),
  FOREIGN KEY (tenant_id, incident_id) REFERENCES incidents (tenant_id, id),
  FOREIGN KEY (tenant_id, change_id) REFERENCES change_requests (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE metrics (
  tenant_id TEXT NOT NULL REFERENCES tenants, id TEXT NOT NULL, name TEXT NOT NULL, unit TEXT, better TEXT,
  team TEXT,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, team) REFERENCES teams (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE metric_points (
  tenant_id TEXT NOT NULL, metric_id TEXT NOT NULL, at TEXT NOT NULL, value REAL NOT NULL,
  PRIMARY KEY (tenant_id, metric_id, at),
  FOREIGN KEY (tenant_id, metric_id) REFERENCES metrics (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE dashboards (
  tenant_id TEXT NOT NULL REFERENCES tenants, id TEXT NOT NULL, name TEXT NOT NULL, summary TEXT,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE charts (
  tenant_id TEXT NOT NULL, dashboard_id TEXT NOT NULL, position INTEGER NOT NULL, id TEXT NOT NULL,
  title TEXT NOT NULL, kind TEXT NOT NULL, metrics TEXT NOT NULL,
  PRIMARY KEY (tenant_id, dashboard_id, position), UNIQUE (tenant_id, dashboard_id, id),
  FOREIGN KEY (tenant_id, dashboard_id) REFERENCES dashboards (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE agent_runs (
  tenant_id TEXT NOT NULL REFERENCES tenants, id TEXT NOT NULL, agent TEXT NOT NULL, subject_type TEXT NOT NULL,
  subject_id TEXT NOT NULL, status TEXT NOT NULL, reason TEXT, approval_id TEXT, created_at TEXT NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE release_notes (
  tenant_id TEXT NOT NULL, id TEXT NOT NULL, release_id TEXT NOT NULL, text TEXT NOT NULL,
  user_id TEXT NOT NULL REFERENCES users, created_at TEXT NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, release_id) REFERENCES releases (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX notes_of_release ON release_notes (tenant_id, release_id);

-- A key is kept with the tool that it was used for, and the record that the call was about.
ALTER TABLE idempotency_keys ADD COLUMN tool TEXT NOT NULL DEFAULT 'loopiq_create_remediation_work_package';
ALTER TABLE idempotency_keys ADD COLUMN record_id TEXT NOT NULL DEFAULT '';
UPDATE idempotency_keys SET record_id = coalesce(result ->> '$.parentStory.id', '');

CREATE TABLE writes (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant_id TEXT NOT NULL REFERENCES tenants, user_id TEXT NOT NULL REFERENCES users,
  tool TEXT NOT NULL, outcome TEXT NOT NULL, record_id TEXT NOT NULL,
  approval_id TEXT, idempotency_key TEXT,
  request_id TEXT, workflow TEXT, traceparent TEXT, at TEXT NOT NULL
) STRICT;
INSERT INTO writes SELECT * FROM audit;
DROP TABLE audit;
ALTER TABLE writes RENAME TO audit;
DROP TABLE tasks;
DROP TABLE stories;
