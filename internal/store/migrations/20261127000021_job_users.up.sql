CREATE TABLE job_users (
    cluster_id    TEXT NOT NULL REFERENCES clusters (id),
    access_key    TEXT NOT NULL,
    account       TEXT NOT NULL,
    password_hash TEXT NOT NULL, -- of the account, as it was when its password was checked
    chosen        TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (cluster_id, access_key)
);
--bun:split
ALTER TABLE jobs ADD COLUMN tasks BIGINT NOT NULL DEFAULT 1; -- of an array: how many it has
--bun:split
CREATE INDEX jobs_open ON jobs (cluster_id, tasks) WHERE ended IS NULL;
