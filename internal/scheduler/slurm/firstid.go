package slurm

import (
	"fmt"
	"os"
	"strconv"
)

// idGap is more ids than a controller gives in the seconds that a crash can
// make it forget: of what started meanwhile the runs tell.
const idGap = 1000

const (
	// ranAhead is how far the ids of runs may stand above what the controller told
	// itself: more than can start before it is asked again. An account's script
	// tells the id of an array's task that it is.
	ranAhead = 20_000
	// idLimit is Slurm's MaxJobId, behind which it begins with its first id again.
	idLimit = 67_043_328
)

// WriteFirstJobID raises the first id that the controller gives above every id
// that was seen, before each of its starts: after a crash it would give ids
// again whose jobs ran. ran is the highest id of the runs that were written
// down. It writes a file that slurm.conf includes.
func WriteFirstJobID(ran uint64) error {
	first, err := firstJobID(&ids{path: lastIDPath}, jobcompPath, ran)
	if err == nil {
		err = writeDurably(firstIDPath, fmt.Sprintf("FirstJobId=%d\n", first))
	}
	if err == nil {
		err = os.Chmod(firstIDPath, 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot set the first job id: %w", err)
	}
	return nil
}

func firstJobID(given *ids, jobcomp string, ran uint64) (uint64, error) {
	highest, err := given.highest()
	if err != nil {
		return 0, err
	}
	_, err = readEndings(jobcomp, 0, func(e ending) bool {
		if id, err := strconv.ParseUint(e.jobID, 10, 32); err == nil {
			highest = max(highest, id)
		}
		return false
	})
	if err != nil {
		return 0, err
	}
	highest = max(highest, min(ran, highest+ranAhead))
	if highest == 0 || highest+idGap >= idLimit {
		return 1, nil
	}
	return highest + idGap, nil
}
