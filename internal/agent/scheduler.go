package agent

import (
	"net/http"

	"ehpc/internal/scheduler"
)

// SchedulerHandler serves the scheduler of the last plan to a server. On a node
// that does not run the controller it answers 404.
func (a *Agent) SchedulerHandler() http.Handler {
	handlers := map[scheduler.Engine]http.Handler{}
	for _, engine := range a.opts.Engines {
		handlers[engine] = scheduler.Handler(engine.Scheduler())
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		engine, manager := a.Engine()
		if engine == nil || !manager {
			http.NotFound(w, r)
			return
		}
		handlers[engine].ServeHTTP(w, r)
	})
}
