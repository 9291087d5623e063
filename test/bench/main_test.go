package bench

import (
	"testing"

	"ehpc/test/e2e/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }
