package api_test

import (
	"reflect"
	"strings"
	"testing"

	"ehpc/api"
)

func TestAListMayComeAsOneText(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{`Users=["ada","bob"]`, "Users=ada,bob", "Users=ada, bob", `Users=[ada,bob]`, `Users=[“ada”,”bob”]`, "Users.1=ada&Users.2=bob"} {
		got := bind[api.ListJobsWithFiltersRequest](t, "ListJobsWithFilters", "ClusterId=c&"+raw)
		if want := []string{"ada", "bob"}; !reflect.DeepEqual(got.Users, want) {
			t.Errorf("%s: got %q", raw, got.Users)
		}
	}
	if got := bind[api.ListJobsWithFiltersRequest](t, "ListJobsWithFilters", "ClusterId=c&Users=[]&Queues=&Nodes=compute000"); got.Users != nil ||
		got.Queues != nil || !reflect.DeepEqual(got.Nodes, []string{"compute000"}) {
		t.Errorf("got %+v", got)
	}
}

func TestAListOfObjectsMayComeAsJSON(t *testing.T) {
	t.Parallel()
	got := bind[api.DeleteNodesRequest](t, "DeleteNodes", `ClusterId=c&ReleaseInstance=true&Instance=[{"Id":"i-1"},{"Id":"i-2"}]`)
	if want := []api.DeleteNodesRequestInstance{{Id: "i-1"}, {Id: "i-2"}}; !reflect.DeepEqual(got.Instance, want) {
		t.Errorf("got %+v", got.Instance)
	}
	c := bind[api.CreateClusterRequest](t, "CreateCluster", `Name=ab&EcsOrder={"Compute":{"Count":2,"InstanceType":"t"},"Login":null}&AdditionalVolumes=[{"VolumeType":"nas","Roles":[{"Name":"Login"},{"Name":"Compute"}]}]`+
		`&AdditionalVolumes.2.Roles=[{"Name":"Manager"}]`)
	if c.EcsOrder.Compute.Count == nil || *c.EcsOrder.Compute.Count != 2 || c.EcsOrder.Compute.InstanceType != "t" {
		t.Errorf("got %+v", c.EcsOrder)
	}
	want := []api.CreateClusterRequestAdditionalVolumes{{VolumeType: "nas", Roles: []api.CreateClusterRequestRoles{{Name: "Login"}, {Name: "Compute"}}},
		{Roles: []api.CreateClusterRequestRoles{{Name: "Manager"}}}}
	if !reflect.DeepEqual(c.AdditionalVolumes, want) {
		t.Errorf("got %+v", c.AdditionalVolumes)
	}
}

func TestANameWithAnotherShapeIsNotIgnored(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, action, query, says string }{
		{"a list of objects as a word", "ListCommands", "ClusterId=c&Instance=i-1", "Instance is not one value: write Instance.1.Id, or all of it as JSON."},
		{"a list of objects without a number", "ListCommands", "ClusterId=c&Instance.Id=i-1", "Instance.Id: Instance is a list: write Instance.1.Id."},
		{"a list without a number", "ListJobsWithFilters", "ClusterId=c&Users.x=a", "Users.x: Users is a list: write Users.1."},
		{"one value as a list", "ListJobs", "ClusterId=c&State.1=all", "State.1: State is one value, with nothing below it."},
		{"a JSON text as a list", "StopJobs", "ClusterId=c&Jobs.1.Id=7", "Jobs.1.Id: Jobs is one JSON text, with nothing below it."},
		{"an object as a list", "CreateCluster", "Name=ab&EcsOrder.1.Compute.Count=2", "EcsOrder is no list: write EcsOrder.Compute.Count."},
		{"an object as a word", "CreateCluster", "Name=ab&EcsOrder=2", "EcsOrder is not one value"},
		{"a JSON list for an object", "CreateCluster", "Name=ab&EcsOrder=[1]", "EcsOrder: EcsOrder is no list."},
		{"a JSON object for a list", "ListCommands", `ClusterId=c&Instance={"Id":"i-1"}`, "Instance: Instance is no object."},
		{"a member that is none", "ListCommands", `ClusterId=c&Instance=[{"id":"i-1"}]`, `Instance: Instance.1 has no member "id".`},
		{"a member that is too much", "ListCommands", `ClusterId=c&Instance=[{"Id":{"x":1}}]`, "Instance: Instance.1.Id is no object."},
		{"an entry that is none", "ListCommands", `ClusterId=c&Instance=["i-1"]`, "Instance: Instance.1 is not one value."},
		{"too long a JSON list", "ListCommands", `ClusterId=c&Instance=[` + strings.Repeat(`{"Id":"i"},`, 1000) + `{"Id":"i"}]`, "Instance: the list may have at most 1000 entries."},
		{"a list in two forms", "ListJobsWithFilters", `ClusterId=c&Users=["a"]&Users.1=b`, "Users.1 is given more than once."},
		{"a value that does not fit", "CreateCluster", `Name=ab&EcsOrder={"Compute":{"Count":"many"}}`, "EcsOrder.Compute.Count must be a whole number."},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := api.Bind(action(t, c.action), query(t, c.query))
			if err == nil || !strings.Contains(err.Error(), "InvalidParams") || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want InvalidParams and %q", err, c.says)
			}
			if err != nil && strings.Contains(err.Error(), "mandatory") {
				t.Errorf("it is said to be missing as well: %v", err)
			}
		})
	}
	for _, raw := range []string{"ClusterId=c&Unknown.1.Thing=1", "ClusterId=c&Instance.1.Colour=red", "ClusterId=c&Instance=", "ClusterId=c&Instance.Id="} {
		bind[api.ListCommandsRequest](t, "ListCommands", raw)
	}
}

func TestJSONAsTheDocumentWritesIt(t *testing.T) {
	t.Parallel()
	type entry struct{ Name, Value, Id string }
	for text, want := range map[string][]entry{
		`[{"Id":"1"}, {"Id":"2"}]`:               {{Id: "1"}, {Id: "2"}},
		`[{Id:ehpc-job-tmpl-6RxO5yVcMK}]`:        {{Id: "ehpc-job-tmpl-6RxO5yVcMK"}},
		`[{“Id”:”2.sched”}]`:                     {{Id: "2.sched"}},
		`[{‘Id’:‘i-bp19oxc76s5iggdgudgw’}]`:      {{Id: "i-bp19oxc76s5iggdgudgw"}},
		`[{Name:,Value:},{Name:A,Value:/x:y z}]`: {{}, {Name: "A", Value: "/x:y z"}},
		` [ { Name : A , Value : "a,b" } ] `:     {{Name: "A", Value: "a,b"}},
		`[{'Name':'say "x"',Value:1}]`:           {{Name: `say "x"`, Value: "1"}},
		`[]`:                                     {},
	} {
		var got []entry
		if err := api.ReadJSON(text, &got); err != nil || len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1,2", "A=b", "[", "[{Id}]", "[{Id:1]", "[{Id:1}", "[{Id:1}]x", `[{"Id:1}]`, strings.Repeat("[", 100000)} {
		var got any
		if err := api.ReadJSON(text, &got); err == nil {
			t.Errorf("%.20s is read as %v", text, got)
		}
	}
}

func FuzzReadJSON(f *testing.F) {
	f.Add(`[{Id:ehpc-job-tmpl-6RxO5yVcMK}]`)
	f.Add(`[{“Id”:”2.sched”},{Name:,Value:}]`)
	f.Add(`{"a":[1,{'b':‘c’}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var list []struct{ Id string }
		_ = api.ReadJSON(text, &list)
		var got any
		if err := api.ReadJSON(text, &got); err == nil && !strings.ContainsAny(text, "[{") && len(text) > 0 {
			switch got.(type) {
			case map[string]any, []any:
				t.Errorf("%q is read as %v", text, got)
			}
		}
	})
}
