package providertest

import (
	"testing"
	"time"

	"ehpc/internal/provider"
)

// notice is how long before its end a machine is told of it.
const notice = 700 * time.Millisecond

func (h Host) reclaimer(t *testing.T, p provider.Provider) provider.Reclaimer {
	t.Helper()
	r, can := p.(provider.Reclaimer)
	if !can {
		t.Skip("this provider takes nothing back")
	}
	return r
}

func reclaim(t *testing.T, r provider.Reclaimer, id string, at time.Time) {
	t.Helper()
	if err := r.Reclaim(t.Context(), id, at); err != nil {
		t.Fatal(err)
	}
}

// taken waits for a machine's end at its time.
func taken(t *testing.T, p provider.Provider, id string, at time.Time, told <-chan time.Time) {
	t.Helper()
	limit := time.After(time.Until(at) + noticeLimit)
	for {
		m := list(t, p)[id]
		switch {
		case !m.Reclaim.Equal(at):
			t.Fatalf("%s is %+v, its time is %v", id, m, at)
		case m.State == provider.Dead && time.Now().Before(at):
			t.Fatalf("%s has ended %v before its time", id, time.Until(at))
		case m.State == provider.Dead:
			return
		}
		select {
		case <-told:
		case <-limit:
			t.Fatalf("%s is %+v, %v after its time", id, m, noticeLimit)
		}
	}
}

func reclaimed(t *testing.T, h Host) {
	r := h.reclaimer(t, h.Provider)
	h.cluster(t)
	create(t, h.Provider, h.spec("i-a"))
	other := create(t, h.Provider, h.spec("i-b"))
	told := watch(t, h.Provider)
	at := time.Now().Add(notice)
	reclaim(t, r, "i-a", at)
	reclaim(t, r, "i-a", at.Add(time.Hour)) // is not put off
	select {
	case <-told:
	case <-time.After(noticeLimit):
		t.Fatal("the notice was not told")
	}
	if m := list(t, h.Provider)["i-a"]; !m.Reclaim.Equal(at) || m.State != provider.Running {
		t.Errorf("with notice it is %+v", m)
	}
	taken(t, h.Provider, "i-a", at, told)
	if m := create(t, h.Provider, h.spec("i-a")); !m.Reclaim.IsZero() || m.State != provider.Running {
		t.Errorf("made anew it is %+v", m)
	}
	if got := list(t, h.Provider)["i-b"]; got != other {
		t.Errorf("the other one is %+v, was %+v", got, other)
	}
}

func reclaimedAtOnce(t *testing.T, h Host) {
	r := h.reclaimer(t, h.Provider)
	h.cluster(t)
	create(t, h.Provider, h.spec("i-a"))
	told := watch(t, h.Provider)
	at := time.Now()
	reclaim(t, r, "i-a", at)
	taken(t, h.Provider, "i-a", at, told)
}

func reclaimKept(t *testing.T, h Host) {
	r := h.reclaimer(t, h.Provider)
	h.cluster(t)
	create(t, h.Provider, h.spec("i-a"))
	at := time.Now().Add(notice)
	reclaim(t, r, "i-a", at)
	p := h.Restart(t)
	taken(t, p, "i-a", at, watch(t, p))
}

func reclaimNothing(t *testing.T, h Host) {
	r := h.reclaimer(t, h.Provider)
	h.cluster(t)
	create(t, h.Provider, h.spec("i-a"))
	h.Kill(t, "i-a")
	waitDead(t, h.Provider, "i-a", watch(t, h.Provider))
	for _, id := range []string{"i-a", "i-never-was"} {
		if err := r.Reclaim(t.Context(), id, time.Now()); err == nil {
			t.Errorf("%s was taken back", id)
		}
	}
}
