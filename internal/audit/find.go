package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// Find returns the latest records that the filter chooses, the oldest of them
// first. It reads segments from the newest back until it has enough, so that a
// question about lately costs little however much there is.
func (l *Log) Find(ctx context.Context, f Filter) ([]Record, error) {
	if f.Limit <= 0 {
		f.Limit = DefaultLimit
	}
	begun, err := segments(l.o.Dir)
	if err != nil {
		return nil, fmt.Errorf("find audit records: %w", err)
	}
	var found [][]Record // by segment, the newest first
	n := 0
	for i := len(begun) - 1; i >= 0 && n < f.Limit; i-- {
		// A call's time is its arrival's, a moment before its record is written.
		if i+1 < len(begun) && !f.Since.IsZero() && begun[i+1].Before(f.Since) {
			break
		}
		recs, err := scan(ctx, nameOf(l.o.Dir, begun[i]), f)
		if errors.Is(err, fs.ErrNotExist) {
			break // removed meanwhile, as all before it
		}
		if err != nil {
			return nil, fmt.Errorf("find audit records: %w", err)
		}
		found = append(found, recs)
		n += len(recs)
	}
	slices.Reverse(found)
	all := slices.Concat(found...)
	return all[max(0, len(all)-f.Limit):], nil
}

// scan returns the latest records of one segment that the filter chooses. What is
// no record, as a line that a crash cut off, is passed over.
func scan(ctx context.Context, name string, f Filter) ([]Record, error) {
	content, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = content.Close() }()
	var recs []Record
	lines := bufio.NewReaderSize(content, 64<<10)
	for n := 0; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return recs, nil // what is behind the last newline is being written
		}
		if err != nil {
			return nil, err
		}
		if n%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var r Record
		if json.Unmarshal(line, &r) != nil || !f.admits(r) {
			continue
		}
		if recs = append(recs, r); len(recs) >= 2*f.Limit {
			recs = slices.Clone(recs[len(recs)-f.Limit:])
		}
	}
}
