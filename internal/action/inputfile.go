package action

import (
	"context"
	"errors"
	"path"
	"strings"

	"ehpc/api"
	"ehpc/internal/fetch"
	"ehpc/internal/hpc"
	"ehpc/internal/link"
	"ehpc/internal/store"
)

// files fetches what jobs name by a URL.
func (s *Service) files() *fetch.Fetcher {
	s.fetching.Do(func() {
		c := s.Config.InputFiles
		s.fetcher = fetch.New(fetch.Limits{Bytes: int64(c.Limit), Time: c.Timeout, Allow: c.Prefixes()}, s.Lookup)
	})
	return s.fetcher
}

// checkInputFile refuses a URL that nothing could be fetched from, and a place
// that the file could not be put in.
func checkInputFile(q *api.SubmitJobRequest, spec hpc.JobSpec) error {
	if q.InputFileUrl == "" {
		return nil
	}
	if _, _, err := fetch.Parse(q.InputFileUrl); err != nil {
		return badJob("InputFileUrl", "%v", err)
	}
	if home := "/home/" + spec.Account; spec.Dir != home && !strings.HasPrefix(spec.Dir, home+"/") {
		return badJob("PackagePath", "%q is not inside the account's home %s, where the file of InputFileUrl is put", q.PackagePath, home)
	}
	return nil
}

// bringInputFile fetches the file that a job names and puts it into the job's
// directory, as the account. It is done before the job is accepted: what is wrong
// with the file is answered, and an accepted job has it.
func (s *Service) bringInputFile(ctx context.Context, manager *store.Node, spec hpc.JobSpec, from string) error {
	if from == "" {
		return nil
	}
	if s.Config.InputFiles.Limit == 0 {
		return badJob("InputFileUrl", "this service fetches no files; use CreateJobFile")
	}
	u, name, err := fetch.Parse(from)
	if err != nil {
		return badJob("InputFileUrl", "%v", err)
	}
	content, err := s.files().Get(ctx, u)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return badJob("InputFileUrl", "%v", err)
	}
	file := link.AccountFile{Account: spec.Account, UID: spec.UID, Path: path.Join(spec.Dir, name), Content: content}
	err = s.Links.Node(manager.ID).WriteFile(ctx, file)
	if errors.Is(err, link.ErrDenied) {
		return badJob("InputFileUrl", "the file cannot be put at %s: %v", file.Path, err)
	} else if err != nil {
		return s.unreachable(err, "submit the job: put the file of InputFileUrl at "+file.Path)
	}
	return nil
}
