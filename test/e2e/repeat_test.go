package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"ehpc/client"
	"ehpc/test/e2e/rig"
)

// testGivingUp has clients that do not wait for the answer to SubmitJob and ask
// again with the same client token: each has one job, which runs once.
func testGivingUp(t *testing.T, c *rig.Cluster) {
	base, _ := seed(t)
	random := rand.New(rand.NewPCG(base, 0))
	hopper := c.AddAccount(t, "hopper", "users")
	const clients = 12
	began, ids := time.Now(), map[string]string{}
	gaveUp := 0
	for n := range clients {
		name := fmt.Sprintf("impatient.%d", n)
		params := submitParams(c, hopper, name, "echo "+name+" >> names", false)
		id := ""
		for try := 0; id == ""; try++ {
			patience := time.Duration(random.Int64N(int64(10 * time.Millisecond << (2 * try)))) // a submission takes some 10 ms
			if try == 3 {
				patience = rig.ComeUp
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			answer, err := submitOnce(ctx, c.Client, params)
			cancel()
			var refused *client.Error
			switch {
			case err == nil:
				id = answer
			case errors.As(err, &refused) || try == 3:
				t.Fatalf("%s, at try %d: %v", name, try, err)
			default:
				gaveUp++
			}
		}
		if again, err := submitOnce(t.Context(), c.Client, params); err != nil || again != id {
			t.Errorf("%s, asked for once more: %q, %v; it was %q", name, again, err, id)
		}
		ids[id] = name
	}
	if len(ids) != clients || gaveUp == 0 {
		t.Errorf("%d clients, who gave up %d times, have %d jobs", clients, gaveUp, len(ids))
	}
	for id := range ids {
		c.AwaitJob(t, id, "COMPLETED")
	}
	listed := map[string]int{}
	for _, job := range c.JobsSince(t, began) {
		listed[job.Name]++
	}
	runs := c.Count(t, "home", "hopper", "names")
	for id, name := range ids {
		if runs[name] != 1 || listed[name] != 1 {
			t.Errorf("job %s (%s) ran %d times and is listed %d times", id, name, runs[name], listed[name])
		}
	}
}
