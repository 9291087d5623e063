CREATE INDEX jobs_token ON jobs (cluster_id, token);
