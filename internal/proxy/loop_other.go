//go:build !linux

package proxy

import "net/netip"

// Where there is no epoll there are no loops: each connection has a goroutine.
type (
	loops    struct{}
	loop     struct{}
	loopPool struct{}
)

func (p *Proxy) startLoops(Options) {}

func (*loops) count() int       { return 0 }
func (*loops) each(func(*loop)) {}
func (*loops) stop()            {}

func (*loop) drain(*port)            {}
func (*loop) closeIdle(*port)        {}
func (*loop) shed()                  {}
func (*loop) cut(*port)              {}
func (*loop) retire(*endpoint, bool) {}

func mostDescriptors() int64 { return 1024 }

func (p *port) listen(at netip.AddrPort) error { return p.listenStream(at) }
