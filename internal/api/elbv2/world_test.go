package elbv2_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/api/elbv2"
	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/truststore"
	"github.com/fairlead/fairlead/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account  = "111122223333"
	stranger = "444455556666"
	region   = "us-east-1"
	pool     = "ipam-pool-0a1b2c3d4e5f60718"
)

// network has a VPC with three zones, one without a gateway, and one more.
type network struct{}

var subnets = map[string]elb.Subnet{
	"subnet-a":     {ID: "subnet-a", VPCID: "vpc-1", Zone: "us-east-1a", FreeAddresses: 250, InternetGateway: true},
	"subnet-b":     {ID: "subnet-b", VPCID: "vpc-1", Zone: "us-east-1b", FreeAddresses: 250, InternetGateway: true},
	"subnet-c":     {ID: "subnet-c", VPCID: "vpc-1", Zone: "us-east-1c", FreeAddresses: 250, InternetGateway: true},
	"subnet-a2":    {ID: "subnet-a2", VPCID: "vpc-1", Zone: "us-east-1a", FreeAddresses: 250, InternetGateway: true},
	"subnet-full":  {ID: "subnet-full", VPCID: "vpc-1", Zone: "us-east-1b", FreeAddresses: 7, InternetGateway: true},
	"subnet-noigw": {ID: "subnet-noigw", VPCID: "vpc-2", Zone: "us-east-1a", FreeAddresses: 250},
	"subnet-other": {ID: "subnet-other", VPCID: "vpc-3", Zone: "us-east-1b", FreeAddresses: 250, InternetGateway: true},
}

func (network) Subnet(_ store.Reader, acct, _, id string) (elb.Subnet, bool) {
	s, ok := subnets[id]
	return s, ok && acct == account
}
func (network) SecurityGroup(_ store.Reader, acct, _, id string) (string, bool) {
	switch id {
	case "sg-1", "sg-2", "sg-3", "sg-4", "sg-5", "sg-6":
		return "vpc-1", acct == account
	case "sg-other":
		return "vpc-3", acct == account
	}
	return "", false
}
func (network) DefaultSecurityGroup(store.Reader, string) string { return "sg-default" }
func (network) Use(*store.Tx, []string, []string)                {}
func (network) VPC(_ store.Reader, acct, _, id string) bool {
	return acct == account && (id == "vpc-1" || id == "vpc-3")
}

// certificates are there without records.
type certificates struct{}

const certificate = "arn:aws:acm:" + region + ":" + account + ":certificate/"

func (certificates) Certificate(_ store.Reader, arn string) (elb.Certificate, bool) {
	id, ok := strings.CutPrefix(arn, certificate)
	c := elb.Certificate{Account: account, Region: region, KeyAlgorithm: "RSA_2048", SignatureAlgorithm: "SHA256WITHRSA", Hosts: []string{"shop.example"}, PEM: "…"}
	switch id {
	case "nameless":
		c.Hosts = nil
	case "short":
		c.KeyAlgorithm = "RSA_1024"
	case "weak":
		c.SignatureAlgorithm = "SHA1WITHRSA"
	case "strange":
		c.Account = stranger
	case "far":
		c.Region = "far-1"
	case "gone":
		ok = false
	}
	return c, ok
}
func (certificates) Use(*store.Tx, []string) {}
func (certificates) Collection() string      { return "tags" }

// instances are there without records.
type instances struct{}

func (instances) Instance(_ store.Reader, acct, _, id string) (elb.Instance, bool) {
	i, ok := map[string]elb.Instance{
		"i-00000001": {VPCID: "vpc-1", Zone: "local-1a", Private: netip.MustParseAddr("10.0.0.1"), IPv6: netip.MustParseAddr("2001:db8::1")},
		"i-00000002": {Private: netip.MustParseAddr("10.0.0.2")},
		"i-00000003": {VPCID: "vpc-3", Private: netip.MustParseAddr("10.0.0.3")},
		"i-00000004": {Private: netip.MustParseAddr("10.0.0.1")},
		"i-00000005": {Private: netip.MustParseAddr("127.0.0.1")},
	}[id]
	return i, ok && acct == account
}
func (instances) Collection() string   { return "tags" }
func (instances) ID(key string) string { return key }

// pools are the directory alone: nothing is drawn or reserved here.
type pools struct{ elb.PoolDirectory }

func (pools) PolicyPools(store.Reader, string, string) []string { return nil }

func (pools) Pool(_ store.Reader, acct, id string) (elb.Pool, bool) {
	good := elb.Pool{Locale: region, IPv4: true, Public: true, EC2: true}
	switch id {
	case pool:
		return good, acct == account
	case "ipam-pool-far":
		good.Locale = "eu-central-1"
	case "ipam-pool-private":
		good.Public = false
	case "ipam-pool-six":
		good.IPv4 = false
	case "ipam-pool-none":
		good.EC2 = false
	default:
		return elb.Pool{}, false
	}
	return good, true
}

// world is the API served over HTTP, with clients of the SDK.
type world struct {
	*sdk.Client
	t        testing.TB
	handler  http.Handler
	objects  map[truststore.Object][]byte
	trust    *truststore.Service
	engine   store.Engine
	svc      *elb.Service
	store    *store.Store
	http     *http.Client
	endpoint string
}

func newWorld(t testing.TB, quotas elb.Quotas) *world {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	engine := memstore.New()
	st := store.New(engine, "/test", log)
	tg := tags.New(st)
	objects := map[truststore.Object][]byte{}
	var svc *elb.Service
	trust := truststore.New(st, tg, truststore.Options{
		Fetch: func(_ context.Context, o truststore.Object, _ int64) ([]byte, error) {
			if b, ok := objects[o]; ok {
				return b, nil
			}
			return nil, truststore.ErrNoObject
		},
		InUseBy: func(r store.Reader, arn string) []string {
			if strings.Contains(arn, "/used/") {
				return []string{"arn:of-a-listener", "arn:of-another"}
			}
			return svc.TrustStoreUsers(r, arn)
		},
		Quota: 3,
	})
	location := func(content, name string, expires time.Time) string {
		return "https://contents.example/" + content + "/" + name + "?" + expires.Format(time.RFC3339)
	}
	svc = elb.New(st, tg, network{}, pools{}, elb.Options{BaseDomain: "elb.example", DNSTTL: time.Minute, Quotas: quotas, Certificates: certificates{}, Instances: instances{}, TrustStores: trusted{trust}, Seal: seal})
	if err := st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	handler := wire.NewServer(wire.Config{Dev: true, DevRegion: region, Log: log}, elbv2.New(st, svc, elbv2.Trust{TrustStores: trust, Location: location}).Service())
	srv := httptest.NewServer(handler)
	w := &world{t: t, handler: handler, objects: objects, trust: trust, engine: engine, svc: svc, store: st, http: &http.Client{Transport: &http.Transport{}}, endpoint: srv.URL}
	t.Cleanup(func() {
		w.http.CloseIdleConnections()
		srv.Close()
		st.Close()
	})
	w.Client = w.as(account)
	return w
}

// as is a client of an account.
func (w *world) as(account string) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: region, BaseEndpoint: &w.endpoint, HTTPClient: w.http, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(account, "any", ""),
	})
}

// refusal is an error's code and text, as the SDK has read it.
func refusal(t *testing.T, err error) (code, text string) {
	t.Helper()
	if err == nil {
		return "", ""
	}
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		t.Fatalf("got %v, want an error of the API", err)
	}
	return e.ErrorCode(), e.ErrorMessage()
}

// records is all that the store holds.
func (w *world) records() map[string]string {
	w.t.Helper()
	all := map[string]string{}
	_, err := w.engine.Load(w.t.Context(), "", func(kv store.KV) error {
		all[kv.Key] = string(kv.Value)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// unchanged runs f and checks that it wrote nothing (I10).
func (w *world) unchanged(t *testing.T, f func()) {
	t.Helper()
	before := w.records()
	f()
	if after := w.records(); !maps.Equal(before, after) {
		t.Errorf("records were %d and are %d, want none written", len(before), len(after))
	}
}

// send posts a form as it is, for what the SDK wouldn't send. Parameters
// alternate between name and value.
func (w *world) send(t *testing.T, action string, params ...string) (status int, body string) {
	t.Helper()
	return w.sendFrom(t, account, region, action, params...)
}

// sendFrom posts a form as an account in a region.
func (w *world) sendFrom(t *testing.T, account, region, action string, params ...string) (status int, body string) {
	t.Helper()
	form := url.Values{"Action": {action}, "Version": {elbv2.Spec.Version}}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	return w.post(t.Context(), account, region, form.Encode())
}

// post hands a body to the API without a connection.
func (w *world) post(ctx context.Context, account, region, body string) (status int, reply string) {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+account+"/20260801/"+region+"/elasticloadbalancing/aws4_request, SignedHeaders=host, Signature=00")
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	return answer.Code, answer.Body.String()
}

func shop() *sdk.CreateLoadBalancerInput {
	return &sdk.CreateLoadBalancerInput{Name: new("shop"), Subnets: []string{"subnet-a", "subnet-b"}}
}

func (w *world) balancer(in *sdk.CreateLoadBalancerInput) types.LoadBalancer {
	w.t.Helper()
	out, err := w.CreateLoadBalancer(w.t.Context(), in)
	if err != nil {
		w.t.Fatal(err)
	}
	return out.LoadBalancers[0]
}

func web() *sdk.CreateTargetGroupInput {
	return &sdk.CreateTargetGroupInput{Name: new("web"), TargetType: types.TargetTypeEnumIp, Protocol: types.ProtocolEnumHttp, Port: new(int32(80)), VpcId: new("vpc-1")}
}

func (w *world) group(name string) string {
	w.t.Helper()
	in := web()
	in.Name = &name
	out, err := w.CreateTargetGroup(w.t.Context(), in)
	if err != nil {
		w.t.Fatal(err)
	}
	return *out.TargetGroups[0].TargetGroupArn
}

func to(group string) []types.Action {
	return []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: &group}}
}

func on(balancer string, port int32, actions []types.Action) *sdk.CreateListenerInput {
	return &sdk.CreateListenerInput{LoadBalancerArn: &balancer, Protocol: types.ProtocolEnumHttp, Port: &port, DefaultActions: actions}
}

func (w *world) listener(in *sdk.CreateListenerInput) types.Listener {
	w.t.Helper()
	out, err := w.CreateListener(w.t.Context(), in)
	if err != nil {
		w.t.Fatal(err)
	}
	return out.Listeners[0]
}

// seal hides a secret, for a while.
func seal(secret []byte, subject string) []byte {
	sum := sha256.Sum256([]byte(subject + string(secret)))
	return sum[:]
}

// trusted is the truststore room as the elb room has it.
type trusted struct{ *truststore.Service }

func (t trusted) Has(r store.Reader, account, region, arn string) bool {
	_, err := t.TrustStore(r, account, region, arn)
	return err == nil
}
