//go:build sdk161

package classic

import (
	"strconv"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ehpc"
)

// setNodes sends what this release has no field for yet.
func setNodes(r *ehpc.SubmitJobRequest, n int) { r.QueryParams["Node"] = strconv.Itoa(n) }

type queueType = ehpc.SetAutoScaleConfigInstanceTypes
