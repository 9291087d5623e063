package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"ehpc/client"
)

// usageError says that a command line was not understood.
type usageError struct{ command, message string }

func (e *usageError) Error() string { return e.message }

// overtime is that something was not over within its limit.
type overtime struct {
	limit time.Duration
	away  bool // nor did the service answer then
}

func (o overtime) Error() string {
	if o.away {
		return fmt.Sprintf("it was not over within %s, and the service does not answer", o.limit)
	}
	return fmt.Sprintf("it was not over within %s", o.limit)
}

// jobFailed is that a job did not complete.
type jobFailed struct{ how string }

func (e *jobFailed) Error() string { return "it ended " + e.how }

// absent is that what was named is not there.
type absent string

func (a absent) Error() string { return string(a) }

// failure is what could not be done and why.
type failure struct {
	doing string // "create cluster lab"
	cause error
}

func (e *failure) Error() string {
	var refused *client.Error
	if errors.Is(e.cause, context.Canceled) {
		return "interrupted: cannot " + e.doing
	}
	if errors.As(e.cause, &refused) {
		message := strings.TrimSuffix(refused.Message, ".")
		if !strings.HasPrefix(message, "cannot ") { // else it says itself what was attempted
			message = "cannot " + e.doing + ": " + message
		}
		return fmt.Sprintf("%s (%s, request %s)", message, refused.Code, refused.RequestID)
	}
	return fmt.Sprintf("cannot %s: %v", e.doing, e.cause)
}

func (e *failure) Unwrap() error { return e.cause }

// explain is the error with what to do about it, where that is known.
func explain(err error) string {
	if hint := hint(err); hint != "" {
		return err.Error() + "\n  " + hint
	}
	return err.Error()
}

func hint(err error) string {
	var usage *usageError
	if errors.As(err, &usage) {
		return "see: " + usage.command + " --help"
	}
	var unset *unconfigured
	if errors.As(err, &unset) {
		return "give --credentials FILE (ehpc dev writes one, credentials.env, into its data directory) or set the variables"
	}
	var name *taken
	if errors.As(err, &name) {
		return "--if-absent takes the one that is there, --duplicate makes another"
	}
	var refused *client.Error
	if errors.As(err, &refused) {
		return codeHints[refused.Code]
	}
	var untrusted *tls.CertificateVerificationError
	var late overtime
	var unreachable *client.Unreachable
	switch {
	case errors.As(err, &untrusted):
		return "if the service made its certificate itself, trust the tls.crt in its data directory: --ca-file"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: start a service with `ehpc dev --data DIR`, or say where it is with --credentials or --endpoint"
	case errors.Is(err, context.Canceled):
		return "what was asked for goes on at the service"
	case errors.As(err, &unreachable):
		return "see that the service runs, and that --endpoint or the credentials say where it is"
	case errors.As(err, &late):
		return "it may still come about: look with `ehpc cluster show` or `ehpc job list`, or wait longer with --timeout"
	}
	return ""
}

// codeHints say what to do next about the codes that people meet.
var codeHints = map[string]string{
	"InvalidAccessKeyId.NotFound": "the service does not know this access key: use the credentials.env in its data directory (--credentials)",
	"SignatureDoesNotMatch":       "the access key's secret is wrong: use the credentials.env in the service's data directory (--credentials)",
	"InvalidTimeStamp.Expired":    "this machine's clock and the service's differ: set them right",
	"ClusterNotFound":             "see what there is: ehpc cluster list",
	"InvalidClusterStatus":        "see how it is: ehpc cluster show CLUSTER, and why: ehpc cluster logs CLUSTER",
	"IncorrectCredential":         "the account or its password is wrong: see ehpc user list CLUSTER",
	"NotImplemented":              "this service does not have that action yet",
	"Throttling.User":             "too many requests: try again in a moment",
}

// Argument checks whose messages name what is missing, in the words of Use.

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	message := fmt.Sprintf("unknown command %q", args[0])
	if !cmd.HasSubCommands() {
		message = fmt.Sprintf("unexpected argument %q", args[0])
	} else if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		message += ", did you mean " + strings.Join(near, " or ") + "?"
	}
	return &usageError{cmd.CommandPath(), message}
}

func argsNamed(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return &usageError{cmd.CommandPath(), "missing " + strings.Join(names[len(args):], " ")}
		}
		if len(args) > len(names) {
			return &usageError{cmd.CommandPath(), fmt.Sprintf("unexpected argument %q", args[len(names)])}
		}
		return nil
	}
}

// argsFrom takes the named arguments and at least one more, called last.
func argsFrom(last string, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) <= len(names) {
			return &usageError{cmd.CommandPath(), "missing " + strings.Join(append(names, last)[len(args):], " ")}
		}
		return nil
	}
}

// unconfigured says which settings are missing.
type unconfigured struct{ names []string }

func (e *unconfigured) Error() string {
	sort.Strings(e.names)
	return fmt.Sprintf("cannot tell where the service is or who asks: %s not set", strings.Join(e.names, ", "))
}
