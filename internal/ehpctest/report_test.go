package ehpctest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/config"
	provfake "ehpc/internal/provider/fake"
)

// reportRows asks for a report of the last hour, all of its pages.
func (p *Plane) reportRows(t *testing.T, id string, pairs ...string) (columns []string, rows [][]any, a api.GetAccountingReportResponse) {
	t.Helper()
	for page := 1; ; page++ {
		in := values(append([]string{"ClusterId", id, "PageNumber", strconv.Itoa(page),
			"StartTime", fmt.Sprint(time.Now().Add(-time.Hour).Unix()), "EndTime", fmt.Sprint(time.Now().Unix() + 1)}, pairs...)...)
		text, err := p.Call(t.Context(), "GetAccountingReport", in)
		must(t, err)
		a = api.GetAccountingReportResponse{}
		must(t, json.Unmarshal(text, &a))
		must(t, json.Unmarshal([]byte(a.Metrics), &columns))
		for _, text := range a.Data.Data {
			var row []any
			must(t, json.Unmarshal([]byte(text), &row))
			if len(row) != len(columns) {
				t.Fatalf("row %s has not the columns %v", text, columns)
			}
			rows = append(rows, row)
		}
		if page*a.PageSize >= a.TotalCount {
			return columns, rows, a
		}
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 2)
	must(t, call(t, p, "AddUsers", "ClusterId", id, "User.1.Name", "annika", "User.1.Group", "users", "User.1.Password", password))
	w.lasting(id, 1100*time.Millisecond)
	for range 3 {
		submitted(t, p, job(id, "true"))
	}
	q := job(id, "exit 1")
	q.RunasUser, q.ArrayRequest = "annika", "1-4"
	array := submitted(t, p, q)
	p.Until(t, "all have ended", func() bool {
		return !slices.ContainsFunc(p.jobs(t, id), func(j api.ListJobsJobInfo) bool { return j.State != "COMPLETED" })
	})
	t.Run("resources_by_user is the document's, and the default", func(t *testing.T) {
		columns, rows, a := p.reportRows(t, id)
		if fmt.Sprint(columns) != "[user job_count ncpus_seconds]" || len(rows) != 2 || rows[0][0] != "annika" || rows[0][1] != 1. || rows[0][2].(float64) < 4 ||
			rows[1][0] != "worker" || rows[1][1] != 3. || rows[1][2].(float64) < 3 || a.TotalCount != 2 || a.TotalCoreTime < 7 {
			t.Errorf("%v %v %+v", columns, rows, a)
		}
	})
	t.Run("total_report and number_report by queue and instance", func(t *testing.T) {
		_, rows, _ := p.reportRows(t, id, "ReportType", "total_report", "Dim", "queue")
		if len(rows) != 1 || rows[0][0] != "workq" || rows[0][2] != 4. || rows[0][3].(float64) <= 0 || rows[0][4] != "CNY" {
			t.Errorf("%v", rows)
		}
		columns, rows, _ := p.reportRows(t, id, "ReportType", "number_report", "Dim", "instance")
		if fmt.Sprint(columns) != "[instance jobCount completed failed cancelled]" || fmt.Sprint(rows) != "[[ecs.n1.medium 4 4 0 0]]" {
			t.Errorf("%v %v", columns, rows)
		}
		if _, rows, _ := p.reportRows(t, id, "ReportType", "total_report", "FilterValue", "nobody"); len(rows) != 0 {
			t.Errorf("%v", rows)
		}
	})
	t.Run("job_report has a row for each run", func(t *testing.T) {
		columns, rows, a := p.reportRows(t, id, "ReportType", "job_report", "PageSize", "2")
		if len(rows) != 7 || a.TotalCount != 7 || len(columns) != 21 {
			t.Errorf("%v %v %+v", columns, rows, a)
		}
		if _, rows, a := p.reportRows(t, id, "ReportType", "job_report", "JobId", `[{"Id":"`+array+`"}]`); len(rows) != 4 || a.TotalCoreTime < 4 {
			t.Errorf("%v %+v", rows, a)
		}
		if _, rows, _ := p.reportRows(t, id, "ReportType", "job_report", "Dim", "user", "FilterValue", "worker"); len(rows) != 3 {
			t.Errorf("%v", rows)
		}
	})
	t.Run("cost_report comes to the nodes, however it is cut", func(t *testing.T) {
		for _, dim := range []string{"user", "queue", "instance", "job"} {
			columns, rows, _ := p.reportRows(t, id, "ReportType", "cost_report", "Dim", dim, "PageSize", "3")
			if used := fmt.Sprint(columns[6:]); dim == "job" && used != "[cpuTime maxMemory energy measuredNodes]" || dim != "job" && used != "[]" {
				t.Errorf("by %s: of what was used there is %s", dim, used)
			}
			kinds, jobs := map[any]int{}, 0.
			for _, row := range rows {
				kinds[row[0]]++
				jobs += row[2].(float64)
				if row[4].(float64) < 0 {
					t.Errorf("by %s: %v", dim, row)
				}
			}
			if kinds["idle"] != 1 || kinds["management"] != 1 || jobs != 4 || columns[1] != dim {
				t.Errorf("by %s: %v %v", dim, columns, rows)
			}
		}
	})
	t.Run("what goes on counts up to now", func(t *testing.T) {
		w.lasting(id, time.Hour)
		name := submitted(t, p, job(id, "true"))
		p.untilState(t, id, name, "RUNNING")
		time.Sleep(1100 * time.Millisecond)
		_, rows, _ := p.reportRows(t, id, "ReportType", "job_report", "JobId", name)
		if len(rows) != 1 || rows[0][11] != "RUNNING" || rows[0][10] != 0. || rows[0][14].(float64) < 1 || rows[0][15].(float64) <= 0 {
			t.Errorf("%v", rows)
		}
	})
	now := time.Now().Unix()
	for _, c := range []struct {
		name  string
		pairs []string
		code  string
		says  string
	}{
		{"an end before the start", []string{"StartTime", "1576922873", "EndTime", "1576922872"}, "InvalidParams", "EndTime"},
		{"ten years", []string{"StartTime", fmt.Sprint(now - 10*366*86400), "EndTime", fmt.Sprint(now)}, "InvalidParams", "EndTime"},
		{"the future", []string{"StartTime", fmt.Sprint(now + 1000), "EndTime", fmt.Sprint(now + 2000)}, "InvalidParams", "StartTime"},
		{"no start", []string{"EndTime", fmt.Sprint(now)}, "MissingStartTime", "StartTime"},
		{"a negative start", []string{"StartTime", "-1", "EndTime", fmt.Sprint(now)}, "InvalidParams", "StartTime"},
		{"a start that is no number", []string{"StartTime", "soon", "EndTime", fmt.Sprint(now)}, "InvalidParams", "StartTime"},
		{"a start beyond all time", []string{"StartTime", "9223372036854775807", "EndTime", "9223372036854775807"}, "InvalidParams", "EndTime"},
		{"an unknown kind", []string{"StartTime", fmt.Sprint(now - 9), "EndTime", fmt.Sprint(now), "ReportType", "all"}, "InvalidParams", "ReportType"},
		{"an unknown dimension", []string{"StartTime", fmt.Sprint(now - 9), "EndTime", fmt.Sprint(now), "Dim", "colour"}, "InvalidParams", "Dim"},
		{"a dimension that the kind has not", []string{"StartTime", fmt.Sprint(now - 9), "EndTime", fmt.Sprint(now), "Dim", "queue"}, "InvalidParams", "Dim"},
		{"a job of a sum", []string{"StartTime", fmt.Sprint(now - 9), "EndTime", fmt.Sprint(now), "JobId", "1"}, "InvalidParams", "JobId"},
		{"a page without rows", []string{"StartTime", fmt.Sprint(now - 9), "EndTime", fmt.Sprint(now), "PageSize", "0"}, "InvalidParams", "PageSize"},
		{"a page without end", []string{"StartTime", fmt.Sprint(now - 9), "EndTime", fmt.Sprint(now), "PageSize", "51"}, "InvalidParams", "PageSize"},
		{"another cluster", []string{"ClusterId", "ehpc-hz-none", "StartTime", fmt.Sprint(now - 9), "EndTime", fmt.Sprint(now)}, "ClusterNotFound", "ehpc-hz-none"},
	} {
		t.Run(c.name+" is refused", func(t *testing.T) {
			_, err := p.Call(t.Context(), "GetAccountingReport", values(append([]string{"ClusterId", id}, c.pairs...)...))
			if got := codeOf(t, err); got != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %s and a message with %q", err, c.code, c.says)
			}
		})
	}
	t.Run("a page far behind the last is empty", func(t *testing.T) {
		for _, kind := range []string{"total_report", "job_report", "cost_report"} {
			text, err := p.Call(t.Context(), "GetAccountingReport", values("ClusterId", id, "ReportType", kind, "PageNumber", "2147483647", "PageSize", "50",
				"StartTime", fmt.Sprint(now-3600), "EndTime", fmt.Sprint(now)))
			must(t, err)
			var a api.GetAccountingReportResponse
			must(t, json.Unmarshal(text, &a))
			if len(a.Data.Data) != 0 || a.TotalCount == 0 {
				t.Errorf("%s: %+v", kind, a)
			}
		}
	})
}

func TestPrices(t *testing.T) {
	t.Parallel()
	year := time.Now().AddDate(1, 0, 0).Truncate(time.Second)
	p := Start(t, NewWorld(provfake.Options{}), Options{Config: func(c *config.Config) {
		c.ServicePacks = []config.ServicePack{{Name: "now", Capacity: 3, From: year.AddDate(-2, 0, 0), To: year}, {Name: "later", Capacity: 100, From: year, To: year.AddDate(1, 0, 0)}}
		c.ServicePrice = config.ServicePrice{CoreHour: 0.02, Discount: 0.005}
		c.ImagePrices = map[string]float64{"m-1": 0.8}
	}})
	p.Create(t, 2)
	var packs api.QueryServicePackAndPriceResponse
	must(t, p.Do(t.Context(), &api.QueryServicePackAndPriceRequest{}, &packs))
	if i := packs.ServicePack.ServicePackInfo; packs.OriginalAmount != 7 || packs.ChargeAmount != 4 || packs.TradePrice != 0.015 || packs.OriginalPrice != 0.02 || packs.DiscountPrice != 0.005 ||
		len(i) != 2 || i[0].EndTime != int(year.Unix()) || i[0].Capacity != 3 || packs.Currency != "CNY" {
		t.Errorf("%+v", packs)
	}
	var image api.DescribeImagePriceResponse
	q := &api.DescribeImagePriceRequest{ImageId: "m-1", PriceUnit: "Week", SkuCode: "ECS", Amount: 2, Period: 3}
	must(t, p.Do(t.Context(), q, &image))
	if image.TradePrice != 0.8*2*3*168 || image.Amount != 2 || image.ImageId != "m-1" {
		t.Errorf("%+v", image)
	}
	q.ImageId = "debian12-ehpc"
	if must(t, p.Do(t.Context(), q, &image)); image.TradePrice != 0 {
		t.Errorf("%+v", image)
	}
	var nodes api.DescribePriceResponse
	must(t, p.Do(t.Context(), &api.DescribePriceRequest{PriceUnit: "Hour", Commodities: []api.DescribePriceRequestCommodities{
		{InstanceType: "ecs.c5.large", NodeType: "Compute", Amount: 3, Period: 1}, {InstanceType: "ecs.n1.tiny", NodeType: "Manager", Amount: 1, Period: 2}}}, &nodes))
	if nodes.TotalTradePrice != 1.4 || len(nodes.Prices.PriceInfo) != 2 || nodes.Prices.PriceInfo[0].TradePrice != 1.2 {
		t.Errorf("%+v", nodes)
	}
	for _, c := range []struct{ name, action, params, code, says string }{
		{"an unknown image", "DescribeImagePrice", "ImageId=m-2&PriceUnit=Hour&SkuCode=ECS&Amount=1&Period=1", "ImageNotFound", "ImageId"},
		{"no amount", "DescribeImagePrice", "ImageId=m-1&PriceUnit=Hour&SkuCode=ECS&Amount=0&Period=1", "InvalidParams", "Amount"},
		{"an unknown unit", "DescribeImagePrice", "ImageId=m-1&PriceUnit=Day&SkuCode=ECS&Amount=1&Period=1", "InvalidParams", "PriceUnit"},
		{"an unknown type", "DescribePrice", "PriceUnit=Hour&Commodities.1.InstanceType=none&Commodities.1.NodeType=Compute&Commodities.1.Amount=1&Commodities.1.Period=1", "InvalidParams", "Commodities.1.InstanceType"},
		{"no period of the second", "DescribePrice", "PriceUnit=Hour&Commodities.1.InstanceType=ecs.n1.tiny&Commodities.1.NodeType=Compute&Commodities.1.Amount=1&Commodities.1.Period=1&" +
			"Commodities.2.InstanceType=ecs.n1.tiny&Commodities.2.NodeType=Compute&Commodities.2.Amount=1&Commodities.2.Period=0", "InvalidParams", "Commodities.2.Period is 0"},
		{"no nodes", "DescribePrice", "PriceUnit=Hour", "", "Commodities"},
	} {
		in, err := url.ParseQuery(c.params)
		must(t, err)
		_, err = p.Call(t.Context(), c.action, in)
		if err == nil || c.code != "" && codeOf(t, err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %s and a message with %q", c.name, err, c.code, c.says)
		}
	}
}
