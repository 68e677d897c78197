package logship

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
)

// pack returns a compressed copy of a file, at its beginning, which the caller
// removes.
func pack(name string) (packed *os.File, err error) {
	from, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = from.Close() }() // it was only read
	packed, err = os.Create(name + ".gz")
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewWriterLevel(packed, gzip.BestSpeed)
	if err == nil {
		_, err = io.Copy(z, from)
	}
	if err == nil {
		err = z.Close()
	}
	if err == nil {
		_, err = packed.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, packed.Close(), os.Remove(packed.Name()))
	}
	return packed, nil
}

// emptyBody is that of a test object.
func emptyBody() io.ReadSeeker { return bytes.NewReader([]byte("Enable log delivery\n")) }

func countLines(b []byte) int { return bytes.Count(b, []byte{'\n'}) }
