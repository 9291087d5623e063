package api_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"ehpc/api"
)

func TestErrorfKeepsTheCauseFromTheCaller(t *testing.T) {
	t.Parallel()
	cause := &fs.PathError{Op: "open", Path: "/secret", Err: fs.ErrPermission}
	tests := []struct {
		name, message string
		err           *api.Error
		wraps         bool
	}{
		{"a wrapped cause is hidden", "cannot read job 7", api.InternalError.Errorf("cannot read job %d: %w", 7, cause), true},
		{"a hidden cause may stand anywhere", "cannot read  today", api.InternalError.Errorf("cannot read %w today", cause), true},
		{"an error that is printed is shown", "cannot read: " + cause.Error(), api.InternalError.Errorf("cannot read: %v", cause), false},
		{"one shown and one hidden", "cannot read: " + fs.ErrExist.Error(), api.InternalError.Errorf("cannot read: %v: %w", fs.ErrExist, cause), true},
		{"no cause at all", "cannot read 100% of it", api.InternalError.Errorf("cannot read 100%% of it"), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.err.Message != test.message {
				t.Errorf("the message is %q, want %q", test.err.Message, test.message)
			}
			if errors.Is(test.err, fs.ErrPermission) != test.wraps {
				t.Errorf("the cause is %v", test.err.Cause)
			}
		})
	}
}

func TestErrorsAreToldApartByTheirCode(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("while testing: %w", api.ClusterNotFound.Errorf("cannot find cluster %s", "c"))
	if !api.ClusterNotFound.Is(err) || api.VpcNotFound.Is(err) || api.ClusterNotFound.Is(nil) {
		t.Error("Code.Is does not compare the codes")
	}
	if !errors.Is(err, &api.Error{Code: api.ClusterNotFound}) || errors.Is(err, &api.Error{Code: api.VpcNotFound}) {
		t.Error("errors.Is does not compare the codes")
	}
	if got := err.Error(); got != "while testing: ClusterNotFound: cannot find cluster c" {
		t.Error(got)
	}
}

func TestMissingNamesThePlainParameter(t *testing.T) {
	t.Parallel()
	for param, want := range map[string]string{
		"ClusterId":       "MissingClusterId",
		"User.1.Name":     "MissingParameter",
		"EcsOrder.Login.": "MissingParameter",
	} {
		if got := api.Missing(param); got != (api.Code{Name: want, HTTP: 400}) {
			t.Errorf("%s: got %v", param, got)
		}
	}
}
