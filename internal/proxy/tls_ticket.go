package proxy

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"strconv"
	"strings"
	"time"
)

// ticketEpoch is how long tickets are sealed with the same key. A client comes back
// with a ticket for as long again: a key is forgotten after at most a day, and what
// it has sealed is safe from whoever finds the keys of a later time (RFC 5077 §5.5 bids
// to change them, and doesn't say how often).
const ticketEpoch = 12 * time.Hour

func ticketEpochAt(now time.Time) int64 { return now.Unix() / int64(ticketEpoch/time.Second) }

// renew has tickets sealed with the key of the present epoch. All nodes derive the
// same keys from a secret of the load balancer's, so that a client goes on with a
// session at whichever it comes to. What the former key has sealed still counts, and
// so does what the next one has, by a clock that is ahead.
//
// Without a secret crypto/tls makes up keys, which no other node knows. p.applying
// is held, or s not in use yet.
func (s *secure) renew(now time.Time) {
	epoch := ticketEpochAt(now)
	if s.secret == nil || s.epoch == epoch {
		return
	}
	s.epoch = epoch
	s.config.SetSessionTicketKeys([][32]byte{s.ticketKey(epoch), s.ticketKey(epoch - 1), s.ticketKey(epoch + 1)})
}

// ticketKey returns the key of an epoch for the listener's tickets. It opens no other
// listener's: a session ends where another policy, or other certificates, begin.
func (s *secure) ticketKey(epoch int64) [32]byte {
	key, _ := hkdf.Key(sha256.New, s.secret, nil, "fairlead tickets "+s.listener+" "+strconv.FormatInt(epoch, 10), 32) // fails only for lengths
	return [32]byte(key)
}

// wrap makes the ticket of a session, which is for the name that the client has asked
// for, and unwrap reads it: whoever asks for another one shakes hands in whole, and is
// shown a certificate (RFC 6066 §3).
func (s *secure) wrap(c tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
	session.Extra = append(session.Extra, []byte(strings.ToLower(c.ServerName)))
	return s.config.EncryptTicket(c, session)
}

func (s *secure) unwrap(ticket []byte, c tls.ConnectionState) (*tls.SessionState, error) {
	session, err := s.config.DecryptTicket(ticket, c)
	if err != nil || session == nil || len(session.Extra) != 1 || string(session.Extra[0]) != strings.ToLower(c.ServerName) {
		return nil, err
	}
	return session, nil
}

// renewTickets renews those of all listeners, unless an assignment is being applied:
// then it returns false, and is to be called again.
func (p *Proxy) renewTickets(now time.Time) bool {
	if !p.applying.TryLock() { // Close holds it until its caller has ended
		return false
	}
	defer p.applying.Unlock()
	for _, b := range p.balancers {
		for _, s := range b.secured {
			s.renew(now)
		}
	}
	return true
}
