package main

import (
	"os"
	"runtime/debug"
)

// collectRarely spends some memory on time: what a service keeps is a few
// megabytes, of which the collector by itself would allow as much again before
// it runs, many times a second under load. GOGC overrides it.
func collectRarely() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300)
	}
}
