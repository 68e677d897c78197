package proxy

import (
	"io"
	"net/http"
	"os"
	"testing"
)

// BenchmarkGRPC is calls of gRPC: 16 streams on each of 16 connections within TLS 1.3,
// by HTTP/2 in the clear to the server. A message has 128 bytes either way.
func BenchmarkGRPC(b *testing.B) {
	scenario{size: 128, connections: 16, streams: 16, tls: true, grpc: true}.run(b)
}

// envCalls makes a process of this program a server of calls.
const envCalls = "FAIRLEAD_BENCH_CALLS"

// startCalled starts a server of calls, and returns its address.
func startCalled(b *testing.B) string {
	addr := freeAddr(b)
	start(b, 1, addr, []string{envAddr + "=" + addr, envCalls + "=1"}, os.Args[0])
	return addr
}

// calledWith is what calls carry: the header of a message of 128 bytes, and those.
var calledWith = append([]byte{0, 0, 0, 0, 128}, make([]byte, 128)...)

// called answers calls until it is killed.
func called(addr string) error {
	s := http.Server{Addr: addr, Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // what becomes of it is the caller's
		w.Header().Set("Content-Type", "application/grpc")
		_, _ = w.Write(calledWith)
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	})}
	s.Protocols.SetUnencryptedHTTP2(true)
	return s.ListenAndServe()
}
