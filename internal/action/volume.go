package action

import (
	"context"
	"time"

	"ehpc/api"
)

// volumeLook bounds how long a cluster's volume is looked at.
const volumeLook = 2 * time.Second

// DescribeClusterVolume tells how much people have put on a cluster's volume.
func (s *Service) DescribeClusterVolume(ctx context.Context, q *api.DescribeClusterVolumeRequest) (*api.DescribeClusterVolumeResponse, error) {
	c, err := s.cluster(ctx, s.Store.Read(), q.ClusterId)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, volumeLook)
	defer cancel()
	size, err := s.VolumeSize(ctx, c.ID)
	if err != nil {
		return nil, api.ServiceUnavailable.Errorf("cannot tell how much the volume of cluster %s holds: %w; try again", c.ID, err)
	}
	return &api.DescribeClusterVolumeResponse{ClusterId: c.ID, Bytes: int(size.Bytes), Files: size.Files, Whole: size.Whole, Message: size.String()}, nil
}
