package slurm

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ehpc/internal/scheduler"
)

// takes makes Slurm's commands take so long, and the question whether the
// controller is there; zero is for ever. The commands end as err says.
func takes(c *client, command, ping time.Duration, err error) {
	c.exec = func(ctx context.Context, what call) ([]byte, string, error) {
		long, end := command, err
		if what.argv[1] == "ping" {
			long, end = ping, nil
		}
		ended := make(<-chan time.Time)
		if long > 0 {
			ended = time.After(long)
		}
		select {
		case <-ended:
			return []byte("done"), "", end
		case <-ctx.Done():
			return nil, "", errors.New("signal: killed")
		}
	}
}

func TestASlowController(t *testing.T) {
	t.Parallel()
	refused := errors.New("exit status 1")
	for name, c := range map[string]struct {
		command, ping time.Duration
		err, want     error
	}{
		"a command that takes 45 s is waited for":         {45 * time.Second, time.Second, nil, nil},
		"a command that never ends is given up":           {0, time.Second, nil, context.DeadlineExceeded},
		"a controller that answers after 9 s is there":    {time.Second, 9 * time.Second, refused, scheduler.ErrRejected},
		"a controller that never answers is told as gone": {time.Second, 0, refused, scheduler.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := &client{}
				takes(client, c.command, c.ping, c.err)
				if _, err := client.run(t.Context(), call{argv: []string{"squeue", "--json"}}); !errors.Is(err, c.want) {
					t.Errorf("err = %v, not %v", err, c.want)
				}
			})
		})
	}
}
