CREATE TABLE access_keys (
    id         TEXT PRIMARY KEY,
    owner      TEXT NOT NULL,
    secret     TEXT NOT NULL, -- sealed
    enabled    BOOLEAN NOT NULL,
    created    TIMESTAMPTZ NOT NULL
);
--bun:split
CREATE TABLE clusters (
    id          TEXT PRIMARY KEY,
    rev         BIGINT NOT NULL,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    owner       TEXT NOT NULL,
    status      TEXT NOT NULL,
    reason      TEXT NOT NULL,
    wanted      BOOLEAN NOT NULL,
    scheduler   TEXT NOT NULL,
    deploy_mode TEXT NOT NULL,
    image_id    TEXT NOT NULL,
    os_tag      TEXT NOT NULL,
    asked       TEXT NOT NULL, -- the request, without its secrets, as JSON
    secrets     TEXT NOT NULL, -- sealed
    cursor      TEXT NOT NULL, -- how far the scheduler's completion records were read
    attempts    BIGINT NOT NULL,
    retry_at    TIMESTAMPTZ,
    created     TIMESTAMPTZ NOT NULL,
    changed     TIMESTAMPTZ NOT NULL,
    deleted     TIMESTAMPTZ
);
--bun:split
CREATE INDEX clusters_owner ON clusters (owner, created);
--bun:split
CREATE TABLE nodes (
    id            TEXT PRIMARY KEY,
    cluster_id    TEXT NOT NULL REFERENCES clusters (id),
    rev           BIGINT NOT NULL,
    hostname      TEXT NOT NULL,
    roles         TEXT NOT NULL, -- JSON list
    instance_type TEXT NOT NULL, -- JSON, as it was when the node was asked for
    image_id      TEXT NOT NULL,
    queue         TEXT NOT NULL,
    create_mode   TEXT NOT NULL,
    status        TEXT NOT NULL,
    reason        TEXT NOT NULL,
    wanted        BOOLEAN NOT NULL,
    force         BOOLEAN NOT NULL, -- remove it even while it is busy
    address       TEXT NOT NULL,
    boot_id       TEXT NOT NULL, -- of the machine that was last seen in service
    plan          TEXT NOT NULL, -- hash of the plan its agent applied last
    sched_state   TEXT NOT NULL,
    cores_used    BIGINT NOT NULL,
    memory_used   BIGINT NOT NULL,
    attempts      BIGINT NOT NULL,
    retry_at      TIMESTAMPTZ,
    created       TIMESTAMPTZ NOT NULL,
    changed       TIMESTAMPTZ NOT NULL -- of status
);
--bun:split
CREATE UNIQUE INDEX nodes_hostname ON nodes (cluster_id, hostname);
--bun:split
CREATE TABLE queues (
    cluster_id TEXT NOT NULL REFERENCES clusters (id),
    name       TEXT NOT NULL,
    is_default BOOLEAN NOT NULL,
    created    TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (cluster_id, name)
);
--bun:split
CREATE TABLE accounts (
    cluster_id    TEXT NOT NULL REFERENCES clusters (id),
    name          TEXT NOT NULL,
    uid           BIGINT NOT NULL,
    user_group    TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    added         TIMESTAMPTZ NOT NULL,
    deleted       TIMESTAMPTZ, -- the row keeps the uid for the same name
    PRIMARY KEY (cluster_id, name)
);
--bun:split
CREATE UNIQUE INDEX accounts_uid ON accounts (cluster_id, uid);
--bun:split
CREATE TABLE jobs (
    id           TEXT PRIMARY KEY, -- time-ordered
    cluster_id   TEXT NOT NULL REFERENCES clusters (id),
    rev          BIGINT NOT NULL,
    public_id    TEXT NOT NULL, -- what SubmitJob answered, for ever
    sched_id     TEXT NOT NULL, -- the scheduler's present id
    token        TEXT NOT NULL, -- ours, secret; '' for jobs submitted on a node
    owner        TEXT NOT NULL, -- account
    name         TEXT NOT NULL,
    queue        TEXT NOT NULL,
    state        TEXT NOT NULL,
    reason       TEXT NOT NULL,
    wanted       BOOLEAN NOT NULL,
    released     BOOLEAN NOT NULL,
    spec         TEXT NOT NULL, -- JSON
    command_line TEXT NOT NULL,
    priority     BIGINT NOT NULL,
    node_list    TEXT NOT NULL, -- JSON list
    nodes        BIGINT NOT NULL,
    cores        BIGINT NOT NULL,
    restarts     BIGINT NOT NULL,
    ends         BIGINT NOT NULL, -- of an array: how many tasks have ended
    exit_code    BIGINT NOT NULL,
    stdout       TEXT NOT NULL,
    stderr       TEXT NOT NULL,
    submitted    TIMESTAMPTZ NOT NULL,
    started      TIMESTAMPTZ,
    ended        TIMESTAMPTZ,
    modified     TIMESTAMPTZ NOT NULL
);
--bun:split
CREATE INDEX jobs_cluster ON jobs (cluster_id, id);
--bun:split
CREATE INDEX jobs_sched ON jobs (cluster_id, sched_id);
--bun:split
CREATE TABLE commands (
    id         TEXT PRIMARY KEY,
    cluster_id TEXT NOT NULL REFERENCES clusters (id),
    content    TEXT NOT NULL,
    dir        TEXT NOT NULL,
    timeout    BIGINT NOT NULL, -- seconds
    created    TIMESTAMPTZ NOT NULL
);
--bun:split
CREATE INDEX commands_cluster ON commands (cluster_id, created);
--bun:split
CREATE TABLE command_results (
    command_id TEXT NOT NULL REFERENCES commands (id),
    node_id    TEXT NOT NULL,
    status     TEXT NOT NULL,
    started    BOOLEAN NOT NULL, -- an agent has taken it
    exit_code  BIGINT NOT NULL,
    output     TEXT NOT NULL,
    finished   TIMESTAMPTZ,
    PRIMARY KEY (command_id, node_id)
);
--bun:split
CREATE INDEX command_results_status ON command_results (status);
--bun:split
CREATE TABLE cluster_logs (
    id         TEXT PRIMARY KEY, -- time-ordered
    cluster_id TEXT NOT NULL,
    operation  TEXT NOT NULL,
    level      TEXT NOT NULL,
    message    TEXT NOT NULL,
    created    TIMESTAMPTZ NOT NULL
);
--bun:split
CREATE INDEX cluster_logs_cluster ON cluster_logs (cluster_id, id);
--bun:split
CREATE TABLE tasks (
    id         TEXT PRIMARY KEY,
    cluster_id TEXT NOT NULL,
    kind       TEXT NOT NULL,
    objects    TEXT NOT NULL, -- JSON list of the ids of the rows it changed
    created    TIMESTAMPTZ NOT NULL
);
--bun:split
CREATE INDEX tasks_cluster ON tasks (cluster_id, created);
--bun:split
CREATE TABLE client_tokens (
    access_key  TEXT NOT NULL,
    token       TEXT NOT NULL,
    action      TEXT NOT NULL,
    params_hash TEXT NOT NULL,
    answer      TEXT NOT NULL, -- JSON
    created     TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (access_key, token)
);
