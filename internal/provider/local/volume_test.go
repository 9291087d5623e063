package local

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

func TestWhatAVolumeHolds(t *testing.T) {
	t.Parallel()
	p := &Provider{opts: Options{Dir: t.TempDir()}}
	vol := p.volume("c")
	write := func(name string, size int) {
		t.Helper()
		name = filepath.Join(vol, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := p.VolumeSize(t.Context(), "c"); err != nil || got.Bytes != 0 || !got.Whole {
		t.Errorf("one that is not made yet: %+v, %v", got, err)
	}
	write("home/ada/a/b/c/result", 1<<20)
	write("opt/tool", 1<<20)
	write("state/own", 1<<20)
	write("claims/own", 1<<20)
	outside := t.TempDir()
	if err := os.WriteFile(outside+"/secret", make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, vol+"/home/ada/link"); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(vol+"/opt/tool", vol+"/home/ada/tool"); err != nil {
		t.Fatal(err)
	}
	got, err := p.VolumeSize(t.Context(), "c")
	if err != nil || !got.Whole || got.Files != 3 || got.Bytes < 2<<20 || got.Bytes > 3<<20 {
		t.Errorf("two files, one of them twice, and a link: %+v, %v", got, err)
	}
	late, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := p.VolumeSize(late, "c"); err != nil || got.Whole {
		t.Errorf("without time for all of it: %+v, %v", got, err)
	}
}
