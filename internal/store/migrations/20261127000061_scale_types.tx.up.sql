ALTER TABLE scale_configs ADD COLUMN resting TEXT NOT NULL DEFAULT '{}'; -- JSON: by instance type, until when it is left alone for want of capacity
--bun:split
-- A queue had one instance type, and now has a list.
UPDATE scale_queues SET settings = REPLACE(settings, '"InstanceType":"","MaxNodes":', '"Types":null,"MaxNodes":');
--bun:split
UPDATE scale_queues SET settings = REPLACE(REPLACE(settings, '"InstanceType":"', '"Types":[{"Name":"'), '","MaxNodes":', '"}],"MaxNodes":')
WHERE settings LIKE '%"InstanceType":"%';
