package local

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"ehpc/internal/hpc"
	"ehpc/internal/provider"
)

func TestAProcessIsItselfAndNobodyElse(t *testing.T) {
	t.Parallel()
	self, err := identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if !self.alive() {
		t.Error("this process is taken for dead")
	}
	later, rebooted := self, self
	later.Start++
	rebooted.HostBoot = "another"
	if later.alive() || rebooted.alive() || (process{}).alive() {
		t.Error("another process with the same id is taken for this one")
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("init", uint64(42), "")
	f.Add("a) b) Z) 1", uint64(0), "")
	f.Add("", uint64(1), ")")
	f.Fuzz(func(t *testing.T, name string, start uint64, garbage string) {
		parseStat(garbage) // whatever it is
		line := fmt.Sprintf("1 (%s) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 %d 100 200", name, start)
		if got, state, err := parseStat(line); got != start || state != 'S' || err != nil {
			t.Errorf("read %d, %c, %v from %q", got, state, err, line)
		}
	})
}

func TestTheStateOfAProgramWithAnOddNameIsRead(t *testing.T) {
	t.Parallel()
	start, state, err := parseStat("7 (a) S (b)) Z 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 42 100 200\n")
	if start != 42 || state != 'Z' || err != nil {
		t.Errorf("read start %d, state %c, %v", start, state, err)
	}
}

func FuzzMemTotal(f *testing.F) {
	f.Add("MemTotal:       24625252 kB\nMemFree: 1 kB\n")
	f.Add("MemTotal:")
	f.Fuzz(func(t *testing.T, text string) {
		if mb, err := memTotalMB(text); err == nil && mb < 0 {
			t.Errorf("%d MB", mb)
		}
	})
}

func TestMachinesThatDoNotFitAreRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	host := capacity{Cores: 2, MemoryMB: 24000, CoreLimit: 16, MemoryLimit: 48000}
	small := hpc.InstanceType{Name: "small", Cores: 4, MemoryMB: 8000}
	for _, test := range []struct {
		name              string
		types             []hpc.InstanceType
		usedCores, usedMB int
		reason            string
	}{
		{"four on an empty host", []hpc.InstanceType{small, small, small, small}, 0, 0, ""},
		{"five on an empty host", []hpc.InstanceType{small, small, small, small, small}, 0, 0, "20 cores"},
		{"one beside many", []hpc.InstanceType{small}, 4, 44000, "8000 MB of memory are wanted beside 44000"},
		{"one larger than the host", []hpc.InstanceType{{Name: "large", Cores: 1, MemoryMB: 30000}}, 0, 0, "large has 30000 MB"},
		{"one with a GPU", []hpc.InstanceType{{Name: "ecs.gn5", Cores: 1, MemoryMB: 100, GPUs: 1}}, 0, 0, "GPUs"},
	} {
		err := host.fits(test.types, test.usedCores, test.usedMB)
		if (err == nil) != (test.reason == "") || err != nil && (!errors.Is(err, provider.ErrNoCapacity) || !strings.Contains(err.Error(), test.reason)) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func FuzzDroppingForward(f *testing.F) {
	f.Add([]byte(`{"nftables": [{"metainfo": {}}, {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward", "policy": "drop"}}]}`))
	f.Add([]byte(`{"nftables": [{"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward", "policy": "accept"}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if table := droppingForward(text); table != "" && !strings.Contains(string(text), "rop") && !strings.Contains(string(text), `\u`) {
			t.Errorf("found %q in %s", table, text)
		}
	})
}

func TestAHostWhoseFirewallDropsForwardingIsRecognised(t *testing.T) {
	t.Parallel()
	docker := `{"nftables": [{"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward", "policy": "drop"}}]}`
	if table := droppingForward([]byte(docker)); table != "ip filter" {
		t.Errorf("found %q", table)
	}
	if table := droppingForward([]byte(strings.Replace(docker, "drop", "accept", 1))); table != "" {
		t.Errorf("found %q", table)
	}
}

func TestWithoutClustersThereIsNoFirewallTable(t *testing.T) {
	t.Parallel()
	if rules := ruleset("ehpc_x", nil); strings.Contains(rules, "chain") || !strings.Contains(rules, "delete table inet ehpc_x") {
		t.Errorf("rules are %s", rules)
	}
}

func TestDataDirectoriesThatAnOverlayCannotNameAreRefused(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"relative", "/tmp/with space", "/tmp/with:colon", "/tmp/with,comma", "/no/such/directory"} {
		if err := checkDir(dir); err == nil {
			t.Errorf("%q is accepted", dir)
		}
	}
	if err := checkDir(t.TempDir()); err != nil {
		t.Error(err)
	}
}

func TestWhatIsPromisedIsSaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cores, memory float64
		want          string
	}{
		{1, 1, "2 cores (each of 2 promised once) and 1000 MB of memory (each of 1000 promised once)"},
		{16, 2, "32 cores (each of 2 promised 16 times) and 2000 MB of memory (each of 1000 promised 2 times)"},
		{0.5, 1, "1 cores (each of 2 promised in part, 0.5) and 1000 MB of memory (each of 1000 promised once)"},
	} {
		p := &Provider{opts: Options{CoreOvercommit: c.cores, MemoryOvercommit: c.memory},
			host: capacity{Cores: 2, MemoryMB: 1000, CoreLimit: int(2 * c.cores), MemoryLimit: int(1000 * c.memory)}}
		if got := p.Offer(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}
