ALTER TABLE nodes ADD COLUMN reclaim TIMESTAMPTZ; -- when its machine is taken back, or was
--bun:split
ALTER TABLE nodes ADD COLUMN reclaim_phase TEXT NOT NULL DEFAULT ''; -- asked, noticed, requeued
--bun:split
ALTER TABLE nodes ADD COLUMN reclaim_reason TEXT NOT NULL DEFAULT '';
