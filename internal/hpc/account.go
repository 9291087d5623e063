package hpc

import "errors"

// Account is a person's account on a cluster's nodes.
type Account struct {
	Name         string
	UID          int    // from 20000, never reused; also the account's private gid
	Group        string // "users" or "wheel" (sudo)
	PasswordHash string // crypt(3) format, yescrypt
}

// Group ids of the accounts' groups on every node. The name service ignores
// ids below 500, so wheel has one of ours.
const (
	FirstUID  = 20000
	UsersGID  = 100
	WheelGID  = 19999
	UsersName = "users"
	WheelName = "wheel"
)

// AccountID names an account, for whoever acts as it: a name alone may have been
// another's before.
type AccountID struct {
	Name string
	UID  int
}

// ErrUnknownAccount: the node does not know the account yet. Nothing was done.
var ErrUnknownAccount = errors.New("the node does not know the account yet")

// AccountsOrder are all accounts that a node is to have, and no others.
type AccountsOrder struct {
	Accounts []Account
	Homes    bool // the node makes their homes
	Turn     Turn
}

// Turn orders what one server says of a cluster's accounts: what it read earlier
// may reach a node later, and must not undo what came after it.
type Turn struct {
	Server string // differs with every start of a server; of the turns of two, the one that comes last counts
	Number int64
}

// Before tells whether a turn is overtaken by other.
func (t Turn) Before(other Turn) bool { return t.Server == other.Server && t.Number < other.Number }

// KeepsHomes tells whether the member makes the homes, which all nodes share.
func (m Member) KeepsHomes() bool {
	return m.HasRole(RoleManager) || m.HasRole(RoleAccount) || m.HasRole(RoleLogin)
}
