package wire

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/apierr"
)

// EventStream is a reply that goes on: server-sent events, as the HTML standard
// has them (§9.2), so that a browser's EventSource reads them from a presigned
// URL. It belongs to its handler.
type EventStream struct {
	// LastEventID is what a client that comes back has seen last, "" for none.
	LastEventID string

	w      http.ResponseWriter
	rc     *http.ResponseController
	server *Server
	opened bool
}

const (
	// maxStreams bounds the streams of a server: each is a connection for good.
	maxStreams = 256
	// writeTime is how long a client may take to take what it is sent.
	writeTime = 30 * time.Second
)

// HandleStream registers a handler that answers with a stream. Until it opens
// that, it may refuse the call as any other handler. Its context ends with the
// request, and when the server's streams do.
func HandleStream[In any](s *Service, action string, h func(ctx context.Context, c *Call, in *In, out *EventStream) error) {
	Handle(s, action, func(ctx context.Context, c *Call, in *In) (*struct{}, error) {
		out := c.stream
		if out.server.openStreams.Add(1) > maxStreams {
			out.server.openStreams.Add(-1)
			return nil, apierr.New("RequestLimitExceeded", "The server has %d streams open, as many as it can. End one, or try again later.", maxStreams).WithStatus(http.StatusServiceUnavailable)
		}
		defer out.server.openStreams.Add(-1)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(out.server.streams, cancel)()
		return &struct{}{}, h(ctx, c, in, out)
	})
}

// EndStreams ends the streams that are open and those to come: a server that
// stops doesn't wait for them.
func (s *Server) EndStreams() { s.endStreams() }

// Open begins the stream; a handler can't refuse the call any more.
func (e *EventStream) Open() error {
	e.opened = true
	h := e.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // proxies in front pass each event on at once
	e.w.WriteHeader(http.StatusOK)
	return e.flush()
}

// Send writes one event. data is a line.
func (e *EventStream) Send(id, kind string, data []byte) error {
	var b bytes.Buffer
	if id != "" {
		b.WriteString("id: " + id + "\n")
	}
	b.WriteString("event: " + kind + "\ndata: ")
	b.Write(data)
	b.WriteString("\n\n")
	return e.write(b.Bytes())
}

// Comment writes what a client passes over: a sign of life, or a word for people.
func (e *EventStream) Comment(text string) error { return e.write([]byte(": " + text + "\n\n")) }

func (e *EventStream) write(b []byte) error {
	_ = e.rc.SetWriteDeadline(time.Now().Add(writeTime)) // a writer that knows none has a client that can't be slow
	if _, err := e.w.Write(b); err != nil {
		return fmt.Errorf("write to stream: %w", err)
	}
	return e.flush()
}

func (e *EventStream) flush() error {
	if err := e.rc.Flush(); err != nil {
		return fmt.Errorf("write to stream: %w", err)
	}
	return nil
}

// ServerEvent is one event of a stream, as its client has it.
type ServerEvent struct{ ID, Kind, Data string }

// Stream calls the action with in, and each for every event of the answer, until
// ctx or the stream ends, which is nil, or each fails. lastEventID resumes a
// stream that broke; "" begins one. A refusal is an *apierr.Error.
func (c *Client) Stream(ctx context.Context, action string, in any, lastEventID string, each func(ServerEvent) error) error {
	resp, err := c.request(ctx, action, in, func(h http.Header) {
		h.Set("Accept", "text/event-stream")
		if lastEventID != "" {
			h.Set("Last-Event-ID", lastEventID)
		}
	})
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	var e ServerEvent
	lines := newLines(resp.Body)
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			if e.Data != "" {
				if err := each(e); err != nil {
					return err
				}
			}
			e = ServerEvent{}
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			e.ID = value
		case "event":
			e.Kind = value
		case "data":
			e.Data = value
		}
	}
	if err := lines.Err(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s: read stream: %w", action, err)
	}
	return ctx.Err()
}

// Seq returns the event's id as a number, 0 if it is none.
func (e ServerEvent) Seq() uint64 {
	n, _ := strconv.ParseUint(e.ID, 10, 64)
	return n
}
