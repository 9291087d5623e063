package main

import (
	"testing"

	"ehpc/api"
)

func TestBudgetCommands(t *testing.T) {
	t.Parallel()
	list := api.ListBudgetsResponse{Month: "2026-11", Currency: "CNY"}
	list.Budgets.BudgetInfo = []budget{
		{Limit: 2000, Spent: 12.345, Percent: 0.61, LimitAction: "warn", Source: "configuration", InEffect: true},
		{QueueName: "night", Limit: 10, Spent: 10, Percent: 100, LimitAction: "hold new jobs", Source: "api", Reason: "that of the configuration counts"},
		{UserName: "ada", Limit: 5, LimitAction: "stop growing", Source: "api", InEffect: true},
	}
	s := newService(t, map[string][]any{
		"ListBudgets":  {list},
		"SetBudget":    {api.SetBudgetResponse{RequestId: "REQ-3"}},
		"DeleteBudget": {refusal{api.ObjectNotFound, "cannot delete the budget: UserName: cluster c does not have the budget of account ada"}},
	})
	s.run("", nil, "budget", "list", "ehpc-hz-1").want(t, 0, `OF           LIMIT        SPENT      PERCENT  AT LIMIT       REACHED  SET BY         NOT IN EFFECT
cluster      2000.00 CNY  12.35 CNY  0.6      warn           -        configuration  -
queue night  10.00 CNY    10.00 CNY  100.0    hold new jobs  -        api            that of the configuration counts
account ada  5.00 CNY     0.00 CNY   0.0      stop growing   -        api            -
`, "")
	s.run("", nil, "budget", "list", "ehpc-hz-1", "-o", "json").want(t, 0, `"Spent": 12.345`, "")
	s.run("", nil, "budget", "set", "ehpc-hz-1", "80.50", "--account", "ada", "--at-limit", "hold-new-jobs").want(t, 0, "account ada of cluster ehpc-hz-1 may cost 80.50 a month, at the limit: hold new jobs\n", "")
	if in := s.request("SetBudget"); in.Get("ClusterId") != "ehpc-hz-1" || in.Get("Limit") != "80.50" || in.Get("UserName") != "ada" || in.Get("LimitAction") != "hold new jobs" || in.Has("QueueName") {
		t.Errorf("sent %v", in)
	}
	s.run("", nil, "budget", "set", "ehpc-hz-1", "5", "-o", "json").want(t, 0, `"RequestId": "REQ-3"`, "")
	if in := s.request("SetBudget"); in.Get("LimitAction") != "warn" || in.Has("UserName") {
		t.Errorf("sent %v", in)
	}
	s.run("", nil, "budget", "set", "ehpc-hz-1").want(t, 2, "", "LIMIT")
	s.run("", nil, "budget", "delete", "ehpc-hz-1", "--account", "ada").want(t, exitRefused, "", "does not have the budget of account ada")
}
