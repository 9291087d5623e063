// Package local makes machines on this host: hardened runc containers on an
// immutable image, one bridge and one /24 per cluster, limits from the instance
// type. What it has made is known from its directory alone, so a process that
// is killed at any point leaves nothing that the next one does not find.
//
// Root inside a machine is not trusted: it reaches its own disk, its cluster's
// volume and its cluster's network, and nothing else of the host.
package local
