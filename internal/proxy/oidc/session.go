package oidc

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"time"
)

// Session is what is known of a client that has logged in. It is kept in the client's
// cookies alone.
type Session struct {
	ID      [16]byte  // the same until it is over; random
	Made    time.Time // when the client logged in, in milliseconds
	Refresh time.Time // when the access token expires, and the claims are to be had anew; zero: never

	Subject      string // "sub"
	Claims       []byte // of the user info endpoint: a JSON object
	AccessToken  string
	RefreshToken string // "" if there is none
}

// MaxClaims is how large the claims and the access token of a session may be together
// (ELB user guide, "Authentication flow").
const MaxClaims = 11 << 10

// ErrTooLarge says that a session has more than MaxClaims.
var ErrTooLarge = errors.New("the claims and the access token are too large for the cookies of a session")

// NewSession returns a session with an ID, made now.
func NewSession(now time.Time) *Session {
	s := &Session{Made: now}
	_, _ = rand.Read(s.ID[:]) // never fails (crypto/rand)
	return s
}

// Cookies of a session. Each is at most maxCookie bytes long, name, attributes and all
// (RFC 6265 §6.1).
const (
	MaxShards = 4
	maxCookie = 4096

	cookieLife = 7 * 24 * time.Hour              // however short the session is
	dateForm   = "Mon, 02 Jan 2006 15:04:05 GMT" // RFC 9110 §5.6.7
	attributes = "; Expires=" + dateForm + "; Path=/; Secure; HttpOnly; SameSite=None"
)

// maxText returns how long the value of all a session's cookies may be together.
func (c *Client) maxText() int { return MaxShards * c.maxShard() }

func (c *Client) maxShard() int {
	return maxCookie - len(c.config.Cookie) - len("-0=") - len(attributes)
}

// AppendCookies appends the lines that give a client the session; had is how many
// cookies of one it has come with: those that are left over go. The error is
// ErrTooLarge.
//
// The first cookie's value begins with a digit, which is how many there are, so that
// no cookie of an earlier session is taken for a part of this one. A refresh token
// that doesn't fit isn't kept: the session then lasts as one without.
func (c *Client) AppendCookies(dst []byte, s *Session, had int, foreign bool, now time.Time) ([]byte, error) {
	if len(s.Claims)+len(s.AccessToken) > MaxClaims {
		return dst, ErrTooLarge
	}
	text := c.seal(s, now)
	if len(text) > c.maxText() && s.RefreshToken != "" {
		kept := *s
		kept.RefreshToken, kept.Refresh = "", time.Time{}
		text = c.seal(&kept, now)
	}
	if len(text) > c.maxText() {
		return dst, ErrTooLarge
	}
	size := c.maxShard()
	n := (len(text) + size - 1) / size
	text[0] = '0' + byte(n)
	expires := now.Add(cookieLife).UTC().Format(dateForm)
	for i := range n {
		shard := text[i*size : min((i+1)*size, len(text))]
		dst = c.appendCookie(dst, i, shard, expires, foreign)
	}
	for i := n; i < min(had, MaxShards); i++ {
		dst = c.appendCookie(dst, i, nil, "Thu, 01 Jan 1970 00:00:00 GMT", foreign)
	}
	return dst, nil
}

func (c *Client) appendCookie(dst []byte, i int, value []byte, expires string, foreign bool) []byte {
	dst = append(dst, "Set-Cookie: "...)
	dst = append(dst, c.config.Cookie...)
	dst = append(dst, '-', '0'+byte(i), '=')
	dst = append(dst, value...)
	dst = append(dst, "; Expires="...)
	dst = append(dst, expires...)
	return appendAttributes(dst, foreign)
}

// seal returns the text of a session's cookies, with room for the digit in front.
func (c *Client) seal(s *Session, now time.Time) []byte {
	plain := append([]byte(nil), s.ID[:]...)
	plain = appendTime(plain, s.Made)
	refresh := s.Refresh
	if refresh.IsZero() {
		refresh = time.UnixMilli(0)
	}
	plain = appendTime(plain, refresh)
	for _, text := range []string{s.Subject, string(s.Claims), s.AccessToken, s.RefreshToken} {
		plain = appendText(plain, text)
	}
	sealed := appendSealed(nil, c.keys.sessions, &c.realm, plain, now)
	return base64.RawURLEncoding.AppendEncode([]byte{'0'}, sealed)
}

// Open opens a session from the text of its cookies, joined; false if it isn't one of
// the client's. Whether it is over, Expired says.
func (c *Client) Open(text []byte, now time.Time) (*Session, bool) {
	if len(text) < 1 || len(text) > c.maxText() {
		return nil, false
	}
	b := make([]byte, base64.RawURLEncoding.DecodedLen(len(text)-1))
	if _, err := strictly.Decode(b, text[1:]); err != nil {
		return nil, false
	}
	plain, ok := openSealed(b, c.keys.sessions, &c.realm, now)
	if !ok {
		return nil, false
	}
	s, t := new(Session), taker{plain, true}
	copy(s.ID[:], t.bytes(len(s.ID)))
	s.Made, s.Refresh = t.time(), t.time()
	if s.Refresh.UnixMilli() == 0 {
		s.Refresh = time.Time{}
	}
	s.Subject, s.Claims, s.AccessToken, s.RefreshToken = string(t.text()), t.text(), string(t.text()), string(t.text())
	return s, t.ok && len(t.b) == 0
}

// Expired says whether a session is over.
func (c *Client) Expired(s *Session, now time.Time) bool {
	age := now.Sub(s.Made)
	return age >= c.config.Timeout || age < -clockSkew
}

// Stale says whether the claims are to be had anew before the session goes on.
func (s *Session) Stale(now time.Time) bool {
	return s.RefreshToken != "" && !s.Refresh.IsZero() && !now.Before(s.Refresh)
}

// Shards returns how many cookies the session has whose first cookie's value that is;
// 0 if it can't be one.
func Shards(first []byte) int {
	if len(first) < 2 || first[0] < '1' || first[0] > '0'+MaxShards {
		return 0
	}
	return int(first[0] - '0')
}
