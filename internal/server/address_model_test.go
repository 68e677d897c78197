package server

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
)

// addressModel is a tenant's elastic IPs and interfaces as two lists, looked
// through from the start each time. An address names the private one that it is
// associated with.
type addressModel struct {
	attached   bool // the gateway
	addresses  []*modelAddress
	interfaces []*modelInterface
}

type modelAddress struct {
	id, public, association string
	private                 string // "": not associated
}

type modelInterface struct {
	id    string
	addrs []string // the primary one first
}

const (
	firstOfPool, poolSize      = "192.0.2.144", 8
	firstOfProvider, quotaSize = "127.64.0.0", 5 // the quota
	firstOfSubnet, subnetSize  = "10.0.0.4", 11
)

// lowest returns the n lowest of count addresses from first on that aren't taken.
func lowest(first string, count, n int, taken func(string) bool) (free []string) {
	for a := netip.MustParseAddr(first); count > 0 && len(free) < n; a, count = a.Next(), count-1 {
		if !taken(a.String()) {
			free = append(free, a.String())
		}
	}
	return free
}

func nobodys(string) bool { return false }

func (m *addressModel) public(a string) *modelAddress {
	return m.find(func(e *modelAddress) bool { return e.public == a })
}

func (m *addressModel) find(is func(*modelAddress) bool) *modelAddress {
	if i := slices.IndexFunc(m.addresses, is); i >= 0 {
		return m.addresses[i]
	}
	return nil
}

func (m *addressModel) with(private string) *modelInterface {
	for _, i := range m.interfaces {
		if slices.Contains(i.addrs, private) {
			return i
		}
	}
	return nil
}

// secondary are the private addresses that may go from one interface to another.
func (m *addressModel) secondary() (addrs []string) {
	for _, i := range m.interfaces {
		addrs = append(addrs, i.addrs[1:]...)
	}
	return addrs
}

// end ends the associations of the private addresses.
func (m *addressModel) end(private ...string) {
	for _, a := range m.addresses {
		if slices.Contains(private, a.private) {
			a.private = ""
		}
	}
}

func (m *addressModel) String() string {
	var s strings.Builder
	byID := slices.SortedFunc(slices.Values(m.addresses), func(a, b *modelAddress) int { return cmp.Compare(a.id, b.id) })
	for _, a := range byID {
		eni := ""
		if i := m.with(a.private); i != nil {
			eni = i.id + " " + a.association
		}
		fmt.Fprintln(&s, a.id, a.public, a.private, eni)
	}
	taken := 0
	for _, i := range slices.SortedFunc(slices.Values(m.interfaces), func(a, b *modelInterface) int { return cmp.Compare(a.id, b.id) }) {
		fmt.Fprintln(&s, i.id, i.addrs)
		taken += len(i.addrs)
	}
	fmt.Fprintln(&s, subnetSize-taken, "left in the subnet")
	return s.String()
}

// state is what the server shows of the same.
func (p *pair) state(rt *rapid.T, server int) string {
	var addresses shapes.DescribeAddressesOutput
	var interfaces shapes.DescribeNetworkInterfacesOutput
	var subnets shapes.DescribeSubnetsOutput
	var blocks shapes.GetIpamPoolAllocationsOutput
	for _, ask := range []struct {
		action  string
		in, out any
	}{
		{"DescribeAddresses", &shapes.DescribeAddressesInput{}, &addresses},
		{"DescribeNetworkInterfaces", &shapes.DescribeNetworkInterfacesInput{}, &interfaces},
		{"DescribeSubnets", &shapes.DescribeSubnetsInput{SubnetIds: []string{p.subnet}}, &subnets},
		{"GetIpamPoolAllocations", &shapes.GetIpamPoolAllocationsInput{IpamPoolId: &p.pool}, &blocks},
	} {
		if _, err := p.call(server, ask.action, ask.in, ask.out); err != nil {
			rt.Fatal(err)
		}
	}
	var s strings.Builder
	mapped := map[string]string{}
	var drawn, held []string
	for _, a := range addresses.Addresses {
		private, eni := "", ""
		if a.AssociationId != nil {
			private, eni = *a.PrivateIpAddress, *a.NetworkInterfaceId+" "+*a.AssociationId
			mapped[private] = *a.PublicIp
		}
		if *a.PublicIpv4Pool == p.pool {
			drawn = append(drawn, *a.PublicIp+"/32 "+*a.AllocationId)
		}
		fmt.Fprintln(&s, *a.AllocationId, *a.PublicIp, private, eni)
	}
	for _, i := range interfaces.NetworkInterfaces {
		var addrs []string
		for _, pa := range i.PrivateIpAddresses {
			addrs = append(addrs, *pa.PrivateIpAddress)
			public := ""
			if pa.Association != nil {
				public = *pa.Association.PublicIp
			}
			if public != mapped[*pa.PrivateIpAddress] {
				rt.Errorf("%s is associated with %q by its interface, with %q by the address", *pa.PrivateIpAddress, public, mapped[*pa.PrivateIpAddress])
			}
		}
		fmt.Fprintln(&s, *i.NetworkInterfaceId, addrs)
	}
	for _, b := range blocks.IpamPoolAllocations {
		held = append(held, *b.Cidr+" "+*b.ResourceId)
	}
	slices.Sort(drawn)
	if slices.Sort(held); !slices.Equal(held, drawn) {
		rt.Errorf("the pool holds %v, the addresses are %v (I2)", held, drawn)
	}
	fmt.Fprintln(&s, *subnets.Subnets[0].AvailableIpAddressCount, "left in the subnet")
	return s.String()
}

// I1, I2, I3, I10: whatever is asked of either server, they answer and show what
// the model does.
func TestAddressesAreTheirModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := newPair(t, 0)
		m := &addressModel{}
		p.must(t, "AttachInternetGateway", &shapes.AttachInternetGatewayInput{InternetGatewayId: &p.gateway, VpcId: &p.vpc}, nil)
		m.attached = true
		asked := 0
		ask := func(want, action string, in, out any) bool {
			asked++
			code, err := p.call(asked%2, action, in, out)
			if code != want || want == "" && err != nil {
				rt.Fatalf("%s %+v: got %v, want %q; before:\n%s", action, in, err, want, m)
			}
			return err == nil
		}
		address := func() *modelAddress {
			if len(m.addresses) > 0 && rapid.IntRange(0, 7).Draw(rt, "known") > 0 {
				return rapid.SampledFrom(m.addresses).Draw(rt, "address")
			}
			return &modelAddress{id: "eipalloc-0123456789abcdef0", association: "eipassoc-0123456789abcdef0"}
		}
		eni := func() *modelInterface {
			if len(m.interfaces) > 0 && rapid.IntRange(0, 7).Draw(rt, "known") > 0 {
				return rapid.SampledFrom(m.interfaces).Draw(rt, "interface")
			}
			return &modelInterface{id: "eni-0123456789abcdef0"}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"": func(rt *rapid.T) {
				if got, want := p.state(rt, asked%2), m.String(); got != want {
					rt.Fatalf("got\n%s\nwant\n%s", got, want)
				}
			},
			"allocate": func(rt *rapid.T) {
				held := func(a string) bool { return m.public(a) != nil }
				in, want, refusal := &shapes.AllocateAddressInput{}, []string(nil), ""
				switch rapid.IntRange(0, 2).Draw(rt, "from") {
				case 0:
					in.IpamPoolId = &p.pool
					want, refusal = lowest(firstOfPool, poolSize, 1, held), "InsufficientAddressCapacity"
				case 1:
					want, refusal = lowest(firstOfProvider, quotaSize, 1, held), "AddressLimitExceeded"
				case 2:
					in.Address = new(rapid.SampledFrom(lowest(firstOfPool, poolSize+2, poolSize+2, nobodys)).Draw(rt, "which"))
					switch refusal = "InvalidParameterValue"; {
					case *in.Address > "192.0.2.151":
						refusal = "InvalidAddress.NotFound"
					case !held(*in.Address):
						want = []string{*in.Address}
					}
				}
				if want != nil {
					refusal = ""
				}
				var out shapes.AllocateAddressOutput
				if ask(refusal, "AllocateAddress", in, &out) {
					if *out.PublicIp != want[0] {
						rt.Fatalf("allocated %s, want %s", *out.PublicIp, want[0])
					}
					m.addresses = append(m.addresses, &modelAddress{id: *out.AllocationId, public: *out.PublicIp})
				}
			},
			"release": func(rt *rapid.T) {
				a, refusal := address(), ""
				switch {
				case a.public == "":
					refusal = "InvalidAllocationID.NotFound"
				case a.private != "":
					refusal = "InvalidIPAddress.InUse"
				}
				if ask(refusal, "ReleaseAddress", &shapes.ReleaseAddressInput{AllocationId: &a.id}, nil) {
					m.addresses = slices.DeleteFunc(m.addresses, func(e *modelAddress) bool { return e == a })
				}
			},
			"associate": func(rt *rapid.T) {
				a, i, keep := address(), eni(), rapid.Bool().Draw(rt, "keep")
				in := &shapes.AssociateAddressInput{AllocationId: &a.id, NetworkInterfaceId: &i.id}
				to := ""
				if len(i.addrs) > 0 {
					to = i.addrs[0]
				}
				if n := rapid.IntRange(-1, len(i.addrs)).Draw(rt, "private"); n >= 0 {
					to = "10.0.0.9" // which may be its own, too
					if n < len(i.addrs) {
						to = i.addrs[n]
					}
					in.PrivateIpAddress = &to
				}
				if keep {
					in.AllowReassociation = new(false)
				}
				other := m.find(func(e *modelAddress) bool { return e.private == to })
				same, refusal := to != "" && a.private == to, ""
				switch {
				case a.public == "":
					refusal = "InvalidAllocationID.NotFound"
				case i.addrs == nil:
					refusal = "InvalidNetworkInterfaceID.NotFound"
				case !slices.Contains(i.addrs, to):
					refusal = "InvalidParameterValue"
				case same:
				case !m.attached:
					refusal = "Gateway.NotAttached"
				case keep && (a.private != "" || other != nil):
					refusal = "Resource.AlreadyAssociated"
				}
				var out shapes.AssociateAddressOutput
				if ask(refusal, "AssociateAddress", in, &out) {
					if same != (a.association == *out.AssociationId) {
						rt.Fatalf("got %s, had %s, the same association: %v", *out.AssociationId, a.association, same)
					}
					m.end(to)
					a.private, a.association = to, *out.AssociationId
				}
			},
			"disassociate": func(rt *rapid.T) {
				a, refusal := address(), ""
				switch {
				case a.association == "":
					return
				case a.public == "":
					refusal = "InvalidAssociationID.NotFound"
				}
				if ask(refusal, "DisassociateAddress", &shapes.DisassociateAddressInput{AssociationId: &a.association}, nil) {
					a.private = ""
				}
			},
			"create interface": func(rt *rapid.T) {
				more, refusal := rapid.IntRange(0, 3).Draw(rt, "secondary"), ""
				want := lowest(firstOfSubnet, subnetSize, 1+more, func(a string) bool { return m.with(a) != nil })
				if len(want) < 1+more {
					refusal = "InsufficientFreeAddressesInSubnet"
				}
				var out shapes.CreateNetworkInterfaceOutput
				if ask(refusal, "CreateNetworkInterface", &shapes.CreateNetworkInterfaceInput{SubnetId: &p.subnet, SecondaryPrivateIpAddressCount: new(int32(more))}, &out) {
					m.interfaces = append(m.interfaces, &modelInterface{*out.NetworkInterface.NetworkInterfaceId, want})
				}
			},
			"delete interface": func(rt *rapid.T) {
				i, refusal := eni(), ""
				if i.addrs == nil {
					refusal = "InvalidNetworkInterfaceID.NotFound"
				}
				if ask(refusal, "DeleteNetworkInterface", &shapes.DeleteNetworkInterfaceInput{NetworkInterfaceId: &i.id}, nil) {
					m.end(i.addrs...)
					m.interfaces = slices.DeleteFunc(m.interfaces, func(e *modelInterface) bool { return e == i })
				}
			},
			"assign": func(rt *rapid.T) {
				i, move, refusal := eni(), rapid.Bool().Draw(rt, "move"), ""
				all := lowest(firstOfSubnet, subnetSize, subnetSize, nobodys)
				a := rapid.SampledFrom(all).Draw(rt, "which")
				if taken := m.secondary(); len(taken) > 0 && rapid.Bool().Draw(rt, "taken") {
					a = rapid.SampledFrom(taken).Draw(rt, "whose")
				}
				from := m.with(a)
				switch {
				case i.addrs == nil:
					refusal = "InvalidNetworkInterfaceID.NotFound"
				case from == nil, from == i:
				case !move, from.addrs[0] == a:
					refusal = "InvalidParameterValue"
				}
				in := &shapes.AssignPrivateIpAddressesInput{NetworkInterfaceId: &i.id, PrivateIpAddresses: []string{a}, AllowReassignment: &move}
				if ask(refusal, "AssignPrivateIpAddresses", in, nil) && from != i {
					if from != nil {
						from.addrs = slices.DeleteFunc(from.addrs, func(e string) bool { return e == a })
					}
					i.addrs = append(i.addrs, a)
				}
			},
			"unassign": func(rt *rapid.T) {
				i, refusal := eni(), ""
				a := "10.0.0.200"
				if n := rapid.IntRange(0, len(i.addrs)).Draw(rt, "which"); n < len(i.addrs) {
					a = i.addrs[n]
				}
				switch {
				case i.addrs == nil:
					refusal = "InvalidNetworkInterfaceID.NotFound"
				case a == i.addrs[0], a == "10.0.0.200":
					refusal = "InvalidParameterValue"
				}
				if ask(refusal, "UnassignPrivateIpAddresses", &shapes.UnassignPrivateIpAddressesInput{NetworkInterfaceId: &i.id, PrivateIpAddresses: []string{a}}, nil) {
					m.end(a)
					i.addrs = slices.DeleteFunc(i.addrs, func(e string) bool { return e == a })
				}
			},
			"attach or detach the gateway": func(rt *rapid.T) {
				if !m.attached {
					m.attached = ask("", "AttachInternetGateway", &shapes.AttachInternetGatewayInput{InternetGatewayId: &p.gateway, VpcId: &p.vpc}, nil)
					return
				}
				refusal := ""
				if m.find(func(e *modelAddress) bool { return e.private != "" }) != nil {
					refusal = "DependencyViolation"
				}
				m.attached = !ask(refusal, "DetachInternetGateway", &shapes.DetachInternetGatewayInput{InternetGatewayId: &p.gateway, VpcId: &p.vpc}, nil)
			},
			"try to delete the subnet": func(rt *rapid.T) {
				refusal := "DryRunOperation"
				if len(m.interfaces) > 0 {
					refusal = "DependencyViolation"
				}
				ask(refusal, "DeleteSubnet", &shapes.DeleteSubnetInput{SubnetId: &p.subnet, DryRun: new(true)}, nil)
			},
		})
	})
}
