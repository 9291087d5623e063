package fence

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// byLinux is what Linux makes of a script's first line: an interpreter, and
// all that follows it as one argument.
func byLinux(line string) []string {
	line = strings.Trim(strings.TrimPrefix(line, "#!"), " \t")
	at := strings.IndexAny(line, " \t")
	if at < 0 {
		return []string{line}
	}
	return []string{line[:at], strings.TrimLeft(line[at:], " \t")}
}

// FuzzInterpreter: a wrapped script is run by the interpreter that it named, with the
// argument that it gave, and is the same from its second line on.
func FuzzInterpreter(f *testing.F) {
	for _, script := range []string{
		"#!/bin/sh\necho", "#!/bin/sh\t-e\necho", "#! \t/usr/bin/env  python3 -u \t\nprint()", "#!/bin/bash\r\necho\r\n", "#!", "#! \n",
		"#!/bin/sh", "echo", "#!" + strings.Repeat("x", 300), "#!/bin/sh \t x\ty z",
	} {
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script string) {
		if strings.ContainsRune(script, 0) {
			return // no scheduler takes it
		}
		got, err := Wrap("/opt/agent", "slurm", script)
		if err != nil {
			return
		}
		first, rest, _ := strings.Cut(got, "\n")
		if _, want, _ := strings.Cut(script, "\n"); rest != want {
			t.Fatalf("%q became %q", script, got)
		}
		if len(first) > interpreterLimit {
			t.Fatalf("Linux reads %d bytes of %q", interpreterLimit, first)
		}
		argv := byLinux(first)
		if argv[0] != "/opt/agent" || len(argv) != 2 {
			t.Fatalf("%q is run as %q", first, argv)
		}
		w, err := unwrap(argv[1])
		if err != nil {
			t.Fatalf("%q is not unwrapped: %v", script, err)
		}
		own, _, _ := strings.Cut(script, "\n")
		if want := byLinux(strings.TrimRight(own, " \t\r")); !slices.Equal(w.argv, want) || w.engine != "slurm" {
			t.Errorf("%q is run as %q, expected %q", script, w, want)
		}
	})
}

// FuzzJournal: whatever a crash leaves of a job's file, it is read, and no
// attempt stands in it twice.
func FuzzJournal(f *testing.F) {
	j := Open(f.TempDir())
	if err := os.MkdirAll(j.shard("tok"), 0o700); err != nil {
		f.Fatal(err)
	}
	whole := string(line(jobLine{Job: &jobFile{UID: 20001, Tasks: 3}})) + string(line(jobLine{Attempt: &attempt{N: 0}})) +
		string(line(jobLine{Attempt: &attempt{N: 0, ID: "7"}})) + string(line(jobLine{Buried: true}))
	for _, text := range []string{whole, whole[:len(whole)/2], whole[20:], "", "\n\n{}", "null\n[1]\n{\"Job\":null}", whole + whole} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		own := Open(filepath.Join(t.TempDir(), "journal"))
		if err := os.MkdirAll(own.shard("tok"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(own.jobPath("tok"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		job, err := own.job("tok")
		if err != nil {
			return
		}
		if job.last().N < -1 && len(job.Attempts) == 0 {
			t.Errorf("%q is %+v", text, job)
		}
		if err := own.submitted("tok", 5, "42"); err != nil {
			t.Fatal(err)
		}
		if again, err := own.job("tok"); err != nil || again.last() != (attempt{N: 5, ID: "42"}) || again.Buried != job.Buried {
			t.Errorf("behind %q a record is lost: %+v, %v", text, again, err)
		}
	})
}

func FuzzRunName(f *testing.F) {
	for _, name := range []string{"tok.r0", "tok.t7.r12", "tok", "tok.r", "tok.tx.r1", ".fresh-1.r1", "tok.r-1", "tok.t1.t2.r3"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		token, task, n, ok := runName(name)
		if !ok {
			return
		}
		if again, task2, n2, ok := runName(filepath.Base(Open("/j").runPath(token, task, n))); !ok || again != token || task2 != task || n2 != n {
			t.Errorf("%q is %s %s %d, and then %s %s %d", name, token, task, n, again, task2, n2)
		}
	})
}
