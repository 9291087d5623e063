package rig

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Volume is a path on the cluster's volume as the host has it: "home" is the
// nodes' /home, "state" and "claims" what they have under /ehpc.
func (c *Cluster) Volume(path ...string) string {
	return filepath.Join(append([]string{c.Dir, "clusters", c.ID, "vol"}, path...)...)
}

// Lines are the lines of a file on the volume, none if it is not there.
func (c *Cluster) Lines(t testing.TB, path ...string) []string {
	t.Helper()
	text, err := os.ReadFile(c.Volume(path...))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	Must(t, err)
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
}

// Count tells how often each line stands in a file on the volume.
func (c *Cluster) Count(t testing.TB, path ...string) map[string]int {
	t.Helper()
	count := map[string]int{}
	for _, line := range c.Lines(t, path...) {
		count[line]++
	}
	return count
}

// Endings are the scheduler's records of the ends of jobs of that name.
func (c *Cluster) Endings(t testing.TB, name string) []string {
	t.Helper()
	var lines []string
	for _, line := range c.Lines(t, "state", "slurm", "jobcomp.log") {
		if strings.Contains(line, " Name="+name+" ") {
			lines = append(lines, line)
		}
	}
	return lines
}

var (
	tokenInEnding = regexp.MustCompile(` WcKey=\*?(\S+)`)
	idInEnding    = regexp.MustCompile(`^JobId=([0-9]+) `)
)

// Evidence is what the volume and the nodes tell of a job: its records, its
// claims, its output and the lines of Slurm's daemons. It is for messages.
func (c *Cluster) Evidence(t testing.TB, managerID, name, id string) string {
	t.Helper()
	var b strings.Builder
	tokens, own := map[string]bool{}, []string{id}
	for _, line := range c.Endings(t, name) {
		b.WriteString("    record: " + line + "\n")
		if m := tokenInEnding.FindStringSubmatch(line); m != nil {
			tokens[m[1]] = true
		}
		if m := idInEnding.FindStringSubmatch(line); m != nil {
			own = append(own, m[1])
		}
	}
	for token := range tokens {
		b.WriteString(c.claims(token))
	}
	if id != "" {
		said, _ := c.TryInside(t, managerID, "squeue -h --all -j "+id+"; grep -hE 'JobId="+id+"([^0-9]|$)' /var/log/ehpc/slurmctld/current | tail -n 25")
		b.WriteString("    controller: " + strings.ReplaceAll(said, "\n", "\n    controller: ") + "\n")
		b.WriteString(c.output(id))
		for _, n := range c.Nodes(t) {
			said, _ := c.TryInside(t, n.Id, "grep -hiE 'job(id=| )?("+strings.Join(own, "|")+")([^0-9]|$)' /var/log/ehpc/slurmd/current | tail -n 25")
			b.WriteString("    " + n.HostName + ": " + strings.ReplaceAll(said, "\n", "\n    "+n.HostName+": ") + "\n")
		}
	}
	return b.String()
}

// output is the end of what a job and its tasks have printed.
func (c *Cluster) output(id string) string {
	var b strings.Builder
	for _, pattern := range []string{"slurm-" + id + ".out", "slurm-" + id + "_*.out"} {
		paths, _ := filepath.Glob(c.Volume("home", "*", pattern))
		for _, path := range paths {
			text, _ := os.ReadFile(path)
			b.WriteString("    output " + filepath.Base(path) + ": " + string(text[max(0, len(text)-2000):]) + "\n")
		}
	}
	return b.String()
}

// claims are the files of a token under the claims, with their content.
func (c *Cluster) claims(token string) string {
	var b strings.Builder
	filepath.WalkDir(c.Volume("claims"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && strings.Contains(path, token) {
			text, _ := os.ReadFile(path)
			b.WriteString("    claim " + strings.TrimPrefix(path, c.Volume()) + ": " + strings.TrimSpace(string(text)) + "\n")
		}
		return nil // what cannot be read is not told
	})
	return b.String()
}
