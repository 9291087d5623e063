package api_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ehpc/api"
)

const requestID = "04F0F334-1335-436C-A1D7-6C044FE73368"

func encode(t *testing.T, format api.Format, action string, response any) string {
	t.Helper()
	var b bytes.Buffer
	if err := api.Encode(&b, format, action, requestID, response); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestEncodeWritesJSON(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, action string
		response     any
		want         string
	}{
		{"an empty list is a list", "AddNodes", &api.AddNodesResponse{},
			`{"RequestId":"` + requestID + `","InstanceIds":{"InstanceId":[]}}`},
		{"what only newer SDKs know is there when it is known", "CreateCluster", &api.CreateClusterResponse{ClusterId: "ehpc-hz-1", TaskId: "t-1"},
			`{"RequestId":"` + requestID + `","ClusterId":"ehpc-hz-1","TaskId":"t-1"}`},
		{"text is not mangled for browsers", "CreateCluster", &api.CreateClusterResponse{ClusterId: "<&>\"\u2028é"},
			`{"RequestId":"` + requestID + `","ClusterId":"<&>\"\u2028é"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := encode(t, api.JSON, test.action, test.response); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestEncodeWritesXML(t *testing.T) {
	t.Parallel()
	got := encode(t, api.XML, "AddNodes", &api.AddNodesResponse{InstanceIds: api.AddNodesInstanceIds{InstanceId: []string{"i-1", "<i-2>\x00"}}})
	want := xml.Header + "<AddNodesResponse><RequestId>" + requestID + "</RequestId><InstanceIds>" +
		"<InstanceId>i-1</InstanceId><InstanceId>&lt;i-2&gt;\ufffd</InstanceId></InstanceIds></AddNodesResponse>"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestEncodeErrorShowsTheMessageButNotTheCause(t *testing.T) {
	t.Parallel()
	err := api.ClusterNotFound.Errorf("cannot delete cluster %s: %w", "c-1", errors.New("secret path"))
	for format, want := range map[api.Format]string{
		api.JSON: `{"RequestId":"R","HostId":"h","Code":"ClusterNotFound","Message":"cannot delete cluster c-1","Recommend":""}`,
		api.XML: xml.Header + `<Error><RequestId>R</RequestId><HostId>h</HostId><Code>ClusterNotFound</Code>` +
			`<Message>cannot delete cluster c-1</Message><Recommend></Recommend></Error>`,
	} {
		var b bytes.Buffer
		if encErr := api.EncodeError(&b, format, "R", "h", err); encErr != nil {
			t.Fatal(encErr)
		}
		if b.String() != want {
			t.Errorf("got  %s\nwant %s", b.String(), want)
		}
	}
}

// Every empty answer must suit clients that take a null or a key "Code" for a
// failure.
func TestEmptyAnswersHoldNoNullAndNoCode(t *testing.T) {
	t.Parallel()
	for _, a := range api.Actions() {
		body := encode(t, api.JSON, a.Name, a.NewResponse())
		if strings.Contains(body, "null") || strings.Contains(body, `"Code":`) {
			t.Errorf("%s: %s", a.Name, body)
		}
		if err := wellFormed(encode(t, api.XML, a.Name, a.NewResponse())); err != nil {
			t.Errorf("%s: %v", a.Name, err)
		}
	}
}

func wellFormed(text string) error {
	dec := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// The document's examples must fit the response types strictly and come out as
// they went in. Members that the example leaves out may be added, when empty.
func TestExamplesSurviveTheResponseTypes(t *testing.T) {
	t.Parallel()
	for _, a := range api.Actions() {
		example := a.Example
		if len(a.Emit) > 0 {
			example = a.Emit
		}
		if len(example) == 0 || string(example) == "null" {
			continue
		}
		t.Run(a.Name, func(t *testing.T) {
			t.Parallel()
			response := a.NewResponse()
			dec := json.NewDecoder(bytes.NewReader(example))
			dec.DisallowUnknownFields()
			if err := dec.Decode(response); err != nil {
				t.Fatal(err)
			}
			var was, is any
			if err := json.Unmarshal(example, &was); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(encode(t, api.JSON, a.Name, response)), &is); err != nil {
				t.Fatal(err)
			}
			got, want := differences("", was, is), accepted()[a.Name]
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("got the differences %q, want %q", got, want)
			}
		})
	}
}

// accepted lists, by action, where our answers are meant to differ from the
// document's examples.
func accepted() map[string][]string {
	return map[string][]string{
		"ListNodesByQueue": {".Nodes.NodeInfo[].PublicIpAddress differs"}, // only SDKs know it: left out when empty
	}
}

// differences lists what the answer lacks or has otherwise than the example,
// and what it adds that is not empty.
func differences(at string, was, is any) []string {
	var out []string
	switch w := was.(type) {
	case map[string]any:
		i, ok := is.(map[string]any)
		if !ok {
			return []string{at + " differs"}
		}
		for key, value := range w {
			out = append(out, differences(at+"."+key, value, i[key])...)
		}
		for key, value := range i {
			if _, shown := w[key]; !shown && !empty(value) {
				out = append(out, at+"."+key+" was made up")
			}
		}
	case []any:
		i, ok := is.([]any)
		if !ok || len(i) != len(w) {
			return []string{at + " differs"}
		}
		for n := range w {
			out = append(out, differences(at+"[]", w[n], i[n])...)
		}
	default:
		if !strings.HasSuffix(at, ".RequestId") && !reflect.DeepEqual(was, is) {
			out = append(out, at+" differs")
		}
	}
	return out
}

func empty(value any) bool {
	switch v := value.(type) {
	case map[string]any:
		for _, member := range v {
			if !empty(member) {
				return false
			}
		}
		return true
	case []any:
		return len(v) == 0
	case string:
		return v == "" || v == requestID // the server's, also where the example lacks it
	}
	return value == false || value == float64(0)
}
