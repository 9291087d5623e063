// Package e2e does with real services, nodes and jobs what users do.
package e2e

import (
	"testing"

	"ehpc/test/e2e/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

func ptr[T any](v T) *T { return &v }
