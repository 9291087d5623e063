package hpc

import "testing"

func TestWhatAVolumeHoldsInWords(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]VolumeSize{
		"0 bytes in 0 files":           {Whole: true},
		"999 bytes in 1 file":          {Bytes: 999, Files: 1, Whole: true},
		"1.0 kB in 2 files":            {Bytes: 1000, Files: 2, Whole: true},
		"more than 1.5 TB in 17 files": {Bytes: 1_500_000_000_000, Files: 17},
	} {
		if got := s.String(); got != want {
			t.Errorf("%+v: %q, want %q", s, got, want)
		}
	}
}
