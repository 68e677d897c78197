package attach

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
)

// ErrUnsupported is returned for a driver, or an address, that this host can't serve.
var ErrUnsupported = errors.New("not supported on this host")

// Driver brings addresses onto a host and takes them off again.
type Driver interface {
	// Attach makes addr usable for the node and returns the address to listen
	// on. Attaching what is attached already returns the same again. A node has
	// one address at a time: another one replaces the first.
	Attach(ctx context.Context, nodeID string, addr netip.Addr) (bound netip.Addr, err error)

	// Detach takes the node's address off the host. The caller has closed the
	// sockets bound to it. Detaching a node that has none is success.
	Detach(ctx context.Context, nodeID string) error
}

// Names of drivers.
const NameLoopback = "loopback"

// New returns the named driver, which keeps what it must remember in dir. It
// returns ErrUnsupported for a name it doesn't know.
func New(name, dir string) (Driver, error) {
	switch name {
	case NameLoopback:
		return NewLoopback(dir)
	default:
		return nil, fmt.Errorf("attachment driver %q: %w", name, ErrUnsupported)
	}
}
