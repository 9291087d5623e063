package meter

import (
	"time"

	"ehpc/internal/hpc"
)

// How often a job is looked at: the more often the younger it is, so that what
// is missed at its end is a small part of it.
const (
	oftenest = 20 * time.Millisecond
	seldom   = 2 * time.Second
	partOf   = 50 // of its time until now
)

// saveEvery is how much of a job is lost at most when its node dies.
const saveEvery = 10 * time.Second

// job is a job that has a group on this node, or had one a moment ago.
type job struct {
	rec    record
	due    time.Time
	saved  time.Time
	dirty  bool  // it is not what was saved
	spent  spent // by the machine, when it was looked at
	energy float64
}

// part is the one that goes on.
func (j *job) part() *hpc.Used { return &j.rec.Parts[len(j.rec.Parts)-1] }

// continues tells whether a reading is of the group that the last part is of: a
// group that is made anew counts from zero.
func (j *job) continues(group, boot string, r reading) bool {
	return len(j.rec.Parts) > 0 && !j.rec.Final && j.rec.Group == group && j.rec.Inode == r.inode && j.rec.Boot == boot && r.cpu >= j.part().CPU
}

// take takes over what a group's counters say.
func (j *job) take(now time.Time, group, boot string, r reading, s spent) {
	if !j.continues(group, boot, r) {
		j.rec.Group, j.rec.Inode, j.rec.Boot, j.rec.Final = group, r.inode, boot, false
		j.rec.Parts = append(j.rec.Parts, hpc.Used{Began: now.UTC()})
		if len(j.rec.Parts) > hpc.PartsLimit {
			j.rec.Parts = append([]hpc.Used{j.rec.Parts[0].Join(j.rec.Parts[1])}, j.rec.Parts[2:]...)
		}
		j.spent, j.energy, j.saved = s, 0, now
	}
	p := j.part()
	j.use(p, r.cpu-p.CPU, s)
	j.dirty = true
	p.CPU, p.Memory, p.Ended = r.cpu, max(p.Memory, r.memory), now.UTC()
	j.due = now.Add(min(max(now.Sub(p.Began)/partOf, oftenest), seldom))
}

// use gives the job its share of the machine's energy: that of its processor time
// in the machine's.
func (j *job) use(p *hpc.Used, cpu time.Duration, s spent) {
	switch {
	case !s.known:
		return
	case !j.spent.known: // an agent that was started anew takes it up from here
		j.spent = s
		return
	}
	if p.Energy == nil {
		p.Energy = new(int64)
	}
	ticks := s.busy - j.spent.busy
	if ticks <= 0 {
		return
	}
	share := min(cpu.Seconds()*ticksPerSecond/float64(ticks), 1)
	j.energy += share * float64(s.energy-j.spent.energy) / 1000
	whole := int64(j.energy)
	*p.Energy += whole
	j.energy -= float64(whole)
	j.spent = s
}
