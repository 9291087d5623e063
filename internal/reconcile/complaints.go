package reconcile

import "sync"

// complaints remembers what was logged about an object, so that a fault that
// lasts is one line and not one a pass.
type complaints struct {
	mu   sync.Mutex
	last map[string]string
}

// news tells whether err says something else about the object than before; nil
// is the end of a fault.
func (c *complaints) news(about string, err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		delete(c.last, about)
		return false
	}
	if c.last == nil {
		c.last = map[string]string{}
	}
	if c.last[about] == err.Error() {
		return false
	}
	c.last[about] = err.Error()
	return true
}
