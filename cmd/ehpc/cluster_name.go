package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"ehpc/api"
	"ehpc/internal/hpc"
)

var clusterID = regexp.MustCompile(`^ehpc-[a-z]+-[A-Za-z0-9]+$`)

// cluster finds a cluster's id by its id or name.
func (r *remote) cluster(ctx context.Context, name string) (string, error) {
	if clusterID.MatchString(name) {
		return name, nil
	}
	found, err := r.clustersNamed(ctx, name)
	switch {
	case err != nil:
		return "", err
	case len(found) == 0:
		return "", &failure{"find cluster " + name, absent("there is none of that name; see: ehpc cluster list")}
	case len(found) > 1:
		return "", severalNamed(name, found)
	}
	return found[0].Id, nil
}

type simpleCluster = api.ListClustersClusterInfoSimple

// clustersNamed are the clusters of that name; those that are going only where
// there are no others.
func (r *remote) clustersNamed(ctx context.Context, name string) ([]simpleCluster, error) {
	all, err := r.listClusters(ctx)
	all = slices.DeleteFunc(all, func(c simpleCluster) bool { return c.Name != name })
	if slices.ContainsFunc(all, func(c simpleCluster) bool { return !going(c) }) {
		all = slices.DeleteFunc(all, going)
	}
	return all, err
}

// going tells whether a cluster is being deleted.
func going(c simpleCluster) bool { return c.Status == string(hpc.ClusterReleasing) }

func severalNamed(name string, all []simpleCluster) error {
	ids := make([]string, len(all))
	for i, c := range all {
		ids[i] = fmt.Sprintf("%s (%s)", c.Id, c.Status)
	}
	return &failure{"find cluster " + name, fmt.Errorf("several have that name, say which by its id: %s", strings.Join(ids, ", "))}
}
