package plantest

// Growing are the tables that keep what is over: those that get the longer, the
// longer a service is there.
var Growing = []string{"clusters", "jobs", "past_jobs", "runs", "node_spans", "cluster_logs", "tasks", "commands", "command_results", "client_tokens", "usage_sums"}

// few are the indexes that have what goes on alone, or is to be done: all of one
// may be read.
var few = []string{"clusters_live", "jobs_open", "jobs_unreleased", "jobs_resubmitted", "runs_open", "runs_unmeasured", "node_spans_open"}

// exception is a query that may read more than the others.
type exception struct {
	part string // of its form, which no other has
	why  string
}

var exceptions = []exception{
	{`FROM "cluster_logs" AS "log_line" WHERE (cluster_id = ?)`, "people read the log, a page and the number of its lines"},
	{`FROM "tasks" AS "task" WHERE (cluster_id = ?)`, "people list the tasks, a page and their number"},
	{`FROM "commands" AS "command" WHERE (cluster_id = ?)`, "people list the commands, a page and their number"},
	{`FROM "tasks" AS "task" WHERE (cluster_id = ?)`, "people list the tasks, a page and their number"},
	{`WHERE (cluster_id = ?) ORDER BY "started", "job_id", "task"`, "tests read the whole ledger"},
	{`WHERE (cluster_id = ?) ORDER BY "began", "node_id"`, "tests read the whole ledger"},
	{"WHERE cluster_id IN (SELECT id FROM clusters WHERE deleted IS NOT NULL) LIMIT ?", "jobs of clusters that are gone are looked for once in a while"},
	{"INSERT INTO listings (cluster_id, kind, seq, lost, open)", "a migration makes it, once"},
}
