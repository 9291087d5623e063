CREATE TABLE past_jobs (
    id         TEXT PRIMARY KEY, -- jobs.id
    cluster_id TEXT NOT NULL REFERENCES clusters (id),
    public_id  TEXT NOT NULL,
    sched_id   TEXT NOT NULL,
    token      TEXT NOT NULL,
    ended      TIMESTAMPTZ NOT NULL,
    seq        BIGINT NOT NULL, -- listings.seq when it was moved out of jobs
    was        TEXT NOT NULL -- JSON: its row of jobs
);
--bun:split
CREATE INDEX past_jobs_public ON past_jobs (cluster_id, public_id);
--bun:split
CREATE INDEX past_jobs_sched ON past_jobs (cluster_id, sched_id);
--bun:split
CREATE INDEX past_jobs_token ON past_jobs (cluster_id, token);
--bun:split
CREATE INDEX past_jobs_seq ON past_jobs (cluster_id, seq);
--bun:split
CREATE INDEX jobs_ended ON jobs (cluster_id, ended) WHERE ended IS NOT NULL;
