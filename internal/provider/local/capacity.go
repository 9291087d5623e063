package local

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"ehpc/internal/hpc"
	"ehpc/internal/provider"
)

// capacity is what the host has and how much of it may be promised.
type capacity struct {
	Cores, MemoryMB        int // of the host
	CoreLimit, MemoryLimit int // of all machines together
}

func hostCapacity(opts Options) (capacity, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return capacity{}, err
	}
	memory, err := memTotalMB(string(text))
	if err != nil {
		return capacity{}, err
	}
	cores := runtime.NumCPU()
	return capacity{Cores: cores, MemoryMB: memory,
		CoreLimit:   int(float64(cores) * opts.CoreOvercommit),
		MemoryLimit: int(float64(memory) * opts.MemoryOvercommit)}, nil
}

func memTotalMB(meminfo string) (int, error) {
	lines := bufio.NewScanner(strings.NewReader(meminfo))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || fields[0] != "MemTotal:" {
			continue
		}
		kb, err := strconv.Atoi(fields[1])
		if err != nil || kb <= 0 {
			break
		}
		return kb / 1024, nil
	}
	return 0, fmt.Errorf("cannot tell how much memory this host has")
}

// Offer says how much of the host may be promised to machines.
func (p *Provider) Offer() string {
	return fmt.Sprintf("%d cores (%s) and %d MB of memory (%s)", p.host.CoreLimit, times(fmt.Sprintf("each of %d", p.host.Cores), p.opts.CoreOvercommit),
		p.host.MemoryLimit, times(fmt.Sprintf("each of %d", p.host.MemoryMB), p.opts.MemoryOvercommit))
}

func times(what string, n float64) string {
	switch {
	case n == 1:
		return what + " promised once"
	case n < 1:
		return what + fmt.Sprintf(" promised in part, %g", n)
	}
	return what + fmt.Sprintf(" promised %g times", n)
}

// Fits tells whether machines of these types fit beside those that are there.
func (p *Provider) Fits(ctx context.Context, types []hpc.InstanceType) error {
	p.reserve.Lock()
	defer p.reserve.Unlock()
	cores, memory, err := p.promised("")
	if err != nil {
		return fmt.Errorf("cannot tell what fits: %w", err)
	}
	return p.host.fits(types, cores, memory)
}

// fits is for one machine, which may itself be among those that are there. It
// needs p.reserve.
func (p *Provider) fits(spec provider.Spec) error {
	cores, memory, err := p.promised(spec.ID)
	if err != nil {
		return err
	}
	return p.host.fits([]hpc.InstanceType{spec.Type}, cores, memory)
}

// promised adds up all machines but one; dead ones count, they come back.
func (p *Provider) promised(except string) (cores, memoryMB int, err error) {
	records, err := p.records()
	if err != nil {
		return 0, 0, err
	}
	for _, rec := range records {
		if rec.Spec.ID != except {
			cores += rec.Spec.Type.Cores
			memoryMB += rec.Spec.Type.MemoryMB
		}
	}
	return cores, memoryMB, nil
}

// fits says what is short. One machine never gets more memory than the host
// has: overcommit lets machines share, it makes no single one larger.
func (c capacity) fits(types []hpc.InstanceType, cores, memoryMB int) error {
	wantCores, wantMemory := 0, 0
	for _, t := range types {
		if t.GPUs > 0 {
			return fmt.Errorf("%w: instance type %s has GPUs, nodes on this host have none", provider.ErrNoCapacity, t.Name)
		}
		if t.MemoryMB > c.MemoryMB {
			return fmt.Errorf("%w: instance type %s has %d MB of memory, this host %d MB", provider.ErrNoCapacity, t.Name, t.MemoryMB, c.MemoryMB)
		}
		wantCores += t.Cores
		wantMemory += t.MemoryMB
	}
	if cores+wantCores > c.CoreLimit {
		return fmt.Errorf("%w: %d cores are wanted beside %d in use, this host offers %d", provider.ErrNoCapacity, wantCores, cores, c.CoreLimit)
	}
	if memoryMB+wantMemory > c.MemoryLimit {
		return fmt.Errorf("%w: %d MB of memory are wanted beside %d in use, this host offers %d", provider.ErrNoCapacity, wantMemory, memoryMB, c.MemoryLimit)
	}
	return nil
}
