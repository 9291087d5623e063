// Package provider is the seam to whatever makes machines: runc containers on
// this host, existing hosts, later clouds. A provider knows nothing of
// schedulers, accounts or the API.
package provider

import (
	"context"
	"errors"
	"time"

	"ehpc/internal/hpc"
)

var (
	// ErrNoCapacity: the machine does not fit now. Nothing was made.
	ErrNoCapacity = errors.New("no capacity for this machine")
	// ErrHost: the host lacks something; the wrapping text says what to install or how to run.
	ErrHost = errors.New("this host cannot run nodes")
)

// Provider makes and removes machines. Every method may be repeated, after a
// crash at any point too, and then completes what was begun.
type Provider interface {
	// CreateCluster makes what the cluster's machines share: its network and its
	// volume. It is idempotent by id.
	CreateCluster(ctx context.Context, clusterID string) error
	// DeleteCluster removes the network and, with its data, the volume. Machines
	// that are left are removed first. Unknown ids are not an error.
	DeleteCluster(ctx context.Context, clusterID string) error
	// Clusters lists the ids that CreateCluster made and DeleteCluster did not
	// remove yet, half made ones included.
	Clusters(ctx context.Context) ([]string, error)

	// Create makes and starts a machine; its id is the idempotency key. A dead
	// machine of that id is made anew: fresh disk, same address.
	Create(ctx context.Context, spec Spec) (Machine, error)
	// Destroy stops and removes a machine. Unknown ids are not an error.
	Destroy(ctx context.Context, id string) error
	// List returns all machines, dead and half made ones included.
	List(ctx context.Context) ([]Machine, error)

	// Fits tells whether machines of these types could be made beside what runs:
	// nil, or an error wrapping ErrNoCapacity that says what is short.
	Fits(ctx context.Context, types []hpc.InstanceType) error
	// Watch calls changed whenever a machine ended or is to be taken back, until
	// ctx is done. It may call it too often; it may miss none for longer than a
	// second.
	Watch(ctx context.Context, changed func())
}

// Reclaimer is a provider that can be told to take a machine back, as a market
// for preemptible machines does by itself.
type Reclaimer interface {
	// Reclaim gives the machine notice: it ends at that time, whatever runs on it;
	// with one that has passed, now. A notice is never put off. It is an error if
	// the machine does not run.
	Reclaim(ctx context.Context, id string, at time.Time) error
}

// VolumeSizer is a provider that can tell how much a cluster's volume holds.
type VolumeSizer interface {
	// VolumeSize counts what people have put there, as far as it comes until ctx is
	// done. What is not there holds nothing.
	VolumeSize(ctx context.Context, clusterID string) (hpc.VolumeSize, error)
}

// Spec says what machine to make.
type Spec struct {
	ID        string // the node's id
	ClusterID string
	Hostname  string
	Type      hpc.InstanceType
	Image     string // image id
	Manager   bool   // gets the cluster's state mounted at /ehpc/state
}

// Machine is a machine as it is now.
type Machine struct {
	ID        string
	ClusterID string
	Hostname  string
	Address   string // IPv4 in the cluster's network
	State     State
	BootID    string // changes when the machine is made anew
	// Reclaim is when the provider takes it back, or took it: zero for a machine
	// that it lets alone. One that is made anew is another.
	Reclaim time.Time
}

// State is whether a machine lives.
type State string

const (
	Starting State = "starting" // being made, or left half made by a crash
	Running  State = "running"
	Dead     State = "dead" // its init has ended
)
