package main

import (
	"testing"
	"time"

	"ehpc/api"
)

func TestReport(t *testing.T) {
	t.Parallel()
	answer := api.GetAccountingReportResponse{TotalCount: 4, PageNumber: 1, PageSize: 50}
	answer.Data.Data = []string{`["jobs","ann",3,5400,0.3,"CNY"]`, `["jobs","bob",1,1,0.000000001,"CNY"]`, `["idle","workq",0,1800,0.1,"CNY"]`, `["management","",0,3600,0.32,"CNY"]`}
	s := newService(t, map[string][]any{"GetAccountingReport": {answer}})
	s.run("", nil, "report", "ehpc-hz-1", "--from", "2026-11-01T00:00:00Z", "--to", "2026-11-02T00:00:00Z").want(t, 0, `USER                   JOBS  CORE HOURS  COST CNY
ann                    3     1.500       0.3
bob                    1     0.000       0.000000001
(idle in workq)        -     0.500       0.1
(managers and logins)  -     1.000       0.32
(total)                4     3.000       0.720000001
`, "")
	if in := s.request("GetAccountingReport"); in.Get("StartTime") != "1793491200" || in.Get("EndTime") != "1793577600" || in.Get("Dim") != "user" || in.Get("ReportType") != "cost_report" {
		t.Errorf("sent %v", in)
	}
	s.run("", nil, "report", "ehpc-hz-1", "--by", "queue", "-o", "csv").want(t, 0, "kind,queue,jobs,core_seconds,cost,currency\njobs,ann,3,5400,0.3,CNY\n", "")
	s.run("", nil, "report", "ehpc-hz-1", "-o", "csv").want(t, 0, "total,,4,10801,0.720000001,CNY\n", "")
	s.run("", nil, "report", "ehpc-hz-1", "-o", "json").want(t, 0, `"cost": 0.720000001`, "")
	s.run("", nil, "report", "ehpc-hz-1", "--by", "colour").want(t, 2, "", "user, queue or job")
	s.run("", nil, "report", "ehpc-hz-1", "--from", "yesterday").want(t, 2, "", "--from")
	s.run("", nil, "report", "ehpc-hz-1", "-o", "xml").want(t, 2, "", "table, csv or json")
}

func TestAReportByJobTellsWhatTheyUsed(t *testing.T) {
	t.Parallel()
	answer := api.GetAccountingReportResponse{TotalCount: 4, PageNumber: 1, PageSize: 50}
	answer.Data.Data = []string{`["jobs","7",1,5400,0.3,"CNY",5211.75,2147483648,81.5,2]`, `["jobs","8_1",1,60,0.01,"CNY",3,4096,null,1]`,
		`["jobs","9",0,60,0.01,"CNY",null,null,null,0]`, `["idle","workq",0,1800,0.1,"CNY",null,null,null,null]`}
	s := newService(t, map[string][]any{"GetAccountingReport": {answer}})
	run := func(format string) outcome { return s.run("", nil, "report", "ehpc-hz-1", "--by", "job", "-o", format) }
	run("table").want(t, 0, `JOB              JOBS  CORE HOURS  COST CNY  CPU SECONDS  BYTES       JOULES
7                1     1.500       0.3       5211.75      2147483648  81.5
8_1              1     0.017       0.01      3            4096        -
9                0     0.017       0.01      -            -           -
(idle in workq)  -     0.500       0.1       -            -           -
(total)          2     2.033       0.42      -            -           -
`, "")
	run("csv").want(t, 0, `kind,job,jobs,core_seconds,cost,currency,cpu_seconds,max_memory,energy
jobs,7,1,5400,0.3,CNY,5211.75,2147483648,81.5
jobs,8_1,1,60,0.01,CNY,3,4096,
jobs,9,0,60,0.01,CNY,,,
idle,workq,0,1800,0.1,CNY,,,
total,,2,7320,0.42,CNY,,,
`, "")
	run("json").want(t, 0, `"cpu_seconds": 5211.75,
      "max_memory": 2147483648,
      "energy": 81.5
`, "")
	run("json").want(t, 0, `"cpu_seconds": null`, "")
}

func TestThePeriodOfAReport(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 15, 4, 5, 6, time.UTC)
	for _, c := range []struct{ from, to, wantFrom, wantTo string }{
		{"", "", "2026-11-01T00:00:00Z", "2026-11-27T15:04:06Z"},
		{"24h", "1h", "2026-11-26T15:04:05Z", "2026-11-27T14:04:05Z"},
		{"2026-10-01", "2026-11-01", "2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z"},
		{"2026-10-01T08:00:00+02:00", "", "2026-10-01T06:00:00Z", "2026-11-27T15:04:06Z"},
	} {
		p, err := periodOf(now, c.from, c.to)
		if from, to := p[0].UTC().Format(time.RFC3339), p[1].UTC().Format(time.RFC3339); err != nil || from != c.wantFrom || to != c.wantTo {
			t.Errorf("%q to %q is %s to %s, %v", c.from, c.to, from, to, err)
		}
	}
	for _, bad := range []string{"-1h", "soon", "2026-13-01"} {
		if _, err := periodOf(now, bad, ""); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzMoneyOf(f *testing.F) {
	for _, text := range []string{"0.32", "-0.000000001", "12", "1e3", "", "0.0000000001", "9223372036.854775807"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if m, err := moneyOf(text); err == nil {
			if again, err := moneyOf(m.String()); err != nil || again != m {
				t.Errorf("%q is %v, read again %v, %v", text, m, again, err)
			}
		}
	})
}
