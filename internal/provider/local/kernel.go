package local

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// kernelLimits are what the kernel has once for all of the host's machines, with
// what each may take of it, what the host itself needs, and the most that there can be.
var kernelLimits = []struct {
	name            string // of the sysctl
	each, own, most int
}{
	{"fs.inotify.max_user_instances", 2, 64, math.MaxInt32}, // of root of all machines together: an agent has one
	{"kernel.pid_max", maxTasks, 4096, 1 << 22},
	{"kernel.pty.max", terminals, 1024, math.MaxInt32}, // the host's are kept for it
}

// Lacks tells which limits of the kernel are too low for as many machines as there
// may be, as "name=value" with what they need; nil if there is enough of all. A
// machine may then take what others need to work.
func (p *Provider) Lacks() []string { return lacks("/proc/sys", p.host.CoreLimit) }

func lacks(sysctls string, machines int) (set []string) {
	for _, limit := range kernelLimits {
		path := filepath.Join(sysctls, strings.ReplaceAll(limit.name, ".", "/"))
		text, err := os.ReadFile(path)
		if err != nil {
			continue // this kernel has no such limit
		}
		have, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if need := min(limit.own+machines*limit.each, limit.most); err == nil && have < need {
			set = append(set, fmt.Sprintf("%s=%d", limit.name, need))
		}
	}
	return set
}
