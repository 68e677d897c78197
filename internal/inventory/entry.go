package inventory

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Tag is one of an entry's tags.
type Tag struct{ Key, Value string }

// Entry is one block that a file names.
type Entry struct {
	Line        int // in the file, from 1
	CIDR        netip.Prefix
	Description string
	Tags        []Tag
	routing     string // the routing domain (VRF) that a file of several names; "" for the global one
}

// Note is what there is to say of one line.
type Note struct {
	Line int
	Text string
}

// Reading is what a file says.
type Reading struct {
	Entries []Entry // to be allocated, in order of address; no two share an address
	Skipped []Note  // lines that are fine and make no allocation
	Wrong   []Note  // lines that can't be read
}

// Options say how a file is read.
type Options struct {
	// VRF takes only the lines of one routing domain out of a file that has
	// several: a pool is one. GlobalVRF names the lines without one.
	VRF string
}

// GlobalVRF stands for the lines that name no VRF.
const GlobalVRF = "global"

// Read reads a CSV file with a header, or a JSON export of NetBox's prefixes or
// IP addresses; the content tells which.
func Read(content []byte, o Options) (Reading, error) {
	var r Reading
	var err error
	switch trimmed := bytes.TrimSpace(content); {
	case len(trimmed) == 0:
		return r, fmt.Errorf("the file is empty")
	case trimmed[0] == '{' || trimmed[0] == '[':
		err = r.readNetBox(content)
	default:
		err = r.readCSV(content)
	}
	if err != nil {
		return Reading{}, err
	}
	if err := r.choose(o.VRF); err != nil {
		return Reading{}, err
	}
	r.cover()
	return r, nil
}

func (r *Reading) skip(line int, format string, args ...any) {
	r.Skipped = append(r.Skipped, Note{line, fmt.Sprintf(format, args...)})
}

func (r *Reading) wrong(line int, format string, args ...any) {
	r.Wrong = append(r.Wrong, Note{line, fmt.Sprintf(format, args...)})
}

// parseBlock reads a CIDR or an address. Those who write down an interface's
// address give it the length of its network: as an address it is one.
func parseBlock(text string, address bool) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is neither a CIDR nor an address", text)
		}
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("%q is not a CIDR", text)
	case address:
		return netip.PrefixFrom(p.Addr(), p.Addr().BitLen()), nil
	case p != p.Masked():
		return netip.Prefix{}, fmt.Errorf("%q has bits set beyond its length; the network is %s", text, p.Masked())
	}
	return p, nil
}

// choose keeps the entries of one routing domain.
func (r *Reading) choose(vrf string) error {
	if vrf == "" {
		found := map[string]bool{}
		for _, e := range r.Entries {
			found[e.routing] = true
		}
		if len(found) < 2 {
			return nil
		}
		var names []string
		for name := range found {
			if name == "" {
				name = GlobalVRF
			}
			names = append(names, name)
		}
		slices.Sort(names)
		return fmt.Errorf("the file has lines of several VRFs (%s), and a pool is one: choose with --vrf", strings.Join(names, ", "))
	}
	if vrf == GlobalVRF {
		vrf = ""
	}
	var kept []Entry
	for _, e := range r.Entries {
		if e.routing == vrf {
			kept = append(kept, e)
			continue
		}
		r.skip(e.Line, "%s is of another VRF", e.CIDR)
	}
	r.Entries = kept
	return nil
}

// cover leaves the outermost of blocks that lie in each other: to allocate it
// takes all that is in it.
func (r *Reading) cover() {
	slices.SortStableFunc(r.Entries, func(a, b Entry) int { return a.CIDR.Compare(b.CIDR) })
	var kept []Entry
	for _, e := range r.Entries {
		// In this order what covers e is the last that was kept, or nothing is.
		if n := len(kept) - 1; n >= 0 && kept[n].CIDR.Overlaps(e.CIDR) {
			r.skip(e.Line, "%s is covered by %s in line %d", e.CIDR, kept[n].CIDR, kept[n].Line)
			continue
		}
		kept = append(kept, e)
	}
	r.Entries = kept
	byLine := func(a, b Note) int { return a.Line - b.Line }
	slices.SortStableFunc(r.Skipped, byLine)
	slices.SortStableFunc(r.Wrong, byLine)
}
