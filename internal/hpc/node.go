package hpc

// NodeStatus is a node's state as the API shows it (spec: ListNodes).
type NodeStatus string

const (
	NodeUninit    NodeStatus = "uninit"    // wanted, no machine yet
	NodeInit      NodeStatus = "init"      // the machine runs, its agent is being waited for or set up
	NodeReady     NodeStatus = "ready"     // set up, not known to the scheduler yet
	NodeRunning   NodeStatus = "running"   // in service
	NodeException NodeStatus = "exception" // could not be made or went silent; see its reason
	NodeReleasing NodeStatus = "releasing" // being drained and removed
)

// NodeSteps are the legal steps between node states.
var NodeSteps = map[NodeStatus][]NodeStatus{
	NodeUninit:    {NodeInit, NodeException, NodeReleasing},
	NodeInit:      {NodeReady, NodeUninit, NodeException, NodeReleasing},
	NodeReady:     {NodeRunning, NodeUninit, NodeException, NodeReleasing},
	NodeRunning:   {NodeUninit, NodeException, NodeReleasing},
	NodeException: {NodeUninit, NodeInit, NodeReady, NodeRunning, NodeReleasing},
	NodeReleasing: {},
}

// Role is what a node does in its cluster.
type Role string

const (
	RoleManager Role = "Scheduler" // runs the scheduler's controller
	RoleAccount Role = "Account"   // keeps the accounts; a second manager in DeployStandard
	RoleLogin   Role = "Login"     // where people log in and submit
	RoleCompute Role = "Compute"   // where jobs run
)

// InstanceType is a kind of machine.
type InstanceType struct {
	Name     string  `json:"name" yaml:"name"` // as "ecs.n1.tiny"
	Cores    int     `json:"cores" yaml:"cores"`
	MemoryMB int     `json:"memory_mb" yaml:"memory_mb"`
	GPUs     int     `json:"gpus" yaml:"gpus"`
	GPUSpec  string  `json:"gpu_spec" yaml:"gpu_spec"`
	Price    float64 `json:"price" yaml:"price"` // per hour, pay as you go
}

// Member is a node as the other nodes of its cluster know it.
type Member struct {
	ID       string
	Hostname string
	Address  string // IPv4, inside the cluster's network
	Roles    []Role
	Cores    int
	MemoryMB int
	GPUs     int
	Queue    string // for compute nodes
}

// HasRole tells whether the member does the role's work.
func (m Member) HasRole(r Role) bool {
	for _, have := range m.Roles {
		if have == r {
			return true
		}
	}
	return false
}

// NodePlan is everything a node's agent needs to bring its node into service.
// The server derives it from its rows; the agent makes the node match it and
// may be sent the same plan any number of times.
type NodePlan struct {
	ClusterID   string
	ClusterName string
	Scheduler   string   // engine: "slurm", "pbs", "fake"
	Self        Member   // the node the plan is for
	Members     []Member // every node of the cluster with an address, Self included
	Queues      []Queue
	Accounts    []Account
	Turn        Turn    // of the accounts
	Secrets     Secrets // JWTKey is empty except on the manager
	SSH         SSHKeys
	Root        RootLogin // empty except on login nodes
	Prepare     bool      `json:",omitempty"` // all but the scheduler's daemons
	Closed      *Closed   `json:",omitempty"` // for new jobs; nil except on the manager
}

// Manager is the member that runs the scheduler's controller.
func (p NodePlan) Manager() (Member, bool) {
	for _, m := range p.Members {
		if m.HasRole(RoleManager) {
			return m, true
		}
	}
	return Member{}, false
}

// NodeState is what an agent reports about its node.
type NodeState struct {
	Plan     string // hash of the last plan that was applied whole, "" before the first
	BootID   string // changes with every start of the node, not of the agent
	Version  string // of the agent
	Load1    float64
	MemoryMB int               // in use
	Sessions int               // connections of people
	Services map[string]string // service -> "up", "down" or "failing"
}
