package slurm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ehpc/internal/hpc"
)

// cutRecord is what Slurm writes of a job in a directory with a long name.
func cutRecord(id int) string {
	whole := fmt.Sprintf("JobId=%d UserId=ann(20001) GroupId=ann(20001) Name=x JobState=FAILED Partition=workq TimeLimit=UNLIMITED "+
		"StartTime=2026-11-23T21:15:04 EndTime=2026-11-23T21:15:05 NodeList=c0 NodeCnt=1 ProcCnt=1 WorkDir=/home/ann/%s ReservationName= ",
		id, strings.Repeat("JobId=9 UserId=eve(20009) Name=x JobState=COMPLETED ", 30))
	return whole[:recordLimit]
}

func wholeRecord(id int) string {
	return fmt.Sprintf("JobId=%d UserId=bob(20002) GroupId=bob(20002) Name=x JobState=COMPLETED Partition=workq TimeLimit=UNLIMITED "+
		"StartTime=2026-11-23T21:15:04 EndTime=2026-11-23T21:15:06 NodeList=c1 NodeCnt=1 ProcCnt=1 WorkDir=/home/bob ReservationName= "+
		"WcKey=ehpctok SubmitTime=2026-11-23T21:15:03 ExitCode=0:0 \n", id)
}

func TestARecordThatWasCutOffDoesNotTakeTheNextOneWithIt(t *testing.T) {
	t.Parallel()
	for name, log := range map[string]string{
		"between others":    wholeRecord(1) + cutRecord(2) + cutRecord(3) + wholeRecord(4),
		"the last one":      wholeRecord(1) + wholeRecord(4) + cutRecord(2) + cutRecord(3),
		"more than 64 KiB":  wholeRecord(1) + wholeRecord(4) + cutRecord(2) + cutRecord(3) + strings.Repeat(cutRecord(3), 80) + wholeRecord(1),
		"half of one after": cutRecord(2) + wholeRecord(4) + wholeRecord(1) + cutRecord(3) + cutRecord(8)[:500],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "log")
			if err := os.WriteFile(path, []byte(log), 0o600); err != nil {
				t.Fatal(err)
			}
			got := map[string]ending{}
			if _, err := readEndings(path, 0, func(e ending) bool { got[e.ID] = e; return false }); err != nil {
				t.Fatal(err)
			}
			if len(got) != 4 {
				t.Errorf("%d jobs were read, want 4: %v", len(got), got)
			}
			for id, want := range map[string]hpc.JobState{"1": hpc.JobCompleted, "2": hpc.JobFailed, "3": hpc.JobFailed, "4": hpc.JobCompleted} {
				if e := got[id]; e.State != want || e.End.IsZero() || e.Start.IsZero() || len(e.Nodes) != 1 {
					t.Errorf("job %s ended as %+v, want %s", id, e, want)
				}
			}
		})
	}
}
