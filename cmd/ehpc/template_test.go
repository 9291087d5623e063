package main

import (
	"testing"

	"ehpc/api"
)

func TestTemplates(t *testing.T) {
	t.Parallel()
	page := api.ListJobTemplatesResponse{TotalCount: 1, PageNumber: 1, PageSize: 50}
	page.Templates.JobTemplates = []template{{Id: "ehpc-job-tmpl-1", Name: "melt", CommandLine: "./melt.sh"}}
	s := newService(t, map[string][]any{
		"CreateJobTemplate":  {api.CreateJobTemplateResponse{TemplateId: "ehpc-job-tmpl-1"}},
		"EditJobTemplate":    {api.EditJobTemplateResponse{TemplateId: "ehpc-job-tmpl-1"}},
		"DeleteJobTemplates": {api.DeleteJobTemplatesResponse{}},
		"ListJobTemplates":   {page},
	})
	for _, c := range []struct {
		name, action, says string
		args               []string
		sent               map[string]string
	}{
		{"create sends what a job would ask for", "CreateJobTemplate", "ehpc-job-tmpl-1",
			[]string{"create", "melt", "--as", "lovelace", "--nodes", "2", "--queue", "night", "--dir", "runs", "--", "./melt.sh", "it's"},
			map[string]string{"Name": "melt", "RunasUser": "lovelace", "Node": "2", "Queue": "night", "JobQueue": "",
				"PackagePath": "/home/lovelace/runs", "CommandLine": `./melt.sh 'it'\''s'`, "ClusterId": ""}},
		{"edit names the template", "EditJobTemplate", "replaced", []string{"edit", "ehpc-job-tmpl-1", "melt", "--dir", "runs", "--", "true"},
			map[string]string{"PackagePath": "runs", "TemplateId": "ehpc-job-tmpl-1", "Name": "melt", "CommandLine": "true"}},
		{"delete names all of them", "DeleteJobTemplates", "deleted a b", []string{"delete", "a", "b"},
			map[string]string{"Templates": `[{"Id":"a"},{"Id":"b"}]`}},
		{"list shows them", "ListJobTemplates", "./melt.sh", []string{"list"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.run("", nil, append([]string{"template"}, c.args...)...).want(t, 0, c.says, "")
			for name, want := range c.sent {
				if got := s.request(c.action).Get(name); got != want {
					t.Errorf("%s is %q, expected %q", name, got, want)
				}
			}
		})
	}
}
