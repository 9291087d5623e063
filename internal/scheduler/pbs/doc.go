// Package pbs reads the output of OpenPBS (23.06) into the scheduler's own
// types: what `qstat -x -t -f -F json` and `pbsnodes -a -F json` print, with
// TZ=UTC and LC_ALL=C. It holds what scheduler.Job and scheduler.Node say to an
// engine that is not Slurm. It runs no command and submits nothing: it is no
// driver.
package pbs
