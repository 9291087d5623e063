package action

import (
	"crypto/rand"
	"strings"
)

const (
	lowerDigits = "0123456789abcdefghijklmnopqrstuvwxyz"
	allLetters  = lowerDigits + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// random returns n characters of the alphabet, unguessable.
func random(alphabet string, n int) string {
	var b strings.Builder
	for b.Len() < n {
		var raw [64]byte
		rand.Read(raw[:])
		for _, c := range raw {
			// Only whole multiples of the alphabet, so that no character is likelier.
			if int(c) < 256/len(alphabet)*len(alphabet) && b.Len() < n {
				b.WriteByte(alphabet[int(c)%len(alphabet)])
			}
		}
	}
	return b.String()
}

// newClusterID makes an id as "ehpc-hz-4VMqwGqwbj"; the middle abbreviates the region.
func newClusterID(region string) string {
	short := "xx"
	if known, ok := regionShort[region]; ok {
		short = known
	} else if _, city, ok := strings.Cut(region, "-"); ok && len(city) >= 2 {
		short = city[:2]
	}
	return "ehpc-" + short + "-" + random(allLetters, 10)
}

var regionShort = map[string]string{"cn-hangzhou": "hz", "cn-shanghai": "sh", "cn-beijing": "bj",
	"cn-shenzhen": "sz", "cn-zhangjiakou": "zjk", "cn-qingdao": "qd", "cn-huhehaote": "hhht"}

func newNodeID() string    { return "i-" + random(lowerDigits, 20) }
func newCommandID() string { return "c-" + random(lowerDigits, 32) }
func newTaskID() string    { return "t-" + random(lowerDigits, 20) }
func newJobToken() string  { return "ehpc" + random(lowerDigits, 28) }
