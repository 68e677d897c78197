package wire_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/wire"
)

// Who keeps an account of calls is told of all that their callers signed, however
// they end, and of none that anybody could have sent. I8.
func TestCallsAreToldOfOnceTheyAreKnownToBeTheirCallers(t *testing.T) {
	var mu sync.Mutex
	var told []wire.Answered
	h, _ := newServer(t, wire.Config{Answered: func(a wire.Answered) {
		mu.Lock()
		told = append(told, a)
		mu.Unlock()
	}})
	form := func(action string, more ...string) url.Values {
		f := url.Values{"Action": {action}, "Version": {"2016-11-15"}}
		for i := 0; i < len(more); i += 2 {
			f.Set(more[i], more[i+1])
		}
		return f
	}
	forged := func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "Signature=", "Signature=0", 1))
	}
	post(t, h.URL, "ec2", form("CreateVpc", "CidrBlock", "10.0.0.0/16"), func(r *http.Request) { r.Header.Set("User-Agent", "test/1") })
	post(t, h.URL, "ec2", form("CreateVpc", "CidrBlock", "10.0.0.0/16", "DryRun", "true"), nil)
	post(t, h.URL, "ec2", form("CreateVpc", "Nonsense", "1"), nil)
	post(t, h.URL, "ec2", form("DescribeVpcs"), nil) // panics
	post(t, h.URL, "ec2", form("DeleteVpc", "VpcId", "vpc-1"), nil)
	post(t, h.URL, "ec2", form("DeployRocket"), nil)
	post(t, h.URL, "ec2", form("DanceTango"), nil)
	post(t, h.URL, "ec2", form("CreateVpc", "CidrBlock", "10.0.0.0/16"), forged)

	var got []string
	for _, a := range told {
		got = append(got, fmt.Sprintf("%s %s %s %t", a.Service, a.Action, a.Code, a.Reply != nil))
		if a.Account != account || a.AccessKeyID != keyID || a.Region != "local-1" || a.Remote == "" || a.RequestID == "" || a.Now.IsZero() {
			t.Errorf("%s: who called from where isn't told: %+v", a.Action, a)
		}
	}
	want := []string{"ec2 CreateVpc OK true", "ec2 CreateVpc DryRunOperation false", "ec2 CreateVpc UnknownParameter false",
		"ec2 DescribeVpcs InternalError false", "ec2 DeleteVpc InternalError false", "ec2 DeployRocket UnsupportedOperation false"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	if first := told[0]; first.UserAgent != "test/1" || first.Parameters["CidrBlock"] != "10.0.0.0/16" || len(first.Parameters) != 1 || *first.Reply.(*ec2.CreateVpcOutput).Vpc.OwnerId != account {
		t.Errorf("got %+v, want the call's parameters and its reply", first)
	}
	if strings.Contains(told[4].Message, "fire") {
		t.Errorf("the message tells what the caller isn't told: %q", told[4].Message)
	}
}
