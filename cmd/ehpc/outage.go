package main

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"

	"ehpc/client"
)

// shortOutage is how long a service may be away without a word.
const shortOutage = time.Second

// outage tells people that the service is away, once, and that it is back.
type outage struct {
	say      func(line string)
	endpoint string
	away     bool // that was said
	asked    bool // to try again, that was said
}

// trying is told of each failure that is tried again, and of the answer that
// ends them.
func (o *outage) trying(err error, since time.Duration) {
	var refused *client.Error
	ours := errors.As(err, &refused) && refused.Code != client.NotOurs
	switch {
	case err == nil:
		if o.away {
			o.say(fmt.Sprintf("the service answers again, after %s", since.Round(time.Second)))
		}
		o.away, o.asked = false, false
	case o.away || since < shortOutage:
	case !ours:
		o.away = true
		o.say(fmt.Sprintf("the service at %s does not answer; trying again", o.endpoint))
	case !o.asked:
		o.asked = true
		o.say(fmt.Sprintf("the service cannot do it now (%s); trying again", refused.Code))
	}
}

// alwaysWaits marks commands that wait without a flag that says so.
const alwaysWaits = "waits"

// forever is for what waits until somebody ends it.
const forever = time.Duration(math.MaxInt64)

// patience is how long a command goes on with a service that is away: one that
// waits as long as it would wait, others for --retry-for.
func (c *cli) patience(cmd *cobra.Command) time.Duration {
	if !waits(cmd) {
		return c.where.retryFor
	}
	limit, err := cmd.Flags().GetDuration("timeout")
	if err != nil { // it has none
		return forever
	}
	return max(limit, c.where.retryFor)
}

func waits(cmd *cobra.Command) bool {
	if cmd.Annotations[alwaysWaits] != "" {
		return true
	}
	for _, name := range []string{"wait", "follow"} {
		if asked, err := cmd.Flags().GetBool(name); err == nil && asked {
			return true
		}
	}
	return false
}
