CREATE TABLE job_templates (
    id      TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    name    TEXT NOT NULL,
    asked   TEXT NOT NULL, -- the request, as JSON
    created TIMESTAMPTZ NOT NULL
);
--bun:split
CREATE INDEX job_templates_owner ON job_templates (owner, created);
