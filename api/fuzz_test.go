package api_test

import (
	"errors"
	"net/url"
	"reflect"
	"testing"

	"ehpc/api"
)

// Whatever arrives, Bind either refuses it with a message or makes a request
// that is written and read again without a change.
func FuzzBind(f *testing.F) {
	f.Add("CreateCluster", "Name=melt&EcsOrder.Compute.Count=2&Application.1.Tag=a&AdditionalVolumes.1.Roles.1.Name=Login")
	f.Add("AddNodes", "ClusterId=c&Count=1&DataDisks.1.DataDiskSize=40&AutoRenew=TRUE")
	f.Add("AddUsers", "ClusterId=c&User.2.Name=abcdef&User.01.Name=x&User.-1.Name=x&User.999999999.Name=x")
	f.Add("SetAutoScaleConfig", "ClusterId=c&Queues.1.InstanceTypes=x&Queues.1.InstanceTypes.1.InstanceType=y&Quenes.2.QueueName=z")
	f.Add("CreateHybridCluster", "Nodes=[]&Nodes.1.Role=Manager&Name=%e4%b8%80%ff")
	f.Add("InvokeShellCommand", "ClusterId=c&Command=x&Timeout=-5&Instance.1.Id=i&WorkingDir=%00")
	f.Add("DescribePrice", "Commodities.1.DataDisks.1.size=1&Commodities.1.DataDisks.2.category=x&PriceUnit=Hour")
	f.Add("SubmitServerlessJob", "ClusterId=c&JobName=j&Cpu=1.5&Memory=NaN&Container={\"Gpu\":1}")
	f.Add("ListJobsWithFilters", `ClusterId=c&Users=["a","b"]&Queues=x,y&Nodes=[z]`)
	f.Add("CreateCluster", `Name=ab&EcsOrder={"Compute":{"Count":2}}&Application=[{Tag:a}]&RamNodeTypes.x=1&Name.1=2`)
	f.Fuzz(func(t *testing.T, name, raw string) {
		a, ok := api.Lookup(name)
		if !ok {
			return
		}
		values, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		request, err := api.Bind(a, values)
		if err != nil {
			var fault *api.Error
			if !errors.As(err, &fault) || fault.Message == "" || fault.Code.HTTP != 400 {
				t.Fatalf("refused with %#v", err)
			}
			return
		}
		once := rebound(t, a, request)
		if twice := rebound(t, a, once); !reflect.DeepEqual(once, twice) {
			t.Fatalf("was %+v\nis  %+v", once, twice)
		}
	})
}

// rebound writes a request and reads it again.
func rebound(t *testing.T, a *api.Action, request any) any {
	t.Helper()
	action, values, err := api.Flatten(request)
	if err != nil || action != a {
		t.Fatalf("%+v is not written: %v", request, err)
	}
	again, err := api.Bind(a, values)
	if err != nil {
		t.Fatalf("%+v does not bind again: %v", request, err)
	}
	return again
}
