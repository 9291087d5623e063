package bench

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ehpc/test/e2e/rig"
)

// table is what one run measured.
type table struct {
	begun time.Time
	load  string // of the machine before the run
	rows  []*row
}

func newTable(b *testing.B) *table {
	return &table{begun: time.Now(), load: strings.Fields(text(b, "/proc/loadavg"))[0]}
}

// row is one thing that was measured, round by round, and what stands beside it.
type row struct {
	place        int    // in the table
	what, beside string // beside is "" where there is nothing
	unit         string // of both
	goal         goal
	ours, theirs []float64 // of each round, taken one after the other
	note         string    // on ours
	noteBeside   string
}

// goal is what a row should come to.
type goal struct {
	text string
	met  func(*row) bool
}

func ratioAtLeast(x float64) goal {
	return goal{fmt.Sprintf("ratio at least %v", x), func(r *row) bool { return r.ratio() >= x }}
}

func ratioAtMost(x float64) goal {
	return goal{fmt.Sprintf("ratio at most %v", x), func(r *row) bool { return r.ratio() <= x }}
}

func atMost(x float64, unit string) goal {
	return goal{fmt.Sprintf("at most %v %s", x, unit), func(r *row) bool { return middle(r.ours) <= x }}
}

// ratio is the middle one of the rounds' ratios: both sides of a round met the
// same machine.
func (r *row) ratio() float64 {
	var all []float64
	for i := range r.theirs {
		all = append(all, r.ours[i]/r.theirs[i])
	}
	return middle(all)
}

// middle is the median.
func middle(values []float64) float64 { return quantile(values, 0.5) }

func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// p99 words a latency that one in a hundred was above, in milliseconds.
func p99(latencies []float64) string {
	return fmt.Sprintf("p99 %s ms", short(quantile(latencies, 0.99)))
}

// add takes a measured row.
func (t *table) add(b *testing.B, r *row) {
	b.ReportMetric(0, "ns/op") // of the whole, which says nothing
	b.ReportMetric(middle(r.ours), strings.ReplaceAll(r.unit, " ", ""))
	if len(r.theirs) > 0 {
		b.ReportMetric(r.ratio(), "ratio")
	}
	b.Log(r.line())
	t.rows = append(t.rows, r)
}

// failed takes the place of what could not be measured.
func (t *table) failed(place int, what string) {
	t.rows = append(t.rows, &row{place: place, what: what + ": **not measured, it failed**"})
}

// has tells whether there is a row in that place.
func (t *table) has(place int) bool {
	return slices.ContainsFunc(t.rows, func(r *row) bool { return r.place == place })
}

func (r *row) line() string {
	if len(r.ours) == 0 {
		return fmt.Sprintf("| %s | | | | | |", r.what)
	}
	ratio, met := "", "no"
	if len(r.theirs) > 0 {
		ratio = strconv.FormatFloat(r.ratio(), 'f', 2, 64)
	}
	if r.goal.met(r) {
		met = "yes"
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |", r.what, ratio, r.cell(r.ours, r.note), r.besideCell(), r.goal.text, met)
}

func (r *row) besideCell() string {
	if r.beside == "" {
		return ""
	}
	return r.beside + ": " + r.cell(r.theirs, r.noteBeside)
}

// cell is the middle of the rounds and how far they went.
func (r *row) cell(values []float64, note string) string {
	space := " "
	if r.unit == "/s" {
		space = ""
	}
	cell := short(middle(values)) + space + r.unit
	if len(values) > 1 {
		cell += fmt.Sprintf(" (%s to %s)", short(slices.Min(values)), short(slices.Max(values)))
	}
	if note != "" {
		cell += ", " + note
	}
	return cell
}

// short writes three digits.
func short(x float64) string {
	switch {
	case x >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 2, 64)
}

// What is between these lines of the page is written by a run; the rest stays.
const (
	tableBegins = "<!-- written by make bench: change nothing from here -->\n"
	tableEnds   = "<!-- to here -->\n"
)

// write puts the table into the file that EHPC_BENCH_TABLE names.
func (t *table) write(b *testing.B) {
	slices.SortStableFunc(t.rows, func(a, b *row) int { return cmp.Compare(a.place, b.place) })
	var lines strings.Builder
	for _, r := range t.rows {
		lines.WriteString(r.line() + "\n")
	}
	file := os.Getenv("EHPC_BENCH_TABLE")
	if file == "" {
		return
	}
	page := text(b, file)
	before, rest, begins := strings.Cut(page, tableBegins)
	_, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		b.Fatalf("%s has no place for the table", file)
	}
	written := fmt.Sprintf(`One run, on %s, on this machine: %s, %d cores, %s of memory, %s, %s. Its load before the run was %s. The run took %s.

| what | ratio | ours | beside it | goal | met |
| --- | --- | --- | --- | --- | --- |
%s`, t.begun.UTC().Format("2006-01-02 15:04 UTC"), field(b, "/proc/cpuinfo", "model name"), runtime.NumCPU(),
		field(b, "/proc/meminfo", "MemTotal"), "Linux "+strings.TrimSpace(text(b, "/proc/sys/kernel/osrelease")),
		runtime.Version(), t.load, time.Since(t.begun).Round(time.Second), lines.String())
	rig.Must(b, os.WriteFile(file, []byte(before+tableBegins+"\n"+written+"\n"+tableEnds+after), 0o644))
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
