package meter

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// machine tells what the processors of the machine have used, of energy and of
// time. Energy is that of the packages (RAPL), whose counters begin again at zero
// within minutes of work.
type machine struct {
	packages []string // directories
	stat     string   // as /proc/stat
	last     []int64  // microjoules, by package
	sum      int64
}

// spent is what the machine has used since some time ago.
type spent struct {
	energy int64 // microjoules
	busy   int64 // clock ticks of all processors together
	known  bool
}

// openMachine finds the packages; without any there is nothing to tell.
func openMachine(powercap, stat string) *machine {
	paths, _ := filepath.Glob(filepath.Join(powercap, "intel-rapl:[0-9]*"))
	m := &machine{stat: stat}
	for _, path := range paths {
		name, err := os.ReadFile(filepath.Join(path, "name"))
		if err == nil && strings.HasPrefix(string(name), "package-") { // others are parts of it, or beside it
			m.packages = append(m.packages, path)
		}
	}
	return m
}

func (m *machine) now() spent {
	if len(m.packages) == 0 {
		return spent{}
	}
	busy, err := busyTicks(m.stat)
	if err != nil {
		return spent{}
	}
	now := make([]int64, len(m.packages))
	for i, path := range m.packages {
		if now[i], err = number(filepath.Join(path, "energy_uj")); err != nil {
			return spent{} // only root may read it, and not in every container
		}
	}
	for i, path := range m.packages {
		if m.last != nil {
			m.sum += sinceWrap(path, m.last[i], now[i])
		}
	}
	m.last = now
	return spent{energy: m.sum, busy: busy, known: true}
}

func sinceWrap(path string, before, now int64) int64 {
	if now >= before {
		return now - before
	}
	highest, err := number(filepath.Join(path, "max_energy_range_uj"))
	if err != nil {
		return now
	}
	return highest - before + now
}

// ticksPerSecond is Linux's USER_HZ.
const ticksPerSecond = 100

// busyTicks is how long the processors did something, all together.
func busyTicks(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) < 8 || fields[0] != "cpu" {
		return 0, errors.New(path + " is malformed")
	}
	var busy int64
	for i, field := range fields[1:8] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		if i != 3 && i != 4 { // idle, and idle while something is waited for
			busy += n
		}
	}
	return busy, nil
}
