package reconcile

import (
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

func TestWhatARunUsedIsTheSumOverItsNodes(t *testing.T) {
	t.Parallel()
	t0 := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	part := func(second int, cpu time.Duration, memory, energy int64) hpc.Used {
		u := hpc.Used{Began: t0.Add(time.Duration(second) * time.Second), CPU: cpu, Memory: memory}
		if energy > 0 {
			u.Energy = &energy
		}
		return u
	}
	on := func(host string, final bool, parts ...hpc.Used) hpc.Measurement {
		return hpc.Measurement{Job: "7", Host: host, Final: final, Parts: parts}
	}
	two := []hpc.NodeShare{{Host: "a"}, {Host: "b"}}
	alone := store.RunToMeasure{OwnID: "7", Started: t0, Shares: two, First: true}
	earlier, later := alone, alone
	earlier.Next = t0.Add(time.Minute)
	later.Started, later.First = t0.Add(time.Minute), false
	for _, c := range []struct {
		name   string
		run    store.RunToMeasure
		told   []hpc.Measurement
		gone   string
		nodes  int
		cpu    time.Duration
		memory int64
		energy int64
		all    bool
	}{
		{"on both nodes", alone, []hpc.Measurement{on("a", true, part(0, 3, 10, 5)), on("b", true, part(1, 4, 20, 6))}, "", 2, 7, 30, 11, true},
		{"in parts, before the start too by the node's clock", alone, []hpc.Measurement{on("a", true, part(-9, 3, 10, 5), part(5, 1, 12, 0)), on("b", true, part(1, 4, 20, 0))}, "", 2, 8, 32, 5, true},
		{"while it goes on on one", alone, []hpc.Measurement{on("a", true, part(0, 3, 10, 0)), on("b", false, part(1, 4, 20, 0))}, "", 2, 7, 30, 0, false},
		{"while one tells nothing", alone, []hpc.Measurement{on("a", true, part(0, 3, 10, 0))}, "", 1, 3, 10, 0, false},
		{"with one gone that told nothing", alone, []hpc.Measurement{on("a", true, part(0, 3, 10, 0))}, "b", 1, 3, 10, 0, true},
		{"with one gone before its last word", alone, []hpc.Measurement{on("a", true, part(0, 3, 10, 0)), on("b", false, part(0, 4, 20, 0))}, "b", 2, 7, 30, 0, true},
		{"seen before anything ran there, and not again", alone, []hpc.Measurement{on("a", true, part(0, 3, 10, 0)), on("b", true, part(0, 0, 0, 0))}, "", 1, 3, 10, 0, true},
		{"of nothing known", alone, nil, "", 0, 0, 0, 0, false},
		{"of the run before another", earlier, []hpc.Measurement{on("a", true, part(0, 3, 10, 0), part(60, 9, 99, 0)), on("b", false, part(1, 4, 20, 0), part(61, 9, 99, 0))}, "", 2, 7, 30, 0, true},
		{"of the one after", later, []hpc.Measurement{on("a", true, part(0, 3, 10, 0), part(60, 9, 99, 0)), on("b", false, part(1, 4, 20, 0))}, "", 1, 9, 99, 0, false},
	} {
		told := map[hpc.JobOnNode]hpc.Measurement{}
		for _, m := range c.told {
			told[hpc.JobOnNode{Job: m.Job, Host: m.Host}] = m
		}
		there := map[string]bool{"a": true, "b": true}
		delete(there, c.gone)
		f, all := planFigures(&c.run, told, there)
		var energy int64
		if f.Energy != nil {
			energy = *f.Energy
		}
		if f.MeasuredOn != c.nodes || f.CPUTime != c.cpu || f.MaxMemory != c.memory || energy != c.energy || all != c.all {
			t.Errorf("%s: %+v, all: %v", c.name, f, all)
		}
	}
}
