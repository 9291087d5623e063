// Package layers holds the tree to its layers: who may import whom.
package layers

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "ehpc"

// layers are the packages of the module from the bottom up. A package may
// import what stands in a lower layer, and nothing of its own: what siblings
// need of each other they get as parameters.
var layers = [][]string{
	{"internal/plain"},
	{"api", "internal/hpc", "internal/rpc"},
	{"internal/store", "internal/scheduler", "internal/provider", "internal/link", "internal/meter", "internal/image", "internal/auth", "internal/config", "internal/fetch", "internal/sshca", "internal/backup"},
	{"internal/fence"},
	{"internal/action", "internal/reconcile", "internal/agent", "internal/gateway"},
	{"internal/server"},
	{"cmd/ehpc", "cmd/ehpc-agent"},
}

// drivers are the packages whose children are drivers or suites for them:
// these import their parent, and only commands and tests import them.
var drivers = []string{"internal/scheduler", "internal/provider"}

// outside stand beside the layers: what each may import of ours.
var outside = map[string][]string{
	"client":            {"api"},
	"api/gen":           {"api"},
	"internal/ehpctest": nil, // a whole control plane for tests: anything
	"test/layers":       {},
	"scripts/states":    {"internal/hpc"},
}

type pkg struct {
	ImportPath string
	Imports    []string // of the package itself; its tests may import anything
}

func TestPackagesImportOnlyLowerLayers(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		name := local(p.ImportPath)
		for _, imported := range p.Imports {
			if to := local(imported); to != "" && !allowed(name, to) {
				t.Errorf("%s must not import %s", name, to)
			}
		}
	}
}

func TestEveryPackageHasALayer(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		name := local(p.ImportPath)
		if _, known := outside[name]; !known && level(name) < 0 && driverOf(name) == "" && !strings.HasPrefix(name, "test/") {
			t.Errorf("%s stands in no layer: say which in this test", name)
		}
	}
}

func TestTheRulesRefuseWhatTheyShould(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"internal/action", "internal/store", true},
		{"internal/store", "internal/action", false},
		{"internal/store", "internal/scheduler", false},
		{"internal/scheduler/slurm", "internal/scheduler", true},
		{"internal/scheduler/slurm", "internal/hpc", true},
		{"internal/scheduler/slurm", "internal/store", false},
		{"internal/scheduler", "internal/scheduler/slurm", false},
		{"internal/agent", "internal/scheduler/slurm", false},
		{"cmd/ehpc-agent", "internal/scheduler/slurm", true},
		{"internal/ehpctest", "internal/scheduler/fake", true},
		{"client", "api", true},
		{"client", "internal/auth", false},
		{"api", "internal/hpc", false},
	} {
		if got := allowed(c.from, c.to); got != c.want {
			t.Errorf("%s imports %s: allowed is %v, expected %v", c.from, c.to, got, c.want)
		}
	}
}

// allowed tells whether package from may import package to, both of this module.
func allowed(from, to string) bool {
	if may, beside := outside[from]; beside {
		return may == nil || slices.Contains(may, to)
	}
	if strings.HasPrefix(from, "test/") || strings.HasPrefix(from, "cmd/") {
		return true // they wire everything
	}
	if _, beside := outside[to]; beside {
		return false
	}
	if driverOf(to) != "" {
		return driverOf(from) == driverOf(to) // a suite may be shared by drivers of one kind
	}
	if parent := driverOf(from); parent != "" {
		return to == parent || level(to) < level(parent)
	}
	return level(to) < level(from) || strings.HasPrefix(to, from+"/")
}

// level is the layer of a package or of the package it stands in; -1 for none.
func level(name string) int {
	for ; name != "."; name = path.Dir(name) {
		for i, names := range layers {
			if slices.Contains(names, name) {
				return i
			}
		}
	}
	return -1
}

// driverOf is the seam that a driver is for, "" if the package is none.
func driverOf(name string) string {
	for _, seam := range drivers {
		if strings.HasPrefix(name, seam+"/") {
			return seam
		}
	}
	return ""
}

// local is a package's path within the module, "" for others.
func local(importPath string) string {
	name, ours := strings.CutPrefix(importPath, module+"/")
	if !ours {
		return ""
	}
	return name
}

func list(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports", module+"/...").Output()
	if err != nil {
		t.Fatalf("cannot list the packages: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("cannot read the list of packages: %v", err)
		}
		all = append(all, p)
	}
}
