package hpc

import (
	"strings"
	"testing"
)

func TestQueueNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{DefaultQueue, "gpu-long", "Q_1", strings.Repeat("q", 64)} {
		if err := CheckQueueName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "1q", "my q", "q\nDebugFlags=x", "q;x", "q,r", "ALL", "default", "compute000", "Manager", strings.Repeat("q", 65)} {
		if err := CheckQueueName(name); err == nil {
			t.Errorf("%q was taken for the name of a queue", name)
		}
	}
}
