package action

import (
	"fmt"
	"strings"

	"ehpc/api"
	"ehpc/internal/auth"
)

// stepLimit bounds UnzipCmd and PostCmdLine, in bytes: they are single arguments
// of a command.
const stepLimit = 16 << 10

func checkSteps(q *api.SubmitJobRequest) error {
	for name, text := range map[string]string{"UnzipCmd": q.UnzipCmd, "PostCmdLine": q.PostCmdLine} {
		if len(text) > stepLimit || strings.ContainsRune(text, 0) {
			return badJob(name, "it is longer than %d bytes or holds a NUL byte", stepLimit)
		}
	}
	return nil
}

// batchScript is the job's script: the command line's, and around it the commands
// that unpack its input before and follow up after. It is all that runs them, so
// that an accepted job needs nothing of the service.
func batchScript(q *api.SubmitJobRequest) string {
	job := script(q.CommandLine)
	if q.UnzipCmd == "" && q.PostCmdLine == "" {
		return job
	}
	var b strings.Builder
	b.WriteString("#!/bin/bash\n")
	if q.UnzipCmd != "" {
		unpack := "bash -c " + shellWord(unixLines(q.UnzipCmd))
		if q.ArrayRequest == "" {
			b.WriteString(unpack + " || exit\n")
		} else {
			b.WriteString(once(unpack))
		}
	}
	if q.PostCmdLine == "" {
		b.WriteString(runScript(job) + "exit $status\n")
		return b.String()
	}
	// What the job came to is the job's result; only a failure after it counts too.
	fmt.Fprintf(&b, "%sbash -c %s\nfollowed=$?\n[ $status -ne 0 ] || status=$followed\nexit $status\n",
		runScript(job), shellWord(unixLines(q.PostCmdLine)))
	return b.String()
}

// once lets the first task of an array unpack, and the others wait for it: they
// share the directory. A task that comes after a failure tries again.
func once(command string) string {
	mark := shellWord(".ehpc-unpacked-" + auth.RandomText(auth.Base62, 12))
	return fmt.Sprintf(`exec 9>>%[1]s || exit
flock 9 || exit
if [ ! -s %[1]s ]; then
%[2]s 9>&- || exit
echo unpacked >&9
fi
exec 9>&-
`, mark, command)
}

// runScript runs a whole script, whatever its first line names, and keeps its
// exit status. The file goes when the script ends.
func runScript(text string) string {
	end := "EHPC_" + auth.RandomText(auth.Base62, 20)
	return fmt.Sprintf(`dir=$(mktemp -d /tmp/ehpc-job.XXXXXXXXXX) || exit
trap 'rm -rf "$dir"' EXIT
cat >"$dir/script" <<'%[1]s' || exit
%[2]s%[1]s
chmod 700 "$dir/script" || exit
"$dir/script"
status=$?
`, end, text)
}

// unixLines ends lines as a shell wants them; forms send them otherwise.
func unixLines(text string) string {
	return strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\r")
}

// shellWord quotes text so that a shell takes it as one word.
func shellWord(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
