package server

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/api/elbv2"
	"github.com/fairlead/fairlead/internal/certs"
	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	elbshapes "github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// A certificate stays from the moment on that a listener has it, also when two
// servers decide at once.
func TestACertificateThatAListenerHasStays(t *testing.T) {
	root := issuer.New(t, "Root")
	for _, c := range []struct {
		name   string
		added  bool // it is added by name; else it is the default one of a new listener
		middle bool // the deletion comes between the listener's decision and commit
		turned bool // the listener comes between the deletion's
	}{
		{"the default one", false, false, false},
		{"the default one, deleted in between", false, true, false},
		{"the default one, with the listener in between", false, false, true},
		{"one by name", true, false, false},
		{"one by name, deleted in between", true, true, false},
		{"one by name, with the listener in between", true, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPair(t, 0)
			p.must(t, "AttachInternetGateway", &shapes.AttachInternetGatewayInput{InternetGatewayId: &p.gateway, VpcId: &p.vpc}, nil)
			var second shapes.CreateSubnetOutput
			p.must(t, "CreateSubnet", &shapes.CreateSubnetInput{VpcId: &p.vpc, CidrBlock: new("10.0.1.0/24"), AvailabilityZone: new("local-1b")}, &second)
			var lb elbshapes.CreateLoadBalancerOutput
			ask := func(server int, action string, in, out any) (string, error) {
				return p.callOf(elbv2.Spec, server, action, in, out)
			}
			if _, err := ask(0, "CreateLoadBalancer", &elbshapes.CreateLoadBalancerInput{Name: new("shop"), Subnets: []string{p.subnet, *second.Subnet.SubnetId}}, &lb); err != nil {
				t.Fatal(err)
			}
			imports := func(id string) string {
				t.Helper()
				pair := root.Issue("shop.example")
				made, err := p.rooms[0].certs.Import(t.Context(), certs.Import{Account: tenant, Region: locale, ID: id, Time: time.Now(),
					Material: certs.Material{Certificate: pair.Certificate, PrivateKey: pair.Key}})
				if err != nil {
					t.Fatal(err)
				}
				return made.ARN
			}
			arn := imports("one")
			listen := func(server int, arn string, out *elbshapes.CreateListenerOutput) (string, error) {
				return ask(server, "CreateListener", &elbshapes.CreateListenerInput{
					LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn, Protocol: elbshapes.ProtocolEnumHttps, Port: new(int32(443)),
					Certificates:   []elbshapes.Certificate{{CertificateArn: &arn}},
					DefaultActions: []elbshapes.Action{{Type: elbshapes.ActionTypeEnumFixedResponse, FixedResponseConfig: &elbshapes.FixedResponseActionConfig{StatusCode: new("200")}}},
				}, out)
			}
			var made elbshapes.CreateListenerOutput
			take := func(server int) (string, error) { return listen(server, arn, &made) }
			if c.added {
				if _, err := listen(0, imports("two"), &made); err != nil {
					t.Fatal(err)
				}
				take = func(server int) (string, error) {
					return ask(server, "AddListenerCertificates", &elbshapes.AddListenerCertificatesInput{
						ListenerArn: made.Listeners[0].ListenerArn, Certificates: []elbshapes.Certificate{{CertificateArn: &arn}}}, nil)
				}
			}
			remove := func(server int) error {
				if err := p.rooms[server].store.WaitRevision(t.Context(), p.rooms[1-server].store.Snapshot().Revision()); err != nil {
					t.Error(err)
				}
				return p.rooms[server].certs.Delete(t.Context(), tenant, locale, arn)
			}
			switch {
			case c.middle:
				p.interrupt = func() {
					if err := remove(1); err != nil {
						t.Error(err)
					}
				}
				if code, err := take(0); code != "CertificateNotFound" {
					t.Errorf("the listener: got %v, want CertificateNotFound", err)
				}
				return
			case c.turned:
				p.interrupt = func() {
					if _, err := take(1); err != nil {
						t.Error(err)
					}
				}
			default:
				if _, err := take(0); err != nil {
					t.Fatal(err)
				}
			}
			if e, ok := errors.AsType[*certs.Error](remove(0)); !ok || e.Kind != certs.InUse {
				t.Errorf("the deletion: got %v, want it in use", e)
			}
			if got := p.rooms[0].certs.InUseBy(p.rooms[0].store.Snapshot(), arn); !slices.Equal(got, []string{*lb.LoadBalancers[0].LoadBalancerArn}) {
				t.Errorf("in use by %q", got)
			}
			if _, err := ask(0, "DeleteListener", &elbshapes.DeleteListenerInput{ListenerArn: made.Listeners[0].ListenerArn}, nil); err != nil {
				t.Fatal(err)
			}
			if err := remove(0); err != nil {
				t.Errorf("after the listener's end: got %v", err)
			}
		})
	}
}
