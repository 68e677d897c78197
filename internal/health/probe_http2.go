package health

import (
	"bytes"
	"errors"
	"net"
	"strconv"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/http2"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// emptyMessage is a message of gRPC without content: not compressed, of length 0.
var emptyMessage = []byte{0, 0, 0, 0, 0}

// askHTTP2 is ask in HTTP/2. Of a target group of GRPC the path is called as a method
// is, and what it returns is the call's status; or that of the response, where it isn't
// one of gRPC.
func (c check) askHTTP2(conn net.Conn) (int, error) {
	call := c.version == snapshot.GRPC
	s := http2.NewClientSession(1)
	st := s.Open(http2.AppendRequest(nil, c.head(call), c.Protocol == snapshot.HTTPS), !call, false)
	if call {
		_ = st.Put(emptyMessage) // it has just begun
		st.End()
	}
	defer func() { // tells the target that this was all
		st.Release()
		s.Finish()
		_, _ = conn.Write(s.Append(nil, maxDrain))
	}()
	var heads []byte
	in := make([]byte, 0, 32<<10)
	for {
		if out := s.Append(nil, maxDrain); len(out) > 0 {
			if _, err := conn.Write(out); err != nil {
				return 0, err
			}
		}
		n, err := conn.Read(in[len(in):cap(in)])
		if in = in[:len(in)+n]; n == 0 && err != nil {
			return 0, err
		}
		n, err = s.Receive(in, time.Now())
		if err != nil {
			return 0, errors.Join(errNoResponse, err)
		}
		in = in[:copy(in, in[n:])]
		heads = st.AppendHeads(heads)
		st.Use(st.Buffered())
		status, head, err := finalHead(heads)
		switch {
		case err != nil:
			return 0, errors.Join(errNoResponse, err)
		case head != nil && (!call || status != 200):
			return status, nil
		case head != nil && st.Ended():
			return callStatus(head, st.Trailers())
		case st.Err() != nil:
			return 0, errors.Join(errNoResponse, st.Err())
		}
	}
}

// head is that of the request, as HTTP/1.1 has it.
func (c check) head(call bool) []byte {
	if call {
		return []byte("POST " + c.path() + " HTTP/1.1\r\nHost: " + c.at.String() +
			"\r\nUser-Agent: ELB-HealthChecker/2.0\r\nContent-Type: application/grpc\r\nTE: trailers\r\n\r\n")
	}
	return []byte("GET " + c.path() + " HTTP/1.1\r\nHost: " + c.at.String() + "\r\nUser-Agent: ELB-HealthChecker/2.0\r\n\r\n")
}

// finalHead returns the head of the response among those that have come, with its
// status; nil: it hasn't.
func finalHead(heads []byte) (status int, head []byte, err error) {
	for len(heads) > 0 {
		var r http1.Response
		n, err := r.Parse(heads)
		if err != nil {
			return 0, nil, err
		}
		if !r.Interim() {
			return r.Status, heads[:n], nil
		}
		heads = heads[n:]
	}
	return 0, nil, nil
}

// callStatus returns the status of a call (gRPC over HTTP/2, "Responses"): it is among
// the trailers, or in the head of a response that has nothing else.
func callStatus(head, trailers []byte) (int, error) {
	fields, err := hpack.NewDecoder(0, nil).DecodeFull(trailers)
	if err != nil {
		return 0, errors.Join(errNoResponse, err)
	}
	for _, f := range fields {
		if f.Name == grpcStatus {
			return parseCallStatus(f.Value)
		}
	}
	for line := range bytes.Lines(head) {
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && string(name) == grpcStatus {
			return parseCallStatus(string(bytes.TrimSpace(value)))
		}
	}
	return 0, errors.Join(errNoResponse, errors.New("no grpc-status"))
}

const grpcStatus = "grpc-status"

func parseCallStatus(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, errors.Join(errNoResponse, errors.New("malformed grpc-status"))
	}
	return n, nil
}
