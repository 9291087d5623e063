package main

import (
	"testing"

	"ehpc/api"
	"ehpc/client"
)

func TestTheQuestionBeforeADeletionTellsWhatIsDestroyed(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string][]any{"DescribeClusterVolume": {
		api.DescribeClusterVolumeResponse{Message: "1.2 GB in 17 files"}, refusal{api.NotImplemented, "not here"}}})
	service, err := client.New(client.Config{Endpoint: s.address, AccessKeyID: "id", AccessKeySecret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []string{"1.2 GB in 17 files", "how much that is cannot be told now"} {
		want := "This deletes cluster lab with its nodes, its jobs and everything in /home and /opt: " + size +
			".\nIt cannot be brought back. Type the cluster's name to go on: "
		if got := (&remote{api: service}).deleteQuestion(t.Context(), "lab", "ehpc-hz-1"); got != want {
			t.Errorf("asked %q, want %q", got, want)
		}
	}
	if in := s.request("DescribeClusterVolume"); in.Get("ClusterId") != "ehpc-hz-1" {
		t.Errorf("sent %v", in)
	}
}
