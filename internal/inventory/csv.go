package inventory

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Columns of a CSV file. Those of our own exports and NetBox's are known; other
// columns are of no concern here.
const (
	columnCIDR        = "cidr"
	columnPrefix      = "prefix"  // NetBox's prefixes
	columnAddress     = "address" // NetBox's IP addresses, with the length of their network
	columnDescription = "description"
	columnDNSName     = "dns_name"
	columnStatus      = "status"
	columnVRF         = "vrf"
	columnType        = "type"     // our own: what kind of thing holds the block
	columnResource    = "resource" // our own: and which
	tagPrefix         = "tag:"     // our own: a tag of that key
)

// custom is the type of blocks that nothing of ours holds, the only ones that
// can be imported.
const custom = "custom"

func (r *Reading) readCSV(content []byte) error {
	lines := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(content, []byte("\ufeff"))))
	lines.TrimLeadingSpace = true
	header, err := lines.Read()
	if err != nil {
		return fmt.Errorf("read the header: %w", err)
	}
	place := map[string]int{}
	for n, name := range header {
		if !strings.HasPrefix(name, tagPrefix) {
			name = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), " ", "_")
		}
		place[name] = n
	}
	block := slices.IndexFunc([]string{columnCIDR, columnPrefix, columnAddress}, func(c string) bool { _, ok := place[c]; return ok })
	if block < 0 {
		return fmt.Errorf("the header has none of the columns %s, %s and %s: the first line must name the columns", columnCIDR, columnPrefix, columnAddress)
	}
	for {
		row, err := lines.Read()
		line := 0
		if len(row) > 0 {
			line, _ = lines.FieldPos(0)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, csv.ErrFieldCount):
			r.wrong(line, "there are %d columns, and the header has %d", len(row), len(header))
			continue
		case err != nil:
			return err // names the line itself; what follows a broken quote can't be trusted
		}
		cell := func(column string) string {
			n, ok := place[column]
			if !ok {
				return ""
			}
			return strings.TrimSpace(row[n])
		}
		r.readRow(line, header, row, cell)
	}
}

func (r *Reading) readRow(line int, header, row []string, cell func(column string) string) {
	text, address := cell(columnCIDR), false
	if text == "" {
		text = cell(columnPrefix)
	}
	if text == "" {
		text, address = cell(columnAddress), true
	}
	if text == "" {
		r.wrong(line, "no block is named")
		return
	}
	cidr, err := parseBlock(text, address)
	if err != nil {
		r.wrong(line, "%s", err)
		return
	}
	if kind := cell(columnType); kind != "" && kind != custom {
		r.skip(line, "%s is held by %s, and only custom allocations can be made", cidr, strings.TrimSpace(kind+" "+cell(columnResource)))
		return
	}
	if isContainer(cell(columnStatus)) {
		r.skip(line, "%s is a container: what is in it is allocated, not the whole", cidr)
		return
	}
	e := Entry{Line: line, CIDR: cidr, Description: cell(columnDescription), routing: cell(columnVRF)}
	if e.Description == "" {
		e.Description = cell(columnDNSName)
	}
	for n, name := range header {
		if key, ok := strings.CutPrefix(name, tagPrefix); ok && key != "" && row[n] != "" {
			e.Tags = append(e.Tags, Tag{key, row[n]})
		}
	}
	r.Entries = append(r.Entries, e)
}

// isContainer says whether a NetBox status is that of a prefix that is divided
// further. All others mean that the prefix is in use, or to be kept free.
func isContainer(status string) bool { return strings.EqualFold(status, "container") }
