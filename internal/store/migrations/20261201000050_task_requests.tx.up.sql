ALTER TABLE tasks ADD COLUMN request TEXT NOT NULL DEFAULT ''; -- what was asked for, as JSON, without secrets
