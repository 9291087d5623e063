package config

import (
	"errors"
	"fmt"

	"ehpc/internal/hpc"
)

// checkBudgets returns all faults of the budgets at once.
func (c *Config) checkBudgets() error {
	type place struct{ cluster, queue, account string }
	seen := map[place]bool{}
	var faults []error
	for i, b := range c.Budgets {
		fault := func(wrong bool, format string, args ...any) {
			if wrong {
				faults = append(faults, fmt.Errorf("budgets[%d]"+format, append([]any{i}, args...)...))
			}
		}
		fault(b.Cluster == "", `.cluster is neither a cluster's id nor "*"`)
		fault(b.Queue != "" && b.Account != "", " is for a queue and for an account: give it one of them")
		fault(b.Limit == nil, ".limit is not given")
		if b.Limit != nil {
			err := hpc.CheckBudget(*b.Limit, b.BudgetOf().Action)
			fault(err != nil, ": %v", err)
		}
		at := place{b.Cluster, b.Queue, b.Account}
		fault(seen[at], " is for the same as one before it: %s of cluster %q", b.BudgetOf().BudgetTarget, b.Cluster)
		seen[at] = true
	}
	if len(c.Budgets) > hpc.MaxBudgets {
		faults = append(faults, fmt.Errorf("budgets has %d entries, the limit is %d", len(c.Budgets), hpc.MaxBudgets))
	}
	return errors.Join(faults...)
}
