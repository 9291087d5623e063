package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"ehpc/internal/hpc"
	"ehpc/internal/provider"
)

var _ provider.VolumeSizer = (*Provider)(nil)

// entriesAtOnce bounds what is read of a directory before the time is looked at.
const entriesAtOnce = 1000

// VolumeSize implements provider.VolumeSizer. Links are not followed, and what
// changes under the count is counted or not.
func (p *Provider) VolumeSize(ctx context.Context, clusterID string) (size hpc.VolumeSize, err error) {
	if err := checkID(clusterID); err != nil {
		return size, fmt.Errorf("cannot look at a volume: %w", err)
	}
	root, err := os.OpenRoot(p.volume(clusterID))
	if errors.Is(err, fs.ErrNotExist) {
		return hpc.VolumeSize{Whole: true}, nil
	}
	if err != nil {
		return size, fmt.Errorf("cannot look at the volume of cluster %s: %w", clusterID, err)
	}
	defer root.Close()
	c := counter{root: root, linked: map[uint64]bool{}, dirs: []string{"home", "opt"}}
	for len(c.dirs) > 0 && ctx.Err() == nil {
		dir := c.dirs[len(c.dirs)-1]
		c.dirs = c.dirs[:len(c.dirs)-1]
		c.countIn(ctx, dir)
	}
	c.size.Whole = ctx.Err() == nil && !c.missed
	return c.size, nil
}

// counter counts a tree with one directory open at a time, however deep it is.
type counter struct {
	root   *os.Root
	size   hpc.VolumeSize
	dirs   []string        // that are to be looked into
	linked map[uint64]bool // files that have several names
	missed bool
}

func (c *counter) countIn(ctx context.Context, dir string) {
	f, err := c.root.Open(dir)
	if err != nil {
		c.missed = c.missed || !errors.Is(err, fs.ErrNotExist)
		return
	}
	defer f.Close()
	for ctx.Err() == nil {
		entries, err := f.Readdir(entriesAtOnce)
		for _, e := range entries {
			c.count(dir, e)
		}
		if err != nil {
			c.missed = c.missed || !errors.Is(err, io.EOF)
			return
		}
	}
}

func (c *counter) count(dir string, e fs.FileInfo) {
	stat, known := e.Sys().(*syscall.Stat_t)
	switch {
	case e.IsDir():
		c.dirs = append(c.dirs, path.Join(dir, e.Name()))
		return
	case known && stat.Nlink > 1 && c.linked[stat.Ino]:
		return
	case known && stat.Nlink > 1:
		c.linked[stat.Ino] = true
	}
	c.size.Files++
	if known {
		c.size.Bytes += stat.Blocks * 512
	}
}
