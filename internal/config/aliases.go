package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// An OsTag is written like Debian_12_64; a scheduler that is not here in letters,
// digits and what versions have.
var (
	osTag         = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9.]*(_[A-Za-z0-9.]+)+$`)
	schedulerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{0,31}$`)
)

// OsTagOf is the OsTag that one which a caller named stands for: itself, unless
// os_aliases has it.
func (c *Config) OsTagOf(asked string) string {
	if tag, there := c.OsAliases[asked]; there {
		return tag
	}
	return asked
}

// SchedulerOf is the scheduler that a name from a caller stands for, in small
// letters. How its letters are written does not count.
func (c *Config) SchedulerOf(asked string) string {
	for name, engine := range c.SchedulerAliases {
		if strings.EqualFold(name, asked) {
			return engine
		}
	}
	return strings.ToLower(asked)
}

func (c *Config) checkAliases() (faults []error) {
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.OsAliases)) {
		tag := c.OsAliases[name]
		_, again := c.OsAliases[tag]
		fault(!osTag.MatchString(name), "os_aliases: %q is no OsTag, such as CentOS_7.2_64", name)
		fault(!osTag.MatchString(tag) || again, "os_aliases.%s: %q is no OsTag of an image, such as Debian_12_64", name, tag)
		fault(name == c.OsTag, "os_aliases.%s: os_tag is an image's, and cannot mean another", name)
	}
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(c.SchedulerAliases)) {
		lower := strings.ToLower(name)
		fault(!schedulerName.MatchString(name) || seen[lower],
			"scheduler_aliases: %q is no name of a scheduler, such as pbs, or twice there", name)
		fault(strings.HasPrefix(lower, "slurm"),
			"scheduler_aliases.%s: what begins with slurm is the image's Slurm already", name)
		fault(c.SchedulerAliases[name] != "slurm",
			"scheduler_aliases.%s: %q is none that there is: slurm", name, c.SchedulerAliases[name])
		seen[lower] = true
	}
	return faults
}
