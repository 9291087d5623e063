package action

import (
	"strings"

	"ehpc/internal/auth"
)

// newClusterID makes an id as "ehpc-hz-4VMqwGqwbj"; the middle abbreviates the region.
func newClusterID(region string) string {
	short := "xx"
	if known, ok := regionShort[region]; ok {
		short = known
	} else if _, city, ok := strings.Cut(region, "-"); ok && len(city) >= 2 {
		short = city[:2]
	}
	return "ehpc-" + short + "-" + auth.RandomText(auth.Base62, 10)
}

var regionShort = map[string]string{"cn-hangzhou": "hz", "cn-shanghai": "sh", "cn-beijing": "bj",
	"cn-shenzhen": "sz", "cn-zhangjiakou": "zjk", "cn-qingdao": "qd", "cn-huhehaote": "hhht"}

func newCommandID() string  { return "c-" + auth.RandomText(auth.LowerDigits, 32) }
func newTaskID() string     { return "t-" + auth.RandomText(auth.LowerDigits, 20) }
func newTemplateID() string { return "ehpc-job-tmpl-" + auth.RandomText(auth.Base62, 10) }
func newJobToken() string   { return "ehpc" + auth.RandomText(auth.LowerDigits, 28) }
