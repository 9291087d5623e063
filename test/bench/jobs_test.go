package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ehpc/test/e2e/rig"
)

// submitJobs measures submissions while the nodes are busy, so that no job
// starts meanwhile.
func submitJobs(b *testing.B, w *world, t *table) {
	w.start(b)
	w.quiet(b)
	for range computes * cores {
		rig.Must(b, w.submit(b, "sleep 3600"))
	}
	w.bare.asUser(b, "manager", fmt.Sprintf("for i in $(seq %d); do sbatch -c %d --wrap 'sleep 3600'; done", computes+added, cores))
	socket := w.bare.restd(b)
	const rounds, span = 3, 2 * time.Second
	for i, clients := range []int{1, 8} {
		rest := &row{place: 10 + 2*i, what: "SubmitJob" + by(clients), beside: "slurmrestd", unit: "/s", goal: ratioAtLeast(0.5)}
		loop := &row{place: 11 + 2*i, what: "SubmitJob" + by(clients), beside: "sbatch in loops", unit: "/s", goal: ratioAtLeast(5)}
		var ours, theirs []float64
		for range rounds {
			l := drive(clients, during(span), func(int) error { return w.submit(b, "true") })
			rig.Must(b, l.fault)
			ours, rest.ours, loop.ours = append(ours, l.latencies...), append(rest.ours, l.rate()), append(loop.ours, l.rate())
			n := w.bare.post(b, socket, clients, span)
			theirs, rest.theirs = append(theirs, n.latencies...), append(rest.theirs, n.rate())
			loop.theirs = append(loop.theirs, w.bare.sbatch(b, clients, 160/clients, "true"))
		}
		rest.note, loop.note, rest.noteBeside = p99(ours), p99(ours), p99(theirs)
		t.add(b, rest)
		t.add(b, loop)
	}
	w.bare.sh(b, "manager", "scancel -u "+w.bare.as.Name)
}

func by(n int) string {
	if n == 1 {
		return ", 1 client"
	}
	return ", " + strconv.Itoa(n) + " clients"
}

// jobsDone measures how fast jobs get through: each leaves a line.
func jobsDone(b *testing.B, w *world, t *table) {
	w.start(b)
	const rounds, each, clients = 4, 250, 8
	const enough = 3 * time.Minute // then no other round is begun: the machine is slow
	r := &row{place: 30, beside: "the same through sbatch", unit: "/s", goal: ratioAtLeast(0.9)}
	w.onlyTwo(b)
	started := time.Now()
	for i := 0; i < rounds && time.Since(started) < enough; i++ {
		command := "sleep 0.05; echo >> done-" + strconv.Itoa(i)
		begun := time.Now()
		rig.Must(b, drive(clients, times(each), func(int) error { return w.submit(b, command) }).fault)
		await(b, volume(w.cluster, "home", w.as.Name, "done-"+strconv.Itoa(i)), each)
		r.ours = append(r.ours, each/time.Since(begun).Seconds())
		w.quiet(b)
		begun = time.Now()
		w.bare.sbatch(b, clients, (each+clients-1)/clients, command)
		sent := (each + clients - 1) / clients * clients
		await(b, volume(w.bare.Cluster, "home", w.bare.as.Name, "done-"+strconv.Itoa(i)), sent)
		r.theirs = append(r.theirs, float64(sent)/time.Since(begun).Seconds())
		w.bare.quiet(b)
	}
	r.what = fmt.Sprintf("%d jobs of 50 ms on nodes that say they have %d cores: jobs done per second", len(r.ours)*each, computes*cores)
	t.add(b, r)
	for _, host := range w.bare.extra() {
		w.bare.sh(b, "manager", "scontrol update nodename="+host+" state=resume")
	}
}

// onlyTwo leaves the other cluster as many nodes as the service's has.
func (w *world) onlyTwo(b *testing.B) {
	for _, host := range w.bare.extra() {
		w.bare.sh(b, "manager", "scontrol update nodename="+host+" state=drain reason=bench")
	}
}

// await waits until a file has so many lines.
func await(b *testing.B, file string, lines int) {
	b.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		content, err := os.ReadFile(file)
		if err == nil && bytes.Count(content, []byte("\n")) >= lines {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("%s has %d lines after two minutes, not %d", filepath.Base(file), bytes.Count(content, []byte("\n")), lines)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// starts measures from the submission to the job's first instruction.
func starts(b *testing.B, w *world, t *table) {
	w.start(b)
	const rounds = 8
	r := &row{place: 40, what: "SubmitJob until the job runs, on an idle cluster", beside: "sbatch", unit: "s", goal: ratioAtMost(1.2)}
	for i := range rounds {
		name := "started-" + strconv.Itoa(i)
		w.quiet(b)
		begun := time.Now()
		rig.Must(b, w.submit(b, "date +%s.%N > "+name))
		file := volume(w.cluster, "home", w.as.Name, name)
		await(b, file, 1)
		r.ours = append(r.ours, seconds(b, text(b, file))-float64(begun.UnixNano())/1e9)
		w.quiet(b)
		w.bare.quiet(b)
		out := w.bare.asUser(b, "manager", "date +%s.%N; sbatch --wrap 'date +%s.%N > "+name+"' >/dev/null; until [ -s "+name+" ]; do sleep 0.02; done; cat "+name)
		before, after, _ := strings.Cut(out, "\n")
		r.theirs = append(r.theirs, seconds(b, after)-seconds(b, before))
	}
	t.add(b, r)
}

func seconds(b *testing.B, text string) float64 {
	b.Helper()
	x, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	rig.Must(b, err)
	return x
}
