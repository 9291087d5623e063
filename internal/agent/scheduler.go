package agent

import (
	"net/http"

	"ehpc/internal/fence"
	"ehpc/internal/scheduler"
)

// SchedulerHandler serves the scheduler of the last plan to a server. On a node
// that does not run the controller every call is scheduler.ErrUnavailable.
func (a *Agent) SchedulerHandler() http.Handler {
	handlers := map[scheduler.Engine]http.Handler{}
	for name, engine := range a.opts.Engines {
		handlers[engine] = scheduler.Handler(&fence.Guard{
			Driver:  engine.Driver(),
			Journal: a.opts.Journal,
			Knows:   a.Knows,
			Wrap: func(script string) (string, error) {
				return fence.Wrap(a.opts.Program, name, script)
			},
		})
	}
	none := scheduler.Unavailable()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		engine, manager := a.Engine()
		if engine == nil || !manager {
			none.ServeHTTP(w, r)
			return
		}
		handlers[engine].ServeHTTP(w, r)
	})
}
