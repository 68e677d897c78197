package proof

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// Directory is certificates in files, one for each range, which stand in for
// the remarks of a registry: PEM, named by the range with an underscore for the
// slash, as 203.0.113.0_24.pem. Only the operator may be able to write there.
// It is read anew for each claim.
type Directory string

// maxFileBytes is how much of a file is read: several times what
// maxCertificates need.
const maxFileBytes = 64 << 10

// FileName returns the name of the file with the certificates of a range.
func FileName(cidr netip.Prefix) string {
	return strings.ReplaceAll(cidr.String(), "/", "_") + ".pem"
}

// Of implements Certificates.
func (d Directory) Of(_ context.Context, cidr netip.Prefix) ([]*x509.Certificate, error) {
	for bits := cidr.Bits(); bits >= 0; bits-- {
		covering := netip.PrefixFrom(cidr.Addr(), bits).Masked()
		certificates, err := readCertificates(filepath.Join(string(d), FileName(covering)))
		if !errors.Is(err, fs.ErrNotExist) {
			return certificates, err
		}
	}
	return nil, nil
}

func readCertificates(path string) ([]*x509.Certificate, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	rest, err := io.ReadAll(io.LimitReader(f, maxFileBytes))
	if err != nil {
		return nil, err
	}
	var certificates []*x509.Certificate
	for len(certificates) < maxCertificates {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		certificates = append(certificates, c)
	}
	return certificates, nil
}
