package action

import (
	"strings"

	"ehpc/api"
	"ehpc/internal/fetch"
	"ehpc/internal/store"
)

// checkScripts refuses post-install scripts that could never be fetched.
func checkScripts(q *api.CreateClusterRequest) error {
	for i, s := range q.PostInstallScript {
		if _, _, err := fetch.Parse(s.Url); err != nil {
			return api.InvalidParams.Errorf("cannot create a cluster: PostInstallScript.%d.Url: %v", i+1, err)
		}
		if strings.ContainsAny(s.Args, "\n\r") {
			return api.InvalidParams.Errorf("cannot create a cluster: PostInstallScript.%d.Args has more than one line", i+1)
		}
	}
	return nil
}

func postScripts(clusterID string, q *api.CreateClusterRequest) []*store.PostScript {
	rows := make([]*store.PostScript, len(q.PostInstallScript))
	for i, s := range q.PostInstallScript {
		rows[i] = &store.PostScript{ClusterID: clusterID, Position: i + 1, URL: s.Url, Args: s.Args}
	}
	return rows
}
