package conformance_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/fairlead/fairlead/internal/proxy"
)

// speaker is a client that speaks HTTP/2 frame by frame, on one connection after
// another.
type speaker struct {
	addr    string
	config  *tls.Config
	conn    *tls.Conn
	framer  *http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
	stream  uint32
}

// perConnection is how many streams a connection has: fewer malformed ones than
// would be a flood.
const perConnection = 200

// connect has a connection on which there is room for another stream.
func (s *speaker) connect() error {
	if s.conn != nil && s.stream < 2*perConnection {
		return nil
	}
	s.close()
	c, err := tls.Dial("tcp", s.addr, s.config)
	if err != nil {
		return err
	}
	s.conn, s.framer, s.stream = c, http2.NewFramer(c, c), 1
	s.framer.AllowIllegalWrites = true
	s.block.Reset()
	s.encoder = hpack.NewEncoder(&s.block)
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		return err
	}
	return errors.Join(s.framer.WriteSettings(), s.framer.WriteSettingsAck())
}

func (s *speaker) close() {
	if s.conn != nil {
		_ = s.conn.Close() // it has said all
		s.conn = nil
	}
}

// ask sends a request and returns the status of its response; 0 if it is refused.
func (s *speaker) ask(m *message) (status int, err error) {
	if err := s.connect(); err != nil {
		return 0, err
	}
	if err := s.conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return 0, err
	}
	id := s.stream
	s.stream += 2
	_ = s.write(id, m) // a refusal is what is read
	return s.answer(id)
}

func (s *speaker) write(id uint32, m *message) error {
	if err := s.headers(id, m.list, m.data == nil); err != nil {
		return err
	}
	for i, data := range m.data {
		end := m.trailers == nil && i == len(m.data)-1
		if err := s.framer.WriteDataPadded(id, end, []byte(data), make([]byte, m.padding)); err != nil {
			return err
		}
	}
	if m.trailers == nil {
		return nil
	}
	return s.headers(id, m.trailers, true)
}

// headers writes a header block, in as many frames as it takes.
func (s *speaker) headers(id uint32, list []field, end bool) error {
	s.block.Reset()
	for _, f := range list {
		_ = s.encoder.WriteField(hpack.HeaderField{Name: f.name, Value: f.value}) // memory takes all there is
	}
	const most = 16 << 10
	part, rest := s.block.Bytes(), []byte(nil)
	if len(part) > most {
		part, rest = part[:most], part[most:]
	}
	err := s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: part, EndStream: end, EndHeaders: len(rest) == 0})
	for err == nil && len(rest) > 0 {
		n := min(len(rest), most)
		part, rest = rest[:n], rest[n:]
		err = s.framer.WriteContinuation(id, len(rest) == 0, part)
	}
	return err
}

// answer reads until a stream has ended.
func (s *speaker) answer(id uint32) (status int, err error) {
	decoder := hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		if f.Name == ":status" {
			status, _ = strconv.Atoi(f.Value)
		}
	})
	for {
		f, err := s.framer.ReadFrame()
		if err != nil {
			s.close()
			return 0, fmt.Errorf("the session ends: %w", err)
		}
		switch f := f.(type) {
		case *http2.HeadersFrame:
			if f.StreamID != id {
				break
			}
			if _, err := decoder.Write(f.HeaderBlockFragment()); err != nil {
				return 0, err
			}
			if f.StreamEnded() {
				return status, nil
			}
		case *http2.DataFrame:
			if f.StreamID == id && f.StreamEnded() {
				return status, nil
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == id {
				return status, nil
			}
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo {
				s.close()
				return 0, fmt.Errorf("the session ends: %v, %q", f.ErrCode, f.DebugData())
			}
		}
	}
}

// canary is a request that nothing is odd about.
func canary(n int) *message {
	return &message{list: []field{{":method", "GET"}, {":scheme", "https"}, {":path", fmt.Sprintf("/canary-%d", n)}, {":authority", "a.test"}}}
}

// ours are the fields that a target has from us, and those that end with us.
var ours = map[string]bool{
	"host": true, "x-forwarded-for": true, "x-forwarded-proto": true, "x-forwarded-port": true, "x-amzn-trace-id": true,
	"content-length": true, "transfer-encoding": true,
	"te": true, "expect": true, "trailer": true, "proxy-authorization": true, "http2-settings": true,
}

// unfaithful says in what a target has seen something else than the client said.
func (m *message) unfaithful(seen sight) (out []string) {
	said := map[string]string{}
	for _, f := range m.list {
		switch before, ok := said[f.name]; {
		case !ok:
			said[f.name] = f.value
		case f.name == "cookie":
			said[f.name] = before + "; " + f.value
		default:
			said[f.name] = before + ", " + f.value
		}
	}
	if seen.method != said[":method"] {
		out = append(out, fmt.Sprintf("method %q", seen.method))
	}
	// What HTTP/1.1 doesn't have in a target is written anew.
	if path := said[":path"]; seen.target != path && !strings.ContainsFunc(path, func(r rune) bool { return r >= 0x7f || r == '#' }) {
		out = append(out, fmt.Sprintf("target %q", seen.target))
	}
	if body := strings.Join(m.data, ""); seen.body != body {
		out = append(out, fmt.Sprintf("body %q", seen.body))
	}
	host, ok := said[":authority"]
	if !ok {
		host = said["host"]
	}
	if got, _ := strings.CutSuffix(seen.fields["host"], ":28080"); host != "" && !strings.EqualFold(got, strings.TrimSuffix(host, ":")) {
		out = append(out, fmt.Sprintf("host %q", seen.fields["host"]))
	}
	for name, value := range said {
		got, ok := seen.fields[name]
		switch {
		case ours[name], name[0] == ':':
		case lengthish.MatchString(name + ":"), codingish.MatchString(name + ":"): // goes no further
		case name == "cookie" && crumbs(got) == crumbs(value):
		case !ok || list(got) != list(value):
			out = append(out, fmt.Sprintf("%s %q for %q", name, got, value))
		}
	}
	for name, value := range seen.fields {
		if _, ok := said[name]; !ok && !ours[name] {
			out = append(out, fmt.Sprintf("%s %q from nowhere", name, value))
		}
	}
	return out
}

// crumbs returns a Cookie without its empty parts.
func crumbs(value string) string { return list(strings.ReplaceAll(value, ";", ",")) }

// Requests of HTTP/2 go on in HTTP/1.1 as what they were, or not at all: nothing that
// a client puts into a header list, or into a body, becomes another request to any
// server behind us (RFC 9113 §10.3).
func TestRequestsOfHTTP2AreReadAlikeByOthers(t *testing.T) {
	n := inTest
	if v, err := strconv.Atoi(os.Getenv(count)); err == nil {
		n = v
	}
	for name, loops := range map[string]int{"loops": 1, "streams": -1} {
		t.Run(name, func(t *testing.T) {
			r := startRecorder(t, true)
			servers := startServers(t)
			targets := []netip.AddrPort{r.addr}
			for _, s := range servers {
				targets = append(targets, s.addr)
			}
			nodes, config := startSecureProxy(t, targets, proxy.Options{Loops: loops})
			var wg sync.WaitGroup
			for _, addr := range nodes {
				wg.Go(func() {
					s := speaker{addr: addr, config: config}
					defer s.close()
					for i := range n {
						if _, err := s.ask(translated(i)); err != nil {
							t.Errorf("%s: request %d: %v: %.500s", addr, i, err, translated(i))
						}
						if status, err := s.ask(canary(i)); status != 200 || err != nil {
							t.Errorf("%s: behind request %d: %d, %v: %.500s", addr, i, status, err, translated(i))
						}
					}
				})
			}
			wg.Wait()
			sent := r.sights()
			for _, w := range sent.wrong {
				t.Errorf("what goes on is odd: %s", w)
			}
			refused, passed, mistaken := 0, 0, 0
			broken := map[string]part{}
			for i := range n {
				m, id := translated(i), fmt.Sprintf("odd-%d", i)
				seen, ok := sent.seen[id]
				why := m.malformed()
				if why != "" && m.data != nil {
					broken[id] = part{strings.Join(m.data, ""), m.declared()}
				}
				switch {
				case ok && why != "" && len(seen.body) == m.declared():
					// Its target had it whole before the fault came.
				case ok && why != "":
					t.Errorf("request %d goes on, and is malformed: %s: %.500s", i, why, m)
				case why != "":
					refused++
				case ok:
					passed++
					if d := m.unfaithful(seen); len(d) > 0 && mistaken < 20 {
						mistaken++
						t.Errorf("request %d goes on as another one: %.500s: said %.500s", i, strings.Join(d, "; "), m)
					}
				}
				if _, ok := sent.seen[fmt.Sprintf("canary-%d", i)]; !ok {
					t.Errorf("canary %d is missing", i)
				}
			}
			if smuggled := slices.DeleteFunc(slices.Collect(maps.Keys(sent.seen)), func(id string) bool { return !strings.HasPrefix(id, "smuggled") }); len(smuggled) > 0 {
				t.Errorf("smuggled: %v", smuggled)
			}
			t.Logf("of %d requests %d go on, and %d are malformed", n, passed, refused)
			if passed < n/3 || refused < n/5 {
				t.Error("they aren't odd enough, or too odd")
			}
			for _, s := range servers {
				compare(t, s, sent, broken, func(number int) string { return translated(number).String() })
			}
		})
	}
}
