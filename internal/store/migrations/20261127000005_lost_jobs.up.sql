ALTER TABLE jobs ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0; -- how often it was submitted before, to a scheduler that lost it
--bun:split
ALTER TABLE jobs ADD COLUMN sight TIMESTAMPTZ; -- when the scheduler showed it last, as far as rows tell
--bun:split
ALTER TABLE jobs ADD COLUMN missing TIMESTAMPTZ; -- since when the scheduler shows it no more
--bun:split
ALTER TABLE jobs ADD COLUMN worst TEXT NOT NULL DEFAULT ''; -- of an array: how the first task ended that did not complete
--bun:split
CREATE INDEX jobs_unreleased ON jobs (cluster_id) WHERE released = FALSE AND ended IS NULL;
--bun:split
CREATE INDEX jobs_resubmitted ON jobs (cluster_id) WHERE attempt > 0;
