-- What was counted until now were exit statuses, which say nothing of a node.
UPDATE nodes SET health_failures = NULL, health_in_row = 0;
