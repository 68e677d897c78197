// Package failpoint lets a test end the process, or see it pass, between any
// two durable steps. A name stands in the code where a crash must be harmless.
// Without a hook a point costs one atomic load.
package failpoint

import "sync/atomic"

var hook atomic.Pointer[func(name string)]

// Hit tells the hook, if there is one, that the named point was reached.
func Hit(name string) {
	if h := hook.Load(); h != nil {
		(*h)(name)
	}
}

// SetHook has f called at every point from now on, on the goroutine that
// reaches it; nil for none.
func SetHook(f func(name string)) {
	if f == nil {
		hook.Store(nil)
		return
	}
	hook.Store(&f)
}
