package proxy

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/route"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// The cookies by which a client stays with a target group of an action that has
// several (ELB user guide, "Sticky sessions"). They say the same; the second one
// is for requests that another site has made a browser send.
const (
	groupCookie     = "AWSALBTG"
	groupCookieCORS = "AWSALBTGCORS"
)

// groupCookieLife is how long a client keeps the cookies. How long they count for
// is the action's to say, by the time that is in them.
const groupCookieLife = 7 * 24 * time.Hour

// clockSkew is how far ahead the clock of the node that made a cookie may be.
const clockSkew = 5 * time.Minute

// maxCookieTries is how many cookies of the right form a request may have looked
// at: each costs a decryption, and a client that was sent them has two.
const maxCookieTries = 4

// stickyContent is what a cookie says: the target group, and when it was made, in
// milliseconds since the epoch. stickyText is the length of its value.
const (
	stickyContent = len(route.Mark{}) + 8
	stickySealed  = chacha20poly1305.NonceSizeX + stickyContent + chacha20poly1305.Overhead
	stickyText    = (stickySealed*8 + 5) / 6
)

// sticky reads and makes the cookies of one load balancer, whose nodes share its
// key. It never changes. The nonces are random, and long enough never to meet
// (draft-irtf-cfrg-xchacha §3.1): every response has a new cookie.
type sticky struct{ aead cipher.AEAD }

// errNoCookieKey says that rules keep clients with a target group, and that the
// assignment has no key for it.
var errNoCookieKey = errors.New("the assignment has no key for cookies")

// openSticky returns nil, and why, if the load balancer's clients can't be known
// again.
func (p *Proxy) openSticky(b *snapshot.LoadBalancer) (*sticky, error) {
	switch {
	case len(b.CookieKey) == 0:
		return nil, errNoCookieKey
	case p.openKey == nil:
		return nil, errNoOpenKey
	}
	key, err := p.openKey(b.CookieSubject(), b.CookieKey)
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("cookie key of %s: %w", b.ARN, err)
	}
	return &sticky{aead}, nil
}

// appendCookies appends the fields that have a client stay with the target group.
func (s *sticky) appendCookies(dst []byte, group route.Mark, now time.Time) []byte {
	var buf [stickySealed]byte
	nonce := buf[:chacha20poly1305.NonceSizeX]
	_, _ = rand.Read(nonce) // never fails (crypto/rand)
	var content [stickyContent]byte
	copy(content[:], group[:])
	binary.BigEndian.PutUint64(content[len(group):], uint64(now.UnixMilli()))
	sealed := s.aead.Seal(nonce, nonce, content[:], []byte(groupCookie))
	var value [stickyText]byte
	base64.RawURLEncoding.Encode(value[:], sealed)
	for _, name := range [...]string{groupCookie, groupCookieCORS} {
		dst = append(dst, "Set-Cookie: "...)
		dst = append(dst, name...)
		dst = append(dst, '=')
		dst = append(dst, value[:]...)
		dst = append(dst, "; Expires="...)
		dst = now.Add(groupCookieLife).UTC().AppendFormat(dst, imfFixdate)
		dst = append(dst, "; Path=/"...)
		if name == groupCookieCORS {
			dst = append(dst, "; SameSite=None; Secure"...)
		}
		dst = append(dst, "\r\n"...)
	}
	return dst
}

// open reads a cookie's value; false if it isn't one of the load balancer's.
func (s *sticky) open(value []byte) (group route.Mark, made time.Time, ok bool) {
	var sealed [stickySealed]byte
	if _, err := base64.RawURLEncoding.Strict().Decode(sealed[:], value); err != nil {
		return group, made, false
	}
	var buf [stickyContent]byte
	nonce, text := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
	content, err := s.aead.Open(buf[:0], nonce, text, []byte(groupCookie))
	if err != nil {
		return group, made, false
	}
	copy(group[:], content)
	return group, time.UnixMilli(int64(binary.BigEndian.Uint64(content[len(group):]))), true
}

// share returns which of the action's target groups the client stays with, -1 if
// none: its cookies are for others, from too long ago, or not ours.
func (s *sticky) share(a *route.Action, r *http1.Request, head []byte, now time.Time) int {
	tries := 0
	for header := range r.Header(head, "cookie") {
		for len(header) > 0 {
			var pair []byte
			pair, header, _ = bytes.Cut(header, []byte{';'})
			name, value, _ := bytes.Cut(bytes.TrimSpace(pair), []byte{'='})
			if len(value) != stickyText || string(name) != groupCookie && string(name) != groupCookieCORS {
				continue
			}
			if tries++; tries > maxCookieTries {
				return -1
			}
			group, made, ok := s.open(value)
			if age := now.Sub(made); !ok || age > a.Stickiness || age < -clockSkew {
				continue
			}
			for i := range a.Shares {
				if a.Shares[i].Mark == group {
					return i
				}
			}
		}
	}
	return -1
}
