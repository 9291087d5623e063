CREATE TABLE listings (
    cluster_id TEXT NOT NULL,
    kind       TEXT NOT NULL, -- jobs or nodes
    seq        BIGINT NOT NULL, -- of the last change to its rows
    lost       BIGINT NOT NULL, -- how many rows were removed
    PRIMARY KEY (cluster_id, kind)
);
--bun:split
ALTER TABLE jobs ADD COLUMN seq BIGINT NOT NULL DEFAULT 0; -- listings.seq when the row was changed last
--bun:split
CREATE INDEX jobs_seq ON jobs (cluster_id, seq);
--bun:split
ALTER TABLE nodes ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;
--bun:split
CREATE INDEX nodes_seq ON nodes (cluster_id, seq);
