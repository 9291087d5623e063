ALTER TABLE nodes ADD COLUMN drain_until TIMESTAMPTZ; -- of one that is to go: when it is waited for no longer
