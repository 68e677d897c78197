package instance

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// Network is the vpc room, as far as instances are filed in it.
type Network interface {
	// Subnet returns the VPC and the zone of an account's subnet.
	Subnet(r store.Reader, account, region, id string) (vpcID, zone string, ok bool)
	VPC(r store.Reader, account, region, id string) bool
	Zones(region string) []string
}

// Service keeps the inventory.
type Service struct {
	store   *store.Store
	tags    *tags.Service
	network Network

	instances *store.Collection[Instance] // by account/region/id
	addresses *store.Collection[string]   // account/region/vpc/address → id
}

// New declares the room's collections in st, before its Start.
func New(st *store.Store, tg *tags.Service, network Network) *Service {
	return &Service{store: st, tags: tg, network: network,
		instances: store.NewCollection[Instance](st, "instance.instance", 1),
		addresses: store.NewCollection[string](st, "instance.address", 1),
	}
}

// Collection returns the name of the instances' records; see IDOf.
func (s *Service) Collection() string { return s.instances.Name() }

// Instance returns an account's instance in a region. From a Tx it is guarded.
func (s *Service) Instance(r store.Reader, account, region, id string) (Instance, bool) {
	return s.instances.Get(r, owner(account, region)+id)
}

// Instances yields an account's instances in a region by id, from the given one on.
func (s *Service) Instances(r store.Reader, account, region, from string) iter.Seq2[string, Instance] {
	prefix := owner(account, region)
	return func(yield func(string, Instance) bool) {
		for key, i := range s.instances.From(r, prefix+from) {
			if !strings.HasPrefix(key, prefix) || !yield(i.ID, i) {
				return
			}
		}
	}
}

// Add puts an instance into the inventory and returns it, its VPC and zone
// found by its subnet. Adding one that is there with the same settings changes
// nothing but its tags.
func (s *Service) Add(ctx context.Context, spec Spec) (Instance, error) {
	var added Instance
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		i, err := s.placed(tx, spec.Instance)
		if err != nil {
			return err
		}
		added, err = s.put(tx, i, spec.Tags)
		return err
	})
	return added, err
}

// placed returns the instance with the VPC and zone of its subnet, once all that
// it names is there.
func (s *Service) placed(r store.Reader, i Instance) (Instance, error) {
	if err := i.check(); err != nil {
		return i, err
	}
	if i.SubnetID != "" {
		vpcID, zone, ok := s.network.Subnet(r, i.Account, i.Region, i.SubnetID)
		switch {
		case !ok:
			return i, fail(NotFound, "The subnet ID '%s' does not exist", i.SubnetID)
		case i.VPCID != "" && i.VPCID != vpcID:
			return i, fail(Invalid, "The subnet '%s' is in VPC '%s', not in '%s'", i.SubnetID, vpcID, i.VPCID)
		case i.Zone != "" && i.Zone != zone:
			return i, fail(Invalid, "The subnet '%s' is in Availability Zone '%s', not in '%s'", i.SubnetID, zone, i.Zone)
		}
		i.VPCID, i.Zone = vpcID, zone
		return i, nil
	}
	switch {
	case i.VPCID != "" && !s.network.VPC(r, i.Account, i.Region, i.VPCID):
		return i, fail(NotFound, "The VPC ID '%s' does not exist", i.VPCID)
	case i.Zone != "" && !slices.Contains(s.network.Zones(i.Region), i.Zone):
		return i, fail(Invalid, "The Availability Zone '%s' does not exist; use one of %s", i.Zone, strings.Join(s.network.Zones(i.Region), ", "))
	}
	return i, nil
}

func (s *Service) put(tx *store.Tx, i Instance, tg []tags.Tag) (Instance, error) {
	old, there := s.instances.Get(tx, i.key())
	switch {
	case there && !old.sameSettings(i):
		return i, fail(Taken, "The instance %s is in the inventory already, with other settings; remove it first", i.ID)
	case there:
		i = old
	default:
		for _, at := range i.addressKeys() {
			if other, taken := s.addresses.Get(tx, at); taken {
				return i, fail(Taken, "The address %s is that of instance %s", at[strings.LastIndexByte(at, '/')+1:], other)
			}
			s.addresses.Put(tx, at, i.ID)
		}
		s.instances.Put(tx, i.key(), i)
	}
	if len(tg) == 0 {
		return i, nil
	}
	return i, s.tags.Put(tx, tags.Set{Account: i.Account, Region: i.Region, Resource: i.ID, Type: TagType, Tags: tg})
}

// Remove takes an instance out, with its tags.
func (s *Service) Remove(ctx context.Context, account, region, id string) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		i, ok := s.Instance(tx, account, region, id)
		switch {
		case !ok:
			return fail(NotFound, "The instance ID '%s' does not exist", id)
		case i.Configured:
			return fail(Configured, "The instance %s is in the server's configuration file; take it out there", id)
		}
		s.remove(tx, i)
		return nil
	})
}

func (s *Service) remove(tx *store.Tx, i Instance) {
	s.instances.Delete(tx, i.key())
	for _, at := range i.addressKeys() {
		s.addresses.Delete(tx, at)
	}
	s.tags.Clear(tx, i.ID)
}

// Configure makes the instances of the configuration file those that are given:
// it takes out what isn't among them any more or has other addresses, then puts
// in what is new or has changed. An instance that was added otherwise becomes
// the file's by standing in it. What instances name is taken as it is told: the
// file is read before there are networks. Each is a transaction of its own; the
// error tells of all that failed.
func (s *Service) Configure(ctx context.Context, specs []Spec, now time.Time) error {
	wanted := map[string]Spec{}
	for _, spec := range specs {
		spec.Configured = true
		spec.Since = now.UTC().Truncate(time.Second)
		wanted[spec.key()] = spec
	}
	var errs []error
	for key, i := range s.instances.All(s.store.Snapshot()) {
		spec, stays := wanted[key]
		moves := stays && !slices.Equal(spec.addressKeys(), i.addressKeys())
		if !moves && (stays || !i.Configured) {
			continue
		}
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			s.remove(tx, i)
			return nil
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("remove instance %s, which is not configured so any more: %w", i.ID, err))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		spec := wanted[key]
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			if err := spec.check(); err != nil {
				return err
			}
			if old, there := s.instances.Get(tx, key); there && !old.sameSettings(spec.Instance) {
				s.remove(tx, old)
			}
			_, err := s.put(tx, spec.Instance, spec.Tags)
			return err
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("configured instance %s: %w", spec.ID, err))
		}
	}
	return errors.Join(errs...)
}
