package proxy

import (
	"bytes"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/route"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// The cookies by which a client stays: with a target group of an action that has
// several, with a target, and with a target for as long as the application's own
// cookie comes along (ELB user guide, "Sticky sessions"). Two are a pair that says
// the same; the second one is for requests that another site has made a browser
// send. An application's token would be cut into several cookies if it were too
// long for one; ours is the first and only one.
const (
	groupCookie      = "AWSALBTG"
	groupCookieCORS  = "AWSALBTGCORS"
	targetCookie     = "AWSALB"
	targetCookieCORS = "AWSALBCORS"
	appCookie        = "AWSALBAPP-0"
)

// cookieLife is how long a client keeps the cookies. How long they count for is
// the action's or the target group's to say, by the time that is in them.
const cookieLife = 7 * 24 * time.Hour

// maxCookieTries is how many cookies of the right form a request may have looked
// at: each costs a decryption, and a client that was sent them has four that say
// the same.
const maxCookieTries = 4

// visit is one request's cookies, as they are looked through.
type visit struct {
	sticky  *sticky // nil: they aren't
	request *http1.Request
	head    []byte
	now     time.Time

	tries  int
	text   []byte // that was opened last
	token  token  // that it is
	opened bool
}

// cookies calls take with each cookie until that returns false.
func (v *visit) cookies(take func(name, value []byte) bool) {
	for header := range v.request.Header(v.head, "cookie") {
		for len(header) > 0 {
			var pair []byte
			pair, header, _ = bytes.Cut(header, []byte{';'})
			name, value, _ := bytes.Cut(bytes.TrimSpace(pair), []byte{'='})
			if !take(name, value) {
				return
			}
		}
	}
}

// tokens calls take with each token that one of the cookies has, and that was made
// no longer ago than it counts for, until that returns false.
func (v *visit) tokens(name, other string, counts time.Duration, take func(*token) bool) {
	v.cookies(func(n, value []byte) bool {
		if len(value) != tokenText || string(n) != name && string(n) != other || !v.open(value) {
			return v.tries <= maxCookieTries
		}
		if age := v.now.Sub(v.token.made); age > counts || age < -clockSkew {
			return true
		}
		return take(&v.token)
	})
}

// open reads a value into v.token. Of the same value as before it knows.
func (v *visit) open(value []byte) bool {
	if v.opened && bytes.Equal(v.text, value) {
		return true
	}
	if v.tries++; v.tries > maxCookieTries {
		return false
	}
	v.token, v.opened = v.sticky.open(value, v.now)
	v.text = value
	return v.opened
}

// share returns which of the action's target groups the client stays with, -1 if
// none: its cookies are for others, from too long ago, or not ours.
func (v *visit) share(a *route.Action) int {
	out := -1
	v.tokens(groupCookie, groupCookieCORS, a.Stickiness, func(t *token) bool {
		for i := range a.Shares {
			if a.Shares[i].Mark == t.group {
				out = i
			}
		}
		return out < 0
	})
	return out
}

// target returns which of the group's targets the client stays with, -1 if none:
// because of its cookies, or of the target. group is the mark of the group.
func (v *visit) target(g *group, group route.Mark) int {
	name, other := targetCookie, targetCookieCORS
	if g.stay.Cookie != "" {
		name, other = appCookie, appCookie
		if !v.has(g.stay.Cookie) { // both must come back
			return -1
		}
	}
	out := -1
	v.tokens(name, other, g.stay.Duration, func(t *token) bool {
		if t.group != group {
			return true
		}
		if i, ok := g.places[t.target]; ok && g.balance.Accepts(i) {
			out = i
		}
		return out < 0
	})
	return out
}

// has says whether the request has a cookie of the name.
func (v *visit) has(cookie string) (found bool) {
	v.cookies(func(name, _ []byte) bool {
		found = string(name) == cookie
		return !found
	})
	return found
}

// stay is what the client of a request is told to come back with. The zero value
// is of one that is told nothing.
type stay struct {
	sticky    *sticky // nil: nothing
	group     route.Mark
	target    targetRef
	withGroup bool                       // with the target group
	with      *snapshot.TargetStickiness // with the target; nil: not
	stayed    bool                       // it was there before
	foreign   bool                       // the application's requests may come from other sites
	kept      *atomic.Pointer[keptToken] // the last token of the target
}

// keptToken is a token that was sealed. All clients that begin to stay with the target
// in the same second get it: it says nothing of who they are, and to seal one for each
// costs more than all else about its response.
type keptToken struct {
	sticky *sticky
	group  route.Mark
	target targetRef
	second int64
	value  [tokenText]byte
}

// value returns the token that the client is to come back with.
func (s *stay) value(now time.Time) *[tokenText]byte {
	k := s.kept.Load()
	if k == nil || k.second != now.Unix() || k.sticky != s.sticky || k.group != s.group || k.target != s.target {
		k = &keptToken{sticky: s.sticky, group: s.group, target: s.target, second: now.Unix()}
		s.sticky.seal(&k.value, token{s.group, s.target, time.Unix(k.second, 0)})
		s.kept.Store(k)
	}
	return &k.value
}

// appendCookies appends the fields of a response whose head that is.
func (s *stay) appendCookies(dst, head []byte, r *http1.Response, now time.Time) []byte {
	withTarget := s.with != nil && s.with.Cookie == ""
	withApp := s.with != nil && !withTarget && (s.stayed || sets(head, r, s.with.Cookie))
	if !s.withGroup && !withTarget && !withApp {
		return dst
	}
	value := s.value(now)
	expires := s.sticky.expires.at(now.Add(cookieLife))
	if s.withGroup {
		dst = appendCookie(dst, groupCookie, value, expires, false)
		dst = appendCookie(dst, groupCookieCORS, value, expires, true)
	}
	if withTarget {
		dst = appendCookie(dst, targetCookie, value, expires, false)
		dst = appendCookie(dst, targetCookieCORS, value, expires, true)
	}
	if withApp {
		dst = appendCookie(dst, appCookie, value, expires, s.foreign)
	}
	return dst
}

func appendCookie(dst []byte, name string, value *[tokenText]byte, expires []byte, foreign bool) []byte {
	dst = append(dst, "Set-Cookie: "...)
	dst = append(dst, name...)
	dst = append(dst, '=')
	dst = append(dst, value[:]...)
	dst = append(dst, "; Expires="...)
	dst = append(dst, expires...)
	dst = append(dst, "; Path=/"...)
	if foreign {
		dst = append(dst, "; SameSite=None; Secure"...)
	}
	return append(dst, "\r\n"...)
}

// sets says whether a response sets a cookie of the name.
func sets(head []byte, r *http1.Response, cookie string) bool {
	for i := range r.Fields {
		f := &r.Fields[i]
		if !bytes.EqualFold(f.Name.Of(head), setCookie) {
			continue
		}
		if name, _, ok := bytes.Cut(f.Value.Of(head), []byte{'='}); ok && string(bytes.TrimSpace(name)) == cookie {
			return true
		}
	}
	return false
}

var setCookie = []byte("set-cookie")

// chromium80 is the release of Chromium from which on a cookie that another site's
// page is to send must say so, and be Secure.
const chromium80 = 80

// wantsSameSite says whether the client is such a browser.
func wantsSameSite(head []byte, r *http1.Request) bool {
	for agent := range r.Header(head, "user-agent") {
		_, version, ok := bytes.Cut(agent, []byte("Chrome/"))
		if !ok {
			continue
		}
		major, _, _ := bytes.Cut(version, []byte{'.'})
		if n, err := strconv.Atoi(string(major)); err == nil && n >= chromium80 {
			return true
		}
	}
	return false
}
