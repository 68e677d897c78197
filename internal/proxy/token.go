package proxy

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/fairlead/fairlead/internal/proxy/balance"
	"github.com/fairlead/fairlead/internal/proxy/keyring"
	"github.com/fairlead/fairlead/internal/proxy/route"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// targetRef is what a token calls a target: the same on every node, whatever else
// there is in the assignment, and nothing that a client could use.
type targetRef [8]byte

func refOf(k balance.Key) (ref targetRef) {
	sum := sha256.Sum256([]byte(k.Group + "\x00" + k.Addr.String()))
	copy(ref[:], sum[:])
	return ref
}

// token is what the value of a cookie says: which target group and which target a
// client was at, and when it was answered. All cookies say all of it, so that a
// response is sealed once; each is read for what it is about.
type token struct {
	group  route.Mark
	target targetRef
	made   time.Time // in milliseconds
}

// The parts of a token: the epoch of its key in the clear, modulo 2^16, the nonce,
// and what is sealed. tokenText is the length of its value.
const (
	tokenEpoch   = 2
	tokenContent = len(route.Mark{}) + len(targetRef{}) + 8
	tokenHead    = tokenEpoch + chacha20poly1305.NonceSizeX
	tokenBytes   = tokenHead + tokenContent + chacha20poly1305.Overhead
	tokenText    = (tokenBytes*8 + 5) / 6
)

// clockSkew is how far ahead the clock of the node that made a token may be.
const clockSkew = 5 * time.Minute

// maxStay is the longest that a token may count for (ELBv2: seven days).
const maxStay = 7 * 24 * time.Hour

// sticky makes and reads the tokens of one load balancer. Its nodes share a secret, of
// which each derives the keys by itself.
type sticky struct {
	secret  []byte
	keys    *keyring.Ring
	expires dates // when the cookies do
}

// errNoCookieKey says that clients are to be known again, and that the assignment
// has no key for it.
var errNoCookieKey = errors.New("the assignment has no key for cookies")

// openSticky returns nil, and why, if the load balancer's clients can't be known
// again.
func (p *Proxy) openSticky(b *snapshot.LoadBalancer) (*sticky, error) {
	key, err := p.openCookieKey(b)
	if err != nil {
		return nil, err
	}
	return newSticky(key), nil
}

func newSticky(secret []byte) *sticky {
	return &sticky{secret: secret, keys: keyring.New(secret, "fairlead stickiness", maxStay)}
}

// openCookieKey returns the secret that the load balancer's nodes share.
func (p *Proxy) openCookieKey(b *snapshot.LoadBalancer) ([]byte, error) {
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
	if len(key) != chacha20poly1305.KeySize {
		return nil, fmt.Errorf("cookie key of %s: bad key length", b.ARN)
	}
	return key, nil
}

// sealing is memory for a token that is sealed or opened.
type sealing struct {
	bytes   [tokenBytes]byte
	content [tokenContent]byte
}

var sealings = sync.Pool{New: func() any { return new(sealing) }}

// seal writes a token's value. The nonces come from the runtime's generator, which
// the system seeds: they must not be the same twice, and need not be secret.
func (s *sticky) seal(value *[tokenText]byte, t token) {
	m := sealings.Get().(*sealing)
	defer sealings.Put(m)
	buf, content := m.bytes[:], m.content[:]
	epoch, key := s.keys.At(t.made).Present()
	binary.BigEndian.PutUint16(buf, epoch)
	for i := tokenEpoch; i < tokenHead; i += 8 {
		binary.NativeEndian.PutUint64(buf[i:], rand.Uint64())
	}
	copy(content, t.group[:])
	copy(content[len(t.group):], t.target[:])
	binary.BigEndian.PutUint64(content[tokenContent-8:], uint64(t.made.UnixMilli()))
	sealed := key.Seal(buf[:tokenHead], buf[tokenEpoch:tokenHead], content, nil)
	base64.RawURLEncoding.Encode(value[:], sealed)
}

// strictly refuses what isn't as seal writes it.
var strictly = base64.RawURLEncoding.Strict()

// open reads a token's value; false if it isn't one of the load balancer's, or its
// key doesn't count any more. value is tokenText bytes long.
func (s *sticky) open(value []byte, now time.Time) (t token, ok bool) {
	m := sealings.Get().(*sealing)
	defer sealings.Put(m)
	buf := m.bytes[:]
	if _, err := strictly.Decode(buf, value); err != nil {
		return t, false
	}
	aead := s.keys.At(now).Of(binary.BigEndian.Uint16(buf))
	if aead == nil {
		return t, false
	}
	content, err := aead.Open(buf[tokenHead:tokenHead], buf[tokenEpoch:tokenHead], buf[tokenHead:], nil)
	if err != nil {
		return t, false
	}
	copy(t.group[:], content)
	copy(t.target[:], content[len(t.group):])
	t.made = time.UnixMilli(int64(binary.BigEndian.Uint64(content[tokenContent-8:])))
	return t, true
}
