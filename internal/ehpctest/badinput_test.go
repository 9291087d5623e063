package ehpctest

import (
	"net/url"
	"reflect"
	"strings"
	"testing"

	"ehpc/api"
)

// TestBadInputChangesNothing holds what is wrong with jobs, their queues and
// templates to its code, a message that names the parameter, and a store and a
// scheduler that are as they were.
func TestBadInputChangesNothing(t *testing.T) {
	t.Parallel()
	w, p, id := withLongJobs(t)
	other := withAccount(t, w, p, 1)
	must(t, call(t, p, "AddUsers", "ClusterId", id, "User.1.Name", "leaver", "User.1.Group", "users", "User.1.Password", password))
	must(t, call(t, p, "DeleteUsers", "ClusterId", id, "User.1.Name", "leaver"))
	must(t, call(t, p, "AddQueue", "ClusterId", id, "QueueName", "night"))
	must(t, call(t, p, "SetQueue", "ClusterId", id, "QueueName", "night", "Node.1.Name", "compute001"))
	p.Until(t, "the node is moved", func() bool { return w.queueOf(t, id, "compute001") == "night" })
	q := job(id, "./run.sh")
	q.JobQueue = "night"
	p.untilState(t, id, p.submit(t, q), "RUNNING")
	must(t, call(t, p, "SetQueue", "ClusterId", id, "QueueName", "workq", "Node.1.Name", "compute001")) // its jobs stay in the queue
	p.Until(t, "the node is moved back", func() bool { return w.queueOf(t, id, "compute001") == "workq" })
	stopped := p.submit(t, job(id, "./run.sh"))
	must(t, call(t, p, "StopJobs", "ClusterId", id, "Jobs", named(stopped)))
	p.untilState(t, id, stopped, "CANCELLED")
	runs := p.submit(t, job(id, "./run.sh"))
	p.untilState(t, id, runs, "RUNNING")
	mine := newTemplate(t, p, url.Values{"CommandLine": {"true"}, "Name": {"mine"}})
	stranger := anotherKey(t, p, "stranger")

	submit := "CommandLine=true&RunasUser=worker&RunasUserPassword=" + password + "&"
	for _, c := range []struct{ name, action, params, code, says string }{
		{"an array of a million", "SubmitJob", submit + "ArrayRequest=1-1000000", "InvalidParams", "ArrayRequest: 1-1000000 has more than 10000 tasks"},
		{"an array with an index too far", "SubmitJob", submit + "ArrayRequest=1-1000000:999999", "InvalidParams", "ArrayRequest"},
		{"an array of nothing", "SubmitJob", submit + "ArrayRequest=9-1", "InvalidParams", "ArrayRequest"},
		{"an array that is none", "SubmitJob", submit + "ArrayRequest=1,2", "InvalidParams", "ArrayRequest"},
		{"an array whose numbers have no end", "SubmitJob", submit + "ArrayRequest=1-99999999999999999999", "InvalidParams", "ArrayRequest"},
		{"a template of an array of a million", "CreateJobTemplate", "Name=x&CommandLine=true&ArrayRequest=1-1000000", "InvalidParams", "ArrayRequest"},
		{"a variable without a name", "SubmitJob", submit + `Variables=[{"Value":"x"}]`, "InvalidParams", "Variables: entry 1"},
		{"a variable whose name is none", "SubmitJob", submit + `Variables=[{"Name":"A","Value":""},{"Name":"A B","Value":"x"}]`, "InvalidParams", "Variables: entry 2"},
		{"a variable that no program can be given", "SubmitJob", submit + `Variables=[{"Name":"A","Value":"` + strings.Repeat("x", 128<<10-2) + `"}]`, "InvalidParams", "Variables: A has 131070 bytes"},
		{"a directory that no record can hold", "SubmitJob", submit + "PackagePath=" + strings.Repeat("x", 256), "InvalidParams", "PackagePath: it is longer than 256 bytes"},
		{"output with a name without end", "SubmitJob", submit + "StdoutRedirectPath=" + strings.Repeat("x/", 600), "InvalidParams", "StdoutRedirectPath: it is longer than 1024 bytes"},
		{"variables that are no list", "SubmitJob", submit + `Variables=A%3Db`, "InvalidParams", "Variables"},
		{"a name with a colon", "SubmitJob", submit + "Name=a:b", "InvalidParams", "Name"},
		{"a name with a newline", "SubmitJob", submit + "Name=a%0Ab", "InvalidParams", "Name"},
		{"output outside the account's reach", "SubmitJob", submit + "StdoutRedirectPath=/etc/passwd", "InvalidParams", "StdoutRedirectPath"},
		{"errors in another's home", "SubmitJob", submit + "StderrRedirectPath=~/../leaver/err", "InvalidParams", "StderrRedirectPath"},
		{"output with a newline in its name", "SubmitJob", submit + "StdoutRedirectPath=a%0Ab", "InvalidParams", "StdoutRedirectPath"},
		{"a container", "SubmitJob", submit + "ContainerId=c-1", "ContainerNotFound", "ContainerId"},
		{"a retry", "SubmitJob", submit + "JobRetry.Count=3", "InvalidParams", "JobRetry"},
		{"a step of no end", "SubmitJob", submit + "PostCmdLine=" + strings.Repeat("x", 16<<10+1), "InvalidParams", "PostCmdLine"},
		{"a queue that is not there", "SubmitJob", submit + "JobQueue=none", "InvalidParams", "JobQueue"},
		{"memory that is none", "SubmitJob", submit + "Mem=much", "InvalidParams", "Mem"},
		{"a time that is none", "SubmitJob", submit + "ClockTime=soon", "InvalidParams", "ClockTime"},
		{"fewer nodes than one", "SubmitJob", submit + "Node=0", "InvalidParams", "Node"},
		{"a job without a command", "SubmitJob", "RunasUser=worker&RunasUserPassword=" + password, "MissingCommandLine", "CommandLine"},
		{"a job for a deleted account", "SubmitJob", "CommandLine=true&RunasUser=leaver&RunasUserPassword=" + password, "IncorrectCredential", "leaver"},
		{"stopping a job that is not there among others", "StopJobs", "Jobs=" + named(runs, "77", stopped), "PartFailure", `1 of 3 are refused: Jobs: cluster ` + id + ` has no job "77"`},
		{"stopping a job of another cluster", "StopJobs", "ClusterId=" + other + "&Jobs=" + named(runs), "ObjectNotFound", "Jobs: cluster " + other + ` has no job "` + runs + `"`},
		{"deleting a job of another cluster", "DeleteJobs", "ClusterId=" + other + "&Jobs=" + named(runs), "ObjectNotFound", "Jobs"},
		{"running a job of another cluster again", "RerunJobs", "ClusterId=" + other + "&Jobs=" + named(stopped), "ObjectNotFound", "Jobs"},
		{"showing a job of another cluster", "DescribeJob", "ClusterId=" + other + "&JobId=" + runs, "ObjectNotFound", "JobId"},
		{"reading a job of another cluster", "GetJobLog", "ClusterId=" + other + "&JobId=" + runs, "ObjectNotFound", "JobId"},
		{"deleting a queue with a running job", "DeleteQueue", "QueueName=night", "ConflictOpt", "QueueName: queue night of cluster " + id + " has 1 jobs that have not ended"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, queued := p.dump(t), w.queued(t, id)
			params, err := url.ParseQuery(strings.ReplaceAll(c.params, `"`, "%22"))
			must(t, err)
			if !params.Has("ClusterId") && c.action != "CreateJobTemplate" {
				params.Set("ClusterId", id)
			}
			_, err = p.Call(t.Context(), c.action, params)
			if got := codeOf(t, err); got != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %s and a message with %q", err, c.code, c.says)
			}
			p.unchanged(t, before)
			if now := w.queued(t, id); now != queued {
				t.Errorf("the scheduler has %d jobs, before it had %d", now, queued)
			}
		})
	}
	for action, params := range map[string]url.Values{
		"EditJobTemplate":    {"TemplateId": {mine}, "Name": {"theirs"}, "CommandLine": {"true"}},
		"DeleteJobTemplates": {"Templates": {named(mine)}},
	} {
		t.Run("another owner's template in "+action, func(t *testing.T) {
			before := p.dump(t)
			_, err := stranger.Call(t.Context(), action, params)
			if got := codeOf(t, err); got != "ObjectNotFound" || !strings.Contains(err.Error(), "Template") || !strings.Contains(err.Error(), mine) {
				t.Errorf("%v", err)
			}
			p.unchanged(t, before)
		})
	}
	t.Run("stopping a job that is being stopped changes nothing", func(t *testing.T) {
		w.SchedulerOf(id).Stop()
		defer w.SchedulerOf(id).Start()
		must(t, call(t, p, "StopJobs", "ClusterId", id, "Jobs", named(runs)))
		before, err := p.Store.Read().JobsOfPublic(t.Context(), id, []string{runs})
		must(t, err)
		must(t, p.Do(t.Context(), &api.StopJobsRequest{ClusterId: id, Jobs: named(runs)}, &api.StopJobsResponse{}))
		after, err := p.Store.Read().JobsOfPublic(t.Context(), id, []string{runs})
		must(t, err)
		if !reflect.DeepEqual(before, after) || p.lines(t, id, "jobs to be stopped: "+runs) != 1 {
			t.Errorf("%+v became %+v, or the log tells it twice", before[0], after[0])
		}
	})
}
