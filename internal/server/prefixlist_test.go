package server

import (
	"fmt"
	"testing"

	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
)

// listed is a pair with a list of one entry, of three at most, a security group,
// and the account's means to refer to lists from it and from the main route table.
type listed struct {
	*pair
	t           *testing.T
	list, group string
	table       string
}

func newListed(t *testing.T) *listed {
	t.Helper()
	w := &listed{pair: newPair(t, 0), t: t}
	w.list = w.makeList(3)
	var g shapes.CreateSecurityGroupOutput
	w.must(t, "CreateSecurityGroup", &shapes.CreateSecurityGroupInput{VpcId: &w.vpc, GroupName: new("web"), Description: new("web")}, &g)
	w.group = *g.GroupId
	w.must(t, "AttachInternetGateway", &shapes.AttachInternetGatewayInput{InternetGatewayId: &w.gateway, VpcId: &w.vpc}, nil)
	var tables shapes.DescribeRouteTablesOutput
	w.must(t, "DescribeRouteTables", &shapes.DescribeRouteTablesInput{Filters: []shapes.Filter{{Name: new("vpc-id"), Values: []string{w.vpc}}}}, &tables)
	w.table = *tables.RouteTables[0].RouteTableId
	return w
}

func (w *listed) makeList(size int32) string {
	w.t.Helper()
	var out shapes.CreateManagedPrefixListOutput
	w.must(w.t, "CreateManagedPrefixList", &shapes.CreateManagedPrefixListInput{
		PrefixListName: new("partners"), AddressFamily: new("IPv4"), MaxEntries: &size, Entries: []shapes.AddPrefixListEntry{{Cidr: new("198.51.100.0/24")}},
	}, &out)
	return *out.PrefixList.PrefixListId
}

func (w *listed) authorize(server int, list string, port int32) (string, error) {
	return w.call(server, "AuthorizeSecurityGroupIngress", &shapes.AuthorizeSecurityGroupIngressInput{GroupId: &w.group, IpPermissions: []shapes.IpPermission{{
		IpProtocol: new("tcp"), FromPort: &port, ToPort: &port, PrefixListIds: []shapes.PrefixListId{{PrefixListId: &list, Description: new("partners")}},
	}}}, nil)
}

func (w *listed) route(server int, list string) (string, error) {
	return w.call(server, "CreateRoute", &shapes.CreateRouteInput{RouteTableId: &w.table, DestinationPrefixListId: &list, GatewayId: &w.gateway}, nil)
}

func (w *listed) resize(server int, list string, size int32) (string, error) {
	var out shapes.ModifyManagedPrefixListOutput
	return w.call(server, "ModifyManagedPrefixList", &shapes.ModifyManagedPrefixListInput{PrefixListId: &list, MaxEntries: &size}, &out)
}

func (w *listed) remove(server int, list string) (string, error) {
	return w.call(server, "DeleteManagedPrefixList", &shapes.DeleteManagedPrefixListInput{PrefixListId: &list}, nil)
}

func (w *listed) now(list string) shapes.ManagedPrefixList {
	w.t.Helper()
	var out shapes.DescribeManagedPrefixListsOutput
	w.must(w.t, "DescribeManagedPrefixLists", &shapes.DescribeManagedPrefixListsInput{PrefixListIds: []string{list}}, &out)
	return out.PrefixLists[0]
}

func wantCode(t *testing.T, what string, got string, err error, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, %v; want %q", what, got, err, want)
	}
}

func TestRulesAndRoutesNameAList(t *testing.T) {
	w := newListed(t)
	for what, name := range map[string]func(int, string) (string, error){
		"a rule":  func(server int, list string) (string, error) { return w.authorize(server, list, 443) },
		"a route": w.route,
	} {
		code, err := name(0, "pl-0123456789abcdef0")
		wantCode(t, what+" that names no list", code, err, "InvalidPrefixListID.NotFound")
		code, err = name(0, w.list)
		wantCode(t, what, code, err, "")
	}
	var groups shapes.DescribeSecurityGroupsOutput
	w.must(t, "DescribeSecurityGroups", &shapes.DescribeSecurityGroupsInput{GroupIds: []string{w.group}}, &groups)
	if p := groups.SecurityGroups[0].IpPermissions; len(p) != 1 || len(p[0].PrefixListIds) != 1 || *p[0].PrefixListIds[0].PrefixListId != w.list || *p[0].PrefixListIds[0].Description != "partners" {
		t.Errorf("the group: got %+v", p)
	}
	var rules shapes.DescribeSecurityGroupRulesOutput
	w.must(t, "DescribeSecurityGroupRules", &shapes.DescribeSecurityGroupRulesInput{Filters: []shapes.Filter{{Name: new("group-id"), Values: []string{w.group}}}}, &rules)
	named := 0
	for _, r := range rules.SecurityGroupRules {
		if r.PrefixListId != nil && *r.PrefixListId == w.list && r.CidrIpv4 == nil {
			named++
		}
	}
	if named != 1 {
		t.Errorf("the rules: got %+v", rules.SecurityGroupRules)
	}
	var tables shapes.DescribeRouteTablesOutput
	w.must(t, "DescribeRouteTables", &shapes.DescribeRouteTablesInput{Filters: []shapes.Filter{{Name: new("route.destination-prefix-list-id"), Values: []string{w.list}}}}, &tables)
	if len(tables.RouteTables) != 1 || *tables.RouteTables[0].RouteTableId != w.table {
		t.Errorf("the tables with a route to the list: got %+v", tables.RouteTables)
	}
	var uses shapes.GetManagedPrefixListAssociationsOutput
	w.must(t, "GetManagedPrefixListAssociations", &shapes.GetManagedPrefixListAssociationsInput{PrefixListId: &w.list}, &uses)
	if a := uses.PrefixListAssociations; len(a) != 2 || *a[0].ResourceId != w.table || *a[1].ResourceId != w.group || *a[0].ResourceOwner != tenant {
		t.Errorf("associations: got %+v", a)
	}

	code, err := w.remove(0, w.list)
	wantCode(t, "delete a list in use", code, err, "DependencyViolation")
	w.must(t, "DeleteRoute", &shapes.DeleteRouteInput{RouteTableId: &w.table, DestinationPrefixListId: &w.list}, nil)
	code, err = w.call(0, "DeleteRoute", &shapes.DeleteRouteInput{RouteTableId: &w.table, DestinationPrefixListId: &w.list}, nil)
	wantCode(t, "delete the route again", code, err, "InvalidRoute.NotFound")
	w.must(t, "RevokeSecurityGroupIngress", &shapes.RevokeSecurityGroupIngressInput{GroupId: &w.group, IpPermissions: []shapes.IpPermission{{
		IpProtocol: new("tcp"), FromPort: new(int32(443)), ToPort: new(int32(443)), PrefixListIds: []shapes.PrefixListId{{PrefixListId: &w.list}},
	}}}, nil)
	code, err = w.remove(0, w.list)
	wantCode(t, "delete it when nothing names it", code, err, "")
}

// A list counts for its size: a group bears 60 rules of a direction, a table 500
// routes (Amazon VPC quotas).
func TestAListCountsForItsSizeWhereItIsNamed(t *testing.T) {
	w := newListed(t)
	large := w.makeList(57)
	for port := range int32(2) {
		code, err := w.authorize(0, w.list, 80+port)
		wantCode(t, "three entries each", code, err, "")
	}
	code, err := w.authorize(0, large, 443)
	wantCode(t, "6 and 57", code, err, "RulesPerSecurityGroupLimitExceeded")
	code, err = w.authorize(0, w.makeList(54), 443)
	wantCode(t, "6 and 54", code, err, "")

	code, err = w.resize(0, w.list, 4)
	wantCode(t, "a size that the group can't have", code, err, "")
	if l := w.now(w.list); l.State != shapes.PrefixListStateModifyFailed || *l.MaxEntries != 3 || l.StateMessage == nil {
		t.Errorf("a size that the group can't have: got %+v", l)
	}
	code, err = w.route(0, w.makeList(501))
	wantCode(t, "a route to 501", code, err, "RouteLimitExceeded")
	code, err = w.route(0, w.makeList(500))
	wantCode(t, "a route to 500", code, err, "")
}

// Of two servers, one that refers to a list and one that deletes it or makes it
// larger, at most one has its way, whichever comes between the other's decision
// and commit.
func TestAListAndWhatNamesItKeepToEachOther(t *testing.T) {
	type change func(w *listed, server int) (string, error)
	rule := func(w *listed, server int) (string, error) { return w.authorize(server, w.list, 443) }
	route := func(w *listed, server int) (string, error) { return w.route(server, w.list) }
	remove := func(w *listed, server int) (string, error) { return w.remove(server, w.list) }
	grow := func(w *listed, server int) (string, error) { return w.resize(server, w.list, 61) }
	growBeyondTables := func(w *listed, server int) (string, error) { return w.resize(server, w.list, 501) }
	for _, c := range []struct {
		name         string
		named, other change
	}{
		{"a rule and the list's end", rule, remove},
		{"a route and the list's end", route, remove},
		{"a rule and the list's growth", rule, grow},
		{"a route and the list's growth", route, growBeyondTables},
	} {
		for order := range 2 {
			t.Run(fmt.Sprint(c.name, " ", order), func(t *testing.T) {
				w := newListed(t)
				first, second := c.named, c.other
				if order == 1 {
					first, second = second, first
				}
				w.interrupt = func() {
					if _, err := second(w, 1); err != nil {
						t.Errorf("what came between: %v", err)
					}
				}
				code, err := first(w, 0)
				failed := code != ""
				if err != nil && !failed {
					t.Fatal(err)
				}
				if !failed { // a size that can't be isn't the call's error
					failed = w.now(w.list).State == shapes.PrefixListStateModifyFailed
				}
				if !failed {
					t.Error("both had their way")
				}
			})
		}
	}
}
