package wire_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elbsdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	stssdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/wire"
)

const (
	keyID   = "AKIAEXAMPLEEXAMPLE00"
	secret  = "not-a-secret-but-long-enough-for-a-test"
	account = "111122223333"
)

type keys struct{}

func (keys) Lookup(id string) (string, string, string, bool) {
	if id == keyID {
		return secret, account, "arn:aws:iam::" + account + ":root", true
	}
	return "", "", "", false
}

var (
	ec2Spec = wire.ServiceSpec{Name: "ec2", Version: "2016-11-15", Protocol: wire.EC2Query, Namespace: "http://ec2.amazonaws.com/doc/2016-11-15/"}
	acmSpec = wire.ServiceSpec{Name: "acm", Version: "2015-12-08", Protocol: wire.JSON, Target: "CertificateManager"}
	stsSpec = wire.ServiceSpec{Name: "sts", Version: "2011-06-15", Protocol: wire.Query, Namespace: "https://sts.amazonaws.com/doc/2011-06-15/"}
	elbSpec = wire.ServiceSpec{Name: "elasticloadbalancing", Version: "2015-12-01", Protocol: wire.Query, Namespace: "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"}
)

// newServer has one handler of each kind: one that echoes, one that refuses, one
// that fails, one that panics.
func newServer(t *testing.T, cfg wire.Config) (*httptest.Server, *wire.Server) {
	t.Helper()
	e, l := wire.NewService(ec2Spec), wire.NewService(elbSpec)
	wire.Handle(e, "CreateVpc", func(_ context.Context, c *wire.Call, in *ec2.CreateVpcInput) (*ec2.CreateVpcOutput, error) {
		if err := c.CheckDryRun(); err != nil {
			return nil, err
		}
		return &ec2.CreateVpcOutput{Vpc: &ec2.Vpc{CidrBlock: in.CidrBlock, OwnerId: &c.Account, Tags: []ec2.Tag{}}}, nil
	})
	wire.Handle(e, "AttachInternetGateway", func(context.Context, *wire.Call, *ec2.AttachInternetGatewayInput) (*ec2.AttachInternetGatewayOutput, error) {
		return &ec2.AttachInternetGatewayOutput{}, nil
	})
	wire.Handle(e, "DescribeVpcs", func(context.Context, *wire.Call, *ec2.DescribeVpcsInput) (*ec2.DescribeVpcsOutput, error) {
		panic("on purpose")
	})
	wire.Handle(e, "DeleteVpc", func(context.Context, *wire.Call, *ec2.DeleteVpcInput) (*ec2.DeleteVpcOutput, error) {
		return nil, errors.New("the disk is on fire")
	})
	wire.Handle(e, "DeleteSubnet", func(context.Context, *wire.Call, *ec2.DeleteSubnetInput) (*ec2.DeleteSubnetOutput, error) {
		return nil, nil //nolint:nilnil // the mistake that the server must survive
	})
	wire.Refuse(e, "DeployRocket", apierr.New("UnsupportedOperation", "There are no rockets."))
	wire.Handle(l, "CreateLoadBalancer", func(_ context.Context, c *wire.Call, in *elbv2.CreateLoadBalancerInput) (*elbv2.CreateLoadBalancerOutput, error) {
		if *in.Name == "refused" {
			return nil, apierr.New("DuplicateLoadBalancerName", "<%s> & more", *in.Name)
		}
		now := c.Now
		return &elbv2.CreateLoadBalancerOutput{LoadBalancers: []elbv2.LoadBalancer{{
			LoadBalancerName: in.Name, CreatedTime: &now, Scheme: in.Scheme, SecurityGroups: in.SecurityGroups, IpamPools: in.IpamPools,
			AvailabilityZones: []elbv2.AvailabilityZone{{SubnetId: &in.Subnets[0]}},
		}}}, nil
	})
	cfg.Keys = keys{}
	cfg.Regions = func(r string) bool { return r == "local-1" }
	cfg.Log = slog.New(slog.DiscardHandler)
	srv := wire.NewServer(cfg, e, l)
	h := httptest.NewServer(srv)
	t.Cleanup(h.Close)
	return h, srv
}

// post signs a form with the SDK's own signer, lets tamper change the request,
// and returns the answer.
func post(t *testing.T, endpoint, service string, form url.Values, tamper func(*http.Request)) (int, string) {
	t.Helper()
	return postAt(t, endpoint, service, form, time.Now(), tamper)
}

func postAt(t *testing.T, endpoint, service string, form url.Values, at time.Time, tamper func(*http.Request)) (int, string) {
	t.Helper()
	r := signedPost(t, endpoint, service, form.Encode(), at)
	if tamper != nil {
		tamper(r)
	}
	return do(t, r)
}

func signedPost(t testing.TB, endpoint, service, body string, at time.Time) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, endpoint+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sum := sha256.Sum256([]byte(body))
	err = v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, r, hex.EncodeToString(sum[:]), service, "local-1", at)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func do(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("x-amzn-RequestId") == "" {
		t.Error("the answer has no request id")
	}
	return resp.StatusCode, string(b)
}

func form(pairs ...string) url.Values {
	f := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	return f
}

func createVpc(more ...string) url.Values {
	return form(append([]string{"Action", "CreateVpc", "Version", "2016-11-15", "CidrBlock", "10.0.0.0/16"}, more...)...)
}

func TestASignedRequestIsAnswered(t *testing.T) {
	h, _ := newServer(t, wire.Config{})
	status, body := post(t, h.URL, "ec2", createVpc(), nil)
	if status != 200 || !strings.Contains(body, "<cidrBlock>10.0.0.0/16</cidrBlock>") || !strings.Contains(body, "<ownerId>"+account+"</ownerId>") || !strings.Contains(body, "<tagSet></tagSet>") {
		t.Errorf("got %d %s", status, body)
	}
	status, body = post(t, h.URL, "ec2", form("Action", "AttachInternetGateway", "Version", "2016-11-15", "VpcId", "vpc-1", "InternetGatewayId", "igw-1"), nil)
	if status != 200 || !strings.Contains(body, "<return>true</return>") {
		t.Errorf("an operation without a reply: got %d %s", status, body)
	}
}

// I8: a request without a valid signature reaches no handler.
func TestForgedRequestsAreRefused(t *testing.T) {
	h, _ := newServer(t, wire.Config{})
	for name, c := range map[string]struct {
		tamper    func(*http.Request)
		at        time.Duration
		ec2, elb  string // codes
		ec2Status int
	}{
		"no credential":     {tamper: func(r *http.Request) { r.Header.Del("Authorization") }, ec2: "MissingAuthenticationToken", elb: "MissingAuthenticationToken", ec2Status: 403},
		"another algorithm": {tamper: func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, ec2: "AuthFailure", elb: "IncompleteSignature", ec2Status: 401},
		"half a header": {tamper: func(r *http.Request) {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=a")
		}, ec2: "AuthFailure", elb: "IncompleteSignature", ec2Status: 401},
		"another body":      {tamper: func(r *http.Request) { r.Body = io.NopCloser(bytes.NewReader(make([]byte, r.ContentLength))) }, ec2: "", elb: ""},
		"another host":      {tamper: func(r *http.Request) { r.Host = "elsewhere" }, ec2: "SignatureDoesNotMatch", elb: "SignatureDoesNotMatch", ec2Status: 403},
		"another parameter": {tamper: func(r *http.Request) { r.URL.RawQuery = "CidrBlock=10.9.0.0/16" }, ec2: "SignatureDoesNotMatch", elb: "SignatureDoesNotMatch", ec2Status: 403},
		"an unknown key": {tamper: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), keyID, "AKIANOBODY", 1))
		}, ec2: "AuthFailure", elb: "InvalidClientTokenId", ec2Status: 401},
		"a session token":   {tamper: func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "x") }, ec2: "AuthFailure", elb: "InvalidClientTokenId", ec2Status: 401},
		"six minutes old":   {at: -6 * time.Minute, ec2: "RequestExpired", elb: "RequestExpired", ec2Status: 400},
		"six minutes early": {at: 6 * time.Minute, ec2: "RequestExpired", elb: "RequestExpired", ec2Status: 400},
		"host not signed": {tamper: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), ";host", "", 1))
		}, ec2: "AuthFailure", elb: "IncompleteSignature", ec2Status: 401},
		"a false body hash": {tamper: func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", strings.Repeat("0", 64)) }, ec2: "SignatureDoesNotMatch", elb: "SignatureDoesNotMatch", ec2Status: 403},
		"an unsigned region": {tamper: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "local-1", "other-1", 1))
		}, ec2: "SignatureDoesNotMatch", elb: "SignatureDoesNotMatch", ec2Status: 403},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := postAt(t, h.URL, "ec2", createVpc(), time.Now().Add(c.at), c.tamper)
			if status == 200 || !strings.Contains(body, "<Response><Errors><Error><Code>"+c.ec2) || (c.ec2Status != 0 && status != c.ec2Status) {
				t.Errorf("ec2: got %d %s, want %d %s", status, body, c.ec2Status, c.ec2)
			}
			elb := form("Action", "CreateLoadBalancer", "Version", "2015-12-01", "Name", "n")
			status, body = postAt(t, h.URL, "elasticloadbalancing", elb, time.Now().Add(c.at), c.tamper)
			if status == 200 || (c.elb != "" && !strings.Contains(body, "<Code>"+c.elb+"</Code>")) {
				t.Errorf("elb: got %d %s, want %s", status, body, c.elb)
			}
		})
	}
}

// I10: bad input has the service's code, in its envelope, and a message that says what to change.
func TestBadInputIsRefusedInTheServicesOwnWords(t *testing.T) {
	h, srv := newServer(t, wire.Config{Dev: true, DevRegion: "local-1"})
	elb := func(more ...string) url.Values {
		return form(append([]string{"Action", "CreateLoadBalancer", "Version", "2015-12-01"}, more...)...)
	}
	for name, c := range map[string]struct {
		body       string
		status     int
		code, text string
	}{
		"ec2: unknown action":       {form("Action", "LaunchRocket", "Version", "2016-11-15").Encode(), 400, "InvalidAction", "LaunchRocket"},
		"ec2: an action unserved":   {form("Action", "DeployRocket", "Version", "2016-11-15", "Rocket.1.Stage", "many").Encode(), 400, "UnsupportedOperation", "There are no rockets."},
		"ec2: no action":            {form("Version", "2016-11-15").Encode(), 400, "MissingParameter", "Action"},
		"elb: classic API version":  {form("Action", "CreateLoadBalancer", "Version", "2012-06-01").Encode(), 400, "InvalidAction", "2012-06-01"},
		"ec2: unknown parameter":    {createVpc("CidrBlok", "x").Encode(), 400, "UnknownParameter", "The parameter CidrBlok is not recognized"},
		"ec2: no number":            {createVpc("Ipv4NetmaskLength", "many").Encode(), 400, "InvalidParameterValue", "Value (many) for parameter Ipv4NetmaskLength is invalid"},
		"ec2: a number too large":   {createVpc("Ipv4NetmaskLength", "99999999999").Encode(), 400, "InvalidParameterValue", "Ipv4NetmaskLength"},
		"ec2: no boolean":           {createVpc("AmazonProvidedIpv6CidrBlock", "perhaps").Encode(), 400, "InvalidParameterValue", "true or false"},
		"ec2: not in the enum":      {createVpc("InstanceTenancy", "leasehold").Encode(), 400, "InvalidParameterValue", "default, dedicated, host"},
		"ec2: required and missing": {form("Action", "AttachInternetGateway", "Version", "2016-11-15", "VpcId", "vpc-1").Encode(), 400, "MissingParameter", "The request must contain the parameter InternetGatewayId"},
		"ec2: dry run":              {createVpc("DryRun", "true").Encode(), 412, "DryRunOperation", "Request would have succeeded"},
		"elb: required and missing": {elb().Encode(), 400, "ValidationError", "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null"},
		"elb: not in the enum":      {elb("Name", "n", "Scheme", "sideways").Encode(), 400, "ValidationError", "Value 'sideways' at 'scheme' failed to satisfy constraint: Member must satisfy enum value set: [internet-facing, internal]"},
		"elb: two problems":         {elb("Scheme", "sideways").Encode(), 400, "ValidationError", "2 validation errors detected: "},
		"elb: in a list":            {elb("Name", "n", "Tags.member.2.Value", "v").Encode(), 400, "ValidationError", "at 'tags.2.member.key'"},
		"elb: a refusal":            {elb("Name", "refused").Encode(), 400, "DuplicateLoadBalancerName", "&lt;refused&gt; &amp; more"},
		"ec2: a failure":            {form("Action", "DeleteVpc", "Version", "2016-11-15", "VpcId", "vpc-1").Encode(), 500, "InternalError", "internal error"},
		"ec2: a panic":              {form("Action", "DescribeVpcs", "Version", "2016-11-15").Encode(), 500, "InternalError", "internal error"},
		"ec2: no reply, no error":   {form("Action", "DeleteSubnet", "Version", "2016-11-15", "SubnetId", "subnet-1").Encode(), 500, "InternalError", "internal error"},
		"ec2: DryRun is no boolean": {createVpc("DryRun", "maybe").Encode(), 400, "InvalidParameterValue", "DryRun"},
		"ec2: a list without index": {form("Action", "DescribeVpcs", "Version", "2016-11-15", "VpcId", "vpc-1").Encode(), 400, "UnknownParameter", "VpcId"},
		"ec2: a list as elb has it": {form("Action", "DescribeVpcs", "Version", "2016-11-15", "VpcId.member.1", "vpc-1").Encode(), 400, "UnknownParameter", "VpcId.member.1"},
		"ec2: a scalar of parts":    {createVpc("InstanceTenancy.1", "default").Encode(), 400, "UnknownParameter", "InstanceTenancy.1"},
		"elb: a list as ec2 has it": {elb("Name", "n", "Subnets.1", "subnet-1").Encode(), 400, "ValidationError", "Subnets.1"},
		"elb: a long value":         {elb("Name", "n", "Scheme", strings.Repeat("é", 9999)).Encode(), 400, "ValidationError", strings.Repeat("é", 128) + "…' at 'scheme'"},
		"no version, known action":  {form("Action", "AttachInternetGateway").Encode(), 400, "InvalidAction", "version (none)"},
		"no hint of a service":      {"", 400, "MissingAction", "Action"},
		"bad percent-encoding":      {createVpc().Encode() + "&A=%zz", 400, "MalformedInput", "percent-encoded"},
		"bad UTF-8":                 {createVpc().Encode() + "&A=%ff", 400, "MalformedQueryString", "valid UTF-8"},
		"a parameter twice":         {createVpc().Encode() + "&CidrBlock=10.1.0.0/16", 400, "MalformedQueryString", "given 2 times"},
		"as many as are read":       {form("Action", "LandRocket", "Version", "2016-11-15").Encode() + strings.Repeat("&A=1", 9_998), 400, "InvalidAction", "LandRocket"},
		"one parameter too many":    {form("Action", "LandRocket", "Version", "2016-11-15").Encode() + strings.Repeat("&A=1", 9_999), 400, "MalformedInput", "The request has 10001 parameters; at most 10000 are allowed"},
		"a body over the limit":     {"A=" + strings.Repeat("a", wire.MaxBodyBytes), 400, "MalformedInput", "1048576"},
		"a name of many parts":      {createVpc(strings.Repeat("A.", 40), "x").Encode(), 400, "MalformedQueryString", "more than 12 parts"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := http.Post(h.URL, "application/x-www-form-urlencoded", strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			b, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != c.status || !strings.Contains(string(b), "<Code>"+c.code+"</Code>") || !strings.Contains(string(b), xmlText(c.text)) {
				t.Errorf("got %d %s\nwant %d %s %q", resp.StatusCode, b, c.status, c.code, c.text)
			}
			if strings.Contains(string(b), "fire") || strings.Contains(string(b), "purpose") {
				t.Errorf("the answer tells an internal cause: %s", b)
			}
		})
	}
	found := false
	for _, r := range srv.Requests() {
		found = found || (r.Action == "LaunchRocket" && r.Code == "InvalidAction" && r.Count == 1)
	}
	if !found {
		t.Errorf("the unknown action isn't counted by name: %+v", srv.Requests())
	}
}

func xmlText(s string) string { return strings.NewReplacer("'", "&#39;").Replace(s) }

// A list index is a name, not a size.
func TestALargeListIndexCostsNothing(t *testing.T) {
	var in ec2.DescribeVpcsInput
	if err := wire.DecodeForm(wire.EC2Query, form("VpcId.999999999", "vpc-2", "VpcId.7", "vpc-1"), &in); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"vpc-1", "vpc-2"}, in.VpcIds); diff != "" {
		t.Error(diff)
	}
}

func TestDevModeTakesTheAccountFromTheKey(t *testing.T) {
	h, _ := newServer(t, wire.Config{Dev: true, DevRegion: "local-1"})
	for key, want := range map[string]string{"999988887777": "999988887777", "anything": wire.DevAccount, "": wire.DevAccount} {
		_, body := post(t, h.URL, "ec2", createVpc(), func(r *http.Request) {
			if key == "" {
				r.Header.Del("Authorization")
				return
			}
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), keyID, key, 1))
		})
		if !strings.Contains(body, "<ownerId>"+want+"</ownerId>") {
			t.Errorf("key %q: got %s, want account %s", key, body, want)
		}
	}
}

func TestTheELBv2SDKUnderstandsRepliesAndErrors(t *testing.T) {
	h, _ := newServer(t, wire.Config{})
	client := elbsdk.New(elbsdk.Options{Region: "local-1", BaseEndpoint: aws.String(h.URL), Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, "")})
	out, err := client.CreateLoadBalancer(t.Context(), &elbsdk.CreateLoadBalancerInput{
		Name: aws.String("shop"), Subnets: []string{"subnet-1"}, Scheme: elbtypes.LoadBalancerSchemeEnumInternetFacing,
		IpamPools: &elbtypes.IpamPools{Ipv4IpamPoolId: aws.String("ipam-pool-1")}})
	if err != nil {
		t.Fatal(err)
	}
	lb := out.LoadBalancers[0]
	if *lb.LoadBalancerName != "shop" || *lb.AvailabilityZones[0].SubnetId != "subnet-1" || *lb.IpamPools.Ipv4IpamPoolId != "ipam-pool-1" || time.Since(*lb.CreatedTime) > time.Minute {
		t.Errorf("got %+v", lb)
	}
	_, err = client.CreateLoadBalancer(t.Context(), &elbsdk.CreateLoadBalancerInput{Name: aws.String("refused")})
	var refused *elbtypes.DuplicateLoadBalancerNameException
	if !errors.As(err, &refused) || *refused.Message != "<refused> & more" {
		t.Errorf("got %v", err)
	}
	var coded smithy.APIError
	if !errors.As(err, &coded) || coded.ErrorFault() != smithy.FaultClient {
		t.Errorf("fault: got %v", err)
	}
}

func TestTheClientIsTheInverseOfTheServer(t *testing.T) {
	h, _ := newServer(t, wire.Config{})
	c := wire.Client{Endpoint: h.URL, Spec: ec2Spec, Region: "local-1", AccessKeyID: keyID, Secret: secret}
	var out ec2.CreateVpcOutput
	if err := c.Do(t.Context(), "CreateVpc", &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")}, &out); err != nil {
		t.Fatal(err)
	}
	if *out.Vpc.CidrBlock != "10.0.0.0/16" || out.Vpc.Tags == nil {
		t.Errorf("got %+v", out.Vpc)
	}
	err := c.Do(t.Context(), "AttachInternetGateway", &ec2.AttachInternetGatewayInput{}, &ec2.AttachInternetGatewayOutput{})
	var refusal *apierr.Error
	if !errors.As(err, &refusal) || refusal.Code != "MissingParameter" {
		t.Errorf("got %v", err)
	}
}

func TestPageTokens(t *testing.T) {
	token := wire.Token("vpc-0123")
	if from, err := wire.From(&token, "InvalidNextToken"); err != nil || from != "vpc-0123" {
		t.Errorf("got %q, %v", from, err)
	}
	for _, bad := range []string{"x", token + "A", token + "\n", token[:len(token)-2], "B" + token[1:], "AgAAAAA"} {
		if from, err := wire.From(&bad, "InvalidNextToken"); err == nil {
			t.Errorf("%q: got %q, want a refusal", bad, from)
		}
	}
	seq := func(yield func(string, int) bool) {
		for i, k := range []string{"a", "b", "c"} {
			if !yield(k, i) {
				return
			}
		}
	}
	items, next := wire.Page(seq, 2)
	if from, _ := wire.From(next, ""); len(items) != 2 || from != "c" {
		t.Errorf("first page: got %v, next %q", items, from)
	}
	if items, next := wire.Page(seq, 3); len(items) != 3 || next != nil {
		t.Errorf("last page: got %v, %v; want no token", items, next)
	}
}

func TestFilters(t *testing.T) {
	attrs := func(name string) ([]string, bool) {
		switch name {
		case "state":
			return []string{"available"}, true
		case "tag:Team":
			return []string{"web", "edge"}, true
		}
		return nil, false
	}
	for name, c := range map[string]struct {
		filters []wire.Filter
		want    bool
	}{
		"none":                {nil, true},
		"values are or":       {[]wire.Filter{{Name: "state", Values: []string{"pending", "available"}}}, true},
		"names are and":       {[]wire.Filter{{Name: "state", Values: []string{"available"}}, {Name: "tag:Team", Values: []string{"db"}}}, false},
		"any of many":         {[]wire.Filter{{Name: "tag:Team", Values: []string{"ed*"}}}, true},
		"case matters":        {[]wire.Filter{{Name: "state", Values: []string{"Available"}}}, false},
		"no values, no match": {[]wire.Filter{{Name: "state"}}, false},
	} {
		if got, err := wire.Match(c.filters, attrs); err != nil || got != c.want {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, c.want)
		}
	}
	unknown := []wire.Filter{{Name: "state", Values: []string{"none"}}, {Name: "colour"}}
	if _, err := wire.Match(unknown, attrs); err == nil || !strings.Contains(err.Error(), "The filter 'colour' is invalid") {
		t.Errorf("unknown name: got %v", err)
	}
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "", true}, {"a*c", "abbc", true}, {"a*c", "abbd", false}, {"a?c", "abc", true}, {"a?c", "ac", false},
		{"?", "é", true}, {"a*?", "a€", true}, {"??", "é", false}, {"*??bc", "€bc", false}, {`\é`, "é", true}, {`a\`, `a\`, false},
		{`a\*c`, "a*c", true}, {`a\*c`, "abc", false}, {"*a*b*", "xaybz", true}, {"", "a", false}, {"a**", "a", true},
	} {
		if got := wire.Wildcard(c.pattern, c.s); got != c.want {
			t.Errorf("%q on %q: got %v", c.pattern, c.s, got)
		}
	}
}

func TestTheSTSSDKUnderstandsReplies(t *testing.T) {
	h := goldenServer(t)
	client := stssdk.New(stssdk.Options{Region: "local-1", BaseEndpoint: aws.String(h.URL), Credentials: credentials.NewStaticCredentialsProvider(account, secret, "")})
	out, err := client.GetCallerIdentity(t.Context(), &stssdk.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	if *out.Account != account || *out.Arn != "arn:aws:iam::"+account+":root" {
		t.Errorf("got %s %s", *out.Account, *out.Arn)
	}
}

// What strangers send can't make the counts grow without end, nor hide what is
// served.
func TestCountsAreBounded(t *testing.T) {
	_, srv := newServer(t, wire.Config{Dev: true, DevRegion: "local-1"})
	send := func(action string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form("Action", action, "Version", "2016-11-15").Encode()))
		srv.ServeHTTP(httptest.NewRecorder(), r)
	}
	for i := range 1500 {
		send("Guess" + strconv.Itoa(i))
	}
	send("not a word")
	send("CreateVpc")
	counts := srv.Requests()
	if len(counts) > 1002 {
		t.Errorf("got %d counts", len(counts))
	}
	got := map[string]uint64{}
	for _, c := range counts {
		got[c.Action+" "+c.Code] = c.Count
	}
	if got["CreateVpc OK"] != 1 || got["Guess7 InvalidAction"] != 1 || got["other InvalidAction"] != 501 {
		t.Errorf("got CreateVpc %d, Guess7 %d, other %d; want 1, 1, 501", got["CreateVpc OK"], got["Guess7 InvalidAction"], got["other InvalidAction"])
	}
}

// A form of many mistakes gets a message of few.
func TestAMessageTellsAtMostTenProblems(t *testing.T) {
	f := form("LoadBalancerArn", "a", "DefaultActions.member.1.Type", "forward")
	for i := range 5000 {
		f.Set("DefaultActions.member."+strconv.Itoa(i+2)+".Type", strings.Repeat("x", 40))
	}
	err := wire.DecodeForm(wire.Query, f, new(elbv2.CreateListenerInput))
	if err == nil || !strings.Contains(err.Error(), "5000 validation errors detected: ") || strings.Count(err.Error(), "failed to satisfy") != 10 {
		t.Errorf("got %.300v", err)
	}
}

// What the model says of lengths, ranges and forms is checked before a handler
// sees it, and all that is broken is told at once.
func TestLimitsOfTheModel(t *testing.T) {
	for name, c := range map[string]struct {
		in   any
		form url.Values
		want string // what the message ends with; "": it is read
	}{
		"a number that is too small":   {new(elbv2.DescribeRulesInput), form("PageSize", "0"), "1 validation error detected: Value '0' at 'pageSize' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		"a number that is too large":   {new(elbv2.DescribeRulesInput), form("PageSize", "401"), "Value '401' at 'pageSize' failed to satisfy constraint: Member must have value less than or equal to 400"},
		"the largest number":           {new(elbv2.DescribeRulesInput), form("PageSize", "400"), ""},
		"no number is given":           {new(elbv2.DescribeRulesInput), form(), ""},
		"no number at all":             {new(elbv2.DescribeRulesInput), form("PageSize", "many"), "1 validation error detected: Value 'many' at 'pageSize' failed to satisfy constraint: Member must be an integer"},
		"characters, not bytes, count": {new(elbv2.AddTagsInput), form("ResourceArns.member.1", "a", "Tags.member.1.Key", strings.Repeat("é", 128)), ""},
		"a string that is too long": {new(elbv2.AddTagsInput), form("ResourceArns.member.1", "a", "Tags.member.1.Key", strings.Repeat("é", 129)),
			"…' at 'tags.1.member.key' failed to satisfy constraint: Member must have length less than or equal to 128"},
		"an empty list": {new(elbv2.AddTagsInput), form("ResourceArns.member.1", "a", "Tags", ""), "Value '[]' at 'tags' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		"two limits of one member": {new(elbv2.CreateTrustStoreInput), form("Name", "", "CaCertificatesBundleS3Bucket", "b", "CaCertificatesBundleS3Key", "k"),
			"2 validation errors detected: Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1; Value '' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^([a-zA-Z0-9]+-)*[a-zA-Z0-9]+$"},
		"limits of several members, one of them absent": {new(elbv2.SetRulePrioritiesInput), form("RulePriorities.member.1.Priority", "0", "RulePriorities.member.4.Priority", "50001"),
			"2 validation errors detected: Value '0' at 'rulePriorities.1.member.priority' failed to satisfy constraint: Member must have value greater than or equal to 1; Value '50001' at 'rulePriorities.4.member.priority' failed to satisfy constraint: Member must have value less than or equal to 50000"},
		"a structure where a scalar belongs": {new(elbv2.DescribeRulesInput), form("PageSize.member.1", "0"), "The parameter PageSize.member.1 is not recognized"},
	} {
		err := wire.DecodeForm(wire.Query, c.form, c.in)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasSuffix(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want …%s", name, err, c.want)
		}
	}
}
