CREATE TABLE scale_configs (
    cluster_id TEXT PRIMARY KEY REFERENCES clusters (id),
    settings   TEXT NOT NULL, -- JSON
    rounds     TEXT NOT NULL, -- JSON: by queue, when it grew last
    checked    TIMESTAMPTZ, -- when its nodes were looked at last, for those that are idle
    said       TEXT NOT NULL, -- JSON: by queue, the last line in the log about what was not done
    changed    TIMESTAMPTZ NOT NULL -- of settings
);
--bun:split
CREATE TABLE scale_queues (
    cluster_id TEXT NOT NULL,
    queue      TEXT NOT NULL,
    position   BIGINT NOT NULL, -- as they were given, from 1
    settings   TEXT NOT NULL, -- JSON
    PRIMARY KEY (cluster_id, queue),
    FOREIGN KEY (cluster_id, queue) REFERENCES queues (cluster_id, name) ON DELETE CASCADE
);
--bun:split
ALTER TABLE nodes ADD COLUMN idle BIGINT NOT NULL DEFAULT 0; -- checks in a row that found it idle
--bun:split
ALTER TABLE nodes ADD COLUMN awaited TIMESTAMPTZ; -- since when it is not in service and should be
--bun:split
ALTER TABLE nodes ADD COLUMN resets BIGINT NOT NULL DEFAULT 0; -- how often it was reset for not starting in time
--bun:split
ALTER TABLE jobs ADD COLUMN hindrance TEXT NOT NULL DEFAULT ''; -- why no node is added for it
