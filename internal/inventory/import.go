package inventory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/api/fairlead"
	shapes "github.com/fairlead/fairlead/internal/shapes/fairlead"
	"github.com/fairlead/fairlead/internal/wire"
)

// Importer allocates entries in a pool.
type Importer struct {
	api  wire.Client
	pool string
}

// NewImporter returns one for a pool; the client's region must be the pool's locale.
func NewImporter(c wire.Client, pool string) *Importer {
	c.Spec = fairlead.Spec
	return &Importer{c, pool}
}

// Check names the lines that can't be allocated now. It changes nothing.
func (m *Importer) Check(ctx context.Context, entries []Entry) ([]Note, error) {
	return inChunks(entries, func(blocks []shapes.ImportBlock) ([]shapes.ImportConflict, error) {
		var out shapes.CheckImportOutput
		err := m.api.Do(ctx, "CheckImport", &shapes.CheckImportInput{IpamPoolId: &m.pool, Blocks: blocks}, &out)
		return out.Conflicts, err
	})
}

// abandonTime is how long freeing what was staged may take, after a caller who
// may be gone. What it doesn't free, the server does by itself.
const abandonTime = 10 * time.Second

// Import allocates all entries, or none: then it names the lines that stood in
// the way.
func (m *Importer) Import(ctx context.Context, entries []Entry) ([]Note, error) {
	var begun shapes.BeginImportOutput
	if err := m.api.Do(ctx, "BeginImport", &shapes.BeginImportInput{IpamPoolId: &m.pool}, &begun); err != nil {
		return nil, err
	}
	conflicts, err := inChunks(entries, func(blocks []shapes.ImportBlock) ([]shapes.ImportConflict, error) {
		var out shapes.AddToImportOutput
		err := m.api.Do(ctx, "AddToImport", &shapes.AddToImportInput{ImportId: begun.ImportId, Blocks: blocks}, &out)
		return out.Conflicts, err
	})
	if err == nil && len(conflicts) == 0 {
		err = m.api.Do(ctx, "FinishImport", &shapes.FinishImportInput{ImportId: begun.ImportId}, new(shapes.FinishImportOutput))
		if err != nil {
			return nil, fmt.Errorf("the outcome is not known, look at the pool: %w", err)
		}
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTime)
	defer cancel()
	undone := m.api.Do(ctx, "AbandonImport", &shapes.AbandonImportInput{ImportId: begun.ImportId}, new(shapes.AbandonImportOutput))
	return conflicts, errors.Join(err, undone)
}

// inChunks makes as many calls as the entries need, and tells their conflicts by line.
func inChunks(entries []Entry, call func([]shapes.ImportBlock) ([]shapes.ImportConflict, error)) ([]Note, error) {
	var notes []Note
	for chunk := range slices.Chunk(entries, fairlead.MaxBlocks) {
		blocks := make([]shapes.ImportBlock, 0, len(chunk))
		for _, e := range chunk {
			b := shapes.ImportBlock{Cidr: new(e.CIDR.String())}
			if e.Description != "" {
				b.Description = &e.Description
			}
			for _, t := range e.Tags {
				b.Tags = append(b.Tags, shapes.Tag{Key: &t.Key, Value: &t.Value})
			}
			blocks = append(blocks, b)
		}
		conflicts, err := call(blocks)
		if err != nil {
			return notes, err
		}
		for _, c := range conflicts {
			n := int(*c.Block) - 1
			if n < 0 || n >= len(chunk) {
				return notes, fmt.Errorf("the server names block %d of %d", n+1, len(chunk))
			}
			notes = append(notes, Note{chunk[n].Line, *c.Reason})
		}
	}
	slices.SortStableFunc(notes, func(a, b Note) int { return cmp.Compare(a.Line, b.Line) })
	return notes, nil
}
