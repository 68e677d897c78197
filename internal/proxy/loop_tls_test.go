//go:build linux

package proxy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net/netip"
	"testing"
)

// A loop's TLS rests on what crypto/tls does with an error that passes: it keeps
// what it has of a record and goes on with the next Read, and a handshake can stop
// anywhere. Here every byte comes by itself.
func TestTLSReadsGoOnAfterPassingErrors(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			server := newChannel(config, netip.AddrPort{})
			client := newChannel(nil, netip.AddrPort{})
			client.conn = tls.Client(client.wire, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
			defer client.release()
			l := new(loop)
			defer func() {
				for _, s := range l.shakers {
					s.cancel()
				}
			}()

			// The client has the first word, then each what the other has said.
			due, over, err := client.shake(l, nil, nil)
			for !server.ready {
				if err != nil {
					t.Fatal(err)
				}
				var reply []byte
				for _, b := range due {
					if server.ready {
						t.Fatal("the handshake was over before its last byte")
					}
					var out []byte
					if out, _, err = server.shake(l, []byte{b}, nil); err != nil {
						t.Fatal(err)
					}
					reply = append(reply, out...)
				}
				due = nil
				for _, b := range reply {
					var out []byte
					if !over {
						out, over, err = client.shake(l, []byte{b}, nil)
					} else {
						_, out, err = client.open([]byte{b}, make([]byte, 0, 1024), nil)
					}
					if err != nil {
						t.Fatal(err)
					}
					due = append(due, out...)
				}
			}

			want := bytes.Repeat([]byte("a request that comes byte by byte. "), 1000) // three records
			var got []byte
			for _, b := range client.seal(want, nil) {
				text, _, err := server.open([]byte{b}, make([]byte, 0, clearBuffer), nil)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, text...)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got %d bytes that differ from the %d sent", len(got), len(want))
			}
			end := client.sealEnd(nil)
			if _, _, err := server.open(end, make([]byte, 0, clearBuffer), nil); !errors.Is(err, io.EOF) || !server.ended {
				t.Errorf("after the end: %v", err)
			}
		})
	}
}
