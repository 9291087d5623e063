package action

import (
	"fmt"
	"regexp"
	"strings"
)

// callPattern is a command of one line that begins with what may be the name of
// a script: it has a dot or a slash in it.
var callPattern = regexp.MustCompile(`^([A-Za-z0-9_~+-]*[./][A-Za-z0-9_./+-]*)((?: .*)?)$`)

// script makes a batch script of a command line, which is a command, a few lines
// of them, a whole script, or the name of one in the job's directory.
func script(commandLine string) string {
	text := unixLines(commandLine)
	if strings.HasPrefix(text, "#!") {
		return text + "\n"
	}
	m := callPattern.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return "#!/bin/bash\n" + text + "\n"
	}
	// Named as for a scheduler's own submit command: found in the job's directory
	// without "./", and read by bash when it cannot be executed.
	return fmt.Sprintf(`#!/bin/bash
if [ -n "$(type -t %[1]s)" ] || ! [ -f %[1]s ]; then
%[1]s%[2]s
elif [ -x %[1]s ]; then
./%[1]s%[2]s
else
bash %[1]s%[2]s
fi
`, m[1], m[2])
}
