package fake

import (
	"context"
	"fmt"

	"ehpc/internal/hpc"
	"ehpc/internal/provider"
)

// Op is a method of the provider.
type Op string

// The methods that can be made to fail.
const (
	CreateCluster Op = "CreateCluster"
	DeleteCluster Op = "DeleteCluster"
	Clusters      Op = "Clusters"
	Create        Op = "Create"
	Destroy       Op = "Destroy"
	List          Op = "List"
	Fits          Op = "Fits"
	Reclaim       Op = "Reclaim"
)

// Point is a place in a method.
type Point string

const (
	Before Point = "before" // nothing was done yet
	Midway Point = "midway" // Create, Destroy, DeleteCluster: half was done and stays so if the hook fails
	After  Point = "after"  // all was done; a failure loses the answer alone
)

// Step is where a call is.
type Step struct {
	Op    Op
	ID    string // of the cluster or machine, "" for lists
	Point Point
}

// Hook calls f at every step from now on; an error ends the call there. The
// call holds no lock but its machine's, so f may block and may use the
// provider for other machines. nil removes the hook.
func (p *Provider) Hook(f func(Step) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hook = f
}

// Fail makes the next call of op fail before it does anything. Several are
// used up one by one.
func (p *Provider) Fail(op Op, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures[op] = append(p.failures[op], err)
}

// Stock says how many machines of a type there can be; before, that is any number.
func (p *Provider) Stock(name string, count int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stock[name] = count
}

// Kill ends a machine as a power cut would: it stays listed, dead.
func (p *Provider) Kill(id string) {
	defer p.lock(id)()
	p.end(id)
}

// Spec tells how a machine was asked for.
func (p *Provider) Spec(id string) (provider.Spec, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.machines[id]
	if m == nil {
		return provider.Spec{}, false
	}
	return m.spec, true
}

// inStock compares with Stock. It needs p.mu.
func (p *Provider) inStock(types []hpc.InstanceType, except string) error {
	counts := map[string]int{}
	for id, m := range p.machines {
		if id != except {
			counts[m.spec.Type.Name]++
		}
	}
	for _, t := range types {
		counts[t.Name]++
		if most, limited := p.stock[t.Name]; limited && counts[t.Name] > most {
			return fmt.Errorf("%w: there are %d of %s in all", provider.ErrNoCapacity, most, t.Name)
		}
	}
	return nil
}

func (p *Provider) reach(ctx context.Context, op Op, id string, point Point) error {
	if err := ctx.Err(); err != nil && point == Before {
		return err
	}
	p.mu.Lock()
	hook := p.hook
	var failure error
	if failures := p.failures[op]; point == Before && len(failures) > 0 {
		failure, p.failures[op] = failures[0], failures[1:]
	}
	p.mu.Unlock()
	if failure != nil {
		return failure
	}
	if hook != nil {
		return hook(Step{Op: op, ID: id, Point: point})
	}
	return nil
}
