package proxy

import (
	"bufio"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// envMutual names the directory of the files of clients with certificates.
const envMutual = "FAIRLEAD_BENCH_MUTUAL"

// BenchmarkMutual is BenchmarkHandshake with clients that are verified: P-256, of an
// intermediate that they send, by a trust store with its root. Who they are is told to
// the server.
func BenchmarkMutual(b *testing.B) {
	scenario{size: 128, connections: 16, tls: true, anew: true, mutual: true}.run(b)
}

// BenchmarkUnverified is the same clients where they aren't asked for certificates: what
// BenchmarkMutual is to be compared with, as its clients aren't wrk.
func BenchmarkUnverified(b *testing.B) {
	scenario{size: 128, connections: 16, tls: true, anew: true, mutual: true, unasked: true}.run(b)
}

// newClients makes the files of clients: roots.pem, client.pem with its key and what
// certifies it.
func newClients(b *testing.B) (dir string) {
	b.Helper()
	root := issuer.New(b, "Root")
	middle := root.Intermediate("Intermediate")
	client := middle.IssueClient("client")
	dir = b.TempDir()
	for name, text := range map[string][]byte{"roots.pem": root.PEM, "client.pem": slices.Concat(client.Certificate, middle.PEM, client.Key)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// verifyClients has a listener verify clients.
func verifyClients(a *snapshot.Assignment, dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "roots.pem"))
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	a.TrustStores = []*snapshot.TrustStore{{ARN: "clients", Authorities: [][]byte{block.Bytes}}}
	a.LoadBalancers[0].Listeners[0].TLS.Mutual = &snapshot.Mutual{Mode: snapshot.MutualVerify, TrustStore: "clients"}
	return nil
}

// visit has clients ask for a while, each request on a connection of TLS 1.3 of its own,
// and says what it counted as wrk does.
func visit(addr, dir string, clients int, d time.Duration) error {
	path := filepath.Join(dir, "client.pem")
	pair, err := tls.LoadX509KeyPair(path, path)
	if err != nil {
		return err
	}
	config := &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // what is measured is the other side
		MinVersion:         tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519}, NextProtos: []string{"http/1.1"}, Certificates: []tls.Certificate{pair},
	}
	var mu sync.Mutex
	var took []time.Duration
	var failed error
	var wg sync.WaitGroup
	until := time.Now().Add(d)
	for range clients {
		wg.Go(func() {
			for time.Now().Before(until) {
				begin := time.Now()
				err := visitOnce(addr, config)
				mu.Lock()
				took = append(took, time.Since(begin))
				if err != nil {
					failed = err
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	if failed != nil {
		return failed
	}
	slices.Sort(took)
	fmt.Printf("  50%% %v\n  99%% %v\n%d requests in %v\nRequests/sec: %.2f\n", took[len(took)/2], took[len(took)*99/100], len(took), d, float64(len(took))/d.Seconds())
	return nil
}

func visitOnce(addr string, config *tls.Config) error {
	below, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	conn := tls.Client(below, config)
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d: %w", resp.StatusCode, err)
	}
	return nil
}
