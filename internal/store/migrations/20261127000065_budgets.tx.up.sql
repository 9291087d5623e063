CREATE TABLE budgets (
    cluster_id TEXT NOT NULL REFERENCES clusters (id),
    queue      TEXT NOT NULL, -- '' of all
    account    TEXT NOT NULL, -- '' of all
    amount     BIGINT NOT NULL, -- billionths of the currency, per calendar month
    action     TEXT NOT NULL,
    changed    TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (cluster_id, queue, account)
);
--bun:split
CREATE TABLE budget_marks (
    cluster_id TEXT NOT NULL REFERENCES clusters (id),
    queue      TEXT NOT NULL,
    account    TEXT NOT NULL,
    mark       TEXT NOT NULL, -- JSON: how far its month has got, also of budgets of the configuration
    PRIMARY KEY (cluster_id, queue, account)
);
