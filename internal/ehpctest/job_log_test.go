package ehpctest

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"ehpc/api"
)

func TestGetJobLog(t *testing.T) {
	t.Parallel()
	w, p, id := withLongJobs(t)
	q := job(id, "./run.sh")
	q.StdoutRedirectPath, q.StderrRedirectPath = "~/out-%j", "~/err"
	one := p.submit(t, q)
	manager := w.Agent(p.Nodes(t, id)[0].Id)
	manager.Keep("worker /home/worker/out-"+one, "Loop time\xff of1.5 é")
	manager.Keep("worker /home/worker/err", "warning")
	for _, c := range []struct{ name, params, out, err string }{
		{"all of it", "", "Loop time? of1.5 é", "warning"},
		{"from a position on", "Offset=5", "time? of1.5 é", "ng"},
		{"a part", "Offset=5&Size=4", "time", "ng"},
		{"no part of a character at the end", "Offset=13&Size=5", "1.5 ", ""},
		{"the character with what follows", "Offset=17", "é", ""},
		{"nothing beyond the end", "Offset=500", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			params, err := url.ParseQuery(c.params + "&ClusterId=" + id + "&JobId=" + one)
			must(t, err)
			var a api.GetJobLogResponse
			text, err := p.Call(t.Context(), "GetJobLog", params)
			must(t, err)
			must(t, json.Unmarshal(text, &a))
			if a.OutputLog != c.out || a.ErrorLog != c.err || a.JobId != one {
				t.Errorf("%+v", a)
			}
		})
	}
	array := job(id, "./task.sh")
	array.ArrayRequest, array.StdoutRedirectPath, array.StderrRedirectPath = "1-5:2", "~/runs/%A-%3a.out", "~/err-%a"
	tasks := p.submit(t, array)
	manager.Keep("worker /home/worker/runs/"+tasks+"-003.out", "third")
	manager.Keep("worker /home/worker/err-3", "trouble")
	for _, task := range []string{tasks + "_3", tasks + "[3]"} {
		t.Run("a task of an array: "+task, func(t *testing.T) {
			var a api.GetJobLogResponse
			must(t, p.Do(t.Context(), &api.GetJobLogRequest{ClusterId: id, JobId: task}, &a))
			if a.OutputLog != "third" || a.ErrorLog != "trouble" || a.JobId != task {
				t.Errorf("%+v", a)
			}
		})
	}
	array.StdoutRedirectPath, array.StderrRedirectPath = "~/out-%j", ""
	own := p.submit(t, array)
	outside := p.submit(t, job(id, "./run.sh"))
	other := withAccount(t, w, p, 0)
	for _, c := range []struct{ name, params, code, says string }{
		{"a position before the start", "JobId=" + one + "&Offset=-1", "InvalidParams", "Offset"},
		{"no bytes at all", "JobId=" + one + "&Size=0", "InvalidParams", "Size"},
		{"too many bytes", "JobId=" + one + "&Size=500001", "InvalidParams", "Size"},
		{"an array", "JobId=" + tasks, "InvalidParams", tasks + "_1"},
		{"a task between two of an array's", "JobId=" + tasks + "_2", "ObjectNotFound", "no task 2"},
		{"a task beyond an array's", "JobId=" + tasks + "[7]", "ObjectNotFound", "no task 7"},
		{"a task with a file that cannot be told", "JobId=" + own + "_1", "InvalidParams", "%A and %a in StdoutRedirectPath"},
		{"a task of a job that is no array", "JobId=" + one + "_1", "ObjectNotFound", "job " + one + " is no array"},
		{"a task of no job", "JobId=77_1", "ObjectNotFound", "77"},
		{"a job that is not there", "JobId=77", "ObjectNotFound", "77"},
		{"a job of another cluster", "JobId=" + outside + "&ClusterId=" + other, "ObjectNotFound", outside},
	} {
		t.Run(c.name+" is refused", func(t *testing.T) {
			params, err := url.ParseQuery(c.params)
			must(t, err)
			if !params.Has("ClusterId") {
				params.Set("ClusterId", id)
			}
			_, err = p.Call(t.Context(), "GetJobLog", params)
			if got := codeOf(t, err); got != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
		})
	}
}
