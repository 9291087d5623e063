package store

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"ehpc/internal/hpc"
)

func TestPagesOfRunsAreTheWhole(t *testing.T) { onEveryEngine(t, testPagesOfRuns) }

func testPagesOfRuns(t *testing.T, place func() Place) {
	s := withCluster(t, place())
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	const count = 23
	change(t, s, func(ctx context.Context, tx Tx) error {
		if err := tx.BeginSpan(ctx, "i-1", hpc.MoneyOf(1), begin); err != nil {
			return err
		}
		var l Ledger
		for i := range count { // three at a time, the first before the period and still there in it
			started := begin.Add(time.Duration(i/3) * time.Hour)
			l.Runs = append(l.Runs, &Run{ClusterID: "c", JobID: fmt.Sprint("j", i*7%count), PublicID: fmt.Sprint(i), Account: fmt.Sprint("user", i%2), Queue: "q",
				Shares: []hpc.NodeShare{{Host: "manager", Cores: 1}}, Cores: 1, Submitted: started, Started: started, Ended: started.Add(2 * time.Hour), State: hpc.JobCompleted, Final: true})
		}
		return tx.RecordRuns(ctx, "c", l)
	})
	from, to := begin.Add(90*time.Minute), begin.Add(24*time.Hour)
	for _, f := range []RunFilter{{}, {Account: "user1"}, {Queue: "q", Account: "user0"}, {Account: "nobody"}} {
		ids := func(page Page) (ids []string, total int) {
			t.Helper()
			runs, total, err := s.Read().RunsIn(t.Context(), "c", from, to, f, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range runs {
				ids = append(ids, r.PublicID)
			}
			return ids, total
		}
		whole, total := ids(Page{})
		if len(whole) != total || f == (RunFilter{}) && total != count {
			t.Fatalf("%+v: %d runs, and %d are told", f, len(whole), total)
		}
		for size := 1; size <= count+1; size++ {
			var all []string
			for number := 1; number <= total/size+2; number++ {
				some, again := ids(Page{number, size})
				if again != total || len(some) > size {
					t.Errorf("%+v: page %d of %d has %d runs of %d", f, number, size, len(some), again)
				}
				all = append(all, some...)
			}
			if !slices.Equal(all, whole) {
				t.Errorf("%+v: pages of %d are %v, all are %v", f, size, all, whole)
			}
		}
	}
}
