package ehpctest

import (
	"testing"

	"ehpc/internal/store/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// onEveryEngine runs a test on each engine that the store can be on.
func onEveryEngine(t *testing.T, test func(t *testing.T, engine string)) {
	t.Parallel()
	for _, engine := range []string{sqlite, postgres} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			test(t, engine)
		})
	}
}
