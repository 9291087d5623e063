package bench

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"ehpc/test/e2e/rig"
)

// table is what one run measured.
type table struct {
	begun time.Time
	load  string // of the machine before the run
	rows  []string
}

func newTable(b *testing.B) *table {
	return &table{begun: time.Now(), load: strings.Join(strings.Fields(text(b, "/proc/loadavg"))[:1], "")}
}

// measure is something that was measured.
type measure interface {
	cell() string
	report(b *testing.B)
}

// duration is how long something took, over some samples.
type duration struct {
	median, least, most time.Duration
	samples             int
}

func (d duration) cell() string {
	return fmt.Sprintf("%.2f s (%.2f to %.2f, %d samples)", d.median.Seconds(), d.least.Seconds(), d.most.Seconds(), d.samples)
}

func (d duration) report(b *testing.B) { b.ReportMetric(d.median.Seconds(), "s/median") }

// perSecond is how often something was done, or why it failed.
type perSecond struct {
	rate  float64
	fault error
}

func (p perSecond) cell() string { return fmt.Sprintf("%.0f/s", p.rate) }

func (p perSecond) report(b *testing.B) {
	rig.Must(b, p.fault)
	b.ReportMetric(p.rate, "1/s")
}

// add takes a row, with what there is to say about it.
func (t *table) add(b *testing.B, what, note string, m measure) {
	b.ReportMetric(0, "ns/op") // of the whole, which says nothing
	m.report(b)
	b.Logf("%s: %s", what, m.cell())
	t.rows = append(t.rows, fmt.Sprintf("| %s | %s | %s |", what, m.cell(), note))
}

// write writes the table to the file that EHPC_BENCH_TABLE names.
func (t *table) write(b *testing.B) {
	file := os.Getenv("EHPC_BENCH_TABLE")
	if file == "" {
		return
	}
	page := fmt.Sprintf(`# Benchmarks

Written by %[1]smake bench%[1]s; every number is of one run, on %s, on this machine:
%s, %d cores, %s, %s, %s. Its load before the run was %s.

The node image was there already. Jobs were submitted to a cluster whose only compute node was busy, so that none of them started meanwhile.

| what | measured | |
| --- | --- | --- |
%s
`, "`", t.begun.UTC().Format("2006-01-02 15:04 UTC"), field(b, "/proc/cpuinfo", "model name"), runtime.NumCPU(),
		field(b, "/proc/meminfo", "MemTotal")+" of memory", "Linux "+strings.TrimSpace(text(b, "/proc/sys/kernel/osrelease")),
		runtime.Version(), t.load, strings.Join(t.rows, "\n"))
	rig.Must(b, os.WriteFile(file, []byte(page), 0o644))
}

// field is the first value of a name in a file of "name : value" lines.
func field(b *testing.B, file, name string) string {
	for line := range strings.Lines(text(b, file)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return name + " unknown"
}

func text(b *testing.B, file string) string {
	content, err := os.ReadFile(file)
	rig.Must(b, err)
	return string(content)
}
