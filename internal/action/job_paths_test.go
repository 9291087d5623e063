package action

import "testing"

func TestTheScriptOfACommandLine(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"./job.sh": "/home/ann/runs/job.sh", "job.sh a b": "/home/ann/runs/job.sh", "~/job.sh": "/home/ann/job.sh", "/opt/x/run": "/opt/x/run",
		"bash melt.sh": "/home/ann/runs/melt.sh", "sh melt": "/home/ann/runs/melt", "/bin/bash sub/melt.sh 2": "/home/ann/runs/sub/melt.sh",
		"./job.sh\r\n": "/home/ann/runs/job.sh", "bash -c true": "", "echo hello": "", "#!/bin/sh\n./job.sh": "", "cd x\n./job.sh": "", "python3 x.py": "", "": "",
	} {
		if got := scriptOf(line, "/home/ann", "/home/ann/runs"); got != want {
			t.Errorf("of %q it is %q, want %q", line, got, want)
		}
	}
}
