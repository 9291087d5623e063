package ehpctest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"ehpc/client"
	provfake "ehpc/internal/provider/fake"
)

// terraformAgent is what the provider alicloud 1.286 calls itself.
const terraformAgent = "AlibabaCloud (linux; x86_64) Golang/1.26.8 Core/0.01 TeaDSL/1 HashiCorp-Terraform/1.11.4 " +
	"Terraform-Provider/1.286.0 Terraform-Module/Default/6d8e7a01-139f-4a9c-83ae-127754cb6c80"

type agentTransport string

func (agent agentTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", string(agent))
	return http.DefaultTransport.RoundTrip(r)
}

// calledBy is a client of the plane that calls itself so.
func calledBy(t *testing.T, p *Plane, agent string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Endpoint: p.URL, AccessKeyID: p.Key.ID, AccessKeySecret: p.Key.Secret,
		HTTPClient: &http.Client{Transport: agentTransport(agent)}})
	must(t, err)
	return c
}

// listed is the one template as the listing shows it, which asks for pages of 50
// as the provider does; nil for none.
func listed(t *testing.T, c *client.Client, id string) map[string]any {
	t.Helper()
	raw, err := c.Call(t.Context(), "ListJobTemplates", url.Values{"PageNumber": {"1"}, "PageSize": {"50"}})
	must(t, err)
	var a struct {
		Templates struct{ JobTemplates []map[string]any }
	}
	must(t, json.Unmarshal(raw, &a))
	for _, item := range a.Templates.JobTemplates {
		if item["Id"] == id {
			return item
		}
	}
	return nil
}

// The provider's requests from terraform apply to terraform destroy. It reads
// ReRunable as a string: any boolean panics it, and then it cannot even destroy.
func TestATerraformTemplateLivesThroughItsLife(t *testing.T) {
	t.Parallel()
	p := Start(t, NewWorld(provfake.Options{}), Options{})
	terraform := calledBy(t, p, terraformAgent)
	for name, rerunable := range map[string]string{"unset": "", "false": "false", "true": "true"} {
		t.Run("with re_runable "+name, func(t *testing.T) {
			asked := url.Values{"CommandLine": {"./run.sh 中文 *~"}, "Name": {"tmpl-测试"}, "Node": {"1"}, "Priority": {"3"}, "RunasUser": {"user1"},
				"Task": {"2"}, "Thread": {"3"}, "StdoutRedirectPath": {"./out"}, "Variables": {`[{"Name":"X","Value":"1 \u0026 2"}]`}}
			if rerunable != "" {
				asked.Set("ReRunable", rerunable)
			}
			call := func(action string, params url.Values) (a struct{ TemplateId string }) {
				t.Helper()
				raw, err := terraform.Call(t.Context(), action, params)
				must(t, err)
				must(t, json.Unmarshal(raw, &a))
				return a
			}
			id := call("CreateJobTemplate", asked).TemplateId
			planned := func(command string) {
				t.Helper()
				for range 2 { // what apply reads after its change, and the next plan
					item := listed(t, terraform, id)
					if _, there := item["ReRunable"]; there || item == nil {
						t.Fatalf("it reads %v", item)
					}
					if item["CommandLine"] != command || item["Name"] != "tmpl-测试" || item["Priority"] != 3.0 || item["Node"] != 1.0 ||
						item["Variables"] != asked.Get("Variables") {
						t.Errorf("the plan has changes: %v", item)
					}
				}
			}
			planned("./run.sh 中文 *~")
			if got := listed(t, p.Client, id)["ReRunable"]; got != (rerunable == "true") {
				t.Errorf("another client reads ReRunable %v", got)
			}
			asked.Set("CommandLine", "echo 2")
			asked.Set("TemplateId", id)
			if rerunable == "false" { // an edit is sent only what is not the zero value
				asked.Del("ReRunable")
			}
			if got := call("EditJobTemplate", asked).TemplateId; got != id {
				t.Errorf("the edit answers for %s", got)
			}
			planned("echo 2")
			if got := listed(t, p.Client, id)["ReRunable"]; got != (rerunable == "true") {
				t.Errorf("another client reads ReRunable %v after the edit", got)
			}
			call("DeleteJobTemplates", url.Values{"Templates": {`[{"Id":"` + id + `"}]`}})
			if item := listed(t, terraform, id); item != nil {
				t.Errorf("after destroy there is %v", item)
			}
		})
	}
	t.Run("nothing of it is null", func(t *testing.T) {
		newTemplate(t, p, url.Values{"CommandLine": {"true"}, "Name": {"least"}})
		raw, err := terraform.Call(t.Context(), "ListJobTemplates", nil)
		must(t, err)
		if strings.Contains(string(raw), "null") {
			t.Errorf("%s", raw)
		}
	})
}
