CREATE INDEX runs_account ON runs (cluster_id, account, started, job_id, task);
--bun:split
CREATE INDEX runs_queue ON runs (cluster_id, queue, started, job_id, task);
