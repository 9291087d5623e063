ALTER TABLE clusters ADD COLUMN home TEXT NOT NULL DEFAULT ''; -- the server whose machine its nodes are on; '' for any
--bun:split
CREATE TABLE leases (
    cluster_id TEXT PRIMARY KEY,
    server     TEXT NOT NULL,
    fence      BIGINT NOT NULL, -- grows whenever the lease is taken
    rev        BIGINT NOT NULL,
    expires    TIMESTAMPTZ NOT NULL
);
--bun:split
CREATE INDEX leases_server ON leases (server);
--bun:split
CREATE TABLE owners (
    owner TEXT PRIMARY KEY,
    rev   BIGINT NOT NULL
);
