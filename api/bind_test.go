package api_test

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"ehpc/api"
)

func action(t *testing.T, name string) *api.Action {
	t.Helper()
	a, ok := api.Lookup(name)
	if !ok {
		t.Fatalf("no action %s", name)
	}
	return a
}

func query(t *testing.T, raw string) url.Values {
	t.Helper()
	values, err := url.ParseQuery(raw)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func bind[T any](t *testing.T, name, raw string) *T {
	t.Helper()
	request, err := api.Bind(action(t, name), query(t, raw))
	if err != nil {
		t.Fatalf("Bind(%s, %s): %v", name, raw, err)
	}
	return request.(*T)
}

func ptr[T any](v T) *T { return &v }

func TestBindFillsTheTypedRequest(t *testing.T) {
	t.Parallel()
	got := bind[api.CreateClusterRequest](t, "CreateCluster", "Name=melt&EcsOrder.Compute.Count=2&HaEnable=False"+
		"&Application.2.Tag=b&Application.1.Tag=a&AdditionalVolumes.1.Roles.2.Name=Login&AdditionalVolumes.1.Roles.1.Name=Compute"+
		"&AdditionalVolumes.1.VolumeId=&RamNodeTypes.1=x&VolumeProtocal=nfs&Unknown.1.Thing=1")
	want := &api.CreateClusterRequest{
		Name:        "melt",
		Application: []api.CreateClusterRequestApplication{{Tag: "a"}, {Tag: "b"}},
		AdditionalVolumes: []api.CreateClusterRequestAdditionalVolumes{{
			Roles: []api.CreateClusterRequestRoles{{Name: "Compute"}, {Name: "Login"}},
		}},
		RamNodeTypes:    []string{"x"},
		VolumeProtocol:  "nfs",
		AutoRenewPeriod: 1,
	}
	want.EcsOrder.Compute.Count = ptr(2)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestEntriesOfEmptyValuesAreNoGaps(t *testing.T) {
	t.Parallel()
	got := bind[api.CreateClusterRequest](t, "CreateCluster", "Name=melt&AdditionalVolumes.1.VolumeId="+
		"&AdditionalVolumes.1.Roles.1.Name=&AdditionalVolumes.2.VolumeId=v&AdditionalVolumes.3.VolumeId=")
	want := []api.CreateClusterRequestAdditionalVolumes{{}, {VolumeId: "v"}}
	if !reflect.DeepEqual(got.AdditionalVolumes, want) {
		t.Errorf("got %+v", got.AdditionalVolumes)
	}
}

func TestBindFillsDefaultsOfNumbersAlone(t *testing.T) {
	t.Parallel()
	got := bind[api.ListClustersRequest](t, "ListClusters", "")
	if got.PageNumber != 1 || got.PageSize != 10 || got.RegionId != "" {
		t.Errorf("got %+v", got)
	}
}

func TestBindNamesEveryFault(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, action, query string
		code                string
		parts               []string
	}{
		{"a missing parameter", "DescribeCluster", "", "MissingClusterId", []string{"ClusterId is mandatory for this action."}},
		{"an empty mandatory parameter", "DescribeCluster", "ClusterId=", "MissingClusterId", []string{"ClusterId is mandatory"}},
		{"a missing member of a list", "AddUsers", "ClusterId=c&User.1.Name=abcdef&User.1.Group=users", "MissingParameter", []string{"User.1.Password is mandatory"}},
		{"a missing list", "AddUsers", "ClusterId=c", "MissingParameter", []string{"User.1.Name is mandatory", "User.1.Password is mandatory"}},
		{"a gap", "CreateCluster", "Name=ab&Application.1.Tag=a&Application.3.Tag=b", "InvalidParams", []string{"Application.2 is missing"}},
		{"an index of zero", "CreateCluster", "Name=ab&Application.0.Tag=a", "InvalidParams", []string{"Application.0.Tag"}},
		{"an index with a leading zero", "CreateCluster", "Name=ab&Application.01.Tag=a", "InvalidParams", []string{"Application.01.Tag"}},
		{"a negative index", "CreateCluster", "Name=ab&Application.-1.Tag=a", "InvalidParams", []string{"Application.-1.Tag"}},
		{"a huge index", "CreateCluster", "Name=ab&Application.999999999.Tag=a", "InvalidParams", []string{"Application.999999999.Tag", "at most 1000"}},
		{"an index too large to read", "CreateCluster", "Name=ab&Application.99999999999999999999.Tag=a", "InvalidParams", []string{"Application.99999999999999999999.Tag"}},
		{"a list that is too long", "CreateCluster", "Name=ab&Application.1001.Tag=a", "InvalidParams", []string{"Application.1001.Tag", "at most 1000 entries"}},
		{"a list longer than the catalogue allows", "CreateCluster", "Name=ab&PostInstallScript.17.Url=u", "InvalidParams", []string{"PostInstallScript.17.Url", "at most 16 entries"}},
		{"a list in both of its forms", "CreateCluster", "Name=ab&RamNodeTypes=a,b&RamNodeTypes.1=c", "InvalidParams", []string{"RamNodeTypes.1 is given more than once"}},
		{"a text that is too long a list", "CreateCluster", "Name=ab&RamNodeTypes=" + strings.Repeat("a,", 1001), "InvalidParams", []string{"RamNodeTypes: the list may have at most"}},
		{"a gap in a text", "CreateCluster", "Name=ab&RamNodeTypes=a,,b", "InvalidParams", []string{"RamNodeTypes.2 is missing"}},
		{"several faults", "AddNodes", "Count=100&AutoRenew=maybe&ImageOwnerAlias=mine", "MissingClusterId",
			[]string{"ClusterId is mandatory", "Count must be between 1 and 99", "AutoRenew must be true or false", "ImageOwnerAlias must be one of system, self"}},
		{"a parameter given twice", "DescribeCluster", "ClusterId=a&ClusterId=b", "InvalidParams", []string{"ClusterId is given more than once"}},
		{"a parameter given under two spellings", "CreateCluster", "Name=ab&VolumeProtocol=nfs&VolumeProtocal=nfs", "InvalidParams", []string{"VolumeProtocol is given more than once"}},
		{"text that is no number", "AddNodes", "ClusterId=c&Count=1e2", "InvalidParams", []string{"Count must be a whole number"}},
		{"a number that no client can hold", "ListTasks", "ClusterId=c&PageSize=2147483648", "InvalidParams", []string{"PageSize is too large"}},
		{"a number beyond all bounds", "ListTasks", "ClusterId=c&PageSize=99999999999999999999", "InvalidParams", []string{"PageSize must be a whole number"}},
		{"a command of 2,048 characters", "InvokeShellCommand", "ClusterId=c&Command=" + strings.Repeat("x", 2048), "InvalidParams", []string{"Command must have at most 2047 characters"}},
		{"a name of one character", "CreateCluster", "Name=a", "InvalidParams", []string{"Name must have 2 to 64 characters"}},
		{"a name that breaks the pattern", "CreateCluster", "Name=1ab", "InvalidParams", []string{"Name must match"}},
		{"invalid UTF-8", "CreateCluster", "Name=ab&Description=%ff%fe", "InvalidParams", []string{"Description is not valid UTF-8"}},
		{"malformed JSON", "StopJobs", "ClusterId=c&Jobs=[{", "InvalidParams", []string{"Jobs is not valid JSON"}},
		{"both credentials", "CreateCluster", "Name=ab&KeyPairName=k&Password=Abcdef123", "InvalidParams", []string{"Only one of Password and KeyPairName"}},
		{"a weak password", "AddUsers", "ClusterId=c&User.1.Name=abcdef&User.1.Group=users&User.1.Password=abcdefgh", "InvalidParams", []string{"User.1.Password must have characters of 3 kinds"}},
		{"half a group", "ModifyImageGatewayConfig", "ClusterId=c&DBType=mysql", "MissingDBUsername", []string{"DBUsername is mandatory together with DBType"}},
		{"a period that PrePaid needs", "AddNodes", "ClusterId=c&Count=1&EcsChargeType=PrePaid", "MissingPeriod", []string{"Period is mandatory"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := api.Bind(action(t, test.action), query(t, test.query))
			var fault *api.Error
			if !errors.As(err, &fault) {
				t.Fatalf("got %v", err)
			}
			if fault.Code.Name != test.code || fault.Code.HTTP != 400 {
				t.Errorf("got the code %+v, want %s", fault.Code, test.code)
			}
			for _, part := range test.parts {
				if !strings.Contains(fault.Message, part) {
					t.Errorf("the message lacks %q: %s", part, fault.Message)
				}
			}
		})
	}
}

func TestLengthsAreCountedInCharacters(t *testing.T) {
	t.Parallel()
	bind[api.InvokeShellCommandRequest](t, "InvokeShellCommand", "ClusterId=c&Command="+strings.Repeat("%E4%B8%80", 2047))
	bind[api.CreateClusterRequest](t, "CreateCluster", "Name="+strings.Repeat("%E4%B8%80", 64))
}

func TestBindReadsValuesAsClientsWriteThem(t *testing.T) {
	t.Parallel()
	nodes := bind[api.AddNodesRequest](t, "AddNodes", "ClusterId=c&Count=2&AutoRenew=TRUE&PeriodUnit=week")
	if !nodes.AutoRenew || nodes.PeriodUnit != "Week" || nodes.Count != 2 {
		t.Errorf("got %+v", nodes)
	}
	gws := bind[api.CreateGWSInstanceRequest](t, "CreateGWSInstance", "ClusterId=c&AllocatePublicAddress=yes&ImageId=i&"+
		"InstanceType=t&SystemDiskCategory=cloud&SystemDiskSize=40&VSwitchId=v&WorkMode=desktop&Name=n")
	if !gws.AllocatePublicAddress || gws.WorkMode != "Desktop" {
		t.Errorf("got %+v", gws)
	}
	cluster := bind[api.CreateClusterRequest](t, "CreateCluster", "Name=ab&RamNodeTypes=manager,compute") // as Terraform sends it
	if !reflect.DeepEqual(cluster.RamNodeTypes, []string{"manager", "compute"}) {
		t.Errorf("got %+v", cluster)
	}
	command := bind[api.InvokeShellCommandRequest](t, "InvokeShellCommand", "ClusterId=c&Command=x&Timeout=1")
	if command.Timeout != 60 {
		t.Errorf("the timeout is %d, want it raised to 60", command.Timeout)
	}
	scale := bind[api.SetAutoScaleConfigRequest](t, "SetAutoScaleConfig", "ClusterId=c&Queues.1.InstanceTypes=a,b&Quenes.1.QueueName=q&Queues.1.DataDisks.1.DataDiskSize=5")
	if len(scale.Queues) != 1 || scale.Queues[0].InstanceTypesText != "a,b" || scale.Queues[0].QueueName != "q" || len(scale.Queues[0].DataDisks) != 1 {
		t.Errorf("got %+v", scale)
	}
}
