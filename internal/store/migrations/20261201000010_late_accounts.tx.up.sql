CREATE TABLE late_accounts ( -- nodes that are still to be told of a right that was withdrawn
    cluster_id TEXT NOT NULL,
    node_id    TEXT NOT NULL,
    account    TEXT NOT NULL,
    change     TEXT NOT NULL, -- in the words of the cluster's log
    since      TIMESTAMPTZ NOT NULL,
    logged     BOOLEAN NOT NULL, -- that it takes long
    PRIMARY KEY (cluster_id, node_id, account, change)
);
