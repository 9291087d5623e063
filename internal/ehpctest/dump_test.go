package ehpctest

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
)

// observed are the columns that follow what is seen of nodes and schedulers,
// whatever is asked for meanwhile.
var observed = map[string][]string{
	"clusters": {"cursor", "rev"},
	"jobs":     {"rev", "state", "reason", "released", "priority", "node_list", "nodes", "cores", "started", "stdout", "stderr", "queue", "modified", "sight", "missing", "ends", "ended", "seq"},
	"nodes":    {"rev", "plan", "sched_state", "cores_used", "memory_used", "seq"},
}

// followed are the tables that only follow what is seen.
var followed = []string{"listings", "leases", "runs", "node_spans", "usage_sums"}

// dump is everything that a plane's store holds, a line for each row; nothing of
// one in PostgreSQL, where the same transactions run.
func (p *Plane) dump(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(p.dir + "/ehpc.db"); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	db, err := sql.Open("sqlite", "file:"+p.dir+"/ehpc.db?mode=ro&_pragma=busy_timeout(10000)")
	must(t, err)
	defer db.Close()
	var lines []string
	for _, table := range tables(t, db) {
		if slices.Contains(followed, table) {
			continue
		}
		for _, row := range rowsOf(t, db, table, observed[table]) {
			lines = append(lines, table+" "+row)
		}
	}
	return strings.Join(lines, "\n")
}

// tables are those of the schema.
func tables(t *testing.T, db *sql.DB) []string {
	t.Helper()
	all := strings.Fields(column(t, db, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"))
	return slices.DeleteFunc(all, func(name string) bool { return strings.HasPrefix(name, "sqlite_") || strings.HasPrefix(name, "bun_") })
}

// rowsOf are a table's rows in order, each as text, without some columns.
func rowsOf(t *testing.T, db *sql.DB, table string, without []string) (rows []string) {
	t.Helper()
	var shown []string
	for _, name := range strings.Fields(column(t, db, "SELECT name FROM pragma_table_info('"+table+"')")) {
		if !slices.Contains(without, name) {
			shown = append(shown, fmt.Sprintf("quote(%q)", name))
		}
	}
	for row := range strings.Lines(column(t, db, "SELECT "+strings.Join(shown, " || ' ' || ")+" FROM "+table+" ORDER BY 1")) {
		rows = append(rows, strings.TrimSpace(row))
	}
	return rows
}

// column is the one column of a query's result, a line for each row.
func column(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	must(t, err)
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		var text string
		must(t, rows.Scan(&text))
		b.WriteString(text + "\n")
	}
	must(t, rows.Err())
	return b.String()
}

// unchanged holds the store to what it was.
func (p *Plane) unchanged(t *testing.T, before string) {
	t.Helper()
	after := p.dump(t)
	if after == before {
		return
	}
	was, is := strings.Split(before, "\n"), strings.Split(after, "\n")
	for _, line := range was {
		if !slices.Contains(is, line) {
			t.Errorf("the store does not hold any more: %.300s", line)
		}
	}
	for _, line := range is {
		if !slices.Contains(was, line) {
			t.Errorf("the store holds now: %.300s", line)
		}
	}
}
