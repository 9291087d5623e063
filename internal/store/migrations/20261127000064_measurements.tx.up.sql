ALTER TABLE runs ADD COLUMN own_id TEXT NOT NULL DEFAULT ''; -- of an array's task, the scheduler's own id of it; else its id
--bun:split
ALTER TABLE runs ADD COLUMN measured BOOLEAN NOT NULL DEFAULT FALSE; -- nothing more is asked for
--bun:split
ALTER TABLE runs ADD COLUMN measured_on BIGINT NOT NULL DEFAULT 0; -- on how many of its nodes it was measured: of 0 nothing is known
--bun:split
ALTER TABLE runs ADD COLUMN cpu_time BIGINT NOT NULL DEFAULT 0; -- nanoseconds
--bun:split
ALTER TABLE runs ADD COLUMN max_memory BIGINT NOT NULL DEFAULT 0; -- bytes, the highest on each node added up
--bun:split
ALTER TABLE runs ADD COLUMN energy BIGINT; -- millijoules; NULL where no node told any
--bun:split
CREATE INDEX runs_unmeasured ON runs (cluster_id, ended) WHERE NOT measured AND ended IS NOT NULL;
