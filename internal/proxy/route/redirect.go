package route

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// MaxLocation is the longest Location that a redirect answers with, in bytes.
// What would be longer is answered 507.
const MaxLocation = 8 << 10

// redirect is a snapshot.Redirect, compiled.
type redirect struct {
	status                            int
	protocol, host, port, path, query []piece
}

// piece is a run of a template: a text, or a part of the request.
type piece struct {
	text string
	part part
}

// part is a part of a request that a template's keyword stands for.
type part uint8

const (
	literal part = iota
	requestProtocol
	requestHost
	requestPort
	requestPath // without the leading slash
	requestQuery
)

var keywords = map[string]part{
	"#{protocol}": requestProtocol, "#{host}": requestHost, "#{port}": requestPort, "#{path}": requestPath, "#{query}": requestQuery,
}

func compileRedirect(r snapshot.Redirect) (redirect, error) {
	out := redirect{status: r.StatusCode}
	for _, t := range []struct {
		to   *[]piece
		from string
	}{{&out.protocol, r.Protocol}, {&out.host, r.Host}, {&out.port, r.Port}, {&out.path, r.Path}, {&out.query, r.Query}} {
		var err error
		if *t.to, err = compileTemplate(t.from); err != nil {
			return redirect{}, err
		}
	}
	return out, nil
}

func compileTemplate(text string) ([]piece, error) {
	var pieces []piece
	for text != "" {
		i := strings.Index(text, "#{")
		if i < 0 {
			return append(pieces, piece{text: text}), nil
		}
		if i > 0 {
			pieces = append(pieces, piece{text: text[:i]})
		}
		end := strings.IndexByte(text[i:], '}')
		p, ok := keywords[text[i:i+end+1]]
		if !ok {
			return nil, fmt.Errorf("redirect template %q has an unknown keyword", text)
		}
		pieces = append(pieces, piece{part: p})
		text = text[i+end+1:]
	}
	return pieces, nil
}

// Arrival is how a request came to the listener.
type Arrival struct {
	Host  []byte // for requests without a Host
	Port  uint16 // the listener's
	HTTPS bool
}

// AppendLocation appends where the action redirects a request to. The port is
// always written, as ALB does.
func (a *Action) AppendLocation(dst, buf []byte, r *http1.Request, at Arrival) []byte {
	d := &a.redirect
	start := len(dst)
	dst = d.appendParts(dst, d.protocol, buf, r, at)
	for i := start; i < len(dst); i++ { // HTTP, HTTPS in the configuration
		dst[i] |= 0x20
	}
	dst = append(dst, "://"...)
	dst = d.appendParts(dst, d.host, buf, r, at)
	dst = append(dst, ':')
	dst = d.appendParts(dst, d.port, buf, r, at)
	dst = d.appendParts(dst, d.path, buf, r, at)
	dst = append(dst, '?')
	before := len(dst)
	if dst = d.appendParts(dst, d.query, buf, r, at); len(dst) == before {
		dst = dst[:before-1]
	}
	return dst
}

func (d *redirect) appendParts(dst []byte, pieces []piece, buf []byte, r *http1.Request, at Arrival) []byte {
	for _, p := range pieces {
		switch p.part {
		case literal:
			dst = append(dst, p.text...)
		case requestProtocol:
			if at.HTTPS {
				dst = append(dst, "https"...)
			} else {
				dst = append(dst, "http"...)
			}
		case requestHost:
			if host := r.HostName(buf); len(host) > 0 {
				dst = append(dst, host...)
			} else {
				dst = append(dst, at.Host...)
			}
		case requestPort:
			dst = strconv.AppendUint(dst, uint64(at.Port), 10)
		case requestPath:
			if path := r.Path.Of(buf); len(path) > 0 {
				dst = append(dst, path[1:]...)
			}
		case requestQuery:
			dst = append(dst, r.Query.Of(buf)...)
		}
	}
	return dst
}

// RedirectStatus is the status of a redirect: 301 or 302.
func (a *Action) RedirectStatus() int { return a.redirect.status }
