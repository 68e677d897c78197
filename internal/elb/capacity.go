package elb

import (
	"context"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// A load balancer may have capacity reserved. Its nodes are processes of the
// operator's, who has what the hosts have: a reservation is kept, counted against
// the quotas, and there for a zone as soon as the zone's node serves.

// Reservation is the capacity that a load balancer is always to have.
type Reservation struct {
	Units     int         // load balancer capacity units; 0: none
	Modified  time.Time   `json:",omitzero"`
	Decreases []time.Time `json:",omitempty"` // the latest
}

// Rules of reservations (ELBv2 ModifyCapacityReservation).
const (
	minUnits     = 100
	maxDecreases = 2 // in decreaseTime
	decreaseTime = 24 * time.Hour
)

// decreases returns those that count at a time.
func (r Reservation) decreases(now time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(r.Decreases), func(t time.Time) bool { return now.Sub(t) >= decreaseTime })
}

// ModifyCapacity is ELBv2 ModifyCapacityReservation: exactly one of Units and Reset
// is given.
type ModifyCapacity struct {
	Account, Region, ARN string
	Units                int
	Reset                bool
	Time                 time.Time
}

// ModifyCapacity reserves capacity for a load balancer, or ends that. What it has
// already is no change.
func (s *Service) ModifyCapacity(ctx context.Context, c ModifyCapacity) (LoadBalancer, error) {
	if (c.Units != 0) == c.Reset {
		return LoadBalancer{}, fail(Invalid, "Specify either a minimum load balancer capacity or to reset the capacity reservation")
	}
	var b LoadBalancer
	// It is made as what is counted is: of two increases at once one counts again.
	err := s.create(ctx, c.Account, c.Region, func(tx *store.Tx) (increased bool, err error) {
		if b, err = s.LoadBalancer(tx, c.Account, c.Region, c.ARN); err != nil {
			return false, err
		}
		before := b.Capacity.Units
		increased = c.Units > before
		decreases := b.Capacity.decreases(c.Time)
		switch {
		case c.Units == before:
			return false, nil
		case increased:
			if err := s.checkUnits(tx, b, c.Units); err != nil {
				return false, err
			}
		case !c.Reset && c.Units < minUnits:
			return false, tooFewUnits(c.Units)
		case len(decreases) >= maxDecreases:
			return false, fail(TooManyDecreases, "A capacity reservation can be decreased %d times in %d hours", maxDecreases, decreaseTime/time.Hour)
		default:
			decreases = append(decreases, c.Time)
		}
		b.Capacity = Reservation{Units: c.Units, Modified: c.Time, Decreases: decreases}
		s.balancers.Put(tx, b.ARN, b)
		return increased, nil
	})
	return b, err
}

func tooFewUnits(units int) error {
	return fail(InvalidConfiguration, "The minimum load balancer capacity '%d' must be %d capacity units at least", units, minUnits)
}

// checkUnits holds the quotas of a reservation that is to be.
func (s *Service) checkUnits(tx *store.Tx, b LoadBalancer, units int) error {
	if units < minUnits {
		return tooFewUnits(units)
	}
	if most := s.opts.Quotas.UnitsPerBalancer; units > most {
		return fail(TooManyUnits, "A load balancer can have %d capacity units reserved at most; %d were specified", most, units)
	}
	all := units
	for arn, other := range s.balancersByOwner.Each(tx, owner(b.Account, b.Region)) {
		if arn != b.ARN {
			all += other.Capacity.Units
		}
	}
	if most := s.opts.Quotas.UnitsPerRegion; all > most {
		return fail(TooManyUnits, "You can have %d capacity units reserved in a region at most; with these it would be %d", most, all)
	}
	return nil
}

// Capacity is what is seen of a load balancer's reservation.
type Capacity struct {
	Reservation
	DecreasesLeft int
	Zones         []ZoneCapacity // none without a reservation
}

// ZoneCapacity is a zone's share of a reservation.
type ZoneCapacity struct {
	Zone        string
	Units       float64
	Provisioned bool // the zone's node serves; else it is to come
}

// Capacity returns what is seen of a load balancer's reservation, which its zones
// share evenly.
func (s *Service) Capacity(r store.Reader, account, region, arn string, now time.Time) (Capacity, error) {
	b, err := s.LoadBalancer(r, account, region, arn)
	if err != nil {
		return Capacity{}, err
	}
	out := Capacity{Reservation: b.Capacity, DecreasesLeft: maxDecreases - len(b.Capacity.decreases(now))}
	if b.Capacity.Units == 0 {
		return out, nil
	}
	serves := map[string]bool{}
	for _, n := range s.nodesByLB.Each(r, arn) {
		serves[n.Zone] = serves[n.Zone] || n.Phase == NodeInService
	}
	for _, z := range b.Zones {
		out.Zones = append(out.Zones, ZoneCapacity{z.Zone, float64(b.Capacity.Units) / float64(len(b.Zones)), serves[z.Zone]})
	}
	return out, nil
}
