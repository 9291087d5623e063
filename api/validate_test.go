package api

import (
	"math"
	"strings"
	"testing"
)

func TestValuesAreHeldToTheCatalogue(t *testing.T) {
	t.Parallel()
	tests := []struct {
		action, param, value string
		problem              string // "" when the value is fine
	}{
		{"AddUsers", "User.N.Password", "Abcdef12", ""},
		{"AddUsers", "User.N.Password", "abcdef1!", ""},
		{"AddUsers", "User.N.Password", "Abcdefgh", "must have characters of 3 kinds"},
		{"AddUsers", "User.N.Password", "Abcdef1", "must have 8 to 30 characters"},
		{"AddUsers", "User.N.Password", strings.Repeat("Ab1", 10) + "x", "must have 8 to 30 characters"},
		{"AddUsers", "User.N.Password", "Abcdef12\n", "may hold only letters, digits and"},
		{"AddUsers", "User.N.Password", "Abcdef12é", "may hold only letters, digits and"},
		{"AddUsers", "User.N.Name", "abcde", "must have 6 to 30 characters"},
		{"AddUsers", "User.N.Name", "abc/../def", "must match"},
		{"AddUsers", "User.N.Name", "abcdef\n", "must match"},
		{"AddNodes", "ComputeSpotPriceLimit", "0.97", ""},
		{"AddNodes", "ComputeSpotPriceLimit", "1e3", "must be a decimal number"},
		{"AddNodes", "ComputeSpotPriceLimit", "cheap", "must be a decimal number"},
		{"AddNodes", "AutoRenew", "yes", "must be true or false"},
		{"AddNodes", "AutoRenew", "1", "must be true or false"},
		{"AddNodes", "PeriodUnit", "YEAR", "must be one of Week, Month"},
		{"AddNodes", "Count", "+5", "must be a whole number"},
		{"AddNodes", "Count", "5.0", "must be a whole number"},
		{"AddNodes", "Count", " 5", "must be a whole number"},
		{"AddNodes", "Count", "0", "must be between 1 and 99"},
		{"CreateGWSInstance", "AllocatePublicAddress", "No", ""},
		{"CreateCluster", "SchedulerType", "slurm22", ""},
		{"CreateCluster", "EcsOrder.Compute.Count", "0", ""},
		{"CreateCluster", "EcsOrder.Compute.Count", "-1", "must be between 0 and 99"},
		{"CreateCluster", "Name", "集群-1", ""},
		{"CreateCluster", "Name", "-cluster", "must match"},
		{"CreateCluster", "Name", "a\x80", "is not valid UTF-8"},
		{"CreateCluster", "Description", "a\x00b", "must not hold NUL bytes"},
		{"DeleteCluster", "ReleaseInstance", "True", ""},
		{"DeleteCluster", "ReleaseInstance", "yes", "must be one of true, false"},
		{"GetAccountingReport", "StartTime", "4102444800", ""},
		{"GetAccountingReport", "StartTime", "-1", "must be a time in seconds"},
		{"SubmitServerlessJob", "Cpu", "0.5", ""},
		{"SubmitServerlessJob", "Cpu", "NaN", "must be a number"},
		{"SubmitServerlessJob", "Cpu", "0x10", "must be a number"},
		{"SubmitServerlessJob", "Cpu", strings.Repeat("9", 400), "must be a number"},
		{"SubmitServerlessJob", "Container", `{"Image":"a"} x`, "is not valid JSON"},
		{"InvokeShellCommand", "Timeout", "-5", ""},
		{"SubmitJob", "ArrayRequest", "1-10:2", ""},
		{"SubmitJob", "ArrayRequest", "1-10;2", "must match"},
	}
	for _, test := range tests {
		t.Run(test.action+" "+test.param+" "+test.value[:min(len(test.value), 20)], func(t *testing.T) {
			t.Parallel()
			a, _ := Lookup(test.action)
			got := a.Param(test.param).problem(test.value)
			if got != test.problem && (test.problem == "" || !strings.HasPrefix(got, test.problem)) {
				t.Errorf("got %q, want %q", got, test.problem)
			}
		})
	}
}

func TestEncodeRefusesWhatIsNoNumber(t *testing.T) {
	t.Parallel()
	for _, n := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		response := &DescribePriceResponse{}
		response.TotalTradePrice = n
		if err := Encode(&strings.Builder{}, JSON, "DescribePrice", "R", response); err == nil {
			t.Errorf("%v was written", n)
		}
	}
}

func TestEncodeRefusesWhatIsNoAnswer(t *testing.T) {
	t.Parallel()
	for _, response := range []any{nil, "text", AddNodesResponse{}, (*AddNodesResponse)(nil), &struct{ M map[string]int }{}} {
		if err := Encode(&strings.Builder{}, JSON, "AddNodes", "R", response); err == nil {
			t.Errorf("%#v was written", response)
		}
	}
}

func TestWholeNumbersAreWrittenAsSuch(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := Encode(&b, JSON, "DescribePrice", "R", &DescribePriceResponse{TotalTradePrice: 120000000}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), `"TotalTradePrice":120000000,`) && !strings.Contains(b.String(), `"TotalTradePrice":120000000}`) {
		t.Error(b.String())
	}
}
