package fake_test

import (
	"context"
	"errors"
	"testing"

	"ehpc/internal/hpc"
	"ehpc/internal/provider"
	"ehpc/internal/provider/fake"
	"ehpc/internal/provider/providertest"
)

var small = hpc.InstanceType{Name: "small", Cores: 1, MemoryMB: 512}

func TestProvider(t *testing.T) {
	t.Parallel()
	providertest.Run(t, func(t testing.TB) providertest.Host {
		p := fake.New(fake.Options{Cores: 8, MemoryMB: 8192, Images: []string{"some-image"}})
		return providertest.Host{
			Provider: p, Image: "some-image", Type: small,
			TooBig:              hpc.InstanceType{Name: "big", Cores: 99, MemoryMB: 512},
			Kill:                func(_ testing.TB, id string) { p.Kill(id) },
			Restart:             func(testing.TB) provider.Provider { return p },
			CreatePoints:        []string{"Create midway"},
			CreateClusterPoints: []string{"CreateCluster before", "CreateCluster after"},
			DeleteClusterPoints: []string{"DeleteCluster midway"},
			DestroyPoints:       []string{"Destroy midway"},
			CrashAt: func(point string) {
				p.Hook(func(s fake.Step) error {
					if string(s.Op)+" "+string(s.Point) != point {
						return nil
					}
					p.Hook(nil)
					return errors.New("killed here")
				})
			},
		}
	})
}

func TestFailuresAreUsedUpInOrder(t *testing.T) {
	t.Parallel()
	p := fake.New(fake.Options{})
	one, two := errors.New("one"), errors.New("two")
	p.Fail(fake.CreateCluster, one)
	p.Fail(fake.CreateCluster, two)
	for _, want := range []error{one, two, nil} {
		if err := p.CreateCluster(context.Background(), "ehpc-hz-one"); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}

func TestAMachineStopsOnceHoweverItEnds(t *testing.T) {
	t.Parallel()
	started, stopped := 0, 0
	p := fake.New(fake.Options{OnStart: func(provider.Machine, provider.Spec) func() {
		started++
		return func() { stopped++ }
	}})
	ctx := context.Background()
	if err := p.CreateCluster(ctx, "ehpc-hz-one"); err != nil {
		t.Fatal(err)
	}
	spec := provider.Spec{ID: "i-a", ClusterID: "ehpc-hz-one", Hostname: "manager", Type: small, Manager: true}
	if _, err := p.Create(ctx, spec); err != nil {
		t.Fatal(err)
	}
	p.Kill("i-a")
	p.Kill("i-a")
	if started != 1 || stopped != 1 {
		t.Errorf("started %d times, stopped %d times after the kill", started, stopped)
	}
	if _, err := p.Create(ctx, spec); err != nil {
		t.Fatal(err)
	}
	if err := p.DeleteCluster(ctx, "ehpc-hz-one"); err != nil {
		t.Fatal(err)
	}
	if started != 2 || stopped != 2 {
		t.Errorf("started %d times, stopped %d times in the end", started, stopped)
	}
}

func TestAnAnswerCanBeLostAfterTheWorkIsDone(t *testing.T) {
	t.Parallel()
	p := fake.New(fake.Options{})
	lost := errors.New("lost")
	p.Hook(func(s fake.Step) error {
		if s == (fake.Step{Op: fake.CreateCluster, ID: "ehpc-hz-one", Point: fake.After}) {
			return lost
		}
		return nil
	})
	if err := p.CreateCluster(context.Background(), "ehpc-hz-one"); !errors.Is(err, lost) {
		t.Errorf("got %v", err)
	}
	ids, err := p.Clusters(context.Background())
	if err != nil || len(ids) != 1 {
		t.Errorf("clusters are %v, %v", ids, err)
	}
}
