//go:build !sdk161

package classic

import (
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ehpc"
)

func setNodes(r *ehpc.SubmitJobRequest, n int) { r.Node = requests.NewInteger(n) }

type queueType = ehpc.SetAutoScaleConfigQueuesInstanceTypes
