package vpc_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/fairlead/fairlead/internal/vpc"
)

func rule(t *testing.T, egress bool, protocol string, from, to int32, cidr string) vpc.Rule {
	t.Helper()
	r, err := vpc.NewRule(vpc.Rule{Egress: egress, CIDR: netip.MustParsePrefix(cidr)}, protocol, &from, &to)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRulesHaveOneNormalForm(t *testing.T) {
	p := func(n int32) *int32 { return &n }
	peer := vpc.Rule{CIDR: netip.MustParsePrefix("10.0.0.7/8")}
	for _, c := range []struct {
		name, protocol string
		from, to       *int32
		want           string // protocol and ports; "": refused
	}{
		{"a name", "tcp", p(80), p(90), "tcp 80 90"},
		{"a name in capitals", "UDP", p(53), p(53), "udp 53 53"},
		{"a number with a name", "6", p(0), p(65535), "tcp 0 65535"},
		{"all by number, ports without meaning", "-1", p(1), p(2), "-1 -1 -1"},
		{"all by name", "all", nil, nil, "-1 -1 -1"},
		{"ICMP of any type", "icmp", p(-1), p(-1), "icmp -1 -1"},
		{"ICMP type and code", "1", p(3), p(4), "icmp 3 4"},
		{"ICMPv6 with nothing said", "58", nil, nil, "icmpv6 -1 -1"},
		{"a number without a name", "50", p(1), p(2), "50 -1 -1"},
		{"a number with leading zeros", "006", p(1), p(2), "tcp 1 2"},
		{"TCP without ports", "tcp", nil, nil, ""},
		{"TCP with half a range", "tcp", p(80), nil, ""},
		{"a port below all", "tcp", p(-1), p(80), ""},
		{"a port beyond all", "tcp", p(80), p(65536), ""},
		{"a range from its end", "tcp", p(90), p(80), ""},
		{"a code of any type", "icmp", p(-1), p(3), ""},
		{"an unknown name", "sctp!", nil, nil, ""},
		{"a number beyond all", "256", nil, nil, ""},
		{"a negative number", "-2", nil, nil, ""},
		{"nothing", "", nil, nil, ""},
	} {
		r, err := vpc.NewRule(peer, c.protocol, c.from, c.to)
		if c.want == "" {
			wantFault(t, err, vpc.InvalidValue)
			continue
		}
		got := r.Protocol
		if err == nil {
			got += " " + itoa(r.FromPort) + " " + itoa(r.ToPort)
		}
		if err != nil || got != c.want || r.CIDR.String() != "10.0.0.0/8" {
			t.Errorf("%s: got %q from %v, %v; want %q", c.name, got, r.CIDR, err, c.want)
		}
	}
}

func itoa(n int32) string {
	if n < 0 {
		return "-" + itoa(-n)
	}
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

func TestAuthorizeAndRevoke(t *testing.T) {
	r := begin(t)
	ctx := t.Context()
	r.makeVPC(t, "vpc-1", "10.0.0.0/16")
	r.makeVPC(t, "vpc-2", "10.0.0.0/16")
	for id, in := range map[string]string{"sg-1": "vpc-1", "sg-2": "vpc-1", "sg-3": "vpc-2"} {
		if _, err := r.CreateSecurityGroup(ctx, vpc.SecurityGroupSpec{ID: id, Account: account, Region: reg, VPCID: in, Name: "name of " + id}); err != nil {
			t.Fatal(err)
		}
	}
	change := func(rules ...vpc.Rule) vpc.RuleChange {
		return vpc.RuleChange{Account: account, Region: reg, GroupID: "sg-1", Rules: rules, Time: now}
	}
	named := func(id string) vpc.Rule {
		r, err := vpc.NewRule(vpc.Rule{GroupID: id}, "-1", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	http := rule(t, false, "tcp", 80, 80, "0.0.0.0/0")
	https := rule(t, false, "tcp", 443, 443, "0.0.0.0/0")

	added, err := r.Authorize(ctx, change(http, named("sg-2"), named("sg-1")))
	if err != nil || len(added) != 3 || added[0].ID == "" || added[0].ID == added[1].ID {
		t.Fatalf("authorize: got %+v, %v", added, err)
	}
	other := http
	other.Description = "the same traffic"
	_, err = r.Authorize(ctx, change(https, other))
	wantFault(t, err, vpc.RuleExists)
	_, err = r.Authorize(ctx, change(https, https))
	wantFault(t, err, vpc.InvalidValue)
	_, err = r.Authorize(ctx, change(named("sg-3")))
	wantFault(t, err, vpc.InvalidValue) // of another VPC
	_, err = r.Authorize(ctx, change(named("sg-9")))
	wantNotFound(t, err, vpc.KindSecurityGroup)
	if g, _ := r.SecurityGroup(r.now(), account, reg, "sg-1"); len(g.Rules) != 4 {
		t.Errorf("rules after refused changes: got %d, want the four there were (I10)", len(g.Rules))
	}

	wantFault(t, r.DeleteSecurityGroup(ctx, account, reg, "sg-2"), vpc.Dependency)
	_, err = r.Revoke(ctx, change(http, https))
	wantFault(t, err, vpc.RuleNotFound)
	byID := change()
	byID.RuleIDs = []string{added[1].ID}
	if gone, err := r.Revoke(ctx, byID); err != nil || len(gone) != 1 || gone[0].GroupID != "sg-2" {
		t.Errorf("revoke by id: got %+v, %v", gone, err)
	}
	_, err = r.Revoke(ctx, byID)
	wantNotFound(t, err, vpc.KindSecurityRule)
	if err := errors.Join(r.DeleteSecurityGroup(ctx, account, reg, "sg-2"), r.DeleteSecurityGroup(ctx, account, reg, "sg-1")); err != nil {
		t.Error(err) // a rule about itself doesn't hold a group
	}
}

func TestSecurityGroupNames(t *testing.T) {
	r := begin(t)
	ctx := t.Context()
	v := r.makeVPC(t, "vpc-1", "10.0.0.0/16")
	r.makeVPC(t, "vpc-2", "10.0.0.0/16")
	create := func(id, in, name string) error {
		_, err := r.CreateSecurityGroup(ctx, vpc.SecurityGroupSpec{ID: id, Account: account, Region: reg, VPCID: in, Name: name})
		return err
	}
	if err := errors.Join(create("sg-1", "vpc-1", "web"), create("sg-2", "vpc-2", "web")); err != nil {
		t.Fatal(err)
	}
	wantFault(t, create("sg-3", "vpc-1", "web"), vpc.GroupExists)
	wantFault(t, create("sg-3", "vpc-1", "default"), vpc.GroupReserved)
	wantFault(t, create("sg-3", "", "web"), vpc.NoDefault)
	wantNotFound(t, create("sg-3", "vpc-9", "web"), vpc.KindVPC)
	wantFault(t, r.DeleteSecurityGroup(ctx, account, reg, v.DefaultGroupID()), vpc.GroupUndeletable)
	wantFault(t, r.DeleteVPC(ctx, account, reg, "vpc-1"), vpc.Dependency)
	wantNotFound(t, r.DeleteSecurityGroup(ctx, stranger, reg, "sg-1"), vpc.KindSecurityGroup) // I8
}
