// Package rig runs real services for tests: programs built from this tree, a
// process of its own for every service, on a data directory of its own, spoken
// to through package client alone. What it looks at beside the API is the host:
// what machines there are, and what of them is left.
package rig
