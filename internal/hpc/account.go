package hpc

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
