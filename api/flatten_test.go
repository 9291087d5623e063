package api

import (
	"net/url"
	"reflect"
	"strconv"
	"testing"
)

// full fills every field of a request, lists with two elements, with values
// that differ from each other and from zero.
func full(v reflect.Value, next *int) {
	*next++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			full(v.Field(i), next)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		full(v.Elem(), next)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			full(v.Index(i), next)
		}
	case reflect.String:
		v.SetString("text " + strconv.Itoa(*next))
	case reflect.Bool:
		v.SetBool(*next%2 == 0)
	case reflect.Int:
		v.SetInt(int64(1000 + *next)) // beyond every smallest value
	case reflect.Float64:
		v.SetFloat(float64(*next) + 0.5)
	}
}

// rebuild puts parameters back into a request as Bind does, without its checks.
func rebuild(a *Action, values url.Values) any {
	b := &binder{action: a, values: make(map[*Param][]given)}
	b.collect(values)
	return b.build()
}

func TestEveryRequestComesBackFromItsParameters(t *testing.T) {
	t.Parallel()
	for _, a := range Actions() {
		t.Run(a.Name, func(t *testing.T) {
			next := 0
			request := a.NewRequest()
			full(reflect.ValueOf(request).Elem(), &next)
			action, values, err := Flatten(request)
			if err != nil || action != a {
				t.Fatalf("flattened as %v: %v", action, err)
			}
			for key := range values {
				if at := a.paths().walk(key); at.rest != "" || at.node.param == nil {
					t.Errorf("%s is no parameter of the action", key)
				}
			}
			if got := rebuild(a, values); !reflect.DeepEqual(got, request) {
				t.Errorf("got  %+v\nwant %+v", got, request)
			}
		})
	}
}

func TestAnEmptyRequestGetsTheDefaults(t *testing.T) {
	t.Parallel()
	_, values, err := Flatten(ListClustersRequest{})
	if err != nil || len(values) != 0 {
		t.Fatalf("flattened as %v, %v", values, err)
	}
	action, values, err := Flatten(&DescribeClusterRequest{ClusterId: "ehpc-hz-1"})
	if err != nil || action.Name != "DescribeCluster" || values.Encode() != "ClusterId=ehpc-hz-1" {
		t.Fatalf("flattened as %v, %v", values, err)
	}
	request, err := Bind(action, values)
	if err != nil || request.(*DescribeClusterRequest).ClusterId != "ehpc-hz-1" {
		t.Errorf("bound as %+v, %v", request, err)
	}
}

func TestAZeroThatWasAskedForIsWritten(t *testing.T) {
	t.Parallel()
	none := 0
	_, values, err := Flatten(CreateClusterRequest{EcsOrder: CreateClusterRequestEcsOrder{Compute: CreateClusterRequestCompute{Count: &none}}})
	if err != nil || values.Get("EcsOrder.Compute.Count") != "0" {
		t.Errorf("flattened as %v, %v", values, err)
	}
}

func TestOnlyRequestsAreFlattened(t *testing.T) {
	t.Parallel()
	type ListClustersRequest struct{ Name string }
	for _, bad := range []any{nil, "text", DescribeClusterResponse{}, struct{}{}, ListClustersRequest{}, (*DescribeClusterRequest)(nil)} {
		if action, values, err := Flatten(bad); err == nil {
			t.Errorf("a %T is flattened as %v, %v", bad, action, values)
		}
	}
}
