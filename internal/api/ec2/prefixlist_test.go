package ec2_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
)

func (w *world) prefixList(t *testing.T, size int32, cidrs ...string) string {
	t.Helper()
	in := ec2.CreateManagedPrefixListInput{PrefixListName: new("partners"), AddressFamily: new("IPv4"), MaxEntries: &size}
	for _, c := range cidrs {
		in.Entries = append(in.Entries, ec2.AddPrefixListEntry{Cidr: &c})
	}
	return *do[ec2.CreateManagedPrefixListOutput](t, w, "CreateManagedPrefixList", &in).PrefixList.PrefixListId
}

// A change between two pages neither hides an entry nor shows one twice.
func TestPagesOfEntriesAreOfOneVersion(t *testing.T) {
	w := newWorld(t)
	want := []string{"10.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24"}
	id := w.prefixList(t, 5, want...)
	var got []string
	in := ec2.GetManagedPrefixListEntriesInput{PrefixListId: &id, MaxResults: new(int32(1))}
	for version := int64(1); ; version++ {
		out := do[ec2.GetManagedPrefixListEntriesOutput](t, w, "GetManagedPrefixListEntries", &in)
		for _, e := range out.Entries {
			got = append(got, *e.Cidr)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
		do[ec2.ModifyManagedPrefixListOutput](t, w, "ModifyManagedPrefixList", &ec2.ModifyManagedPrefixListInput{
			PrefixListId: &id, CurrentVersion: &version,
			AddEntries:    []ec2.AddPrefixListEntry{{Cidr: new(fmt.Sprintf("9.0.%d.0/24", version))}},
			RemoveEntries: []ec2.RemovePrefixListEntry{{Cidr: &want[3-version]}},
		})
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	w.wantCode(t, "InvalidNextToken", "GetManagedPrefixListEntries", "PrefixListId", id, "NextToken", "none")
}

func TestARuleTurnsToAnotherList(t *testing.T) {
	w := newWorld(t)
	first, second := w.prefixList(t, 30, "10.0.0.0/8"), w.prefixList(t, 31)
	group := do[ec2.DescribeSecurityGroupsOutput](t, w, "DescribeSecurityGroups", &ec2.DescribeSecurityGroupsInput{GroupNames: []string{"default"}}).SecurityGroups[0].GroupId
	made := do[ec2.AuthorizeSecurityGroupEgressOutput](t, w, "AuthorizeSecurityGroupEgress", &ec2.AuthorizeSecurityGroupEgressInput{
		GroupId: group, IpPermissions: []ec2.IpPermission{{IpProtocol: new("tcp"), FromPort: new(int32(443)), ToPort: new(int32(443)), PrefixListIds: []ec2.PrefixListId{{PrefixListId: &first}}}},
	}).SecurityGroupRules
	if len(made) != 1 || *made[0].PrefixListId != first {
		t.Fatalf("the rule: got %+v", made)
	}
	turn := []string{
		"GroupId", *group, "SecurityGroupRule.1.SecurityGroupRuleId", *made[0].SecurityGroupRuleId, "SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "tcp",
		"SecurityGroupRule.1.SecurityGroupRule.FromPort", "443", "SecurityGroupRule.1.SecurityGroupRule.ToPort", "443",
	}
	w.wantCode(t, "InvalidPrefixListID.NotFound", "ModifySecurityGroupRules", append(turn, "SecurityGroupRule.1.SecurityGroupRule.PrefixListId", "pl-0123456789abcdef0")...)
	// The group's own rule for all traffic and a list of 60 are one too many.
	w.wantCode(t, "RulesPerSecurityGroupLimitExceeded", "ModifySecurityGroupRules", append(turn, "SecurityGroupRule.1.SecurityGroupRule.PrefixListId", w.prefixList(t, 60))...)
	if status, body := w.send(t, account, "ModifySecurityGroupRules", append(turn, "SecurityGroupRule.1.SecurityGroupRule.PrefixListId", second)...); status != 200 {
		t.Fatal(body)
	}
	for id, want := range map[string]int{first: 0, second: 1} {
		if got := do[ec2.GetManagedPrefixListAssociationsOutput](t, w, "GetManagedPrefixListAssociations", &ec2.GetManagedPrefixListAssociationsInput{PrefixListId: &id}).PrefixListAssociations; len(got) != want {
			t.Errorf("associations of %s: got %+v, want %d", id, got, want)
		}
	}
}

func TestFindListsByWhatTheyAre(t *testing.T) {
	w := newWorld(t)
	id := w.prefixList(t, 5)
	w.prefixList(t, 6)
	do[ec2.CreateTagsOutput](t, w, "CreateTags", &ec2.CreateTagsInput{Resources: []string{id}, Tags: []ec2.Tag{{Key: new("env"), Value: new("prod")}}})
	for name, c := range map[string]struct {
		value string
		want  int
	}{
		"prefix-list-id": {id, 1}, "prefix-list-name": {"part*", 2}, "owner-id": {account, 2}, "tag:env": {"prod", 1}, "tag-key": {"env", 1}, "max-entries": {"6", 1},
	} {
		got := do[ec2.DescribeManagedPrefixListsOutput](t, w, "DescribeManagedPrefixLists", &ec2.DescribeManagedPrefixListsInput{Filters: filter(name, c.value)}).PrefixLists
		if len(got) != c.want {
			t.Errorf("%s=%s: got %+v, want %d", name, c.value, got, c.want)
		}
	}
	if got := tagRows(t, w); !slices.Equal(got, []string{"prefix-list env=prod"}) {
		t.Errorf("tags: got %q", got)
	}
}
