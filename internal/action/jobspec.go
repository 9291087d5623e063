package action

import (
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

const (
	maxArrayTasks = 10_000
	maxJobName    = 128
	maxPriority   = 1_000_000_000 // well inside what schedulers take either way
	maxJobDir     = 256           // bytes: schedulers write it into records of limited length
	maxOutputPath = 1024
	maxVariable   = 128<<10 - 1 // bytes, name and "=" included: what Linux hands to a program
)

// jobSpec turns a request into what the scheduler gets, or says what is wrong with it.
func jobSpec(q *api.SubmitJobRequest, account *store.Account, queues []*store.Queue) (hpc.JobSpec, error) {
	if err := refuseUnbuiltJob(q); err != nil {
		return hpc.JobSpec{}, err
	}
	spec := hpc.JobSpec{Token: newJobToken(), Name: orElse(q.Name, jobNameOf(q.CommandLine)), Account: account.Name,
		UID: account.UID, Script: batchScript(q), Queue: q.JobQueue, Nodes: deref(q.Node, 0),
		Tasks: deref(q.Task, 0), Threads: deref(q.Thread, 0), GPUs: deref(q.Gpu, 0), Array: q.ArrayRequest,
		Rerunable: deref(q.ReRunable, false), Priority: deref(q.Priority, 0)}
	home := "/home/" + account.Name
	spec.Dir = inHome(home, q.PackagePath)
	var err error
	if spec.Stdout, err = outputPath(home, "StdoutRedirectPath", q.StdoutRedirectPath, q.ArrayRequest != ""); err != nil {
		return spec, err
	}
	if spec.Stdout == "" && !strings.Contains(spec.Dir, "%") { // said here, a job too short to be seen has it too
		spec.Stdout = strings.TrimSuffix(spec.Dir, "/") + outputName(q.ArrayRequest != "")
	}
	if spec.Stderr, err = outputPath(home, "StderrRedirectPath", q.StderrRedirectPath, q.ArrayRequest != ""); err != nil {
		return spec, err
	}
	if q.Cpu != nil && q.Task == nil && q.Thread == nil {
		spec.Threads = *q.Cpu // cores for a single task
	}
	if spec.MemoryMB, err = memoryMB(q.Mem); err != nil {
		return spec, err
	}
	if spec.Walltime, err = walltime(q.ClockTime); err != nil {
		return spec, err
	}
	if spec.Env, err = variables(q.Variables); err != nil {
		return spec, err
	}
	return spec, checkSpec(q, spec, queues)
}

func checkSpec(q *api.SubmitJobRequest, spec hpc.JobSpec, queues []*store.Queue) error {
	for _, f := range []struct {
		name  string
		value int
		least int
	}{{"Node", deref(q.Node, 1), 1}, {"Task", deref(q.Task, 1), 1}, {"Thread", deref(q.Thread, 1), 1}, {"Cpu", deref(q.Cpu, 1), 1}, {"Gpu", spec.GPUs, 0}} {
		if f.value < f.least || f.value > 100_000 {
			return badJob(f.name, "%d is not between %d and 100000", f.value, f.least)
		}
	}
	if spec.Priority < -maxPriority || spec.Priority > maxPriority {
		return badJob("Priority", "%d is not between %d and %d", spec.Priority, -maxPriority, maxPriority)
	}
	if err := checkArray(spec.Array); err != nil {
		return badJob("ArrayRequest", "%v", err)
	}
	if err := checkSteps(q); err != nil {
		return err
	}
	if strings.ContainsRune(q.CommandLine, 0) {
		return badJob("CommandLine", "it holds a NUL byte")
	}
	if len(spec.Name) > maxJobName || strings.ContainsAny(spec.Name, ":/|[]") || strings.ContainsFunc(spec.Name, unicode.IsControl) {
		return badJob("Name", "%q is longer than %d bytes or holds one of :/|[] or a control character", spec.Name, maxJobName)
	}
	if len(spec.Dir) > maxJobDir || strings.ContainsFunc(spec.Dir, unicode.IsControl) {
		return badJob("PackagePath", "it is longer than %d bytes or holds a control character", maxJobDir)
	}
	known := func(row *store.Queue) bool { return row.Name == spec.Queue }
	if spec.Queue != "" && !slices.ContainsFunc(queues, known) {
		return badJob("JobQueue", "%q does not exist in this cluster", spec.Queue)
	}
	return checkInputFile(q, spec)
}

// checkArray refuses ranges that no cluster takes; "" is none.
func checkArray(text string) error {
	if text == "" {
		return nil
	}
	r, err := hpc.ParseArray(text)
	if err != nil {
		return err
	}
	if r.Len() > maxArrayTasks || r.Last > maxArrayTasks {
		return fmt.Errorf("%s has more than %d tasks or an index beyond that", text, maxArrayTasks)
	}
	return nil
}

func badJob(param, format string, args ...any) error {
	return api.InvalidParams.Errorf("cannot submit the job: %s: %s", param, fmt.Sprintf(format, args...))
}

// refuseUnbuiltJob refuses what would silently not happen.
func refuseUnbuiltJob(q *api.SubmitJobRequest) error {
	var refused []string
	for _, p := range []struct {
		name  string
		given bool
	}{{"ContainerId", q.ContainerId != ""}, {"JobRetry", q.JobRetry != (api.SubmitJobRequestJobRetry{})}} {
		if p.given {
			refused = append(refused, p.name)
		}
	}
	if q.ContainerId != "" && len(refused) == 1 { // the document's code for what does not exist
		return api.ContainerNotFound.Errorf("cannot submit the job: ContainerId: there is no container application %.80q; none are built, leave it out", q.ContainerId)
	}
	if len(refused) > 0 {
		return badJob(strings.Join(refused, ", "), "not available; leave it out")
	}
	return nil
}

// jobNameOf is the name of a job that was given none: its command's.
func jobNameOf(commandLine string) string {
	fields := strings.Fields(commandLine)
	if len(fields) == 0 {
		return "job"
	}
	name := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-+", r) {
			return r
		}
		return '_'
	}, path.Base(fields[0]))
	if len(name) > 64 {
		name = strings.ToValidUTF8(name[:64], "")
	}
	return orElse(name, "job")
}

// inHome makes a path absolute, from the account's home.
func inHome(home, p string) string {
	if p == "~" {
		return home
	}
	if rest, ok := strings.CutPrefix(p, "~/"); ok {
		return path.Join(home, rest)
	}
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join(home, p)
}

// outputPath is where a job's output goes: "" for the scheduler's default.
func outputPath(home, param, p string, array bool) (string, error) {
	if p == "" {
		return "", nil
	}
	full := inHome(home, p)
	if full != home && !strings.HasPrefix(full, home+"/") {
		return "", badJob(param, "%q is not inside the account's home %s", p, home)
	}
	if full == home || strings.HasSuffix(p, "/") { // a directory (spec: SubmitJob, StdoutRedirectPath)
		full += outputName(array)
	}
	if len(full) > maxOutputPath || strings.ContainsFunc(full, unicode.IsControl) {
		return "", badJob(param, "it is longer than %d bytes or holds a control character", maxOutputPath)
	}
	return full, nil
}

// outputName is the file, in a directory, for the output of a job or of each task
// of an array.
func outputName(array bool) string {
	if array {
		return "/slurm-%A_%a.out"
	}
	return "/slurm-%j.out"
}

var memoryPattern = regexp.MustCompile(`(?i)^([0-9]{1,9}(?:\.[0-9]{1,9})?) *(|[kmgt]i?b?)$`)

// memoryMB reads an amount of memory with its unit, megabytes without one, and
// rounds it up.
func memoryMB(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	m := memoryPattern.FindStringSubmatch(text)
	if m == nil {
		return 0, badJob("Mem", "%q is no amount of memory, such as 4GB or 500MB", text)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, badJob("Mem", "%q is no number", text)
	}
	switch unit := strings.ToLower(m[2]); {
	case strings.HasPrefix(unit, "k"):
		n /= 1024
	case strings.HasPrefix(unit, "g"):
		n *= 1024
	case strings.HasPrefix(unit, "t"):
		n *= 1024 * 1024
	}
	if n <= 0 || n > 1<<30 {
		return 0, badJob("Mem", "%q is not more than nothing and at most 1024 TB", text)
	}
	return int(math.Ceil(n)), nil
}

// walltime reads hh:mm:ss, or hh:mm, or seconds.
func walltime(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	parts := strings.Split(text, ":")
	units := []time.Duration{time.Hour, time.Minute, time.Second}
	if len(parts) == 1 {
		units = units[2:]
	}
	var d time.Duration
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 || n > 1_000_000 || i >= len(units) || i > 0 && n > 59 {
			return 0, badJob("ClockTime", "%q is not of the form hh:mm:ss", text)
		}
		d += time.Duration(n) * units[i]
	}
	if d == 0 {
		return 0, badJob("ClockTime", "%q is no time at all", text)
	}
	return d, nil
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// variables reads [{"Name":"..","Value":".."}].
func variables(text string) ([]hpc.EnvVar, error) {
	if text == "" {
		return nil, nil
	}
	var list []hpc.EnvVar
	if err := api.ReadJSON(text, &list); err != nil {
		return nil, badJob("Variables", "it is not of the form [{\"Name\":\"..\",\"Value\":\"..\"}]")
	}
	// The document's own form of a request has an entry of nothing.
	list = slices.DeleteFunc(list, func(v hpc.EnvVar) bool { return v.Name == "" && v.Value == "" })
	for i, v := range list {
		if !variableName.MatchString(v.Name) {
			return nil, badJob("Variables", "entry %d: %q is no name of a variable", i+1, v.Name)
		}
		if strings.ContainsRune(v.Value, 0) {
			return nil, badJob("Variables", "%.80s holds a NUL byte", v.Name)
		}
		if len(v.Name)+len("=")+len(v.Value) > maxVariable {
			return nil, badJob("Variables", "%.80s has %d bytes, a variable has at most %d with its name", v.Name, len(v.Value), maxVariable)
		}
	}
	return list, nil
}
