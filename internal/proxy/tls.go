package proxy

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/meter"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// handshakeTimeout is how long a client may take for its TLS handshake. AWS says
// nothing of it; this is what it gives targets for theirs.
const handshakeTimeout = 10 * time.Second

// secure is how a listener speaks TLS, compiled. It never changes, but that tickets
// get new keys.
type secure struct {
	config   *tls.Config
	listener string // ARN
	from     *snapshot.TLS
	certs    []*certificate // in the order of from.Certificates, those that can be served
	names    directory      // of certs

	trust *trust // that clients are verified by; nil: they aren't

	secret []byte // that keys for tickets come from; nil: each node has its own
	epoch  int64  // of the key that seals tickets; guarded by Proxy.applying
}

// planTLS compiles a listener's TLS. It is the former one if nothing of it has
// changed, so that clients can go on with their sessions. An error says why the
// port can't be open, with the remedy.
func (pl *plan) planTLS(b *balancer, l *snapshot.Listener) (*secure, error) {
	if l.TLS == nil || len(l.TLS.Certificates) == 0 {
		return nil, errors.New("HTTPS listeners need a certificate, and the assignment has none for this one")
	}
	if s := b.secured[l.ARN]; s != nil {
		return s, nil // another node's
	}
	s := &secure{listener: l.ARN, from: l.TLS}
	if b.sticky != nil {
		s.secret = b.sticky.secret
	}
	if err := s.authenticate(pl.trust); err != nil {
		return nil, err
	}
	leftOut := map[string]error{}
	for i, arn := range l.TLS.Certificates {
		c := pl.certificate(arn)
		err := errNotAssigned
		if c != nil {
			err = c.err
		}
		switch {
		case err == nil:
			s.certs = append(s.certs, c)
		case i == 0:
			return nil, fmt.Errorf("certificate %s can't be served: %w (import it again, or give the listener another one)", arn, err)
		default: // its clients are served by the default one
			leftOut[arn] = err
		}
	}
	var old *secure
	if was := pl.proxy.balancers[b.from.ARN]; was != nil {
		old = was.secured[l.ARN]
	}
	if old != nil && reflect.DeepEqual(old.from, s.from) && slices.Equal(old.certs, s.certs) && old.trust == s.trust && bytes.Equal(old.secret, s.secret) {
		s = old
	} else if err := s.compile(); err != nil {
		return nil, err
	} else {
		if why := s.closed(); why != nil {
			pl.proxy.log.Error("clients are refused", "listener", l.ARN, "error", why)
		}
		if s.secret == nil && len(b.from.CookieKey) > 0 {
			pl.proxy.log.Warn("clients don't go on with their sessions at other nodes: this host can't open the load balancer's key", "listener", l.ARN)
		}
		for arn, err := range leftOut { // not again with each change of something else
			pl.proxy.log.Error("certificate left out", "listener", l.ARN, "certificate", arn, "error", err)
		}
	}
	b.secured[l.ARN] = s
	return s, nil
}

var errNotAssigned = errors.New("it isn't in the assignment")

func (s *secure) compile() error {
	s.names = newDirectory(s.certs)
	s.config = &tls.Config{
		GetCertificate: s.choose,
		// A record costs more than the moments that a client would have the first
		// bytes of a large one sooner.
		DynamicRecordSizingDisabled: true,
		SessionTicketsDisabled:      s.from.NoResumption,
		WrapSession:                 s.wrap,
		UnwrapSession:               s.unwrap,
	}
	if err := obey(s.config, s.from); err != nil {
		return err
	}
	s.demand()
	s.offer()
	s.renew(time.Now())
	return nil
}

// handshake brings a client's TLS connection up; false if that failed. Nothing has
// a deadline afterwards.
func (c *client) handshake(conn *tls.Conn) bool {
	done := conn.ConnectionState().HandshakeComplete
	err := conn.SetDeadline(time.Now().Add(handshakeTimeout))
	if err == nil {
		c.reading.Store(true)
		err = conn.Handshake()
		c.reading.Store(false)
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		c.port.node.meter.Add(c.thread, meter.TLSErrors, 1)
		failed := sessionOf(conn, err)
		c.port.table.Load().connected(c.thread, c.peer, c.trace, &failed, -1, time.Now())
		c.port.proxy.log.Debug("TLS handshake failed", "node", c.port.node.id, "port", c.port.number, "peer", c.peer, "error", err)
		return false
	}
	c.tls = sessionOf(conn, nil)
	if !done { // otherwise a loop has told
		c.port.table.Load().connected(c.thread, c.peer, c.trace, &c.tls, time.Since(c.born), time.Now())
	}
	return true
}

// socket returns what is below a connection's TLS, if it has any.
func socket(conn net.Conn) net.Conn {
	for {
		above, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = above.NetConn()
	}
}
