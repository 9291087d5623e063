CREATE TABLE runs (
    cluster_id TEXT NOT NULL,
    job_id     TEXT NOT NULL, -- jobs.id
    task       TEXT NOT NULL, -- index within an array, '' for a plain job
    started    TIMESTAMPTZ NOT NULL,
    public_id  TEXT NOT NULL,
    sched_id   TEXT NOT NULL, -- of an array, the array's
    account    TEXT NOT NULL,
    name       TEXT NOT NULL,
    queue      TEXT NOT NULL,
    shares     TEXT NOT NULL, -- JSON: its cores on each node
    cores      BIGINT NOT NULL,
    gpus       BIGINT NOT NULL,
    submitted  TIMESTAMPTZ NOT NULL,
    ended      TIMESTAMPTZ, -- NULL while it runs
    state      TEXT NOT NULL,
    exit_code  BIGINT NOT NULL,
    final      BOOLEAN NOT NULL, -- false of a run that was broken off to run again
    counted    BOOLEAN NOT NULL, -- the job's end is counted with this run
    cost       BIGINT NOT NULL, -- billionths of the currency, once it has ended
    length     BIGINT NOT NULL, -- it ran shorter than 2 to the power of it, in seconds
    PRIMARY KEY (job_id, task, started)
);
--bun:split
CREATE INDEX runs_open ON runs (cluster_id) WHERE ended IS NULL;
--bun:split
CREATE INDEX runs_length ON runs (cluster_id, length, started) WHERE ended IS NOT NULL;
--bun:split
CREATE INDEX runs_started ON runs (cluster_id, started, job_id, task);
--bun:split
CREATE INDEX runs_ended ON runs (cluster_id, ended);
--bun:split
CREATE INDEX runs_public ON runs (cluster_id, public_id);
--bun:split
CREATE TABLE node_spans (
    node_id       TEXT NOT NULL,
    began         TIMESTAMPTZ NOT NULL,
    cluster_id    TEXT NOT NULL,
    hostname      TEXT NOT NULL,
    queue         TEXT NOT NULL, -- '' for managers and login nodes
    instance_type TEXT NOT NULL,
    cores         BIGINT NOT NULL,
    charge_type   TEXT NOT NULL, -- PostPaid or Spot
    price         BIGINT NOT NULL, -- per hour, billionths of the currency
    ended         TIMESTAMPTZ, -- NULL while it goes on
    length        BIGINT NOT NULL, -- as in runs
    PRIMARY KEY (node_id, began)
);
--bun:split
CREATE UNIQUE INDEX node_spans_open ON node_spans (node_id) WHERE ended IS NULL;
--bun:split
CREATE INDEX node_spans_host ON node_spans (cluster_id, hostname, ended);
--bun:split
CREATE INDEX node_spans_length ON node_spans (cluster_id, length, began) WHERE ended IS NOT NULL;
--bun:split
CREATE TABLE usage_sums (
    cluster_id    TEXT NOT NULL,
    grain         BIGINT NOT NULL, -- seconds that the row sums up: an hour, or a day
    at            BIGINT NOT NULL, -- when they begin, Unix seconds
    queue         TEXT NOT NULL,
    account       TEXT NOT NULL, -- '' for the nodes themselves
    instance_type TEXT NOT NULL,
    jobs          BIGINT NOT NULL, -- that ended
    failed        BIGINT NOT NULL, -- of these
    cancelled     BIGINT NOT NULL, -- of these
    core_time     BIGINT NOT NULL, -- core microseconds
    gpu_time      BIGINT NOT NULL,
    cost          BIGINT NOT NULL,
    PRIMARY KEY (cluster_id, grain, at, queue, account, instance_type)
);
