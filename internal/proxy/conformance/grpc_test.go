package conformance_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/interop"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// caller has gRPC's own client call gRPC's own server through a proxy, on both shells,
// in the clear and within TLS.
func caller(t *testing.T, test func(t *testing.T, conn *grpc.ClientConn)) {
	for _, loops := range []int{0, -1} {
		for _, secure := range []bool{false, true} {
			name := map[int]string{0: "loops", -1: "streams"}[loops] + map[bool]string{false: " to a target in the clear", true: " to a target within TLS"}[secure]
			t.Run(name, func(t *testing.T) { test(t, connect(t, loops, secure)) })
		}
	}
}

// connect starts a server and a proxy before it, and returns a client of the proxy.
func connect(t *testing.T, loops int, secure bool) *grpc.ClientConn {
	t.Helper()
	root := issuer.New(t, "Root")
	pair := root.Issue("shop.example")
	group := &snapshot.TargetGroup{ARN: "group", Protocol: snapshot.HTTP, ProtocolVersion: snapshot.GRPC}
	var o []grpc.ServerOption
	if secure {
		group.Protocol = snapshot.HTTPS
		cert, err := tls.X509KeyPair(pair.Certificate, pair.Key)
		if err != nil {
			t.Fatal(err)
		}
		o = append(o, grpc.Creds(credentials.NewServerTLSFromCert(&cert)))
	}
	server := grpc.NewServer(o...)
	testpb.RegisterTestServiceServer(server, interop.NewTestServer())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Error(err)
		}
	})
	t.Cleanup(func() { server.Stop(); serving.Wait() })
	target := netip.MustParseAddrPort(l.Addr().String())
	group.Targets = []snapshot.Target{{Addr: target.Addr(), Port: target.Port()}}

	key, _ := pem.Decode(pair.Key)
	const port = 28081
	p := proxy.New(proxy.Options{
		Loops: loops, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		OpenKey: func(_ string, sealed []byte) ([]byte, error) { return append([]byte(nil), sealed...), nil },
	})
	addr := netip.AddrFrom4([4]byte{127, 89, byte(os.Getpid()), byte(os.Getpid()>>8)&127 + 1})
	err = p.Apply(&snapshot.Assignment{
		Version: snapshot.Version, Revision: 1,
		LoadBalancers: []*snapshot.LoadBalancer{{
			ARN: "lb", ID: "app/lb/1", DNSName: "lb.test", IdleTimeout: time.Minute, ClientKeepAlive: time.Hour,
			Listeners: []snapshot.Listener{{
				ARN: "listener", Port: port, Protocol: snapshot.HTTPS,
				TLS: &snapshot.TLS{Protocols: []string{"TLSv1.3"}, Ciphers: []string{"TLS_AES_128_GCM_SHA256"}, Certificates: []string{"certificate"}},
				Rules: []snapshot.Rule{{
					ARN: "default", Actions: []snapshot.Action{{Type: snapshot.ActionForward, Forward: &snapshot.Forward{TargetGroups: []snapshot.WeightedTargetGroup{{ARN: "group", Weight: 1}}}}},
				}},
			}},
		}},
		Certificates: []*snapshot.Certificate{{ARN: "certificate", Hosts: pair.Leaf.DNSNames, PEM: string(pair.Certificate), Key: key.Bytes}},
		TargetGroups: []*snapshot.TargetGroup{group},
		Nodes:        []*snapshot.Node{{ID: "node", LoadBalancerARN: "lb", Private: addr, Phase: snapshot.NodeServing}},
	}, func(string) (netip.Addr, bool) { return addr, true })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		p.Close(ctx)
	})
	conn, err := grpc.NewClient(netip.AddrPortFrom(addr, port).String(), grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(root.Pool(), "shop.example")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// The interoperability tests of gRPC that don't need accounts elsewhere. They end the
// process where they fail.
func TestCallsOfGRPCGoThrough(t *testing.T) {
	caller(t, func(t *testing.T, conn *grpc.ClientConn) {
		client := testpb.NewTestServiceClient(conn)
		for _, tt := range []struct {
			name string
			do   func(context.Context, testpb.TestServiceClient, ...grpc.CallOption)
		}{
			{"empty_unary", interop.DoEmptyUnaryCall},
			{"large_unary", interop.DoLargeUnaryCall},
			{"client_streaming", interop.DoClientStreaming},
			{"server_streaming", interop.DoServerStreaming},
			{"ping_pong", interop.DoPingPong},
			{"empty_stream", interop.DoEmptyStream},
			{"timeout_on_sleeping_server", interop.DoTimeoutOnSleepingServer},
			{"cancel_after_first_response", interop.DoCancelAfterFirstResponse},
			{"custom_metadata", interop.DoCustomMetadata},
			{"status_code_and_message", interop.DoStatusCodeAndMessage},
			{"special_status_message", interop.DoSpecialStatusMessage},
		} {
			t.Log(tt.name)
			tt.do(t.Context(), client)
		}
		// cancel_after_begin ends the request, too, which may be answered before.
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := client.StreamingInputCall(ctx)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := stream.RecvMsg(new(testpb.StreamingInputCallResponse)); status.Code(err) != codes.Canceled {
			t.Errorf("a call that is cancelled as it has begun: %v", err)
		}
		interop.DoUnimplementedMethod(t.Context(), conn)
		interop.DoUnimplementedService(t.Context(), testpb.NewUnimplementedServiceClient(conn))
	})
}

// streamed is how much the long streams carry, in messages of a piece.
const (
	streamed = 100 << 20
	piece    = 256 << 10
)

func TestLongStreamsOfGRPCComeWhole(t *testing.T) {
	caller(t, func(t *testing.T, conn *grpc.ClientConn) {
		client := testpb.NewTestServiceClient(conn)
		up, err := client.StreamingInputCall(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		payload := &testpb.Payload{Body: make([]byte, piece)}
		for range streamed / piece {
			if err := up.Send(&testpb.StreamingInputCallRequest{Payload: payload}); err != nil {
				t.Fatal(err)
			}
		}
		sum, err := up.CloseAndRecv()
		if err != nil || sum.GetAggregatedPayloadSize() != streamed {
			t.Errorf("%d bytes went up, %v", sum.GetAggregatedPayloadSize(), err)
		}

		down, err := client.StreamingOutputCall(t.Context(), &testpb.StreamingOutputCallRequest{ResponseParameters: parts(streamed / piece)})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for {
			m, err := down.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			n += len(m.GetPayload().GetBody())
		}
		if n != streamed {
			t.Errorf("%d bytes came down", n)
		}
	})
}

func parts(n int) (out []*testpb.ResponseParameters) {
	for range n {
		out = append(out, &testpb.ResponseParameters{Size: piece})
	}
	return out
}

// A stream that nobody reads holds up no other one, be they of one connection to the
// target or not.
func TestAStreamThatNobodyReadsHoldsUpNoOther(t *testing.T) {
	caller(t, func(t *testing.T, conn *grpc.ClientConn) {
		client := testpb.NewTestServiceClient(conn)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range 32 {
			s, err := client.StreamingOutputCall(ctx, &testpb.StreamingOutputCallRequest{ResponseParameters: parts(40)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Recv(); err != nil {
				t.Fatal(err)
			}
		}
		for range 100 {
			limited, done := context.WithTimeout(t.Context(), 10*time.Second)
			if _, err := client.EmptyCall(limited, &testpb.Empty{}); err != nil {
				t.Fatal(err)
			}
			done()
		}
	})
}

func TestStatusesOfGRPCComeBack(t *testing.T) {
	caller(t, func(t *testing.T, conn *grpc.ClientConn) {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x-amzn-trace-id", "Root=1-00000000-000000000000000000000000")
		_, err := testpb.NewTestServiceClient(conn).UnaryCall(ctx, &testpb.SimpleRequest{ResponseStatus: &testpb.EchoStatus{Code: int32(codes.ResourceExhausted), Message: "none left"}})
		if s := status.Convert(err); s.Code() != codes.ResourceExhausted || s.Message() != "none left" {
			t.Errorf("got %v", err)
		}
	})
}
