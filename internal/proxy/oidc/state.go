package oidc

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"time"
)

// stateLife is how long a client may take to log in (ELB user guide, "Client login
// timeout").
const stateLife = 15 * time.Minute

// clockSkew is how far ahead the clock of the node may be that has sealed something.
const clockSkew = 5 * time.Minute

// State is what a client has begun: it goes with it to the provider and back, sealed.
type State struct {
	Made              time.Time // in milliseconds
	Authority, Target string    // of what the client has asked for

	nonce nonce // in the client's cookie
	salt  [16]byte
}

type nonce [32]byte

// maxState is the longest state that is looked at: of a URL that MaxLocation allows.
const maxState = MaxLocation

// realmMark is how many bytes of a realm a state shows, so that it is found out whose
// it is.
const realmMark = 8

// Why a state doesn't count.
var (
	ErrState = errors.New("the state isn't one of the load balancer's, or from too long ago")
	ErrNonce = errors.New("the state is another client's")
)

func (c *Client) sealState(s *State) string {
	plain := appendTime(nil, s.Made)
	plain = append(plain, s.nonce[:]...)
	plain = append(plain, s.salt[:]...)
	plain = appendText(plain, s.Authority)
	plain = appendText(plain, s.Target)
	sealed := appendSealed(c.states[:realmMark:realmMark], c.keys.states, &c.states, plain, s.Made)
	return base64.RawURLEncoding.EncodeToString(sealed)
}

// Issued says whether a state, before it is opened, says that it is the client's.
func (c *Client) Issued(state []byte) bool {
	var mark [realmMark]byte
	const text = (realmMark*8 + 5) / 6
	if len(state) <= text || len(state) > maxState {
		return false
	}
	// The last of these characters has bits of what follows too.
	if _, err := base64.RawURLEncoding.Decode(mark[:], state[:text]); err != nil {
		return false
	}
	return bytes.Equal(mark[:], c.states[:realmMark])
}

// OpenState opens a state that has come back, to the authority, with the cookie. The
// error is ErrState or ErrNonce.
func (c *Client) OpenState(state, authority, cookie []byte, now time.Time) (s State, err error) {
	if !c.Issued(state) {
		return State{}, ErrState
	}
	b := make([]byte, base64.RawURLEncoding.DecodedLen(len(state)))
	if _, err := strictly.Decode(b, state); err != nil {
		return State{}, ErrState
	}
	plain, ok := openSealed(b[realmMark:], c.keys.states, &c.states, now)
	if !ok {
		return State{}, ErrState
	}
	t := taker{plain, true}
	s.Made = t.time()
	copy(s.nonce[:], t.bytes(len(s.nonce)))
	copy(s.salt[:], t.bytes(len(s.salt)))
	s.Authority, s.Target = string(t.text()), string(t.text())
	if age := now.Sub(s.Made); !t.ok || len(t.b) > 0 || age > stateLife || age < -clockSkew || s.Authority != string(authority) {
		return State{}, ErrState
	}
	if n, ok := parseNonce(cookie); !ok || subtle.ConstantTimeCompare(n[:], s.nonce[:]) == 0 {
		return State{}, ErrNonce
	}
	return s, nil
}

// parseNonce reads a NonceCookie; false if it can't be one.
func parseNonce(cookie []byte) (n nonce, ok bool) {
	if len(cookie) != base64.RawURLEncoding.EncodedLen(len(n)) {
		return n, false
	}
	_, err := strictly.Decode(n[:], cookie)
	return n, err == nil
}

// Nonce returns what the provider's ID token has to say that comes of the state
// (OpenID Connect Core §3.1.2.1). It doesn't give the cookie away.
func (s *State) Nonce() string { return s.derive("nonce") }

// Verifier returns what proves that whoever has a code has asked for it (RFC 7636
// §4.1). Only the client's browser and the load balancer can know it.
func (s *State) Verifier() string { return s.derive("verifier") }

func (s *State) derive(purpose string) string {
	sum := sha256.Sum256(append(append([]byte("fairlead oidc "+purpose+"\x00"), s.nonce[:]...), s.salt[:]...))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
