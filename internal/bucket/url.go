package bucket

import (
	"errors"
	"net/url"
	"strings"
)

// errLeadsElsewhere says that a server could take a key for one in another bucket.
var errLeadsElsewhere = errors.New(`a key has "." or ".." between slashes`)

// objectURL returns where an object is on a server: the key behind the bucket's URL,
// escaped as S3 has it, so that what is sent is what is signed.
func objectURL(base, key string) (*url.URL, error) {
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "." || segment == ".." {
			return nil, errLeadsElsewhere
		}
	}
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	u.Path = strings.TrimSuffix(u.Path, "/") + "/" + key
	u.RawPath = escape(u.Path)
	return u, nil
}

// escape escapes all but what is unreserved (RFC 3986 §2.3) and slashes.
func escape(path string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(path) {
		switch {
		case '0' <= c && c <= '9', 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', strings.IndexByte("-._~/", c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
