package bucket

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
)

// ErrRefused says that a bucket doesn't take objects, or isn't there.
var ErrRefused = errors.New("the bucket takes no objects")

// Writer puts objects into buckets.
type Writer struct {
	Set Set

	// Others is the directory that buckets are in which aren't in the set, one
	// directory each, made when it is needed; "": there are no others.
	Others string

	// Sign shows a server whose request it is, given the SHA-256 of the body in
	// hexadecimal; nil: none asks.
	Sign func(r *http.Request, hash string)
}

// Put writes an object, in place of one that has the key: ErrRefused, or why it
// couldn't be written. It reads body from its present place to its end. An object in
// a directory is there whole or not at all. A key with "." or ".." between slashes
// is refused: a server could take it for one in another bucket.
func (w *Writer) Put(ctx context.Context, bucket, key string, body io.ReadSeeker) error {
	place, ok := w.Set[bucket]
	if !ok && w.Others != "" && isName(bucket) {
		place, ok = filepath.Join(w.Others, bucket), true
	}
	if !ok || key == "" {
		return fmt.Errorf("bucket %q, key %q: %w", bucket, key, ErrRefused)
	}
	var err error
	if IsURL(place) {
		err = w.putURL(ctx, place, key, body)
	} else {
		err = putFile(place, key, body)
	}
	if err != nil {
		return fmt.Errorf("bucket %q, key %q: %w", bucket, key, err)
	}
	return nil
}

// isName says whether a bucket's name is one of a directory in another.
func isName(bucket string) bool {
	return filepath.IsLocal(bucket) && filepath.Base(bucket) == bucket && bucket != "."
}

func putFile(dir, key string, body io.Reader) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return errors.Join(ErrRefused, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return errors.Join(ErrRefused, err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	key = path.Clean(key)
	if err := root.MkdirAll(path.Dir(key), 0o700); err != nil {
		return errors.Join(ErrRefused, err)
	}
	f, err := root.Create(key + ".new")
	if err != nil {
		return errors.Join(ErrRefused, err)
	}
	_, err = io.Copy(f, body)
	if err = errors.Join(err, f.Close()); err == nil {
		err = root.Rename(key+".new", key)
	}
	if err != nil {
		return errors.Join(err, root.Remove(key+".new"))
	}
	return nil
}

func (w *Writer) putURL(ctx context.Context, base, key string, body io.ReadSeeker) error {
	u, err := objectURL(base, key)
	if err != nil {
		return errors.Join(ErrRefused, err)
	}
	start, err := body.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(sum, body)
	if err == nil {
		_, err = body.Seek(start, io.SeekStart)
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, u.String(), io.NopCloser(body))
	if err != nil {
		return err
	}
	req.ContentLength = n
	if n == 0 {
		req.Body = http.NoBody
	}
	if w.Sign != nil {
		w.Sign(req, hex.EncodeToString(sum.Sum(nil)))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it is of no interest
	switch {
	case resp.StatusCode/100 == 2:
		return nil
	case resp.StatusCode/100 == 4:
		return fmt.Errorf("%w: its server answers %s", ErrRefused, resp.Status)
	}
	return fmt.Errorf("the server of the bucket answers %s", resp.Status)
}
