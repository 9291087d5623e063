ALTER TABLE leases ADD COLUMN endpoint TEXT NOT NULL DEFAULT ''; -- where clients reach the server
