package proxy

import (
	"bytes"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/balance"
	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/route"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// stickyGroup is a target group with two healthy targets.
func stickyGroup(stay snapshot.TargetStickiness) *group {
	r := balance.NewRegistry()
	g := &group{stay: stay, places: map[targetRef]int{{1}: 0, {2}: 1}}
	targets := []*balance.Target{r.Target(balance.Key{Group: "a"}, true), r.Target(balance.Key{Group: "a"}, true)}
	g.balance = balance.NewGroup(balance.NewSet(targets, []bool{true, true}, balance.Config{}), new(atomic.Uint64))
	return g
}

// Whatever a client sends, only what we made decides where it goes.
func FuzzOnlyOurCookiesCount(f *testing.F) {
	s := newSticky(bytes.Repeat([]byte{1}, 32))
	now := time.Unix(1700000000, 0)
	action := &route.Action{Stickiness: time.Hour, Shares: []route.Share{{Mark: route.Mark{1}}, {Mark: route.Mark{2}}}}
	duration := stickyGroup(snapshot.TargetStickiness{Duration: time.Hour})
	app := stickyGroup(snapshot.TargetStickiness{Duration: time.Hour, Cookie: "sid"})
	var ours [tokenText]byte
	s.seal(&ours, token{route.Mark{2}, targetRef{2}, now})
	f.Add("AWSALBTG=$")
	f.Add("AWSALB=$")
	f.Add("sid=x; AWSALBAPP-0=$; AWSALBTG=$")
	f.Add("a=b; AWSALBTGCORS=$; AWSALBCORS=$")
	f.Add(" ;;=; AWSALBTG = $; AWSALB=" + strings.Repeat("A", tokenText))
	f.Fuzz(func(t *testing.T, cookie string) {
		head := []byte("GET / HTTP/1.1\r\nHost: a\r\nCookie: " + strings.ReplaceAll(cookie, "$", string(ours[:])) + "\r\n\r\n")
		var r http1.Request
		if n, err := r.Parse(head); err != nil || n != len(head) {
			return
		}
		for _, c := range []struct {
			name string
			look func(*visit) int
			may  bool
		}{
			{"group", func(v *visit) int { return v.share(action) }, strings.Contains(cookie, groupCookie)},
			{"target", func(v *visit) int { return v.target(duration, route.Mark{2}) }, strings.Contains(cookie, targetCookie)},
			{"application's target", func(v *visit) int { return v.target(app, route.Mark{2}) }, strings.Contains(cookie, appCookie) && strings.Contains(cookie, "sid")},
			{"target of another group", func(v *visit) int { return v.target(duration, route.Mark{1}) }, false},
		} {
			at := func(after time.Duration) int {
				return c.look(&visit{sticky: s, request: &r, head: head, now: now.Add(after)})
			}
			got := at(0)
			if got != -1 && (got != 1 || !c.may || !strings.Contains(cookie, "$")) {
				t.Errorf("%q leads to %s %d", head, c.name, got)
			}
			if late := at(time.Hour + time.Millisecond); late != -1 {
				t.Errorf("%q still leads to %s %d after an hour", head, c.name, late)
			}
			if early := at(-clockSkew - time.Millisecond); early != -1 {
				t.Errorf("%q leads to %s %d before it was made", head, c.name, early)
			}
			if exact := at(time.Hour); exact != got {
				t.Errorf("%q leads to %s %d within the hour, and to %d at its end", head, c.name, got, exact)
			}
		}
	})
}
