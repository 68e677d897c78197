package proxy_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// talk writes n bytes that the seed tells, in pieces of any size, and ends its side; it
// returns a hash of what it is told meanwhile.
func talk(c net.Conn, r io.Reader, seed uint64, n int) (heard uint32, err error) {
	said := make(chan error, 1)
	go func() {
		random := rand.New(rand.NewPCG(seed, seed))
		_, err := io.CopyBuffer(struct{ io.Writer }{c}, io.LimitReader(pieces{rand.NewChaCha8([32]byte{byte(seed)}), random}, int64(n)), make([]byte, 100_000))
		if err == nil {
			err = c.(interface{ CloseWrite() error }).CloseWrite()
		}
		said <- err
	}()
	h := crc32.NewIEEE()
	_, err = io.Copy(h, r)
	if e := <-said; err == nil {
		err = e
	}
	return h.Sum32(), err
}

// pieces reads as much at once as chance has it.
type pieces struct {
	io.Reader
	random *rand.Rand
}

func (p pieces) Read(b []byte) (int, error) {
	return p.Reader.Read(b[:1+p.random.IntN(len(b))])
}

// wanted is the hash of what talk says.
func wanted(seed uint64, n int) uint32 {
	h := crc32.NewIEEE()
	_, _ = io.CopyN(h, rand.NewChaCha8([32]byte{byte(seed)}), int64(n))
	return h.Sum32()
}

// Both sides speak at once, and neither waits for the other: all arrives, in order, and
// each side's end after it.
func TestTunnelsCarryWhatBothSidesSayAtOnce(t *testing.T) {
	root := issuer.New(t, "Root")
	for _, tt := range []struct{ client, target bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
		t.Run(fmt.Sprintf("TLS from clients %t, to targets %t", tt.client, tt.target), func(t *testing.T) {
			t.Parallel()
			w := newSecureWorldFor(t, root)
			w.certify("arn:1", w.root.Issue("shop.example"))
			if !tt.client {
				w.lb().Listeners[0].Protocol, w.lb().Listeners[0].TLS = snapshot.HTTP, nil
			}
			own := w.root.Issue("target.example")
			cert, err := tls.X509KeyPair(own.Certificate, own.Key)
			if err != nil {
				t.Fatal(err)
			}
			w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
				if tt.target {
					c = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
					r = bufio.NewReader(c)
				}
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				number := func(q url.Values, name string) int { n, _ := strconv.Atoi(q.Get(name)); return n }
				q := req.URL.Query()
				seed := uint64(number(q, "seed"))
				if _, err := io.WriteString(c, switched); err != nil {
					t.Error(err)
					return
				}
				heard, err := talk(c, r, seed+100, number(q, "down"))
				if want := wanted(seed, number(q, "up")); err != nil || heard != want {
					t.Errorf("tunnel %d: the target heard %x, %v, want %x of %s bytes", seed, heard, err, want, q.Get("up"))
				}
			}))
			if tt.target {
				w.a.TargetGroups[0].Protocol = snapshot.HTTPS
			}
			w.apply()
			random := rand.New(rand.NewPCG(3, 4))
			var all sync.WaitGroup
			for seed := range uint64(24) {
				up, down := random.IntN(4<<20), random.IntN(4<<20)
				if seed%4 == 0 {
					up = random.IntN(100)
				}
				conn := w.dial().Conn
				if tt.client {
					conn = tls.Client(conn, w.trusting("shop.example"))
				}
				all.Go(func() {
					defer conn.Close()
					request := fmt.Sprintf("GET /?seed=%d&up=%d&down=%d HTTP/1.1\nHost: a\nConnection: upgrade\nUpgrade: x\n\n", seed, up, down)
					if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
						t.Error(err)
						return
					}
					r := bufio.NewReader(conn)
					if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 101 {
						t.Errorf("upgrade: %v, %v", resp, err)
						return
					}
					heard, err := talk(conn, r, seed, up)
					if want := wanted(seed+100, down); err != nil || heard != want {
						t.Errorf("tunnel %d: the client heard %x, %v, want %x of %d bytes", seed, heard, err, want, down)
					}
				})
			}
			all.Wait()
			w.over()
		})
	}
}
