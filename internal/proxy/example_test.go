package proxy_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// A proxy needs no server, no store and no controller: an assignment says what it
// carries. This one sends /api/… to a target and answers the rest itself.
func Example() {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "the target has", r.URL.Path, "of", r.Header.Get("X-Forwarded-For"))
	}))
	defer target.Close()
	at := netip.MustParseAddrPort(target.Listener.Addr().String())
	node := netip.MustParseAddr("127.95.0.1")

	p := proxy.New(proxy.Options{Log: slog.New(slog.DiscardHandler)})
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		p.Close(ctx)
	}()
	err := p.Apply(&snapshot.Assignment{
		Version: snapshot.Version, Revision: 1,
		LoadBalancers: []*snapshot.LoadBalancer{{
			ARN: "web", IdleTimeout: time.Minute, ClientKeepAlive: time.Hour,
			Listeners: []snapshot.Listener{{ARN: "web/8080", Port: 8080, Protocol: snapshot.HTTP, Rules: []snapshot.Rule{
				{
					ARN: "api", Priority: 10,
					Conditions: []snapshot.Condition{{Field: snapshot.FieldPathPattern, Values: []string{"/api/*"}}},
					Actions: []snapshot.Action{{Type: snapshot.ActionForward, Forward: &snapshot.Forward{
						TargetGroups: []snapshot.WeightedTargetGroup{{ARN: "api", Weight: 1}},
					}}},
				},
				{ARN: "default", Actions: []snapshot.Action{{Type: snapshot.ActionFixedResponse, FixedResponse: &snapshot.FixedResponse{
					StatusCode: 404, ContentType: "text/plain", Body: "not here\n",
				}}}},
			}}},
		}},
		TargetGroups: []*snapshot.TargetGroup{{ARN: "api", Protocol: snapshot.HTTP, Targets: []snapshot.Target{{Addr: at.Addr(), Port: at.Port()}}}},
		Nodes:        []*snapshot.Node{{ID: "node-1", LoadBalancerARN: "web", Private: node, Phase: snapshot.NodeServing}},
	}, func(string) (netip.Addr, bool) { return node, true })
	if err != nil {
		fmt.Println(err)
		return
	}
	p.SetHealth("api", at, snapshot.TargetHealthy)

	for _, path := range []string{"/api/orders", "/"} {
		resp, err := http.Get("http://127.95.0.1:8080" + path)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Print(resp.StatusCode, " ", string(body))
	}
	http.DefaultClient.CloseIdleConnections()
	// Output:
	// 200 the target has /api/orders of 127.0.0.1
	// 404 not here
}
