package agent

import (
	"errors"
	"testing"

	"ehpc/internal/hpc"
)

func TestWhichUIDsANodeKnows(t *testing.T) {
	t.Parallel()
	a := &Agent{files: root(t, map[string]string{
		"etc/passwd":                "root:x:0:0:root:/root:/bin/bash\n",
		"var/lib/extrausers/passwd": "ann:x:20000:20000::/home/ann:/bin/bash\n",
	})}
	for uid, known := range map[int]bool{0: true, 20000: true, 20001: false, 2000: false} {
		if err := a.knowsUID(uid); (err == nil) != known || err != nil && !errors.Is(err, hpc.ErrUnknownAccount) {
			t.Errorf("uid %d: %v", uid, err)
		}
	}
}
