CREATE TABLE post_scripts (
    cluster_id TEXT NOT NULL REFERENCES clusters (id),
    position   BIGINT NOT NULL, -- from 1
    url        TEXT NOT NULL,
    args       TEXT NOT NULL,
    content    TEXT NOT NULL, -- base64
    fetched    TIMESTAMPTZ,
    attempts   BIGINT NOT NULL, -- failures in a row to fetch it
    retry_at   TIMESTAMPTZ,
    reason     TEXT NOT NULL, -- of the last failure
    PRIMARY KEY (cluster_id, position)
);
--bun:split
ALTER TABLE commands ADD COLUMN kind TEXT NOT NULL DEFAULT ''; -- '' for those of callers
