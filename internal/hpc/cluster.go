package hpc

// ClusterStatus is a cluster's state as the API shows it (spec: DescribeCluster).
type ClusterStatus string

const (
	ClusterUninit    ClusterStatus = "uninit"    // accepted, nothing made yet
	ClusterCreating  ClusterStatus = "creating"  // its machines are being made
	ClusterInit      ClusterStatus = "init"      // machines are there, the scheduler is coming up
	ClusterRunning   ClusterStatus = "running"   // takes jobs
	ClusterException ClusterStatus = "exception" // could not be made or has lost its manager; see its log
	ClusterReleasing ClusterStatus = "releasing" // being deleted
)

// ClusterSteps are the legal steps between cluster states.
var ClusterSteps = map[ClusterStatus][]ClusterStatus{
	ClusterUninit:    {ClusterCreating, ClusterException, ClusterReleasing},
	ClusterCreating:  {ClusterInit, ClusterException, ClusterReleasing},
	ClusterInit:      {ClusterRunning, ClusterException, ClusterReleasing},
	ClusterRunning:   {ClusterException, ClusterReleasing},
	ClusterException: {ClusterCreating, ClusterInit, ClusterRunning, ClusterReleasing},
	ClusterReleasing: {},
}

// DeployMode says which management roles share a node (spec: CreateCluster).
type DeployMode string

const (
	DeployStandard DeployMode = "Standard" // account, scheduler and login apart
	DeployAdvanced DeployMode = "Advanced" // management roles in pairs
	DeploySimple   DeployMode = "Simple"   // account and scheduler share a node
	DeployTiny     DeployMode = "Tiny"     // account, scheduler and login share a node
	DeployOneBox   DeployMode = "OneBox"   // one node does everything, computing included
)

// Secrets are what the nodes of one cluster share. They are encrypted at rest.
type Secrets struct {
	MungeKey []byte // 1024 random bytes, on every node
	JWTKey   []byte // 32 random bytes, on the manager alone

	Root RootLogin `json:",omitzero"` // on login nodes alone
}
