package dnsserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// Options is how a server runs. The zero value is ready.
type Options struct {
	Log *slog.Logger // slog.Default when nil

	// UDPWorkers is how many goroutines answer over UDP; 0: one a CPU.
	UDPWorkers int
	// MaxTCPConnections is how many connections may be open; more are closed at
	// once. 0: 1024.
	MaxTCPConnections int
	// TCPIdleTimeout is how long a connection may take for the next query, and
	// for taking an answer. 0: 10 s, "a few seconds" of RFC 7766 §6.2.3.
	TCPIdleTimeout time.Duration
}

// Server answers DNS queries. Its methods are safe for concurrent use.
//
// Zones and names are apart: a name may be put before its zone is set, lies in
// whichever zone has the longest matching origin at the time of a query, and is
// refused like any foreign one while there is none.
//
// What is set has been checked by its maker. A zone, an owner or a record that
// has no wire format nevertheless is logged and left out, and the rest applies.
type Server struct {
	log         *slog.Logger
	maxTCP      int
	idleTimeout time.Duration

	table atomic.Pointer[table]
	mu    sync.Mutex // guards changes of table's contents, and its replacement

	counts                  []counters // one for each UDP worker, then one for TCP
	tcpAccepted, tcpRefused atomic.Uint64

	lifeMu sync.Mutex // guards the fields below
	udp    *net.UDPConn
	tcp    *net.TCPListener
	conns  map[net.Conn]struct{} // open TCP connections
	closed bool
	done   chan struct{}  // closed by shutdown
	wg     sync.WaitGroup // every goroutine of the server
}

// New returns a server without zones, which listens nowhere.
func New(o Options) *Server {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.UDPWorkers <= 0 {
		o.UDPWorkers = runtime.GOMAXPROCS(0)
	}
	if o.MaxTCPConnections <= 0 {
		o.MaxTCPConnections = 1024
	}
	if o.TCPIdleTimeout <= 0 {
		o.TCPIdleTimeout = 10 * time.Second
	}
	s := &Server{
		log:         o.Log,
		maxTCP:      o.MaxTCPConnections,
		idleTimeout: o.TCPIdleTimeout,
		counts:      make([]counters, o.UDPWorkers+1),
		conns:       make(map[net.Conn]struct{}),
		done:        make(chan struct{}),
	}
	s.table.Store(newTable())
	return s
}

// SetZone adds a zone, or replaces the one with the same origin.
func (s *Server) SetZone(z snapshot.Zone) {
	s.mu.Lock()
	err := s.table.Load().setZone(z)
	s.mu.Unlock()
	s.report(err)
}

// Put adds a name, or replaces all that it had.
func (s *Server) Put(n snapshot.Name) {
	s.mu.Lock()
	err := s.table.Load().put(n)
	s.mu.Unlock()
	s.report(err)
}

// Remove takes a name out. One that has names below it goes on to exist, without
// records. Removing what isn't there changes nothing.
func (s *Server) Remove(owner string) {
	s.mu.Lock()
	err := s.table.Load().remove(owner)
	s.mu.Unlock()
	s.report(err)
}

// Reset replaces everything in one step: a query is answered wholly from before
// or wholly from after it.
func (s *Server) Reset(zones []snapshot.Zone, names []snapshot.Name) {
	next := newTable()
	var errs []error
	for _, z := range zones {
		errs = append(errs, next.setZone(z))
	}
	for _, n := range names {
		errs = append(errs, next.put(n))
	}
	s.mu.Lock()
	s.table.Store(next)
	s.mu.Unlock()
	for _, err := range errs {
		s.report(err)
	}
}

func (s *Server) report(err error) {
	if err != nil {
		s.log.Error("DNS data left out", "error", err)
	}
}

func (t *table) setZone(z snapshot.Zone) error {
	packed, err := packZone(z)
	if err != nil {
		return fmt.Errorf("set zone %s: %w", z.Origin, err)
	}
	t.update(packed.origin, func(n *node) { n.zone.Store(packed) })
	return nil
}

func (t *table) put(n snapshot.Name) error {
	name, err := packName(n.Owner)
	if err != nil {
		return fmt.Errorf("put name: %w", err)
	}
	packed, err := packRecords(n)
	t.update(name, func(n *node) { n.records.Store(packed) })
	if err != nil {
		return fmt.Errorf("put name %s: %w", n.Owner, err)
	}
	return nil
}

func (t *table) remove(owner string) error {
	name, err := packName(owner)
	if err != nil {
		return fmt.Errorf("remove name: %w", err)
	}
	if n := t.find(name); n != nil {
		t.removeRecords(n)
	}
	return nil
}

// ErrListening is returned by Listen on a server that listens or has been closed.
var ErrListening = errors.New("dnsserver: already listening or closed")

// portAttempts is how often Listen looks for a port that is free for both
// protocols when it may choose one.
const portAttempts = 16

// Listen binds UDP and TCP on the same port of addr ("127.0.0.1:53"; with port
// 0 the system chooses) and answers until ctx ends or Close is called. It
// returns once queries are accepted. A server listens once.
func (s *Server) Listen(ctx context.Context, addr string) error {
	s.lifeMu.Lock()
	defer s.lifeMu.Unlock()
	if s.closed || s.udp != nil {
		return fmt.Errorf("listen on %s: %w", addr, ErrListening)
	}
	udp, tcp, err := bind(ctx, addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	s.udp, s.tcp = udp, tcp
	workers := len(s.counts) - 1
	for i := range workers {
		s.wg.Go(func() { s.serveUDP(udp, &s.counts[i]) })
	}
	s.wg.Go(func() { s.serveTCP(tcp, &s.counts[workers]) })
	s.wg.Go(func() {
		select {
		case <-ctx.Done():
			_ = s.shutdown()
		case <-s.done:
		}
	})
	return nil
}

// bind opens both sockets.
func bind(ctx context.Context, addr string) (*net.UDPConn, *net.TCPListener, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, nil, err
	}
	attempts := 1
	if port == "0" || port == "" {
		attempts = portAttempts // the port that UDP gets may be taken for TCP
	}
	var lc net.ListenConfig
	for {
		attempts--
		pc, err := lc.ListenPacket(ctx, "udp", addr)
		if err != nil {
			return nil, nil, err
		}
		ln, err := lc.Listen(ctx, "tcp", pc.LocalAddr().String())
		if err == nil {
			udp := pc.(*net.UDPConn)
			if err = answerFromAsked(udp); err == nil {
				return udp, ln.(*net.TCPListener), nil
			}
			err = errors.Join(err, ln.Close())
		}
		err = errors.Join(err, pc.Close())
		if attempts == 0 || !errors.Is(err, syscall.EADDRINUSE) {
			return nil, nil, err
		}
	}
}

// Addr returns the address of both sockets; the zero AddrPort before Listen.
func (s *Server) Addr() netip.AddrPort {
	s.lifeMu.Lock()
	defer s.lifeMu.Unlock()
	if s.udp == nil {
		return netip.AddrPort{}
	}
	ap := s.udp.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// Close stops listening, ends open connections and waits for all that the server
// has running. Closing twice is closing once.
func (s *Server) Close() error {
	err := s.shutdown()
	s.wg.Wait()
	return err
}

// shutdown closes every socket, which ends the goroutines that read from them.
func (s *Server) shutdown() error {
	s.lifeMu.Lock()
	defer s.lifeMu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	close(s.done)
	if s.udp == nil {
		return nil
	}
	err := errors.Join(s.udp.Close(), s.tcp.Close())
	for c := range s.conns {
		err = errors.Join(err, c.Close())
	}
	return err
}
