package elb

import (
	"net/netip"
	"slices"
)

// registrations is all targets of one target group, by its ARN. They are one
// record, so that a call that names a thousand targets is one transaction: it
// happens wholly or not at all (I5, I10). A target takes some 60 bytes of it.
type registrations struct {
	Targets []Target // by address, then port
}

// clone returns a copy that may be changed: records are shared with readers.
func (r registrations) clone() registrations { return registrations{slices.Clone(r.Targets)} }

// put adds t, or puts it in place of what is registered at its address and port.
func (r *registrations) put(t Target) {
	i, found := r.find(t.AddrPort())
	if found {
		r.Targets[i] = t
	} else {
		r.Targets = slices.Insert(r.Targets, i, t)
	}
}

func (r *registrations) remove(gone func(Target) bool) {
	r.Targets = slices.DeleteFunc(r.Targets, gone)
}

func (r registrations) get(at netip.AddrPort) (Target, bool) {
	i, found := r.find(at)
	if !found {
		return Target{}, false
	}
	return r.Targets[i], true
}

// of returns the registration that t names: an instance's by its id, as its
// address may have changed since.
func (r registrations) of(t Target) (Target, bool) {
	if t.InstanceID == "" {
		return r.get(t.AddrPort())
	}
	for _, o := range r.Targets {
		if o.InstanceID == t.InstanceID && o.Port == t.Port {
			return o, true
		}
	}
	return Target{}, false
}

// instances returns the ids of the instances that are registered.
func (r registrations) instances() []string {
	var ids []string
	for _, t := range r.Targets {
		if t.InstanceID != "" {
			ids = append(ids, t.InstanceID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (r registrations) find(at netip.AddrPort) (int, bool) {
	return slices.BinarySearchFunc(r.Targets, at, func(t Target, at netip.AddrPort) int { return t.AddrPort().Compare(at) })
}
