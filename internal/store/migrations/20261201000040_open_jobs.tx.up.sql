ALTER TABLE listings ADD COLUMN open BIGINT NOT NULL DEFAULT 0; -- of jobs: how many have not ended, each task of an array counted
--bun:split
INSERT INTO listings (cluster_id, kind, seq, lost, open)
SELECT cluster_id, 'jobs', 0, 0, CAST(SUM(CASE WHEN ended IS NULL THEN tasks ELSE 0 END) AS BIGINT) FROM jobs WHERE TRUE GROUP BY cluster_id
ON CONFLICT (cluster_id, kind) DO UPDATE SET open = EXCLUDED.open;
--bun:split
CREATE INDEX clusters_live ON clusters (created, id) WHERE deleted IS NULL;
--bun:split
CREATE INDEX client_tokens_created ON client_tokens (created);
--bun:split
CREATE INDEX commands_kind ON commands (cluster_id, kind);
