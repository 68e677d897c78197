//go:build linux

package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/fairlead/fairlead/internal/proxy"
)

// flooded names the variable with the target of a process that is but a proxy under
// attack: what it takes is that of nobody else.
const flooded = "FAIRLEAD_PROXY_FLOODED"

// under is what that process says of itself, each time it is asked.
type under struct {
	Faults      []proxy.SessionFault
	Connections int
}

// TestBeingFlooded is the other process.
func TestBeingFlooded(t *testing.T) {
	target := os.Getenv(flooded)
	if target == "" {
		t.Skip("it is for TestFloodsOfHTTP2ComeToLittle")
	}
	w := newHTTP2WorldWith(t, proxy.Options{Memory: 32 << 20})
	w.register(target)
	w.lb().IdleTimeout = 1500 * time.Millisecond
	w.apply()
	fmt.Println(w.address())
	fmt.Println(strconv.Quote(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.root.Certificate.Raw}))))
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		b, _ := json.Marshal(under{w.proxy.SessionFaults(), w.proxy.Status()[0].OpenConnections})
		fmt.Println(string(b))
	}
}

// victim is that process, seen from outside.
type victim struct {
	t       *testing.T
	address string
	trust   *tls.Config
	pid     int
	in      io.Writer
	out     *bufio.Scanner
}

func newVictim(t *testing.T, target string) *victim {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBeingFlooded$", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), flooded+"="+target, "GOMEMLIMIT=off", "GOGC=50")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	v := &victim{t: t, pid: cmd.Process.Pid, in: in, out: bufio.NewScanner(out)}
	v.address = v.line()
	text, err := strconv.Unquote(v.line())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(text))
	v.trust = &tls.Config{RootCAs: pool, ServerName: "shop.example", NextProtos: []string{"h2"}}
	return v
}

func (v *victim) line() string {
	v.t.Helper()
	if !v.out.Scan() {
		v.t.Fatalf("the process has ended: %v", v.out.Err())
	}
	return v.out.Text()
}

// ask asks the process of itself.
func (v *victim) ask() (u under) {
	v.t.Helper()
	_, _ = io.WriteString(v.in, "\n")
	if err := json.Unmarshal([]byte(v.line()), &u); err != nil {
		v.t.Fatal(err)
	}
	return u
}

// faults returns how many sessions were ended for the reason; or for a flood, if it is
// one, as which frame of those that it consists of is the last is a matter of luck.
func (v *victim) faults(reason string) (n uint64) {
	v.t.Helper()
	const flood = "flood of "
	for _, f := range v.ask().Faults {
		if f.Reason == reason || strings.HasPrefix(f.Reason, flood) && strings.HasPrefix(reason, flood) {
			n += f.Sessions
		}
	}
	return n
}

// cpu returns how much time on CPUs the process has had.
func (v *victim) cpu() time.Duration {
	v.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", v.pid))
	if err != nil {
		v.t.Fatal(err)
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')'):]))
	user, _ := strconv.Atoi(fields[12])
	system, _ := strconv.Atoi(fields[13])
	return time.Duration(user+system) * time.Second / 100
}

// peak returns the most memory that the process has had, in bytes, since the last call
// of forget, which peakFrom makes.
func (v *victim) peak() int {
	v.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.pid))
	if err != nil {
		v.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); f[0] == "VmHWM:" {
			n, _ := strconv.Atoi(f[1])
			return n << 10
		}
	}
	v.t.Fatal("no VmHWM")
	return 0
}

// forget has peak begin anew.
func (v *victim) forget() {
	v.t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", v.pid), []byte("5"), 0); err != nil {
		v.t.Fatal(err)
	}
}

// attacker is a connection of somebody who means harm.
type attacker struct {
	conn    *tls.Conn
	framer  *http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
	over    atomic.Bool // the other side has ended it
}

func (v *victim) attack(ctx context.Context, a *attack) (*attacker, error) {
	d := tls.Dialer{Config: v.trust.Clone()}
	c, err := d.DialContext(ctx, "tcp", v.address)
	if err != nil {
		return nil, err
	}
	f := &attacker{conn: c.(*tls.Conn)}
	_ = f.conn.SetDeadline(time.Now().Add(20 * time.Second))
	f.framer = http2.NewFramer(f.conn, f.conn)
	f.framer.AllowIllegalWrites = true
	f.encoder = hpack.NewEncoder(&f.block)
	_, err = io.WriteString(f.conn, http2.ClientPreface)
	return f, errors.Join(err, f.framer.WriteSettings(a.settings...), f.framer.WriteSettingsAck())
}

// listen reads until the connection's end.
func (f *attacker) listen() {
	for {
		got, err := f.framer.ReadFrame()
		if err != nil {
			f.over.Store(true)
			return
		}
		if g, ok := got.(*http2.GoAwayFrame); ok && g.ErrCode != http2.ErrCodeNo {
			f.over.Store(true)
		}
	}
}

func stream(i int) uint32 { return uint32(2*i + 1) }

// request is a header block for the path, with more fields by turns.
func (f *attacker) request(method, path string, more ...string) []byte {
	f.block.Reset()
	for _, h := range [][2]string{{":method", method}, {":scheme", "https"}, {":path", path}, {":authority", "shop.example"}} {
		_ = f.encoder.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]}) // memory takes all there is
	}
	for i := 0; i < len(more); i += 2 {
		_ = f.encoder.WriteField(hpack.HeaderField{Name: more[i], Value: more[i+1]})
	}
	return f.block.Bytes()
}

// head sends the block of a request on the i-th stream.
func (f *attacker) head(i int, end bool, block []byte) error {
	part := block[:min(len(block), 16<<10)]
	err := f.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream(i), BlockFragment: part, EndStream: end, EndHeaders: len(part) == len(block)})
	for block = block[len(part):]; err == nil && len(block) > 0; block = block[len(part):] {
		part = block[:min(len(block), 16<<10)]
		err = f.framer.WriteContinuation(stream(i), len(part) == len(block), part)
	}
	return err
}

// all begins as many requests as there may be.
func (f *attacker) all(end bool, method, path string, more ...string) error {
	for i := range 128 {
		if err := f.head(i, end, f.request(method, path, more...)); err != nil {
			return err
		}
	}
	return nil
}

// besides is how many requests somebody else makes meanwhile.
const besides = 60

// Every class of attack on HTTP/2 published since 2019 comes to little through a
// listener: what it takes of CPU and memory is bounded, who means it is ended, for a
// reason that is counted, and others are served.
func TestFloodsOfHTTP2ComeToLittle(t *testing.T) {
	if raceDetector {
		t.Skip("it takes several times the CPU and memory")
	}
	for kind, holds := range map[string]bool{"floods": false, "stalls": true} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel() // each has a process of its own, and stalls are mostly waited for
			v := newVictim(t, attacked(t))
			v.round(&attack{name: "none"}) // for what comes to be once
			for _, a := range attacks {
				if holds == (a.again == nil) {
					t.Run(a.name, func(t *testing.T) {
						v.t = t
						v.withstand(&a)
					})
				}
			}
		})
	}
}

// attacked returns a target that costs little.
func attacked(t *testing.T) string {
	large := append([]byte("HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n"), bytes.Repeat([]byte("x"), 1<<20)...)
	leave := make(chan struct{})
	t.Cleanup(func() { close(leave) })
	w := newWorld(t)
	return w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		for {
			line, err := r.ReadString('\n')
			for rest := line; err == nil && rest != "\r\n"; {
				rest, err = r.ReadString('\n')
			}
			switch {
			case err != nil:
				return
			case strings.Contains(line, " /small "):
				_, err = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsmall")
			case strings.Contains(line, " /large "):
				_, err = c.Write(large)
			case strings.Contains(line, " /wait "):
				_, _ = io.Copy(io.Discard, r) // until it isn't waited for any more
				return
			case strings.Contains(line, " /full "):
				<-leave
				return
			default:
				_, err = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
			if err != nil {
				return
			}
		}
	})
}

// withstand looks at what an attack comes to.
func (v *victim) withstand(a *attack) {
	t := v.t
	before, reasons := v.ask(), v.faults(a.ends)
	v.forget()
	memory, cpu := v.peak(), v.cpu()
	r := v.round(a)
	took, grown := v.cpu()-cpu, v.peak()-memory
	t.Logf("%s: %d connections, %d of others served; %v of CPU, %d KiB more", a.cve, r.connections, r.served, took, grown>>10)
	if r.served != besides {
		t.Errorf("others were served %d times of %d", r.served, besides)
	}
	eventually(t, "the end of its connections", func() bool { return v.ask().Connections <= before.Connections })
	if n := v.faults(a.ends) - reasons; a.ends != "" && n < uint64(r.connections) {
		t.Errorf("%d of %d sessions ended by %q: %+v", n, r.connections, a.ends, v.ask().Faults)
	}
	if grown > 96<<20 {
		t.Errorf("%d MiB more", grown>>20)
	}
	if per := took / time.Duration(r.connections+1); per > 250*time.Millisecond {
		t.Errorf("%v of CPU for each connection", per)
	}
}

// outcome of a round of attacks.
type round struct {
	connections int // of attackers
	served      int // requests of somebody else
}

// round has eight attackers, each on a connection, and on another when that is ended,
// while somebody else makes requests.
func (v *victim) round(a *attack) (r round) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), 20*time.Second)
	defer cancel()
	var connections atomic.Int64
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 4 {
				if v.strike(ctx, a, done) == nil {
					connections.Add(1)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	tr := &http.Transport{TLSClientConfig: v.trust.Clone(), Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP2(true)
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr, Timeout: 10 * time.Second}
	for range besides {
		resp, err := client.Get("https://" + v.address + "/")
		if err != nil || resp.StatusCode != http.StatusOK {
			v.t.Errorf("somebody else: %v, %v", resp, err)
			break
		}
		_ = resp.Body.Close()
		r.served++
	}
	close(done)
	wg.Wait()
	r.connections = int(connections.Load())
	return r
}

// strike makes one connection and does what the attack is, until the other side ends it;
// or, where it holds on, until it is done.
func (v *victim) strike(ctx context.Context, a *attack, done <-chan struct{}) error {
	f, err := v.attack(ctx, a)
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	if a.deaf {
		close(ended)
	} else {
		go func() { defer close(ended); f.listen() }()
		defer func() { <-ended }()
	}
	defer f.conn.NetConn().Close()
	if a.begin != nil {
		err = a.begin(f)
	}
	if a.deaf && a.again == nil {
		<-done
		return nil
	}
	for i := 0; a.again != nil && err == nil && !f.over.Load(); i++ {
		err = a.again(f, i)
	}
	select {
	case <-ended: // so that what was said is heard
	case <-ctx.Done():
	}
	return nil
}
