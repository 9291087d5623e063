package store

import (
	"testing"
	"testing/fstest"

	"github.com/uptrace/bun/migrate"
)

// TestAStoreOfAnEarlierVersionIsBroughtUpToDate begins with the tables as they
// were at first, with rows in them.
func TestAStoreOfAnEarlierVersionIsBroughtUpToDate(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, place func() Place) {
		p := place()
		early := migratedBefore(t, p, "20261124")
		for _, row := range []string{
			`INSERT INTO clusters (id, rev, name, description, owner, status, reason, wanted, scheduler, deploy_mode, image_id, os_tag, asked, secrets, cursor, attempts, created, changed)
			 VALUES ('c', 1, 'n', '', 'o', 'running', '', TRUE, 'slurm', 'Standard', 'i', 't', '{}', 'c:e30=', '', 0, '2026-11-23 12:00:00+00:00', '2026-11-23 12:00:00+00:00')`,
			`INSERT INTO jobs (id, cluster_id, rev, public_id, sched_id, token, owner, name, queue, state, reason, wanted, released, spec, command_line, priority, node_list, nodes, cores, restarts, ends, exit_code, stdout, stderr, submitted, modified)
			 VALUES ('j', 'c', 1, '1', '1', 't', 'o', 'n', 'q', 'RUNNING', '', TRUE, TRUE, '{}', 'x', 0, '[]', 1, 1, 0, 0, 0, '', '', '2026-11-23 12:00:00+00:00', '2026-11-23 12:00:00+00:00')`,
		} {
			if _, err := early.write.ExecContext(t.Context(), row); err != nil {
				t.Fatal(err)
			}
		}
		if err := early.Close(); err != nil {
			t.Fatal(err)
		}
		s := open(t, p)
		tx := s.Read()
		c, err := tx.Cluster(t.Context(), "c")
		if err != nil || c.Home != "" || !c.Created.Equal(now) {
			t.Errorf("cluster %+v, %v", c, err)
		}
		jobs, n, err := s.Jobs(t.Context(), "c", JobFilter{}, nil, now, Page{1, 10})
		if err != nil || n != 1 || jobs[0].PublicID != "1" {
			t.Errorf("jobs %v, %v", jobs, err)
		}
	})
}

// migratedBefore is a store whose tables are as before the migrations from that
// one on.
func migratedBefore(t *testing.T, p Place, name string) *Store {
	t.Helper()
	early := &Store{}
	if err := early.connect(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	first := fstest.MapFS{}
	for _, f := range files {
		if f.Name() < name {
			text, err := migrations.ReadFile("migrations/" + f.Name())
			if err != nil {
				t.Fatal(err)
			}
			first[f.Name()] = &fstest.MapFile{Data: text}
		}
	}
	set := migrate.NewMigrations()
	if err := set.Discover(first); err != nil {
		t.Fatal(err)
	}
	m := migrate.NewMigrator(early.write, set, migrate.WithMarkAppliedOnSuccess(true))
	if err := m.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return early
}
