ALTER TABLE nodes ADD COLUMN health_cause TEXT NOT NULL DEFAULT ''; -- what kind of fault it has
--bun:split
ALTER TABLE nodes ADD COLUMN health_reason TEXT NOT NULL DEFAULT ''; -- the fault in words
--bun:split
ALTER TABLE nodes ADD COLUMN health_failures TEXT; -- JSON: the last jobs that failed on it
--bun:split
ALTER TABLE nodes ADD COLUMN health_in_row BIGINT NOT NULL DEFAULT 0; -- how many of them failed in a row
--bun:split
ALTER TABLE nodes ADD COLUMN health_since TIMESTAMPTZ; -- when its machine was last made anew: jobs of before do not count
--bun:split
ALTER TABLE nodes ADD COLUMN health_replacing BOOLEAN NOT NULL DEFAULT FALSE; -- counted, and not made anew yet
--bun:split
ALTER TABLE nodes ADD COLUMN health_replaced BIGINT NOT NULL DEFAULT 0; -- how often it was
--bun:split
ALTER TABLE nodes ADD COLUMN health_resume BOOLEAN NOT NULL DEFAULT FALSE; -- it is to be put back into service
--bun:split
ALTER TABLE queues ADD COLUMN replaced TEXT; -- JSON: when nodes were replaced, within the last hour
--bun:split
ALTER TABLE queues ADD COLUMN halted TIMESTAMPTZ; -- since when no node is replaced
