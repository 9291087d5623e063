package classic

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ehpc"
)

// scales sets how a cluster grows and shrinks, and reads it back.
func (c client) scales(t *testing.T, cluster, _ string) {
	set := func(change func(r *ehpc.SetAutoScaleConfigRequest)) error {
		r := ehpc.CreateSetAutoScaleConfigRequest()
		r.ClusterId, r.EnableAutoGrow, r.EnableAutoShrink = cluster, requests.NewBoolean(true), requests.NewBoolean(false)
		r.GrowIntervalInMinutes, r.ShrinkIntervalInMinutes = requests.NewInteger(3), requests.NewInteger(4)
		r.ShrinkIdleTimes, r.GrowTimeoutInMinutes = requests.NewInteger(5), requests.NewInteger(21)
		r.GrowRatio, r.ExtraNodesGrowRatio, r.MaxNodesInCluster = requests.NewInteger(90), requests.NewInteger(2), requests.NewInteger(7)
		r.ExcludeNodes, r.SpotStrategy, r.SpotPriceLimit = "compute001", "SpotWithPriceLimit", requests.NewFloat(0.25)
		r.Queues = &[]ehpc.SetAutoScaleConfigQueues{{QueueName: "workq", EnableAutoGrow: "true", EnableAutoShrink: "false", MaxNodesInQueue: "6",
			SpotStrategy: "NoSpot", InstanceTypes: &[]queueType{{InstanceType: "ecs.n1.small"}, {InstanceType: "ecs.n1.medium", SpotStrategy: "SpotWithPriceLimit", SpotPriceLimit: "0.5"}}}}
		change(r)
		_, err := c.sdk.SetAutoScaleConfig(r)
		return err
	}
	var refused sdkerrors.Error
	err := set(func(r *ehpc.SetAutoScaleConfigRequest) { r.GrowIntervalInMinutes = requests.NewInteger(11) })
	if !errors.As(err, &refused) || refused.ErrorCode() != "InvalidParams" {
		t.Errorf("an interval of 11 minutes: %v", err)
	}
	must(t, set(func(*ehpc.SetAutoScaleConfigRequest) {}))

	q := ehpc.CreateGetAutoScaleConfigRequest()
	q.ClusterId = cluster
	got, err := c.sdk.GetAutoScaleConfig(q)
	must(t, err)
	const common = "[true false 3 4 5 21 90 2 7 compute001 SpotWithPriceLimit]"
	if s := fmt.Sprint([]any{got.EnableAutoGrow, got.EnableAutoShrink, got.GrowIntervalInMinutes, got.ShrinkIntervalInMinutes, got.ShrinkIdleTimes, got.GrowTimeoutInMinutes,
		got.GrowRatio, got.ExtraNodesGrowRatio, got.MaxNodesInCluster, got.ExcludeNodes, got.SpotStrategy}); s != common || got.SpotPriceLimit != 0.25 || got.ClusterId != cluster {
		t.Errorf("GetAutoScaleConfig: %s, want %s; %+v", s, common, got)
	}
	if n := len(got.Queues.QueueInfo); n != 1 {
		t.Fatalf("it tells of %d queues", n)
	}
	queue := got.Queues.QueueInfo[0]
	if queue.QueueName != "workq" || !queue.EnableAutoGrow || queue.EnableAutoShrink || queue.MaxNodesInQueue != 6 || queue.SpotStrategy != "NoSpot" {
		t.Errorf("the queue: %+v", queue)
	}
	if types := queue.InstanceTypes.InstanceTypeInfo; len(types) != 2 || types[0].InstanceType != "ecs.n1.small" ||
		types[1].InstanceType != "ecs.n1.medium" || types[1].SpotStrategy != "SpotWithPriceLimit" || types[1].SpotPriceLimit != 0.5 {
		t.Errorf("its instance types: %+v", types)
	}

	d := ehpc.CreateDescribeAutoScaleConfigRequest()
	d.ClusterId = cluster
	told, err := c.sdk.DescribeAutoScaleConfig(d)
	must(t, err)
	if s := fmt.Sprint([]any{told.EnableAutoGrow, told.EnableAutoShrink, told.GrowIntervalInMinutes, told.ShrinkIntervalInMinutes, told.ShrinkIdleTimes, told.GrowTimeoutInMinutes,
		told.GrowRatio, told.ExtraNodesGrowRatio, told.MaxNodesInCluster, told.ExcludeNodes, told.SpotStrategy}); s != common || told.SpotPriceLimit != "0.25" {
		t.Errorf("DescribeAutoScaleConfig: %s, want %s; %+v", s, common, told)
	}
}

// knowsPrices asks for the prices of nodes, images and the service.
func (c client) knowsPrices(t *testing.T, _, _ string) {
	p := ehpc.CreateDescribePriceRequest()
	p.ChargeType, p.PriceUnit, p.OrderType = "PostPaid", "Hour", "INSTANCE-BUY"
	commodity := ehpc.DescribePriceCommodities{InstanceType: "ecs.n1.small", NodeType: "Compute", Amount: "2", Period: "3",
		NetworkType: "VPC", SystemDiskCategory: "cloud_efficiency", SystemDiskSize: "40"}
	p.Commodities = &[]ehpc.DescribePriceCommodities{commodity}
	price, err := c.sdk.DescribePrice(p)
	must(t, err)
	if list := price.Prices.PriceInfo; len(list) != 1 || list[0].NodeType != "Compute" || list[0].TradePrice != 0.96 || list[0].OriginalPrice != 0.96 ||
		list[0].Currency == "" || price.TotalTradePrice != 0.96 {
		t.Errorf("two nodes of 0.16 for three hours: %+v", price)
	}
	i := ehpc.CreateDescribeImagePriceRequest()
	i.ImageId, i.Amount, i.Period, i.PriceUnit, i.OrderType, i.SkuCode = "debian12-ehpc", requests.NewInteger(2), requests.NewInteger(1), "Month", "INSTANCE-BUY", "package"
	image, err := c.sdk.DescribeImagePrice(i)
	must(t, err)
	if image.ImageId != "debian12-ehpc" || image.Amount != 2 || image.TradePrice != 0 {
		t.Errorf("an image without a price: %+v", image)
	}
	pack, err := c.sdk.QueryServicePackAndPrice(ehpc.CreateQueryServicePackAndPriceRequest())
	must(t, err)
	if pack.OriginalAmount < 3 || pack.ChargeAmount != pack.OriginalAmount || pack.Currency == "" || pack.RegionId == "" {
		t.Errorf("the cores of three nodes at least: %+v", pack)
	}
}

// accounts asks for every kind of report on the job, which is all that ran.
func (c client) accounts(t *testing.T, cluster, job string) {
	for _, kind := range []struct {
		name, dim string
		columns   []string
		is        func(row []any) bool
	}{
		{"resources_by_user", "", []string{"user", "job_count", "ncpus_seconds"}, func(row []any) bool { return row[0] == "lovelace" && row[1] == 1.0 }},
		{"total_report", "user", []string{"user", "coreTime", "jobCount", "cost", "currency"}, func(row []any) bool { return row[0] == "lovelace" && row[2] == 1.0 && row[3].(float64) > 0 }},
		{"total_report", "queue", []string{"queue", "coreTime", "jobCount", "cost", "currency"}, func(row []any) bool { return row[0] == "workq" && row[2] == 1.0 }},
		{"total_report", "instance", []string{"instance", "coreTime", "jobCount", "cost", "currency"}, func(row []any) bool { return row[2] == 1.0 }},
		{"number_report", "user", []string{"user", "jobCount", "completed", "failed", "cancelled"}, func(row []any) bool { return fmt.Sprint(row[1:]...) == "1 1 0 0" }},
		{"job_report", "user", []string{"jobId", "state", "nodes", "endTime"}, func(row []any) bool {
			return row[0] == job && row[1] == "COMPLETED" && fmt.Sprint(row[2]) == "[compute000 compute001]" && row[3].(float64) > 0
		}},
	} {
		t.Run(kind.name+" by "+kind.dim, func(t *testing.T) {
			var columns []string
			var rows [][]any
			for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(300 * time.Millisecond) {
				if columns, rows = c.report(t, cluster, kind.name, kind.dim); len(rows) == 1 && kind.is(picked(t, columns, rows[0], kind.columns)) {
					return
				}
			}
			t.Errorf("%v\n%v", columns, rows)
		})
	}
}

// picked are the values of some columns.
func picked(t *testing.T, columns []string, row []any, names []string) (values []any) {
	t.Helper()
	for _, name := range names {
		i := slices.Index(columns, name)
		if i < 0 || i >= len(row) {
			t.Fatalf("there is no column %s: %v, %v", name, columns, row)
		}
		values = append(values, row[i])
	}
	return values
}

// report is what the service answers, as far as the client has fields for it.
func (c client) report(t *testing.T, cluster, kind, dim string) (columns []string, rows [][]any) {
	t.Helper()
	r := ehpc.CreateGetAccountingReportRequest()
	now := int(time.Now().Unix())
	r.ClusterId, r.ReportType, r.Dim = cluster, kind, dim
	r.StartTime, r.EndTime = requests.NewInteger(now-3600), requests.NewInteger(now+60)
	r.PageNumber, r.PageSize = requests.NewInteger(1), requests.NewInteger(10)
	answer, err := c.sdk.GetAccountingReport(r)
	must(t, err)
	if answer.TotalCount != len(answer.Data.Data) || answer.PageNumber != 1 || answer.PageSize != 10 {
		t.Errorf("%d rows, of %d; page %d of %d rows each", len(answer.Data.Data), answer.TotalCount, answer.PageNumber, answer.PageSize)
	}
	must(t, json.Unmarshal([]byte(answer.Metrics), &columns))
	for _, text := range answer.Data.Data {
		var row []any
		must(t, json.Unmarshal([]byte(text), &row))
		rows = append(rows, row)
	}
	return columns, rows
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
