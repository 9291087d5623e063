ALTER TABLE jobs ADD COLUMN deleted TIMESTAMPTZ; -- listed no more; the row keeps its ids from being taken for a stranger's
--bun:split
CREATE INDEX jobs_public ON jobs (cluster_id, public_id);
