package ipam

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// A pool's owner has it looked after by tags, so that every client that can set
// a tag can ask for it, and nothing happens unasked.
const (
	// TagRefillBelow is the share of the pool, in percent, that is free when the
	// next CIDR is provisioned from the source pool.
	TagRefillBelow = tags.Reserved + "refill-below"

	// TagRefillNetmask is the netmask length of that CIDR.
	TagRefillNetmask = tags.Reserved + "refill-netmask-length"

	// TagRefillMax is how many CIDRs the pool may have in all, as a cap.
	TagRefillMax = tags.Reserved + "refill-max-cidrs"

	// TagNotice is how long a newly provisioned CIDR is told of before addresses
	// are taken from it: hours as in "72h", or days as in "14d".
	TagNotice = tags.Reserved + "notice-period"
)

// maxNotice is the longest notice period.
const maxNotice = 366 * 24 * time.Hour

// maxRefillCIDRs is the most that TagRefillMax may say: a pool's CIDRs, if the
// operator hasn't raised the quota.
const maxRefillCIDRs = 50

// Automation is what a pool's tags ask for.
type Automation struct {
	Notice time.Duration

	// The refill is off unless all three are set.
	RefillBelow   float64 // share, 0 to 1
	RefillNetmask int
	RefillMax     int
}

// Refills says whether the tags ask for a refill.
func (a Automation) Refills() bool {
	return a.RefillBelow > 0 && a.RefillNetmask > 0 && a.RefillMax > 0
}

// ParseAutomation reads the tags that ask for something; those of others it
// leaves alone. A CallError says what a value or a key should be.
func ParseAutomation(tg []tags.Tag) (Automation, error) {
	var a Automation
	for _, t := range tg {
		if !strings.HasPrefix(t.Key, tags.Reserved) {
			continue
		}
		n, err := strconv.Atoi(t.Value)
		ok := err == nil
		switch t.Key {
		case TagRefillBelow:
			ok = ok && n >= 1 && n <= 99
			a.RefillBelow = float64(n) / 100
		case TagRefillNetmask:
			ok = ok && n >= 1 && n <= 128
			a.RefillNetmask = n
		case TagRefillMax:
			ok = ok && n >= 1 && n <= maxRefillCIDRs
			a.RefillMax = n
		case TagNotice:
			a.Notice, ok = parseNotice(t.Value)
		default:
			return a, refuse(InvalidValue, "The tag key '%s' is not known. Keys that begin with '%s' are: %s.", t.Key, tags.Reserved,
				strings.Join([]string{TagRefillBelow, TagRefillNetmask, TagRefillMax, TagNotice}, ", "))
		}
		if !ok {
			return a, refuse(InvalidValue, "The value '%s' of the tag '%s' is invalid: %s.", t.Value, t.Key, automationValues[t.Key])
		}
	}
	return a, nil
}

var automationValues = map[string]string{
	TagRefillBelow:   "it must be the free percentage of the pool, from 1 to 99",
	TagRefillNetmask: "it must be a netmask length, from 1 to 128",
	TagRefillMax:     fmt.Sprintf("it must be a number of CIDRs, from 1 to %d", maxRefillCIDRs),
	TagNotice:        "it must be a number of hours or days, such as 72h or 14d, of at most 366 days",
}

func parseNotice(text string) (time.Duration, bool) {
	unit := time.Hour
	number, ok := strings.CutSuffix(text, "h")
	if !ok {
		unit = 24 * time.Hour
		number, ok = strings.CutSuffix(text, "d")
	}
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 0 || n > int(maxNotice/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

// Automation returns what a pool's tags ask for. Those that can't be read, which
// the API lets nobody set, ask for nothing.
func (s *Service) Automation(r store.Reader, pool string) Automation {
	a, err := ParseAutomation(s.tags.Of(r, pool))
	if err != nil {
		return Automation{}
	}
	return a
}

// Pauses of the refill.
const (
	refillEvery    = 10 * time.Second // between two looks at all pools that ask for it
	refillPatience = 10 * time.Minute // after an attempt that found nothing
)

// refiller remembers when there is something to do again.
type refiller struct {
	next  time.Time            // of all
	after map[string]time.Time // by pool, for those that found nothing
}

// refill provisions the next CIDR to every pool that asks for it and has too
// little that is free.
func (s *Service) refill(ctx context.Context, snap store.Snapshot, now time.Time) error {
	if now.Before(s.refiller.next) {
		return nil
	}
	s.refiller.next = now.Add(refillEvery)
	var errs []error
	for id := range s.tags.WithReserved(snap, "ipam-pool") {
		a := s.Automation(snap, id)
		p, ok := s.pools.Get(snap, id)
		if !ok || !a.Refills() || p.State != CreateComplete || now.Before(s.refiller.after[id]) {
			continue
		}
		if err := s.refillPool(ctx, snap, p, a, now); err != nil {
			s.refiller.after[id] = now.Add(refillPatience)
			errs = append(errs, fmt.Errorf("refill pool %s: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

func (s *Service) refillPool(ctx context.Context, snap store.Snapshot, p Pool, a Automation, now time.Time) error {
	live, _ := s.cidrsOf(snap, p.ID)
	if len(live) >= a.RefillMax {
		return nil
	}
	u := s.usage(snap, p)
	for _, c := range live {
		if c.Waiting {
			u.Total.Add(u.Total, size(c.CIDR)) // it will help, once its notice is over
		}
	}
	if u.Total.Sign() > 0 {
		taken, _ := new(big.Rat).SetFrac(u.Taken, u.Total).Float64()
		if 1-taken >= a.RefillBelow {
			return nil
		}
	}
	c, err := s.ProvisionCIDR(ctx, ProvisionCIDR{
		ID: ids.New("ipam-pool-cidr-", 33), AllocationID: NewAllocationID(now), Account: p.Account, Region: p.Region, PoolID: p.ID,
		NetmaskLength: &a.RefillNetmask, Time: now, refill: &refillOf{len(live)},
	}, nil)
	if errors.Is(err, errRefilled) {
		return nil
	}
	if err != nil {
		return err
	}
	s.opts.Log.Info("ipam: a pool ran low and was refilled", "pool", p.ID, "cidr", c.CIDR, "cidrs", len(live)+1, "max", a.RefillMax)
	return nil
}

// refillOf makes a request to provision one that the sweep makes by itself.
type refillOf struct{ live int } // CIDRs that the pool had when it was decided

// errRefilled says that another server has done it.
var errRefilled = errors.New("ipam: the pool has been refilled")

// sweepNotices opens the CIDRs whose notice period is over.
func (s *Service) sweepNotices(ctx context.Context, snap store.Snapshot, now time.Time) error {
	var errs []error
	for _, c := range s.cidrsWaiting.Each(snap, leaving) {
		if c.UsableFrom.After(now) {
			continue
		}
		errs = append(errs, s.submit(ctx, c.PoolID, func(t *turn) error {
			c, ok := s.cidrs.Get(t.tx, c.ID)
			if !ok || !c.Waiting || !t.exists {
				return nil
			}
			c.Waiting = false
			s.cidrs.Put(t.tx, c.ID, c)
			t.changeCIDRs()
			s.opts.Events.Put(t.tx, t.pool.about(event.PoolNoticeOver, now, "cidr", c.CIDR.String(), "the notice period of %s is over: addresses are drawn from it", c.CIDR))
			return nil
		}))
	}
	return errors.Join(errs...)
}
