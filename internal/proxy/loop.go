//go:build linux

package proxy

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/route"
)

// Sizes of a loop.
const (
	readBuffer  = 64 << 10 // one read of any connection
	eventBuffer = 256      // of one look

	// What one read brings, after a record that had come but for its last byte.
	clearBuffer = readBuffer + maxRecord
	maxRecord   = 16 << 10
	fairShare   = 8 // requests, or reads of a response, before others have their turn
)

// loops are the event loops of a proxy. A client's connection stays with the loop
// that it is given to.
type loops struct {
	all  []*loop
	next atomic.Uint32
}

// loop carries connections on one thread: it waits for what happens on any of
// them, and does what can be done at once. Whatever could wait for long, or can't
// be done on a bare socket, is the stream shell's: see hand in loop_client.go.
//
// All of it belongs to the loop's goroutine but what is said to be others'.
type loop struct {
	proxy *Proxy
	index int
	epoll int
	wakes int // an eventfd: others write to it

	socks   []sock // by descriptor
	begun   time.Time
	now     time.Duration // since begun; as of the last look
	wheel   wheel
	ready   []eager // they had their share, and have more to do; those before served had another one
	served  int
	buffer  []byte        // what has been read last
	out     []byte        // what is written next
	fields  []byte        // of ours in it
	clear   []byte        // what was read last, without its TLS
	sealed  []byte        // what is written next, with it
	request http1.Request // of a head that came in one piece
	scratch route.Scratch
	block   []byte // a header block of HTTP/2
	spare   []*loopExchange

	requests []*loopRequest // that nobody has
	dirty    []dirty        // have something to send at the end of the turn
	noted    []*loopBridge  // something has become of their streams
	bridges  []*loopBridge  // that nobody has

	held, mostHeld int // bytes in connections' own memory

	shakers []*shaker // that have no handshake
	pipes   []*pipe   // that are empty
	at      sock      // what is being dealt with

	// The following are others', too.
	mu       sync.Mutex
	commands []func()
	asleep   atomic.Bool
	stopping bool
}

// dirty is a session that has something to send at the end of the turn.
type dirty interface {
	flush()
	connection() sock
}

// sock is what a loop has a descriptor of.
type sock interface {
	happened(events uint32) // readiness is a hint: it may be of the descriptor's former owner
	drop()                  // closes it, whatever it does
}

// eager is what has more to do than is fair to others.
type eager interface {
	again()           // does some of it
	connection() sock // that it is part of
}

// newLoops starts loops, one for each CPU that the process may use.
func newLoops(p *Proxy, n, memory int) (*loops, error) {
	l := &loops{}
	for i := range n {
		one, err := newLoop(p, i)
		if err != nil {
			for _, l := range l.all {
				l.release()
			}
			return nil, err
		}
		one.mostHeld = memory
		l.all = append(l.all, one)
	}
	for _, one := range l.all {
		p.wg.Go(one.run)
	}
	lend(n)
	return l, nil
}

// lending guards GOMAXPROCS.
var lending sync.Mutex

// lend has the runtime use n CPUs more, or less: a loop keeps its P while it waits
// for a moment, and others are to have as many as they would have without it.
func lend(n int) {
	lending.Lock()
	defer lending.Unlock()
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + n)
}

func newLoop(p *Proxy, index int) (*loop, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("event loop: %w", err)
	}
	fd, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		sysClose(epoll)
		return nil, fmt.Errorf("event loop: %w", errno)
	}
	l := &loop{proxy: p, index: index, epoll: epoll, wakes: int(fd), begun: time.Now(), buffer: make([]byte, readBuffer), out: make([]byte, 0, readBuffer), clear: make([]byte, 0, clearBuffer)}
	if err := epollAdd(epoll, l.wakes, syscall.EPOLLIN); err != nil {
		l.release()
		return nil, fmt.Errorf("event loop: %w", err)
	}
	return l, nil
}

func (l *loop) release() {
	for _, s := range l.shakers {
		s.cancel()
	}
	for _, p := range l.pipes {
		p.close()
	}
	sysClose(l.wakes)
	sysClose(l.epoll)
}

// count returns how many there are.
func (s *loops) count() int {
	if s == nil {
		return 0
	}
	return len(s.all)
}

// give has one of the loops carry a connection that was accepted on at.
func (s *loops) give(at *loop, c *loopClient) {
	if l := s.one(); l != at {
		l.do(func() { l.adopt(c) })
		return
	}
	at.adopt(c)
}

// one returns the loops in turn.
func (s *loops) one() *loop { return s.all[int(s.next.Add(1))%len(s.all)] }

// each has every loop do something.
func (s *loops) each(do func(*loop)) {
	if s == nil {
		return
	}
	for _, l := range s.all {
		l.do(func() { do(l) })
	}
}

// stop ends the loops; what they carry is cut.
func (s *loops) stop() {
	s.each(func(l *loop) { l.stopping = true })
	if s != nil {
		lend(-len(s.all))
	}
}

// do has the loop do something soon. It may be called by anybody.
func (l *loop) do(command func()) {
	l.mu.Lock()
	l.commands = append(l.commands, command)
	l.mu.Unlock()
	if l.asleep.Load() {
		one := [8]byte{1}
		_, _ = sysWriteFile(l.wakes, one[:]) // full: it is awake
	}
}

// run carries connections until stop.
func (l *loop) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer l.release()
	events := make([]syscall.EpollEvent, eventBuffer)
	for !l.stopping {
		l.turn(events)
	}
	for _, s := range l.socks {
		if s != nil {
			s.drop()
		}
	}
}

// turn waits for something to happen and deals with it. A connection that breaks
// an invariant of ours must not take the others with it.
func (l *loop) turn(events []syscall.EpollEvent) {
	defer func() {
		if v := recover(); v != nil {
			l.proxy.log.Error("connection abandoned", "panic", v, "stack", string(debug.Stack()))
			if l.at != nil {
				l.at.drop()
			}
		}
		l.at = nil
	}()
	for _, e := range events[:l.look(events)] {
		fd := int(e.Fd)
		if fd == l.wakes {
			var b [8]byte
			_, _ = sysReadFile(l.wakes, b[:]) // empties it, as it was full or is empty
			continue
		}
		if l.at = l.socks[fd]; l.at != nil {
			l.at.happened(e.Events)
		}
	}
	l.at = nil
	l.wheel.advance(l.now)
	for until := len(l.ready); l.served < until; {
		e := l.ready[l.served]
		l.served++
		l.at = e.connection()
		e.again()
	}
	l.ready = append(l.ready[:0], l.ready[l.served:]...)
	l.served, l.at = 0, nil
	for do := l.command(); do != nil; do = l.command() {
		do()
	}
	for l.settle(); len(l.dirty) > 0; l.settle() {
		m := l.dirty[len(l.dirty)-1]
		l.dirty = l.dirty[:len(l.dirty)-1]
		l.at = m.connection()
		m.flush()
	}
}

// command takes the first of what the loop is to do; nil: nothing.
func (l *loop) command() func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.commands) == 0 {
		l.commands = nil
		return nil
	}
	do := l.commands[0]
	l.commands = l.commands[1:]
	return do
}

// look returns what has happened, and waits if nothing has and nothing is to do:
// first for a moment with its P in hand, as a busy loop never waits for longer
// and a wake-up through the scheduler costs as much as a request; then as any
// goroutine waits, so that an idle loop costs nothing.
func (l *loop) look(events []syscall.EpollEvent) int {
	n := 0
	if len(l.ready) > 0 {
		n = epollTake(l.epoll, events, 0)
	} else {
		l.asleep.Store(true)
		if !l.commanded() {
			l.now = time.Since(l.begun)
			wait := l.wheel.wait(l.now)
			brief := patience
			if wait >= 0 {
				brief = min(brief, wait)
			}
			n = epollTake(l.epoll, events, milliseconds(brief))
			if n == 0 && brief == patience {
				rest := -1
				if wait >= 0 {
					rest = milliseconds(wait - brief)
				}
				n, _ = syscall.EpollWait(l.epoll, events, rest) // -1 when interrupted
			}
		}
		l.asleep.Store(false)
	}
	l.now = time.Since(l.begun)
	return max(n, 0)
}

// patience is how long a loop waits with its P in hand.
const patience = 2 * time.Millisecond

func milliseconds(d time.Duration) int { return int((d + time.Millisecond - 1) / time.Millisecond) }

// commanded says whether others want something of the loop.
func (l *loop) commanded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.commands) > 0
}

// clock returns the time that it is now for the loop.
func (l *loop) clock() time.Time { return l.begun.Add(l.now) }

// add has the loop told of what happens on the descriptor.
func (l *loop) add(fd int, s sock) error {
	for fd >= len(l.socks) {
		l.socks = append(l.socks, make([]sock, max(64, len(l.socks)))...)
	}
	if err := epollAdd(l.epoll, fd, epollEdges); err != nil {
		return err
	}
	l.socks[fd] = s
	return nil
}

// close closes a descriptor of the loop's. epoll forgets it by itself.
func (l *loop) close(fd int) {
	if fd < len(l.socks) {
		l.socks[fd] = nil
	}
	sysClose(fd)
}

// closeIdle ends the connections of a port that wait for a request.
func (l *loop) closeIdle(p *port) {
	for _, s := range l.socks {
		if c, ok := s.(*loopClient); ok && c.port == p {
			c.closeIfIdle()
		}
	}
}

// cut ends the connections of a port, whatever they do.
func (l *loop) cut(p *port) {
	for _, s := range l.socks {
		if c, ok := s.(*loopClient); ok && c.port == p {
			c.drop()
		}
	}
}
