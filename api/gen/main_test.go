package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is committed must be what the catalogue gives.
func TestGeneratedFilesAreFresh(t *testing.T) {
	t.Parallel()
	files, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(name)))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, want) {
			t.Errorf("%s is stale; run go generate ./api", name)
		}
	}
	for _, pattern := range []string{"../zz_*.go", "../../docs/reference/actions/*"} {
		there, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range there {
			name := strings.TrimPrefix(filepath.ToSlash(file), "../")
			if files[name] == nil {
				t.Errorf("%s is no longer generated; remove it", name)
			}
		}
	}
}

func TestGeneratingTwiceGivesTheSame(t *testing.T) {
	t.Parallel()
	first, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "api")
	if err := run(dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range first {
		got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs: %v", name, err)
		}
	}
}
