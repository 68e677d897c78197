package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"
)

// ErrNotFound says that there is no such bucket, key or version.
var ErrNotFound = errors.New("no such object")

// ErrTooLarge says that an object is larger than it may be.
var ErrTooLarge = errors.New("object is too large")

// patience is how long a server of objects may take for one.
const patience = 30 * time.Second

// Set is the buckets that there are: by name, a directory, or a URL that keys are
// appended to.
type Set map[string]string

// IsURL says whether a place is a URL, not a directory.
func IsURL(place string) bool {
	return strings.HasPrefix(place, "http://") || strings.HasPrefix(place, "https://")
}

// Fetch returns an object of at most limit bytes: ErrNotFound, ErrTooLarge, or
// why it couldn't be had. Directories have no versions but "", the present one.
func (s Set) Fetch(ctx context.Context, bucket, key, version string, limit int64) ([]byte, error) {
	place, ok := s[bucket]
	if !ok || key == "" {
		return nil, fmt.Errorf("bucket %q, key %q: %w", bucket, key, ErrNotFound)
	}
	open := openFile
	if IsURL(place) {
		open = openURL
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := open(ctx, place, key, version)
	if err != nil {
		return nil, fmt.Errorf("bucket %q, key %q: %w", bucket, key, err)
	}
	defer func() { _ = r.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("bucket %q, key %q: %w", bucket, key, err)
	case int64(len(b)) > limit:
		return nil, fmt.Errorf("bucket %q, key %q: %w: at most %d bytes", bucket, key, ErrTooLarge, limit)
	}
	return b, nil
}

func openFile(_ context.Context, dir, key, version string) (io.ReadCloser, error) {
	if version != "" {
		return nil, fmt.Errorf("%w: a directory has no versions", ErrNotFound)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // what it opened stays open
	f, err := root.Open(path.Clean(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(ErrNotFound, err, f.Close())
	}
	return f, nil
}

func openURL(ctx context.Context, base, key, version string) (io.ReadCloser, error) {
	u, err := objectURL(base, key)
	if err != nil {
		return nil, errors.Join(ErrNotFound, err)
	}
	if version != "" {
		u.RawQuery = url.Values{"versionId": {version}}.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return resp.Body, nil
	case http.StatusNotFound, http.StatusForbidden: // S3's answer to who may not list
		return nil, errors.Join(ErrNotFound, resp.Body.Close())
	}
	return nil, errors.Join(fmt.Errorf("the server of the bucket answers %s", resp.Status), resp.Body.Close())
}
