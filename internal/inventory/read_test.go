package inventory_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/inventory"
)

// lines writes a reading down, one line for each thing that it found.
func lines(r inventory.Reading) []string {
	var out []string
	for _, e := range r.Entries {
		line := fmt.Sprintf("%d %s", e.Line, e.CIDR)
		if e.Description != "" {
			line += " " + e.Description
		}
		for _, t := range e.Tags {
			line += " " + t.Key + "=" + t.Value
		}
		out = append(out, line)
	}
	for _, n := range r.Skipped {
		out = append(out, fmt.Sprintf("skip %d %s", n.Line, n.Text))
	}
	for _, n := range r.Wrong {
		out = append(out, fmt.Sprintf("wrong %d %s", n.Line, n.Text))
	}
	return out
}

// B10.
func TestWhatAFileSays(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		vrf  string
		want []string
	}{
		"CSV with tags": {
			file: "cidr,description,tag:team\n10.0.1.0/24,\"web, both\",edge\n10.0.0.5,one,\nfd00::/64,,lab\n",
			want: []string{"3 10.0.0.5/32 one", "2 10.0.1.0/24 web, both team=edge", "4 fd00::/64 team=lab"},
		},
		"a byte order mark, spaces, capitals, other columns": {
			file: "\ufeffCIDR, Owner ,Description\n 10.0.1.0/24 , me , web \n",
			want: []string{"2 10.0.1.0/24 web"},
		},
		"a block covers those in it, wherever they stand": {
			file: "cidr\n10.0.1.7\n10.0.1.0/24\n10.0.1.0/25\n10.0.1.0/24\n10.0.2.0/24\n",
			want: []string{"3 10.0.1.0/24", "6 10.0.2.0/24",
				"skip 2 10.0.1.7/32 is covered by 10.0.1.0/24 in line 3",
				"skip 4 10.0.1.0/25 is covered by 10.0.1.0/24 in line 3",
				"skip 5 10.0.1.0/24 is covered by 10.0.1.0/24 in line 3"},
		},
		"lines that can't be": {
			file: "cidr,description\n10.0.1.1/24,x\nrack 7,y\n10.0.300.0/24,z\n10.0.1.0/24\n,nothing\n10.0.9.0/24,fine\n",
			want: []string{"7 10.0.9.0/24 fine",
				`wrong 2 "10.0.1.1/24" has bits set beyond its length; the network is 10.0.1.0/24`,
				`wrong 3 "rack 7" is neither a CIDR nor an address`,
				`wrong 4 "10.0.300.0/24" is not a CIDR`,
				"wrong 5 there are 1 columns, and the header has 2",
				"wrong 6 no block is named"},
		},
		"our own export": {
			file: "cidr,description,type,resource,account,region,pool,id\n10.0.1.0/24,a,custom,,1,r,p,i\n192.0.2.1/32,,eip,eipalloc-1,1,r,p,i\n",
			want: []string{"2 10.0.1.0/24 a", "skip 3 192.0.2.1/32 is held by eip eipalloc-1, and only custom allocations can be made"},
		},
		"NetBox's prefixes as CSV": {
			file: "Prefix,Status,VRF,Description\n10.0.0.0/16,Container,,all\n10.0.1.0/24,Active,,web\n",
			want: []string{"3 10.0.1.0/24 web", "skip 2 10.0.0.0/16 is a container: what is in it is allocated, not the whole"},
		},
		"NetBox's addresses as CSV have the length of their network": {
			file: "address,dns_name\n10.0.1.9/24,nine.example\n10.0.1.8/24,\n",
			want: []string{"3 10.0.1.8/32", "2 10.0.1.9/32 nine.example"},
		},
		"a page of NetBox's prefixes": {
			file: `{"count": 2, "meta": {"results": [1, {"results": []}]}, "next": null, "results": [
  {"prefix": "10.0.0.0/16", "status": {"value": "container"}},
  {"prefix": "10.0.1.0/24", "status": {"value": "active", "label": "Active"}, "role": {"name": "prod"},
   "site": "fra1", "tenant": null, "vrf": null, "description": "web"}
]}`,
			want: []string{"3 10.0.1.0/24 web netbox:role=prod netbox:site=fra1 netbox:status=active", "skip 2 10.0.0.0/16 is a container: what is in it is allocated, not the whole"},
		},
		"a list of NetBox's addresses": {
			file: `[{"address": "2001:db8::5/64", "dns_name": "five.example", "status": "active", "role": {"value": "vip", "label": "VIP"}},
{"name": "a device"},
"a word",
{"address": "10.0.0.1%eth0"}]`,
			want: []string{"1 2001:db8::5/128 five.example netbox:role=VIP netbox:status=active",
				"wrong 2 the object has neither a prefix nor an address",
				"wrong 3 not an object of NetBox's: json: cannot unmarshal string into Go value of type inventory.netBoxObject",
				`wrong 4 "10.0.0.1%eth0" is neither a CIDR nor an address`},
		},
		"one VRF of several": {
			file: `[{"prefix": "10.0.1.0/24", "vrf": {"name": "blue"}}, {"prefix": "10.0.1.0/24", "vrf": {"name": "red"}}]`, vrf: "red",
			want: []string{"1 10.0.1.0/24", "skip 1 10.0.1.0/24 is of another VRF"},
		},
		"the VRF without a name": {
			file: "prefix,vrf\n10.0.1.0/24,\n10.0.1.0/24,red\n", vrf: inventory.GlobalVRF,
			want: []string{"2 10.0.1.0/24", "skip 3 10.0.1.0/24 is of another VRF"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := inventory.Read([]byte(c.file), inventory.Options{VRF: c.vrf})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, lines(r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAFileThatCantBeReadIsRefused(t *testing.T) {
	for want, file := range map[string]string{
		"the file is empty":               " \n",
		"the header has none":             "network,mask\n10.0.0.0,24\n",
		"no list of objects":              `{"count": 0, "meta": {"results": []}}`,
		"line 3":                          "[{\"prefix\":\"10.0.0.0/24\"},\n{\"prefix\":\n oops}]",
		"several VRFs (blue, global)":     "prefix,vrf\n10.0.1.0/24,\n10.0.1.0/24,blue\n",
		`parse error on line 2, column 1`: "cidr\n\"10.0.0.0/24\n",
	} {
		if _, err := inventory.Read([]byte(file), inventory.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", file, err, want)
		}
	}
}

// Whatever is read, no two blocks share an address, so that an import can't be in
// its own way; and what is read from our own export is what was written.
func FuzzRead(f *testing.F) {
	f.Add([]byte("cidr,description,tag:a\n10.0.0.0/24,x,y\n10.0.0.1,,\n"))
	f.Add([]byte(`{"results":[{"prefix":"10.0.0.0/24","status":{"value":"active"}}]}`))
	f.Add([]byte(`[{"address":"fd00::1/64"},[],{}]`))
	f.Fuzz(func(t *testing.T, content []byte) {
		r, err := inventory.Read(content, inventory.Options{})
		if err != nil {
			return
		}
		pool := inventory.Pool{ID: "p"}
		for i, e := range r.Entries {
			if i > 0 && r.Entries[i-1].CIDR.Overlaps(e.CIDR) {
				t.Fatalf("got %s and %s, want blocks apart", r.Entries[i-1].CIDR, e.CIDR)
			}
			if e.CIDR != e.CIDR.Masked() || e.CIDR == (netip.Prefix{}) {
				t.Fatalf("got %s, want a block", e.CIDR)
			}
			pool.Allocations = append(pool.Allocations, inventory.Allocation{CIDR: e.CIDR.String(), Type: "custom"})
		}
		var out strings.Builder
		if err := inventory.WriteCSV(&out, []inventory.Pool{pool}); err != nil {
			t.Fatal(err)
		}
		again, err := inventory.Read([]byte(out.String()), inventory.Options{})
		same := slices.EqualFunc(r.Entries, again.Entries, func(a, b inventory.Entry) bool { return a.CIDR == b.CIDR })
		if err != nil || !same {
			t.Fatalf("got %v and %v from our own export, want %v", again.Entries, err, r.Entries)
		}
	})
}
