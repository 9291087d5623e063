package main

import (
	"bytes"
	"os"
	"testing"
)

func TestThePageIsWhatTheTablesSay(t *testing.T) {
	t.Parallel()
	written, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(written, render()) {
		t.Errorf("%s is stale: run make generate", page)
	}
}
