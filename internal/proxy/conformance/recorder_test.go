package conformance_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/proxy/http1"
)

// sight is a request as somebody read it.
type sight struct {
	method, target string
	fields         map[string]string // by name, in lower case; the values of all of a name, joined
	body           string
}

// recorder is a target that notes what it is sent.
type recorder struct {
	addr  netip.AddrPort
	exact bool // what comes is ours, and nothing about it may be odd

	mu    sync.Mutex
	seen  map[string]sight // by what numbered finds in their targets
	cut   map[string]sight // those whose body broke off
	count int
	wrong []string
}

func startRecorder(t *testing.T, exact bool) *recorder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{addr: l.Addr().(*net.TCPAddr).AddrPort(), exact: exact, seen: map[string]sight{}, cut: map[string]sight{}}
	var wg sync.WaitGroup
	ended := make(chan struct{})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { <-ended; _ = c.Close() })
			wg.Go(func() { r.serve(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); close(ended); wg.Wait() })
	return r
}

func (r *recorder) serve(c net.Conn) {
	defer c.Close()
	var buf []byte
	for {
		request := http1.Request{Policy: http1.Policy{Mode: http1.Monitor}}
		n, err := request.Parse(buf)
		for ; errors.Is(err, http1.ErrIncomplete); n, err = request.Parse(buf) {
			if !more(c, &buf) {
				return
			}
		}
		if err == nil && r.exact {
			err = impeccable(buf[:n])
		}
		if err != nil && !r.exact && len(buf) >= maxLine {
			// Something near our limits, which are its reader's too, has become longer.
			_, _ = io.WriteString(c, "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			return
		}
		if err != nil {
			r.refuse("%.500q: %v", buf, err)
			return
		}
		head := bytes.Clone(buf[:n])
		buf = buf[n:]
		body, ok := r.body(c, &buf, request.Body)
		seen := sight{string(request.Method.Of(head)), string(request.AppendTarget(nil, head)), fields(head), body}
		if !ok {
			r.mu.Lock()
			r.cut[seen.number()] = seen
			r.mu.Unlock()
			return
		}
		r.note(seen)
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return
		}
	}
}

// body reads a request's body, or what comes of it; false if that isn't all.
func (r *recorder) body(c net.Conn, buf *[]byte, b http1.Body) (text string, ok bool) {
	var d http1.Decoder
	for d.Reset(b); !d.Done(); {
		if len(*buf) == 0 && !more(c, buf) {
			return text, false
		}
		data, n, err := d.Next(*buf)
		if err != nil {
			r.refuse("body %.500q: %v", *buf, err)
			return text, false
		}
		text += string(data)
		*buf = (*buf)[n:]
	}
	return text, true
}

func more(c net.Conn, buf *[]byte) bool {
	b := make([]byte, 64<<10)
	n, err := c.Read(b)
	*buf = append(*buf, b[:n]...)
	return err == nil
}

// numbered is what says which request one is, in its target or, if that has no room
// for it, in X-Number.
var numbered = regexp.MustCompile(`(before|odd|canary|smuggled)-(\d+)`)

func (s sight) number() string { return numbered.FindString(s.target + " " + s.fields["x-number"]) }

func (r *recorder) note(s sight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	id := s.number()
	if id == "" {
		r.wrong = append(r.wrong, fmt.Sprintf("a request that nobody has sent: %+v", s))
		return
	}
	if _, ok := r.seen[id]; ok {
		r.wrong = append(r.wrong, "twice: "+id)
	}
	r.seen[id] = s
}

func (r *recorder) refuse(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

// sights is what a recorder has seen until now, and what was wrong with it.
type sights struct {
	seen, cut map[string]sight
	count     int
	wrong     []string
}

func (r *recorder) sights() sights {
	r.mu.Lock()
	defer r.mu.Unlock()
	return sights{maps.Clone(r.seen), maps.Clone(r.cut), r.count, slices.Clone(r.wrong)}
}

// fields returns those of a head that a proxy or server has written.
func fields(head []byte) map[string]string {
	out := map[string]string{}
	for i, line := range bytes.Split(head, []byte("\r\n")) {
		name, value, ok := strings.Cut(string(line), ":")
		if i == 0 || !ok {
			continue
		}
		name, value = strings.ToLower(name), strings.Trim(value, " \t")
		if before, ok := out[name]; ok {
			value = before + ", " + value
		}
		out[name] = value
	}
	return out
}

var (
	lineForm  = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^\x00-\x20\x7f]+ HTTP/1\\.1$")
	fieldForm = regexp.MustCompile(`^[^\x00-\x20:\x7f]+:[^\x00-\x08\x0a-\x1f\x7f]*$`)
	length    = regexp.MustCompile(`(?i)^content-length: *([0-9]+)$`)
	lengthish = regexp.MustCompile(`(?i)^[^:a-z0-9]*content[^:a-z0-9]*length[^:a-z0-9]*:`)
	coding    = regexp.MustCompile(`(?i)^transfer-encoding: *chunked$`)
	codingish = regexp.MustCompile(`(?i)^[^:a-z0-9]*transfer[^:a-z0-9]*encoding[^:a-z0-9]*:`)
)

// impeccable says what is odd about a head by RFC 9112 alone: it shares no code with
// what wrote it.
func impeccable(head []byte) error {
	text, ok := strings.CutSuffix(string(head), "\r\n\r\n")
	if !ok {
		return errors.New("its end is missing")
	}
	lines := strings.Split(text, "\r\n")
	if !lineForm.MatchString(lines[0]) {
		return errors.New("the request line is odd")
	}
	framed := 0
	for _, line := range lines[1:] {
		if !fieldForm.MatchString(line) {
			return fmt.Errorf("an odd field: %q", line)
		}
		switch {
		case length.MatchString(line), coding.MatchString(line):
			framed++
		case lengthish.MatchString(line), codingish.MatchString(line):
			return fmt.Errorf("a field that some take for another one: %q", line)
		}
	}
	if framed > 1 {
		return errors.New("its body ends in more ways than one")
	}
	return nil
}
