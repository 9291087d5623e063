// Package plantest collects the queries that tests make of a store and holds
// their plans on SQLite to what does not grow with the tables: no query may read
// all rows, or all of a cluster, of a table that keeps what is over. It knows
// nothing of what the tables hold.
package plantest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Queries are statements, one of each form.
type Queries struct {
	mu   sync.Mutex
	seen map[string]string // by its form
}

var (
	text   = regexp.MustCompile(`'(?:[^']|'')*'`)
	number = regexp.MustCompile(`\b\d+\b`)
	list   = regexp.MustCompile(`\(\?(?:, \?)+\)`)
)

// form is a query without its values.
func form(query string) string {
	query = text.ReplaceAllString(query, "?")
	query = number.ReplaceAllString(query, "?")
	return list.ReplaceAllString(query, "(?)")
}

// longest bounds what is taken down: more is a list of many rows.
const longest = 20_000

// Note takes a query down. It may be a store's Watch.
func (q *Queries) Note(ctx context.Context, query string) context.Context {
	if len(query) > longest || !planned(query) {
		return ctx
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.seen == nil {
		q.seen = map[string]string{}
	}
	q.seen[form(query)] = query
	return ctx
}

// planned tells whether a statement searches rows.
func planned(query string) bool {
	verb, _, _ := strings.Cut(query, " ")
	switch verb {
	case "SELECT", "UPDATE", "DELETE", "WITH":
		return true
	}
	return verb == "INSERT" && strings.Contains(query, "SELECT")
}

// Len is how many there are.
func (q *Queries) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.seen)
}

// Check returns every query whose plan reads all rows of a table that grows, or
// all of a cluster, unless by an index of few rows alone.
func (q *Queries) Check(ctx context.Context, db *sql.DB) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	var faults []error
	for form, query := range q.seen {
		if slices.ContainsFunc(exceptions, func(e exception) bool { return strings.Contains(form, e.part) }) {
			continue
		}
		steps, err := Plan(ctx, db, query)
		if err != nil {
			return err
		}
		for _, step := range steps {
			if s := parseStep(step, query); slices.Contains(Growing, s.table) && s.readsAll() && !slices.Contains(few, s.index) {
				faults = append(faults, fmt.Errorf("%s\n\tby %.500s", step, form))
			}
		}
	}
	return errors.Join(faults...)
}

// Plan is how SQLite would carry out a query, a line for each step.
func Plan(ctx context.Context, db *sql.DB, query string) (steps []string, err error) {
	rows, err := db.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query)
	if err != nil {
		return nil, fmt.Errorf("%.300s: %w", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			return nil, err
		}
		steps = append(steps, detail)
	}
	return steps, rows.Err()
}

// step is one of a plan.
type step struct{ verb, table, index, by string }

var stepForm = regexp.MustCompile(`^(SCAN|SEARCH) (\S+)(?: USING (?:AUTOMATIC )?(?:PARTIAL )?(?:COVERING )?(?:INDEX (\S+)|INTEGER PRIMARY KEY))?(?: \((.*)\))?`)

func parseStep(detail, query string) (s step) {
	parts := stepForm.FindStringSubmatch(detail)
	if parts == nil {
		return s
	}
	s = step{parts[1], parts[2], parts[3], parts[4]}
	alias := regexp.QuoteMeta(s.table)
	if named := regexp.MustCompile(`"?(\w+)"? AS "?` + alias + `\b`).FindStringSubmatch(query); named != nil {
		s.table = named[1]
	}
	return s
}

// readsAll tells whether a step reads every row, or every one of a cluster.
func (s step) readsAll() bool { return s.verb == "SCAN" || s.by == "cluster_id=?" }
