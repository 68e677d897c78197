package inventory

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/fairlead/fairlead/internal/api/ec2"
	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/wire"
)

// Pool is a pool with what is in it.
type Pool struct {
	ID          string       `json:"id"`
	Source      string       `json:"source,omitempty"` // the pool that it is a child of
	Scope       string       `json:"scope"`            // ARN
	Locale      string       `json:"locale"`
	Family      string       `json:"family"`
	Description string       `json:"description,omitempty"`
	CIDRs       []string     `json:"cidrs"`
	Allocations []Allocation `json:"allocations"`
}

// Allocation is a block of a pool that somebody holds.
type Allocation struct {
	CIDR        string            `json:"cidr"`
	ID          string            `json:"id"`
	Type        string            `json:"type"`
	Resource    string            `json:"resource,omitempty"`
	Account     string            `json:"account"`
	Region      string            `json:"region"`
	Description string            `json:"description,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
}

// Exporter reads pools through the API.
type Exporter struct{ api wire.Client }

// NewExporter returns one that sees what the client sees.
func NewExporter(c wire.Client) *Exporter {
	c.Spec = ec2.Spec
	return &Exporter{c}
}

// Export returns the pools with the ids, or all whose home is the client's
// region, in order of id.
func (x *Exporter) Export(ctx context.Context, ids ...string) ([]Pool, error) {
	var pools []Pool
	in := shapes.DescribeIpamPoolsInput{IpamPoolIds: ids}
	for {
		var out shapes.DescribeIpamPoolsOutput
		if err := x.api.Do(ctx, "DescribeIpamPools", &in, &out); err != nil {
			return nil, err
		}
		for _, p := range out.IpamPools {
			pool := Pool{
				ID: text(p.IpamPoolId), Source: text(p.SourceIpamPoolId), Scope: text(p.IpamScopeArn), Locale: text(p.Locale),
				Family: string(p.AddressFamily), Description: text(p.Description), CIDRs: []string{}, Allocations: []Allocation{},
			}
			if err := x.fill(ctx, &pool); err != nil {
				return nil, fmt.Errorf("export %s: %w", pool.ID, err)
			}
			pools = append(pools, pool)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return pools, nil
		}
	}
}

// pageSize is how many allocations one call asks for, of the 100,000 that it may.
const pageSize = 10000

func (x *Exporter) fill(ctx context.Context, p *Pool) error {
	cidrs := shapes.GetIpamPoolCidrsInput{IpamPoolId: &p.ID}
	for {
		var out shapes.GetIpamPoolCidrsOutput
		if err := x.api.Do(ctx, "GetIpamPoolCidrs", &cidrs, &out); err != nil {
			return err
		}
		for _, c := range out.IpamPoolCidrs {
			if c.State == "provisioned" || c.State == "failed-deprovision" {
				p.CIDRs = append(p.CIDRs, text(c.Cidr))
			}
		}
		if cidrs.NextToken = out.NextToken; cidrs.NextToken == nil {
			break
		}
	}
	api := x.api
	if p.Locale != "None" { // else the allocations are told at home
		api.Region = p.Locale
	}
	held := shapes.GetIpamPoolAllocationsInput{IpamPoolId: &p.ID, MaxResults: new(int32(pageSize))}
	for {
		var out shapes.GetIpamPoolAllocationsOutput
		if err := api.Do(ctx, "GetIpamPoolAllocations", &held, &out); err != nil {
			return err
		}
		for _, a := range out.IpamPoolAllocations {
			block := Allocation{
				CIDR: text(a.Cidr), ID: text(a.IpamPoolAllocationId), Type: string(a.ResourceType), Resource: text(a.ResourceId),
				Account: text(a.ResourceOwner), Region: text(a.ResourceRegion), Description: text(a.Description),
			}
			for _, t := range a.Tags {
				if block.Tags == nil {
					block.Tags = map[string]string{}
				}
				block.Tags[text(t.Key)] = text(t.Value)
			}
			p.Allocations = append(p.Allocations, block)
		}
		if held.NextToken = out.NextToken; held.NextToken == nil {
			return nil
		}
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// WriteJSON writes the pools as one document.
func WriteJSON(w io.Writer, pools []Pool) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(struct {
		Pools []Pool `json:"pools"`
	}{append([]Pool{}, pools...)})
}

// WriteCSV writes a line for each allocation, which Read reads again.
func WriteCSV(w io.Writer, pools []Pool) error {
	keys := map[string]bool{}
	for _, p := range pools {
		for _, a := range p.Allocations {
			for key := range a.Tags {
				keys[key] = true
			}
		}
	}
	var tagKeys []string
	for key := range keys {
		tagKeys = append(tagKeys, key)
	}
	slices.SortFunc(tagKeys, cmp.Compare)
	out := csv.NewWriter(w)
	header := []string{columnCIDR, columnDescription, columnType, columnResource, "account", "region", "pool", "id"}
	for _, key := range tagKeys {
		header = append(header, tagPrefix+key)
	}
	rows := [][]string{header}
	for _, p := range pools {
		for _, a := range p.Allocations {
			row := []string{a.CIDR, a.Description, a.Type, a.Resource, a.Account, a.Region, p.ID, a.ID}
			for _, key := range tagKeys {
				row = append(row, a.Tags[key])
			}
			rows = append(rows, row)
		}
	}
	return out.WriteAll(rows)
}
