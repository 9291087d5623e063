package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ehpc.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestConfig(t *testing.T) {
	t.Parallel()
	t.Run("the defaults are valid", func(t *testing.T) {
		c := Default()
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("an empty file is the defaults", func(t *testing.T) {
		c, err := Load(write(t, ""))
		if err != nil || c.Region != "cn-hangzhou" {
			t.Fatalf("region %q, err %v", c.Region, err)
		}
	})
	t.Run("an unknown key is an error that names it", func(t *testing.T) {
		_, err := Load(write(t, "regoin: x\n"))
		if err == nil || !strings.Contains(err.Error(), "regoin") {
			t.Fatalf("err = %v", err)
		}
	})
	t.Run("all faults are reported at once", func(t *testing.T) {
		_, err := Load(write(t, "max_nodes: 0\nnetwork: nowhere\nlogin_type: none\n"))
		for _, want := range []string{"max_nodes", "network", "login_type"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("err = %v, want it to name %s", err, want)
			}
		}
	})
	t.Run("a table of instance types replaces the built-in one", func(t *testing.T) {
		c, err := Load(write(t, "instance_types: [{name: a, cores: 1, memory_mb: 512}]\n"))
		if err == nil {
			t.Fatalf("types without the default ones were accepted: %v", c.InstanceTypes)
		}
	})
}
