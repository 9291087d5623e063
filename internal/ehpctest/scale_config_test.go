package ehpctest

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ehpc/api"
	provfake "ehpc/internal/provider/fake"
)

func (p *Plane) scaleConfig(t *testing.T, id string) (a api.GetAutoScaleConfigResponse) {
	t.Helper()
	must(t, p.Do(t.Context(), &api.GetAutoScaleConfigRequest{ClusterId: id}, &a))
	a.RequestId = ""
	return a
}

// told tells whether a line of the cluster's log holds all of the words.
func (p *Plane) told(t *testing.T, id string, words ...string) bool {
	t.Helper()
	var logs api.ListClusterLogsResponse
	must(t, p.Do(t.Context(), &api.ListClusterLogsRequest{ClusterId: id, PageNumber: 1, PageSize: 100}, &logs))
	return slices.ContainsFunc(logs.Logs.LogInfo, func(l api.ListClusterLogsLogInfo) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(l.Message, word) })
	})
}

func TestAutoScaleSettings(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := p.Create(t, 1)
	must(t, call(t, p, "AddQueue", "ClusterId", id, "QueueName", "night"))
	t.Run("a cluster that was given none has the default ones", func(t *testing.T) {
		a := p.scaleConfig(t, id)
		if a.ClusterId != id || a.ClusterType != "slurm" || a.Uid != "owner" || a.EnableAutoGrow || a.EnableAutoShrink || a.GrowIntervalInMinutes != 2 ||
			a.ShrinkIntervalInMinutes != 2 || a.ShrinkIdleTimes != 3 || a.GrowTimeoutInMinutes != 20 || a.ExtraNodesGrowRatio != 0 ||
			a.MaxNodesInCluster != 100 || a.GrowRatio != 100 || a.SpotStrategy != "NoSpot" || a.Queues.QueueInfo == nil || len(a.Queues.QueueInfo) != 0 {
			t.Errorf("got %+v", a)
		}
	})
	t.Run("what is set is shown, whichever spelling it came in", func(t *testing.T) {
		must(t, call(t, p, "SetAutoScaleConfig", "ClusterId", id, "EnableAutoGrow", "false", "EnableAutoShrink", "false", "GrowIntervalInMinutes", "3",
			"ShrinkIntervalInMinutes", "4", "ShrinkIdleTimes", "5", "GrowTimeoutInMinutes", "30", "ExtraNodesGrowRatio", "2", "GrowRatio", "50",
			"MaxNodesInCluster", "7", "ExcludeNodes", "compute000, compute777", "SpotPriceLimit", "0.5",
			"Queues.1.QueueName", "night", "Quenes.1.EnableAutoShrink", "true", "Queues.1.InstanceTypes", "ecs.n1.tiny", "Queues.1.SpotPriceLimit", "0.066",
			"Queues.1.MaxNodesInQueue", "4", "Queues.1.MinNodesInQueue", "0", "Queues.1.MaxNodesPerCycle", "3", "Queues.1.MinNodesPerCycle", "2",
			"Quenes.2.QueueName", "workq", "Queues.2.InstanceTypes.1.InstanceType", "ecs.n1.small"))
		a := p.scaleConfig(t, id)
		if a.GrowIntervalInMinutes != 3 || a.ShrinkIntervalInMinutes != 4 || a.ShrinkIdleTimes != 5 || a.GrowTimeoutInMinutes != 30 || a.ExtraNodesGrowRatio != 2 ||
			a.GrowRatio != 50 || a.MaxNodesInCluster != 7 || a.ExcludeNodes != "compute000, compute777" || a.SpotPriceLimit != 0.5 || len(a.Queues.QueueInfo) != 2 {
			t.Fatalf("got %+v", a)
		}
		night, work := a.Queues.QueueInfo[0], a.Queues.QueueInfo[1]
		if night.QueueName != "night" || night.EnableAutoGrow || !night.EnableAutoShrink || night.InstanceType != "ecs.n1.tiny" || night.SpotPriceLimit != 0.066 ||
			len(night.InstanceTypes.InstanceTypeInfo) != 1 || night.MaxNodesInQueue != 4 || night.MaxNodesPerCycle != 3 || night.MinNodesPerCycle != 2 {
			t.Errorf("queue night: %+v", night)
		}
		if work.QueueName != "workq" || work.InstanceType != "ecs.n1.small" || work.EnableAutoShrink {
			t.Errorf("queue workq: %+v", work)
		}
		if !p.told(t, id, "ExcludeNodes", "compute777") || p.told(t, id, "ExcludeNodes", "compute000,") {
			t.Error("the log does not warn of compute777 alone")
		}
	})
	t.Run("what is not given has its default again", func(t *testing.T) {
		must(t, call(t, p, "SetAutoScaleConfig", "ClusterId", id, "Queues.1.QueueName", "night", "Queues.1.InstanceType", "ecs.n1.medium"))
		a := p.scaleConfig(t, id)
		if a.GrowIntervalInMinutes != 2 || a.MaxNodesInCluster != 100 || a.ExcludeNodes != "" || len(a.Queues.QueueInfo) != 1 || a.Queues.QueueInfo[0].InstanceType != "ecs.n1.medium" {
			t.Errorf("got %+v", a)
		}
	})
	t.Run("several types and their prices are shown in order, and what holds for them", func(t *testing.T) {
		must(t, call(t, p, "SetAutoScaleConfig", "ClusterId", id, "SpotStrategy", "SpotWithPriceLimit", "SpotPriceLimit", "0.5",
			"Queues.1.QueueName", "night", "Queues.1.SortedByInventory", "true", "Queues.1.InstanceTypes", "ecs.n1.small, ecs.n1.tiny", "Queues.1.InstanceType", "ecs.n1.medium",
			"Queues.1.InstanceTypes.1.InstanceType", "ecs.n1.tiny", "Queues.1.InstanceTypes.1.SpotStrategy", "SpotAsPriceGo", "Queues.1.InstanceTypes.1.SpotDuration", "1", "Queues.1.InstanceTypes.1.SpotInterruptionBehavior", "Terminate",
			"Queues.1.InstanceTypes.2.InstanceType", "ecs.n1.tiny", "Queues.1.InstanceTypes.2.SpotPriceLimit", "0.7",
			"Queues.2.QueueName", "workq", "Queues.2.SpotStrategy", "NoSpot"))
		a := p.scaleConfig(t, id)
		if a.SpotStrategy != "SpotWithPriceLimit" || a.SpotPriceLimit != 0.5 || len(a.Queues.QueueInfo) != 2 {
			t.Fatalf("got %+v", a)
		}
		night, work := a.Queues.QueueInfo[0], a.Queues.QueueInfo[1]
		want := []api.GetAutoScaleConfigInstanceTypeInfo{
			{InstanceType: "ecs.n1.tiny", SpotStrategy: "SpotAsPriceGo", SpotPriceLimit: 0.5, SpotDuration: 1, SpotInterruptionBehavior: "Terminate"},
			{InstanceType: "ecs.n1.tiny", SpotStrategy: "SpotWithPriceLimit", SpotPriceLimit: 0.7},
			{InstanceType: "ecs.n1.small", SpotStrategy: "SpotWithPriceLimit", SpotPriceLimit: 0.5},
			{InstanceType: "ecs.n1.medium", SpotStrategy: "SpotWithPriceLimit", SpotPriceLimit: 0.5},
		}
		if got := night.InstanceTypes.InstanceTypeInfo; !slices.Equal(got, want) || night.InstanceType != "ecs.n1.tiny" || night.SpotStrategy != "SpotWithPriceLimit" || !night.SortedByInventory {
			t.Errorf("queue night: %+v", night)
		}
		if work.SpotStrategy != "NoSpot" {
			t.Errorf("queue workq: %+v", work)
		}
		var older api.DescribeAutoScaleConfigResponse
		must(t, p.Do(t.Context(), &api.DescribeAutoScaleConfigRequest{ClusterId: id}, &older))
		if older.SpotStrategy != "SpotWithPriceLimit" || older.SpotPriceLimit != "0.5" || older.MaxNodesInCluster != 100 || older.ClusterType != "slurm" || older.Uid != "owner" {
			t.Errorf("the older form: %+v", older)
		}
	})
	t.Run("a queue needs no limit of its own where each of its types has one", func(t *testing.T) {
		must(t, call(t, p, "SetAutoScaleConfig", "ClusterId", id, "Queues.1.QueueName", "workq", "Queues.1.SpotStrategy", "SpotWithPriceLimit",
			"Queues.1.InstanceTypes.1.InstanceType", "ecs.n1.tiny", "Queues.1.InstanceTypes.1.SpotPriceLimit", "0.1"))
		if got := p.scaleConfig(t, id).Queues.QueueInfo[0]; got.SpotStrategy != "SpotWithPriceLimit" || got.InstanceTypes.InstanceTypeInfo[0].SpotPriceLimit != 0.1 {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a queue's go with the queue", func(t *testing.T) {
		must(t, call(t, p, "DeleteQueue", "ClusterId", id, "QueueName", "night"))
		must(t, call(t, p, "AddQueue", "ClusterId", id, "QueueName", "night"))
		if a := p.scaleConfig(t, id); slices.ContainsFunc(a.Queues.QueueInfo, func(q api.GetAutoScaleConfigQueueInfo) bool { return q.QueueName == "night" }) {
			t.Errorf("got %+v", a.Queues)
		}
	})
	t.Run("another's cluster shows nothing", func(t *testing.T) {
		stranger := anotherKey(t, p, "stranger")
		err := stranger.Do(t.Context(), &api.GetAutoScaleConfigRequest{ClusterId: id}, &api.GetAutoScaleConfigResponse{})
		if got := codeOf(t, err); got != "ClusterNotFound" {
			t.Errorf("%v", err)
		}
	})
	t.Run("a maximum below what there is takes nothing away", func(t *testing.T) {
		must(t, call(t, p, "AddNodes", "ClusterId", id, "Count", "1"))
		must(t, call(t, p, "SetAutoScaleConfig", "ClusterId", id, "MaxNodesInCluster", "1"))
		if got := p.scaleConfig(t, id).MaxNodesInCluster; got != 1 || !p.told(t, id, "MaxNodesInCluster is 1", "has 2 compute nodes") {
			t.Errorf("MaxNodesInCluster %d", got)
		}
	})
	for _, c := range []struct{ name, params, code, says string }{
		{"a pause too long", "GrowIntervalInMinutes=11", "InvalidParams", "GrowIntervalInMinutes"},
		{"a pause too short", "ShrinkIntervalInMinutes=1", "InvalidParams", "ShrinkIntervalInMinutes"},
		{"too many checks", "ShrinkIdleTimes=6", "InvalidParams", "ShrinkIdleTimes"},
		{"a time to start too short", "GrowTimeoutInMinutes=9", "InvalidParams", "GrowTimeoutInMinutes"},
		{"more than everything", "GrowRatio=101", "InvalidParams", "GrowRatio"},
		{"an extra of more than everything", "ExtraNodesGrowRatio=101", "InvalidParams", "ExtraNodesGrowRatio"},
		{"no nodes at all", "MaxNodesInCluster=0", "InvalidParams", "MaxNodesInCluster"},
		{"a price that is no number", "SpotPriceLimit=cheap", "InvalidParams", "SpotPriceLimit"},
		{"a queue's price that is no number", "Queues.1.QueueName=workq&Queues.1.SpotPriceLimit=cheap", "InvalidParams", "SpotPriceLimit"},
		{"a price below nothing", "SpotPriceLimit=-1", "InvalidParams", "SpotPriceLimit"},
		{"a limit that is missing", "SpotStrategy=SpotWithPriceLimit", "InvalidParams", "SpotPriceLimit"},
		{"a queue's limit that is missing", "Queues.1.QueueName=workq&Queues.1.SpotStrategy=SpotWithPriceLimit", "InvalidParams", "Queues.1.SpotPriceLimit"},
		{"a type's limit that is missing", "Queues.1.QueueName=workq&Queues.1.InstanceTypes.1.InstanceType=ecs.n1.tiny&Queues.1.InstanceTypes.1.SpotStrategy=SpotWithPriceLimit", "InvalidParams", "Queues.1.InstanceTypes.1.SpotPriceLimit"},
		{"a type's price that is no number", "Queues.1.QueueName=workq&Queues.1.InstanceTypes.1.InstanceType=ecs.n1.tiny&Queues.1.InstanceTypes.1.SpotPriceLimit=cheap", "InvalidParams", "Queues.1.InstanceTypes.1.SpotPriceLimit"},
		{"a price that is infinite", "SpotPriceLimit=1e300", "InvalidParams", "SpotPriceLimit"},
		{"a strategy that is none", "SpotStrategy=Cheap", "InvalidParams", "SpotStrategy"},
		{"a type's strategy that is none", "Queues.1.QueueName=workq&Queues.1.InstanceTypes.1.InstanceType=ecs.n1.tiny&Queues.1.InstanceTypes.1.SpotStrategy=Cheap", "InvalidParams", "Queues.1.InstanceTypes.1.SpotStrategy"},
		{"what is a type's without the type", "Queues.1.QueueName=workq&Queues.1.InstanceTypes.1.SpotPriceLimit=1", "InvalidParams", "Queues.1.InstanceTypes.1.InstanceType"},
		{"hours below nothing", "Queues.1.QueueName=workq&Queues.1.InstanceTypes.1.InstanceType=ecs.n1.tiny&Queues.1.InstanceTypes.1.SpotDuration=-1", "InvalidParams", "Queues.1.InstanceTypes.1.SpotDuration"},
		{"a queue that is not there", "Queues.1.QueueName=workq&Queues.2.QueueName=none", "ObjectNotFound", "Queues.2.QueueName"},
		{"a queue without a name", "Queues.1.EnableAutoGrow=true", "ObjectNotFound", "Queues.1.QueueName"},
		{"a queue twice", "Queues.1.QueueName=workq&Queues.2.QueueName=workq", "InvalidParams", "Queues.2.QueueName"},
		{"a type that is none", "Queues.1.QueueName=workq&Queues.1.InstanceTypes=ecs.none", "InvalidParams", "Queues.1.InstanceTypes"},
		{"a type among others that is none", "Queues.1.QueueName=workq&Queues.1.InstanceTypes=ecs.n1.tiny,ecs.none", "InvalidParams", "Queues.1.InstanceTypes"},
		{"too many types", "Queues.1.QueueName=workq&Queues.1.InstanceTypes=ecs.n1.tiny,ecs.n1.small,ecs.n1.medium,ecs.n1.large,ecs.n2.small,ecs.n2.medium,ecs.n4.small,ecs.n4.large,ecs.n4.xlarge,ecs.c5.large,ecs.c5.xlarge", "InvalidParams", "Queues.1.InstanceTypes"},
		{"a least above the most", "Queues.1.QueueName=workq&Queues.1.MinNodesInQueue=3&Queues.1.MaxNodesInQueue=2", "InvalidParams", "Queues.1.MinNodesInQueue"},
		{"a most below nothing", "Queues.1.QueueName=workq&Queues.1.MaxNodesInQueue=-1", "InvalidParams", "Queues.1.MaxNodesInQueue"},
		{"another image", "ImageId=m-1", "InvalidParams", "ImageId"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := p.scaleConfig(t, id)
			params, err := url.ParseQuery("ClusterId=" + id + "&" + c.params)
			must(t, err)
			_, err = p.Call(t.Context(), "SetAutoScaleConfig", params)
			if got := codeOf(t, err); got != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %s and a message with %q", err, c.code, c.says)
			}
			if after := p.scaleConfig(t, id); !reflect.DeepEqual(after, before) {
				t.Errorf("the settings are %+v", after)
			}
		})
	}
}
