package ipam

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/fairlead/fairlead/internal/store"
)

// largePool is how many blocks make a pool whose index takes so long to make,
// about a microsecond for each, that no caller should wait for it.
const largePool = 20_000

// warm makes the indexes of large pools before anybody asks for them.
func (s *Service) warm(ctx context.Context) {
	r := s.store.Snapshot()
	var large []string
	pool, blocks := "", 0
	for value, n := range s.allocsTally.Each(r, "") {
		if id, _, _ := strings.Cut(value, "/"); id != pool {
			pool, blocks = id, 0
		}
		if before := blocks; before < largePool {
			if blocks += n; blocks >= largePool {
				large = append(large, pool)
			}
		}
	}
	for _, id := range large {
		err := s.submit(ctx, id, func(*turn) error { return nil })
		if err != nil && ctx.Err() == nil && !errors.Is(err, ErrClosed) {
			s.opts.Log.LogAttrs(ctx, slog.LevelWarn, "ipam: a pool's index isn't made yet", slog.String("pool", id), slog.Any("error", err))
		}
	}
}

// large says whether a pool's index is worth to be kept while nobody uses it.
func (s *Service) large(r store.Reader, pool string) bool {
	blocks := 0
	for _, n := range s.allocsTally.Each(r, pool+"/") {
		blocks += n
	}
	return blocks >= largePool
}
