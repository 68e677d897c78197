package ipam

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// Announcer tells other networks which prefixes are reached here. What it told
// them is gone when the process ends.
type Announcer interface {
	// Announce has other networks send a prefix's traffic to a region. To be told
	// again is no change.
	Announce(ctx context.Context, region string, p netip.Prefix) error

	// Withdraw ends it. So it does for a prefix that isn't announced.
	Withdraw(ctx context.Context, region string, p netip.Prefix) error
}

// Pauses of KeepAnnounced after something went wrong.
const (
	minAnnouncePause = time.Second
	maxAnnouncePause = time.Minute
)

// KeepAnnounced has a tell what is to be announced, from the beginning and
// whenever that changes, until ctx ends. A CIDR is Announced once a has told it,
// and NotAnnounced once a has withdrawn it. Each server runs it for its own
// announcer; where several do, the first to have told decides the state, and the
// others follow.
func (s *Service) KeepAnnounced(ctx context.Context, a Announcer) {
	sub := s.store.Subscribe(s.cidrs.Name())
	defer sub.Close()
	told := map[string]announcement{}
	pause := minAnnouncePause
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sub.C:
		case <-again.C:
		}
		sub.Take() // before the snapshot, which then shows all that it tells of
		failed := false
		for _, step := range planAnnouncements(s.announcements(s.store.Snapshot()), told) {
			if err := s.take(ctx, a, step, told); err != nil && ctx.Err() == nil {
				failed = true
				s.opts.Log.Warn("ipam: an announcement is tried again later", "error", err, "pause", pause)
			}
		}
		if !failed {
			pause = minAnnouncePause
			continue
		}
		again.Reset(pause)
		pause = min(2*pause, maxAnnouncePause)
	}
}

// announcement is a CIDR and whether it is to be announced.
type announcement struct {
	id     string // of the pool CIDR
	region string
	cidr   netip.Prefix
	state  Announcement
}

func (a announcement) key() string { return a.region + "/" + a.cidr.String() }

// announcements returns what is to be announced or withdrawn.
func (s *Service) announcements(r store.Snapshot) (wanted []announcement) {
	for id, c := range s.cidrsAnnounced.Each(r, announcing) {
		wanted = append(wanted, announcement{id, c.Brought.Region, c.CIDR, c.Brought.Announcement})
	}
	return wanted
}

// planAnnouncements returns what remains to be done so that exactly what is
// wanted has been told, and is known to have been. Withdrawals come first.
func planAnnouncements(wanted []announcement, told map[string]announcement) (steps []announcement) {
	want := map[string]bool{}
	for _, w := range wanted {
		want[w.key()] = true
		if _, ok := told[w.key()]; w.state != Announced || !ok {
			steps = append(steps, w)
		}
	}
	for key, t := range told {
		if !want[key] { // it went while nobody looked: the store was emptied, or another server withdrew it
			t.state = BeingWithdrawn
			steps = append(steps, t)
		}
	}
	slices.SortFunc(steps, func(x, y announcement) int {
		if x.state != y.state && (x.state == BeingWithdrawn || y.state == BeingWithdrawn) {
			if x.state == BeingWithdrawn {
				return -1
			}
			return 1
		}
		return strings.Compare(x.key(), y.key())
	})
	return steps
}

// take tells one thing and writes down that it has been. To be told twice does no
// harm; so a crash between the two is mended by doing both.
func (s *Service) take(ctx context.Context, a Announcer, step announcement, told map[string]announcement) error {
	if step.state == BeingWithdrawn {
		if err := a.Withdraw(ctx, step.region, step.cidr); err != nil {
			return fmt.Errorf("withdraw %s from %s: %w", step.cidr, step.region, err)
		}
		delete(told, step.key())
		return s.settleAnnouncement(ctx, step, NotAnnounced)
	}
	if err := a.Announce(ctx, step.region, step.cidr); err != nil {
		return fmt.Errorf("announce %s from %s: %w", step.cidr, step.region, err)
	}
	told[step.key()] = step
	if step.state == Announced {
		return nil
	}
	return s.settleAnnouncement(ctx, step, Announced)
}

// settleAnnouncement records what a step has reached, unless something else is
// wanted by now.
func (s *Service) settleAnnouncement(ctx context.Context, step announcement, reached Announcement) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		c, ok := s.cidrs.Get(tx, step.id)
		if ok && c.Brought != nil && c.Brought.Announcement == step.state {
			s.cidrs.Put(tx, c.ID, c.announce(reached))
		}
		return nil
	})
}
