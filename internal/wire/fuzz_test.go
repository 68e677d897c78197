package wire_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/wire"
)

// I8, I10: whatever is sent, no server fails, and one that verifies lets nobody in.
func FuzzRequests(f *testing.F) {
	credential := "Credential=a/20260101/r/ec2/aws4_request, SignedHeaders=host, Signature=" + strings.Repeat("0", 64)
	f.Add("Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0/16", "", "AWS4-HMAC-SHA256 "+credential, "20260101T000000Z")
	f.Add("Action=CreateLoadBalancer&Version=2015-12-01&Tags.member.1.Key=k&Subnets.member.3=x", "", "", "")
	f.Add("", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=60&X-Amz-Date=20260101T000000Z&X-Amz-SignedHeaders=host&X-Amz-Credential=a%2F20260101%2Fr%2Fec2%2Faws4_request&X-Amz-Signature="+strings.Repeat("0", 64), "", "")
	svc := wire.NewService(ec2Spec)
	wire.Handle(svc, "CreateVpc", func(context.Context, *wire.Call, *ec2.CreateVpcInput) (*ec2.CreateVpcOutput, error) {
		return &ec2.CreateVpcOutput{}, nil
	})
	elb := wire.NewService(elbSpec)
	wire.Handle(elb, "CreateLoadBalancer", func(context.Context, *wire.Call, *elbv2.CreateLoadBalancerInput) (*elbv2.CreateLoadBalancerOutput, error) {
		return &elbv2.CreateLoadBalancerOutput{}, nil
	})
	log := slog.New(slog.DiscardHandler)
	srv := wire.NewServer(wire.Config{Keys: keys{}, Regions: func(string) bool { return true }, Log: log}, svc, elb)
	dev := wire.NewServer(wire.Config{Dev: true, Log: log}, svc, elb)
	f.Fuzz(func(t *testing.T, body, query, auth, date string) {
		for _, s := range []*wire.Server{srv, dev} {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
			r.URL.RawQuery = query
			r.Header["Authorization"] = []string{auth}
			r.Header["X-Amz-Date"] = []string{date}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code >= 500 || (s == srv && w.Code == 200) {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		}
	})
}

// What is read from a form and written again reads the same: no parameter counts
// that the shape doesn't show.
func FuzzForms(f *testing.F) {
	f.Add("IpamScopeId=s&AddressFamily=ipv4&AllocationResourceTag.7.Key=k&DryRun=true&TagSpecification.1.Tag.2.Value=v")
	f.Add("LoadBalancerArn=a&DefaultActions.member.1.Type=forward&DefaultActions.member.1.Order=-1&Certificates=")
	f.Add("LoadBalancerArn=a&DefaultActions.member.3.Type=authenticate-oidc&DefaultActions.member.3.AuthenticateOidcConfig.AuthenticationRequestExtraParams.entry.1.key=k&DefaultActions.member.3.AuthenticateOidcConfig.AuthenticationRequestExtraParams.entry.1.value=v")
	f.Fuzz(func(t *testing.T, encoded string) {
		form, err := url.ParseQuery(encoded)
		if err != nil {
			return
		}
		for p, shape := range map[wire.Protocol]any{wire.EC2Query: ec2.CreateIpamPoolInput{}, wire.Query: elbv2.CreateListenerInput{}} {
			read := func(form url.Values) (any, error) {
				in := reflect.New(reflect.TypeOf(shape)).Interface()
				return in, wire.DecodeForm(p, form, in)
			}
			first, err := read(form)
			if err != nil {
				continue
			}
			second, err := read(wire.EncodeForm(p, first))
			if err != nil {
				t.Errorf("%q: read, written, not read again: %v", encoded, err)
			}
			if diff := cmp.Diff(first, second); diff != "" {
				t.Errorf("%q: read, written, read again:\n%s", encoded, diff)
			}
		}
	})
}

// A page token is ours or refused; none that is taken stands for two keys.
func FuzzPageTokens(f *testing.F) {
	f.Add(wire.Token("ipam-pool-0123456789abcdef0"))
	f.Add("")
	f.Add("AQAAAAA")
	f.Add("AQAA\nAAA") // base64 that skips line ends
	f.Add("AQAAAAB")   // or drops bits that no byte has
	f.Fuzz(func(t *testing.T, token string) {
		key, err := wire.From(&token, "InvalidNextToken")
		if err == nil && token != "" && wire.Token(key) != token {
			t.Errorf("%q: taken as %q, whose token is %q", token, key, wire.Token(key))
		}
		if got, err := wire.From(new(wire.Token(token)), "InvalidNextToken"); err != nil || got != token {
			t.Errorf("key %q: got %q, %v", token, got, err)
		}
	})
}
