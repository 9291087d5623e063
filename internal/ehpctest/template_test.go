package ehpctest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"ehpc/api"
	"ehpc/client"
	"ehpc/internal/auth"
	provfake "ehpc/internal/provider/fake"
	"ehpc/internal/store"
)

func newTemplate(t *testing.T, p *Plane, params url.Values) (id string) {
	t.Helper()
	answer, err := p.Call(t.Context(), "CreateJobTemplate", params)
	must(t, err)
	_, rest, _ := strings.Cut(string(answer), `"TemplateId":"`)
	id, _, ok := strings.Cut(rest, `"`)
	if !ok || !strings.HasPrefix(id, "ehpc-job-tmpl-") {
		t.Fatalf("no template's id in %s", answer)
	}
	return id
}

func templates(t *testing.T, c *client.Client, page, size int, name string) api.ListJobTemplatesResponse {
	t.Helper()
	var a api.ListJobTemplatesResponse
	must(t, c.Do(t.Context(), &api.ListJobTemplatesRequest{PageNumber: page, PageSize: size, Name: name}, &a))
	return a
}

func allTemplates(t *testing.T, p *Plane) string {
	t.Helper()
	text, err := json.Marshal(templates(t, p.Client, 1, 10, "").Templates)
	must(t, err)
	return string(text)
}

func TestATemplateHoldsWhatWasAsked(t *testing.T) {
	t.Parallel()
	p := Start(t, NewWorld(provfake.Options{}), Options{})
	id := newTemplate(t, p, url.Values{"CommandLine": {`./run.sh "a b" 中文 *~`}, "Name": {"tmpl-测试"}, "Node": {"1"}, "Priority": {"3"},
		"ReRunable": {"true"}, "RunasUser": {"user1"}, "StderrRedirectPath": {"./err"}, "Task": {"2"}, "Thread": {"3"}, "Gpu": {"1"},
		"Variables": {`[{"Name":"X","Value":"1 & 2"}]`}, "ArrayRequest": {"1-10:2"}, "Queue": {"night"}, "ClockTime": {"01:00:00"}, "Mem": {"2GB"}})
	yes, no := true, false
	want := api.ListJobTemplatesJobTemplates{Id: id, CommandLine: `./run.sh "a b" 中文 *~`, Name: "tmpl-测试", Node: 1, Priority: 3,
		ReRunable: &yes, RunasUser: "user1", StderrRedirectPath: "./err", Task: 2, Thread: 3, Gpu: 1,
		Variables: `[{"Name":"X","Value":"1 & 2"}]`, ArrayRequest: "1-10:2", Queue: "night", ClockTime: "01:00:00", Mem: "2GB"}
	a := templates(t, p.Client, 1, 10, "")
	if len(a.Templates.JobTemplates) != 1 || !reflect.DeepEqual(a.Templates.JobTemplates[0], want) {
		t.Errorf("listed %+v, want %+v", a.Templates.JobTemplates, want)
	}
	t.Run("an edit replaces all of it", func(t *testing.T) {
		_, err := p.Call(t.Context(), "EditJobTemplate", url.Values{"TemplateId": {id}, "CommandLine": {"echo 2"}, "Name": {"other"}, "ReRunable": {"false"}})
		must(t, err)
		got := templates(t, p.Client, 1, 10, "").Templates.JobTemplates
		if want := (api.ListJobTemplatesJobTemplates{Id: id, CommandLine: "echo 2", Name: "other", ReRunable: &no}); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("listed %+v, want %+v", got, want)
		}
	})
	t.Run("one with the document's form of variables holds none", func(t *testing.T) {
		one := newTemplate(t, p, url.Values{"CommandLine": {"true"}, "Name": {"least"}, "Variables": {"[{Name:,Value:},{Name:A,Value:b}]"}})
		_, err := p.Call(t.Context(), "DeleteJobTemplates", url.Values{"Templates": {"[{Id:" + one + "}]"}})
		must(t, err)
	})
	t.Run("a deleted one is not listed", func(t *testing.T) {
		_, err := p.Call(t.Context(), "DeleteJobTemplates", url.Values{"Templates": {"[{Id:" + id + "}]"}})
		must(t, err)
		raw, err := p.Call(t.Context(), "ListJobTemplates", nil)
		must(t, err)
		if !strings.Contains(string(raw), `"JobTemplates":[]`) || !strings.Contains(string(raw), `"TotalCount":0`) {
			t.Errorf("the empty list is %s", raw)
		}
	})
}

func TestTemplatesArePaged(t *testing.T) {
	t.Parallel()
	p := Start(t, NewWorld(provfake.Options{}), Options{})
	for i := range 7 {
		newTemplate(t, p, url.Values{"CommandLine": {"true"}, "Name": {fmt.Sprintf("t%d", i%2)}})
	}
	for _, c := range []struct {
		page, size int
		name       string
		count, all int
	}{{1, 3, "", 3, 7}, {3, 3, "", 1, 7}, {4, 3, "", 0, 7}, {1, 50, "", 7, 7}, {1, 50, "t0", 4, 4}, {1, 50, "none", 0, 0}} {
		a := templates(t, p.Client, c.page, c.size, c.name)
		if len(a.Templates.JobTemplates) != c.count || a.TotalCount != c.all || a.PageNumber != c.page || a.PageSize != c.size {
			t.Errorf("page %d of %d named %q: %d templates of %d", c.page, c.size, c.name, len(a.Templates.JobTemplates), a.TotalCount)
		}
	}
}

func TestATemplateIsMadeOncePerToken(t *testing.T) {
	t.Parallel()
	p := Start(t, NewWorld(provfake.Options{}), Options{})
	q := url.Values{"CommandLine": {"true"}, "Name": {"one"}, "ClientToken": {"token-1"}}
	if first, again := newTemplate(t, p, q), newTemplate(t, p, q); first != again {
		t.Errorf("first %s, again %s", first, again)
	}
	if a := templates(t, p.Client, 1, 10, ""); a.TotalCount != 1 {
		t.Errorf("%d templates, want 1", a.TotalCount)
	}
}

func TestBadTemplatesChangeNothing(t *testing.T) {
	t.Parallel()
	p := Start(t, NewWorld(provfake.Options{}), Options{})
	id := newTemplate(t, p, url.Values{"CommandLine": {"true"}, "Name": {"mine"}})
	before := allTemplates(t, p)
	for _, c := range []struct{ name, action, params, code, says string }{
		{"a template without a command", "CreateJobTemplate", "Name=x", "MissingCommandLine", "CommandLine"},
		{"a priority that is none", "CreateJobTemplate", "Name=x&CommandLine=true&Priority=high", "InvalidParams", "Priority"},
		{"a range that is none", "CreateJobTemplate", "Name=x&CommandLine=true&ArrayRequest=9-1", "InvalidParams", "ArrayRequest"},
		{"a variable without a name", "CreateJobTemplate", `Name=x&CommandLine=true&Variables=[{"Value":"x"}]`, "InvalidParams", "Variables"},
		{"fewer nodes than none", "CreateJobTemplate", "Name=x&CommandLine=true&Node=-1", "InvalidParams", "Node"},
		{"a name with a newline", "CreateJobTemplate", "Name=a%0Ab&CommandLine=true", "InvalidParams", "Name"},
		{"memory that is none", "EditJobTemplate", "TemplateId=" + id + "&Name=x&CommandLine=true&Mem=much", "InvalidParams", "Mem"},
		{"an edit of an unknown template", "EditJobTemplate", "TemplateId=ehpc-job-tmpl-none&Name=x&CommandLine=true", "ObjectNotFound", "TemplateId"},
		{"a deletion with an unknown one among them", "DeleteJobTemplates", `Templates=[{"Id":"` + id + `"},{"Id":"none"},{"Id":"no"}]`, "PartFailure", `2 of 3 are refused: Templates: there is no template "none"; Templates: there is no template "no"`},
		{"a deletion of one twice", "DeleteJobTemplates", `Templates=[{"Id":"` + id + `"},{"Id":"` + id + `"}]`, "InvalidParams", "Templates"},
		{"a deletion of none", "DeleteJobTemplates", `Templates=[]`, "InvalidParams", "Templates"},
		{"a page of a million", "ListJobTemplates", "PageSize=1000000", "InvalidParams", "PageSize"},
	} {
		t.Run(c.name, func(t *testing.T) {
			params, err := url.ParseQuery(c.params)
			must(t, err)
			_, err = p.Call(t.Context(), c.action, params)
			if got := codeOf(t, err); got != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want code %s and a message with %q", err, c.code, c.says)
			}
			if after := allTemplates(t, p); after != before {
				t.Errorf("%s became %s", before, after)
			}
		})
	}
	t.Run("another owner's templates do not exist", func(t *testing.T) {
		key := auth.NewKey("stranger")
		must(t, p.Store.Change(t.Context(), func(ctx context.Context, tx store.Tx) error {
			return tx.InsertKey(ctx, store.Key{ID: key.ID, Owner: key.Owner, Secret: key.Secret, Enabled: true})
		}))
		c, err := client.New(client.Config{Endpoint: p.URL, AccessKeyID: key.ID, AccessKeySecret: key.Secret})
		must(t, err)
		if a := templates(t, c, 1, 10, ""); a.TotalCount != 0 {
			t.Errorf("it lists %+v", a.Templates)
		}
		for action, params := range map[string]url.Values{
			"EditJobTemplate":    {"TemplateId": {id}, "Name": {"x"}, "CommandLine": {"true"}},
			"DeleteJobTemplates": {"Templates": {`[{"Id":"` + id + `"}]`}},
		} {
			_, err := c.Call(t.Context(), action, params)
			if got := codeOf(t, err); got != "ObjectNotFound" {
				t.Errorf("%s: code %s", action, got)
			}
		}
		if after := allTemplates(t, p); after != before {
			t.Errorf("%s became %s", before, after)
		}
	})
}
