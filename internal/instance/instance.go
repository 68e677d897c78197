package instance

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/tags"
)

// TagType is the resource type of instances in DescribeTags and tag
// specifications.
const TagType = "instance"

// Instance is a machine of an account in a region.
type Instance struct {
	ID      string // "i-" and hex digits
	Account string
	Region  string

	// Where it is filed; "" is not told. A subnet comes with both others.
	VPCID, SubnetID, Zone string

	Private netip.Addr // IPv4
	IPv6    netip.Addr // primary one; zero: none

	Since      time.Time // when it came into the inventory
	Configured bool      // by the configuration file, which alone takes it out
}

// sameSettings says whether two instances differ in nothing but when they came.
func (i Instance) sameSettings(o Instance) bool {
	i.Since, o.Since = time.Time{}, time.Time{}
	return i == o
}

// Spec is an instance to be added.
type Spec struct {
	Instance
	Tags []tags.Tag
}

// WellFormed says whether an id could be an instance's.
func WellFormed(id string) bool { return ids.WellFormed(id, "i") }

// check holds what an instance is by itself.
func (i Instance) check() error {
	switch {
	case !WellFormed(i.ID):
		return fail(Invalid, "The instance ID '%s' is not valid: it must be 'i-' and at least 8 hexadecimal digits", i.ID)
	case !i.Private.Is4() || unusable(i.Private):
		return fail(Invalid, "The instance %s must have a private IPv4 address that nodes can reach it on; it has '%v'", i.ID, i.Private)
	case i.IPv6.IsValid() && (!i.IPv6.Is6() || i.IPv6.Is4In6() || i.IPv6.Zone() != "" || unusable(i.IPv6)):
		return fail(Invalid, "The IPv6 address '%v' of instance %s is not one that nodes can reach it on", i.IPv6, i.ID)
	}
	return nil
}

func unusable(a netip.Addr) bool {
	return a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

func owner(account, region string) string { return account + "/" + region + "/" }

func (i Instance) key() string { return owner(i.Account, i.Region) + i.ID }

// addressKeys returns where its addresses are noted as taken.
func (i Instance) addressKeys() []string {
	within := owner(i.Account, i.Region) + i.VPCID + "/"
	if !i.IPv6.IsValid() {
		return []string{within + i.Private.String()}
	}
	return []string{within + i.Private.String(), within + i.IPv6.String()}
}

// IDOf returns the id of the instance whose record is at a key of Collection.
func IDOf(key string) string { return key[strings.LastIndexByte(key, '/')+1:] }

// Kind says what was wrong with a call.
type Kind string

// The kinds.
const (
	Invalid    Kind = "Invalid"    // a value, or values that don't go together
	Taken      Kind = "Taken"      // id or address are another instance's
	NotFound   Kind = "NotFound"   // no such instance, subnet or VPC
	Configured Kind = "Configured" // it is the configuration file's to remove
)

// Error is a call's fault, with the message for the caller.
type Error struct {
	Kind    Kind
	Message string
}

func (e *Error) Error() string { return string(e.Kind) + ": " + e.Message }

func fail(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...)}
}
