// Package fence makes an accepted job run once. Schedulers forget jobs and start
// ended ones again; so what was submitted, what began and how it ended is
// written down on the cluster's volume, and a job's script begins by claiming
// its run there. Nothing here is shaped by one engine, and nothing decides what
// is submitted again: that is the server's.
package fence
