package action

import (
	"context"
	"errors"
	"time"

	"ehpc/api"
	"ehpc/internal/store"
)

// listingPatience is how long a listing waits for rows that are still being read,
// as all are after the start of a service: less than the ten seconds that clients
// wait, so that they see the answer.
const listingPatience = 8 * time.Second

// list reads a page of a cluster's rows.
func list(ctx context.Context, what, clusterID string, read func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, listingPatience)
	defer cancel()
	err := read(ctx)
	if errors.Is(err, store.ErrReading) {
		return api.ServiceUnavailable.Errorf("cannot list the %s of cluster %s yet: the service has just started and still reads them from its store; try again", what, clusterID)
	}
	return err
}
