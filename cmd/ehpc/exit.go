package main

import (
	"context"
	"errors"
	"net/http"

	"ehpc/client"
)

// Exit statuses. docs/how-to/command-line.md explains them.
const (
	exitDone        = 0
	exitFailed      = 1   // for a reason that has none of the others
	exitUsage       = 2   // the command line was not understood
	exitRefused     = 3   // by the service, or what was named is not there
	exitJob         = 4   // the job that was followed did not complete
	exitTimeout     = 5   // not over within --timeout
	exitUnreachable = 6   // no answer, or only "try again"
	exitInterrupted = 130 // Ctrl-C, as in a shell
)

// exitStatus ends the program with a status of another program's, and no message.
type exitStatus int

func (s exitStatus) Error() string { return "exit status of another program" }

// interrupted tells whether a command failed since the person ended it.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Canceled)
}

// statusOf is the exit status of a command that ended with err.
func statusOf(ctx context.Context, err error) int {
	var (
		other       exitStatus
		usage       *usageError
		job         *jobFailed
		late        overtime
		missing     absent
		unreachable *client.Unreachable
		refused     *client.Error
	)
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &other):
		return int(other)
	case interrupted(ctx, err):
		return exitInterrupted
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &job):
		return exitJob
	case errors.As(err, &late):
		return exitTimeout
	case errors.As(err, &missing):
		return exitRefused
	case errors.As(err, &unreachable):
		return exitUnreachable
	case errors.As(err, &refused):
		return statusOfRefusal(refused)
	}
	return exitFailed
}

func statusOfRefusal(e *client.Error) int {
	switch e.HTTPStatus {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return exitUnreachable
	case http.StatusInternalServerError:
		return exitFailed
	}
	return exitRefused
}
