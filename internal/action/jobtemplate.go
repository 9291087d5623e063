package action

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode"

	"ehpc/api"
	"ehpc/internal/store"
)

const (
	maxTemplates        = 1000 // of one owner
	maxTemplatesPerCall = 100
	maxTemplatePage     = 100
)

// CreateJobTemplate keeps what a job asks for under a name. Uid has no effect:
// templates belong to the access key's owner.
func (s *Service) CreateJobTemplate(ctx context.Context, q *api.CreateJobTemplateRequest) (*api.CreateJobTemplateResponse, error) {
	if err := checkTemplate(q, "create the job template"); err != nil {
		return nil, err
	}
	return commit(ctx, s, func(ctx context.Context, tx store.Tx) (*api.CreateJobTemplateResponse, error) {
		t := &store.JobTemplate{ID: newTemplateID(), Owner: CallOf(ctx).Owner, Name: q.Name, Asked: *q, Created: time.Now()}
		if err := tx.LockOwner(ctx, t.Owner); err != nil {
			return nil, err
		}
		n, err := tx.CountJobTemplates(ctx, t.Owner)
		if err != nil {
			return nil, err
		}
		if n >= maxTemplates {
			return nil, api.InvalidParams.Errorf("cannot create the job template: Name %q: there are %d already, the limit is %d", q.Name, n, maxTemplates)
		}
		return &api.CreateJobTemplateResponse{TemplateId: t.ID}, tx.InsertJobTemplate(ctx, t)
	})
}

// EditJobTemplate replaces all that a template holds: what is left out is not
// in it any more.
func (s *Service) EditJobTemplate(ctx context.Context, q *api.EditJobTemplateRequest) (*api.EditJobTemplateResponse, error) {
	asked := &api.CreateJobTemplateRequest{CommandLine: q.CommandLine, Name: q.Name, RunasUser: q.RunasUser, Priority: q.Priority,
		PackagePath: q.PackagePath, StdoutRedirectPath: q.StdoutRedirectPath, StderrRedirectPath: q.StderrRedirectPath,
		ReRunable: q.ReRunable, ArrayRequest: q.ArrayRequest, Variables: q.Variables, ClockTime: q.ClockTime, Gpu: q.Gpu,
		InputFileUrl: q.InputFileUrl, Mem: q.Mem, Node: q.Node, Queue: q.Queue, Task: q.Task, Thread: q.Thread,
		UnzipCmd: q.UnzipCmd, WithUnzipCmd: q.WithUnzipCmd}
	if err := checkTemplate(asked, "edit the job template"); err != nil {
		return nil, err
	}
	return commit(ctx, s, func(ctx context.Context, tx store.Tx) (*api.EditJobTemplateResponse, error) {
		t := &store.JobTemplate{ID: q.TemplateId, Owner: CallOf(ctx).Owner, Name: q.Name, Asked: *asked}
		if err := tx.ChangeJobTemplate(ctx, t); errors.Is(err, store.ErrConflict) {
			return nil, api.ObjectNotFound.Errorf("cannot edit the job template: TemplateId: there is no template %q", q.TemplateId)
		} else if err != nil {
			return nil, err
		}
		return &api.EditJobTemplateResponse{TemplateId: t.ID}, nil
	})
}

// DeleteJobTemplates deletes templates, all or none.
func (s *Service) DeleteJobTemplates(ctx context.Context, q *api.DeleteJobTemplatesRequest) (*api.DeleteJobTemplatesResponse, error) {
	ids, err := templateIDs(q.Templates)
	if err != nil {
		return nil, err
	}
	return commit(ctx, s, func(ctx context.Context, tx store.Tx) (*api.DeleteJobTemplatesResponse, error) {
		refused := refusals{attempt: "delete job templates"}
		for _, id := range ids {
			if err := tx.DeleteJobTemplate(ctx, CallOf(ctx).Owner, id); errors.Is(err, store.ErrConflict) {
				refused.add(api.ObjectNotFound, "Templates: there is no template %.80q", id)
			} else if err != nil {
				return nil, err
			}
		}
		return &api.DeleteJobTemplatesResponse{}, refused.err(len(ids))
	})
}

// templateIDs reads [{"Id":".."}].
func templateIDs(text string) ([]string, error) {
	var list []struct{ Id string }
	if err := api.ReadJSON(text, &list); err != nil || len(list) == 0 || len(list) > maxTemplatesPerCall {
		return nil, api.InvalidParams.Errorf("cannot delete job templates: Templates is not of the form [{\"Id\":\"..\"}] with 1 to %d entries", maxTemplatesPerCall)
	}
	ids, seen := make([]string, len(list)), map[string]bool{}
	for i, t := range list {
		if t.Id == "" || seen[t.Id] {
			return nil, api.InvalidParams.Errorf("cannot delete job templates: Templates: entry %d has no Id, or one that was given before", i+1)
		}
		ids[i], seen[t.Id] = t.Id, true
	}
	return ids, nil
}

// ListJobTemplates shows a page of the caller's templates.
func (s *Service) ListJobTemplates(ctx context.Context, q *api.ListJobTemplatesRequest) (*api.ListJobTemplatesResponse, error) {
	if q.PageSize > maxTemplatePage {
		return nil, api.InvalidParams.Errorf("cannot list job templates: PageSize %d is more than %d", q.PageSize, maxTemplatePage)
	}
	rows, total, err := s.Store.Read().JobTemplates(ctx, CallOf(ctx).Owner, q.Name, store.Page{Number: q.PageNumber, Size: q.PageSize})
	if err != nil {
		return nil, err
	}
	a := &api.ListJobTemplatesResponse{TotalCount: total, PageNumber: q.PageNumber, PageSize: q.PageSize}
	for _, t := range rows {
		item := templateItem(t)
		if CallOf(ctx).Terraform { // its resource panics at a boolean, its data source fails at a string
			item.ReRunable = nil
		}
		a.Templates.JobTemplates = append(a.Templates.JobTemplates, item)
	}
	return a, nil
}

func templateItem(t *store.JobTemplate) api.ListJobTemplatesJobTemplates {
	q := t.Asked
	rerunable := deref(q.ReRunable, false)
	priority, _ := strconv.Atoi(q.Priority) // checked when it was given; 0 for none
	return api.ListJobTemplatesJobTemplates{Id: t.ID, CommandLine: q.CommandLine, Name: t.Name, RunasUser: q.RunasUser,
		Priority: priority, PackagePath: q.PackagePath, StdoutRedirectPath: q.StdoutRedirectPath,
		StderrRedirectPath: q.StderrRedirectPath, ReRunable: &rerunable, ArrayRequest: q.ArrayRequest,
		Variables: q.Variables, ClockTime: q.ClockTime, Gpu: deref(q.Gpu, 0), InputFileUrl: q.InputFileUrl, Mem: q.Mem,
		Node: deref(q.Node, 0), Queue: q.Queue, Task: deref(q.Task, 0), Thread: deref(q.Thread, 0), UnzipCmd: q.UnzipCmd,
		WithUnzipCmd: deref(q.WithUnzipCmd, false)}
}

// checkTemplate refuses what no job could have. What depends on a cluster, as
// the account and the queue, is for SubmitJob to say.
func checkTemplate(q *api.CreateJobTemplateRequest, attempt string) error {
	bad := func(param, what string) error {
		return api.InvalidParams.Errorf("cannot %s: %s %s", attempt, param, what)
	}
	if len(q.Name) > maxJobName || strings.ContainsFunc(q.Name, unicode.IsControl) {
		return bad("Name", "is longer than "+strconv.Itoa(maxJobName)+" bytes or holds a control character")
	}
	if q.Priority != "" {
		if n, err := strconv.Atoi(q.Priority); err != nil || n < -maxPriority || n > maxPriority {
			return bad("Priority", strconv.Quote(q.Priority)+" is not a whole number within 1000000000 of 0")
		}
	}
	if err := checkArray(q.ArrayRequest); err != nil {
		return bad("ArrayRequest", "is no range of indices for a job: "+err.Error())
	}
	for name, n := range map[string]*int{"Node": q.Node, "Task": q.Task, "Thread": q.Thread, "Gpu": q.Gpu} {
		if deref(n, 0) < 0 || deref(n, 0) > 100_000 {
			return bad(name, strconv.Itoa(*n)+" is not between 0 and 100000")
		}
	}
	if _, err := memoryMB(q.Mem); err != nil {
		return bad("Mem", strconv.Quote(q.Mem)+" is no amount of memory, such as 4GB or 500MB")
	}
	if _, err := walltime(q.ClockTime); err != nil {
		return bad("ClockTime", strconv.Quote(q.ClockTime)+" is not of the form hh:mm:ss")
	}
	if _, err := variables(q.Variables); err != nil {
		return bad("Variables", "is not of the form [{\"Name\":\"..\",\"Value\":\"..\"}] with names of variables")
	}
	return nil
}
