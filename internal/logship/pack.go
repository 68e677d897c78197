package logship

import (
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
)

// pack returns a compressed copy of a file, at its beginning, which the caller
// removes.
func pack(name string) (packed *os.File, err error) {
	from, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = from.Close() }() // it was only read
	packed, err = os.Create(name + packedSuffix)
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

// testBody is that of a test object.
func testBody() io.ReadSeeker { return bytes.NewReader([]byte("Enable log delivery\n")) }

func countLines(b []byte) uint64 { return uint64(bytes.Count(b, []byte{'\n'})) }

// linesOf counts the lines of a file.
func linesOf(name string) (n uint64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // it was only read
	b := make([]byte, 64<<10)
	for {
		read, err := f.Read(b)
		n += countLines(b[:read])
		switch {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return n, err
		}
	}
}
