package action

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// CreateCluster accepts a cluster: its row, its nodes' rows and its default
// queue. The reconcilers make it.
func (s *Service) CreateCluster(ctx context.Context, q *api.CreateClusterRequest) (*api.CreateClusterResponse, error) {
	call := CallOf(ctx)
	// A repeated request must not be refused for what the first one took.
	if answer, err := replay[api.CreateClusterResponse](ctx, s.Store.Read(), call); err != nil || answer != nil {
		return answer, err
	}
	image, engine, err := s.software(q)
	if err != nil {
		return nil, err
	}
	if err := refuseUnbuilt(q); err != nil {
		return nil, err
	}
	if err := s.checkAsked(q, image); err != nil {
		return nil, err
	}
	if err := hpc.CheckQueueName(orElse(q.JobQueue, hpc.DefaultQueue)); err != nil {
		return nil, api.InvalidParams.Errorf("cannot create a cluster: JobQueue: %v", err)
	}
	if err := checkScripts(q); err != nil {
		return nil, err
	}
	secrets, err := s.newSecrets(ctx, q)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	c := &store.Cluster{ID: newClusterID(s.Config.Region), Name: q.Name, Description: q.Description,
		Owner: call.Owner, Status: hpc.ClusterUninit, Wanted: true, Scheduler: engine,
		DeployMode: hpc.DeployMode(orElse(q.DeployMode, string(hpc.DeployStandard))),
		ImageID:    image.ID, OsTag: image.OsTag, Asked: withoutSecrets(q), Created: now, Changed: now, Home: s.Home}
	nodes, err := s.firstNodes(c, q, now)
	if err != nil {
		return nil, err
	}
	if err := s.fits(ctx, types(nodes)); err != nil {
		return nil, err
	}
	return change(ctx, s, func(ctx context.Context, tx store.Tx) (*api.CreateClusterResponse, error) {
		if err := tx.LockOwner(ctx, call.Owner); err != nil {
			return nil, err
		}
		_, have, err := tx.Clusters(ctx, call.Owner, store.Page{Number: 1, Size: 1})
		if err != nil {
			return nil, err
		}
		if have >= s.Config.MaxClusters {
			return nil, api.TooManyClusters.Errorf("cannot create a cluster: there are %d already, the limit is %d", have, s.Config.MaxClusters)
		}
		if err := freeName(ctx, tx, call.Owner, q); err != nil {
			return nil, err
		}
		task := &store.Task{ID: newTaskID(), ClusterID: c.ID, Kind: "CreateCluster", Objects: []string{c.ID}, Request: requestText(q), Created: now}
		if err := insertCluster(ctx, tx, c, secrets, nodes, q, task, s.standsFor(q, image, engine)); err != nil {
			return nil, err
		}
		return &api.CreateClusterResponse{ClusterId: c.ID, TaskId: task.ID}, nil
	})
}

// freeName refuses a name that another cluster has, where the request wants that.
func freeName(ctx context.Context, tx store.Tx, owner string, q *api.CreateClusterRequest) error {
	if q.UniqueName == nil || !*q.UniqueName {
		return nil
	}
	same, err := tx.ClustersNamed(ctx, owner, q.Name)
	if err != nil || len(same) == 0 {
		return err
	}
	return api.ConflictOpt.Errorf("cannot create cluster %s: Name: cluster %s (%s) has that name", q.Name, same[0].ID, same[0].Status)
}

func insertCluster(ctx context.Context, tx store.Tx, c *store.Cluster, secrets hpc.Secrets, nodes []*store.Node, q *api.CreateClusterRequest, task *store.Task, standsFor string) error {
	if err := tx.InsertCluster(ctx, c, secrets); err != nil {
		return err
	}
	if err := tx.InsertNodes(ctx, nodes); err != nil {
		return err
	}
	queues := []string{hpc.DefaultQueue}
	if q.JobQueue != "" && q.JobQueue != hpc.DefaultQueue {
		queues = append(queues, q.JobQueue)
	}
	for _, name := range queues {
		q := &store.Queue{ClusterID: c.ID, Name: name, IsDefault: name == hpc.DefaultQueue, Created: c.Created}
		if err := tx.InsertQueue(ctx, q); err != nil {
			return err
		}
	}
	if err := tx.InsertPostScripts(ctx, postScripts(c.ID, q)); err != nil {
		return err
	}
	if err := tx.InsertTask(ctx, task); err != nil {
		return err
	}
	line := fmt.Sprintf("cluster %s accepted, with %d nodes", c.Name, len(nodes))
	if err := tx.Log(ctx, c.ID, "CreateCluster", store.Info, line, c.Created); err != nil || standsFor == "" {
		return err
	}
	return tx.Log(ctx, c.ID, "CreateCluster", store.Warn, standsFor, c.Created)
}

// newSecrets makes what only the nodes of a new cluster know, and how root logs
// in on its login nodes. Of a password no more than its hash is kept.
func (s *Service) newSecrets(ctx context.Context, q *api.CreateClusterRequest) (hpc.Secrets, error) {
	secrets := hpc.Secrets{MungeKey: make([]byte, 1024), JWTKey: make([]byte, 32)}
	rand.Read(secrets.MungeKey)
	rand.Read(secrets.JWTKey)
	if q.Password != "" {
		hash, err := s.Passwords.Hash(ctx, q.Password)
		if err != nil {
			return secrets, fmt.Errorf("cannot hash the password of root: %w", err)
		}
		secrets.Root.PasswordHash = hash
	}
	if q.KeyPairName != "" {
		key, known := s.Config.KeyPairs[q.KeyPairName]
		if !known {
			return secrets, api.InvalidParams.Errorf("cannot create a cluster: KeyPairName %q is no key pair of this service; its configuration names those there are", q.KeyPairName)
		}
		secrets.Root.Key = key
	}
	return secrets, nil
}

// withoutSecrets is the request as it may be kept.
func withoutSecrets(q *api.CreateClusterRequest) api.CreateClusterRequest {
	kept := *q
	kept.Password = ""
	return kept
}

// software finds the image and the scheduler that a request asks for.
func (s *Service) software(q *api.CreateClusterRequest) (image Image, engine string, err error) {
	images, err := s.Images()
	if err != nil {
		return image, "", fmt.Errorf("cannot list the images: %w", err)
	}
	asked := orElse(q.OsTag, s.Config.OsTag)
	tag := s.Config.OsTagOf(asked)
	i := slices.IndexFunc(images, func(im Image) bool { return im.OsTag == tag })
	if i < 0 && tag != asked {
		return image, "", api.ImageNotSupported.Errorf(
			"cannot create a cluster: OsTag %.80q stands for %s by the configuration's os_aliases, "+
				"which is no image here; there are: %s", asked, tag, osTags(images))
	}
	if i < 0 {
		return image, "", api.ImageNotSupported.Errorf(
			"cannot create a cluster: OsTag %.80q is no image here; there are: %s; "+
				"the configuration's os_aliases can let it stand for one", asked, osTags(images))
	}
	image = images[i]
	if q.ImageId != "" && q.ImageId != image.ID {
		return image, "", api.ImageNotFound.Errorf("cannot create a cluster: ImageId %q does not exist; OsTag %s is image %s", q.ImageId, tag, image.ID)
	}
	engine = s.Config.SchedulerOf(orElse(q.SchedulerType, s.Config.Scheduler))
	if strings.HasPrefix(engine, "slurm") {
		engine = "slurm" // slurm19, slurm20 and so on all mean the image's version
	}
	if _, there := image.Schedulers[engine]; !there {
		return image, "", api.InvalidSoftware.Errorf(
			"cannot create a cluster: SchedulerType %.80q: %s is not installed in image %s, which has %s; "+
				"the configuration's scheduler_aliases can let it stand for one",
			q.SchedulerType, schedulerName(engine), tag, schedulers(image))
	}
	return image, engine, nil
}

func osTags(images []Image) string {
	tags := make([]string, len(images))
	for i, im := range images {
		tags[i] = im.OsTag
	}
	return strings.Join(tags, ", ")
}

func schedulerName(engine string) string {
	if strings.HasPrefix(engine, "pbs") {
		return "OpenPBS"
	}
	return engine
}

func schedulers(image Image) string {
	var have []string
	for name, version := range image.Schedulers {
		have = append(have, name+" "+version)
	}
	slices.Sort(have)
	return strings.Join(have, ", ")
}

// refuseUnbuilt refuses what would be a promise that nothing keeps.
func refuseUnbuilt(q *api.CreateClusterRequest) error {
	switch {
	case hpc.DeployMode(q.DeployMode) == hpc.DeployAdvanced:
		return api.InvalidParams.Errorf("cannot create a cluster: DeployMode Advanced (management nodes in pairs) is not available; use Standard, Simple, Tiny or OneBox")
	case q.HaEnable:
		return api.InvalidParams.Errorf("cannot create a cluster: HaEnable (management nodes in pairs) is not available; leave it out or give false")
	case q.ImageOwnerAlias != "" && q.ImageOwnerAlias != "system":
		return api.InvalidParams.Errorf("cannot create a cluster: ImageOwnerAlias %q: there are only system images", q.ImageOwnerAlias)
	case q.InputFileUrl != "":
		return api.InvalidParams.Errorf("cannot create a cluster: InputFileUrl is not available; use CreateJobFile once the cluster is running")
	case len(q.AddOns) > 0:
		return api.InvalidParams.Errorf("cannot create a cluster: AddOns are not available")
	}
	return nil
}
