package hpc

import "fmt"

// VolumeSize is what people have put on a cluster's volume.
type VolumeSize struct {
	Bytes int64 // on the disk
	Files int
	Whole bool // all of it was counted; else there is more
}

// String is the same in words.
func (s VolumeSize) String() string {
	text := fmt.Sprintf("%s in %d files", bytesText(s.Bytes), s.Files)
	if s.Files == 1 {
		text = bytesText(s.Bytes) + " in 1 file"
	}
	if !s.Whole {
		text = "more than " + text
	}
	return text
}

func bytesText(n int64) string {
	value, unit := float64(n), 0
	units := []string{"bytes", "kB", "MB", "GB", "TB", "PB"}
	for value >= 1000 && unit < len(units)-1 {
		value, unit = value/1000, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}
