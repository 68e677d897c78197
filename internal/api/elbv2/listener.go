package elbv2

import (
	"context"
	"iter"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) modifyListener(ctx context.Context, c *wire.Call, in *elbv2.ModifyListenerInput) (*elbv2.ModifyListenerOutput, error) {
	secure, err := readTLS(in.AlpnPolicy, in.Certificates, in.SslPolicy, in.MutualAuthentication)
	if err != nil {
		return nil, err
	}
	actions, err := readActions(in.DefaultActions)
	if err != nil {
		return nil, err
	}
	l, actions, err := a.elb.ModifyListener(ctx, elb.ModifyListener{
		Account: c.Account, Region: c.Region, ARN: *in.ListenerArn, Protocol: string(in.Protocol), Port: int(value(in.Port)), TLS: secure, Actions: actions,
	})
	if err != nil {
		return nil, err
	}
	return &elbv2.ModifyListenerOutput{Listeners: []elbv2.Listener{renderListener(l, actions)}}, nil
}

func (a *API) createListener(ctx context.Context, c *wire.Call, in *elbv2.CreateListenerInput) (*elbv2.CreateListenerOutput, error) {
	secure, err := readTLS(in.AlpnPolicy, in.Certificates, in.SslPolicy, in.MutualAuthentication)
	if err != nil {
		return nil, err
	}
	tg, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	actions, err := readActions(in.DefaultActions)
	if err != nil {
		return nil, err
	}
	l, actions, err := a.elb.CreateListener(ctx, elb.CreateListener{
		Account: c.Account, Region: c.Region, LoadBalancerARN: *in.LoadBalancerArn, Protocol: string(in.Protocol), Port: int(value(in.Port)),
		TLS: secure, Actions: actions, Tags: tg, ListenerHex: ids.New("", 16), RuleHex: ids.New("", 16),
	})
	if err != nil {
		return nil, err
	}
	return &elbv2.CreateListenerOutput{Listeners: []elbv2.Listener{renderListener(l, actions)}}, nil
}

func renderListener(l elb.Listener, actions []elb.Action) elbv2.Listener {
	out := elbv2.Listener{
		ListenerArn: &l.ARN, LoadBalancerArn: &l.LoadBalancerARN, Port: new(int32(l.Port)),
		Protocol: elbv2.ProtocolEnum(l.Protocol), DefaultActions: renderActions(actions),
	}
	renderTLS(&out, l.TLS)
	return out
}

func (a *API) renderListenerAt(r store.Reader, l elb.Listener) elbv2.Listener {
	rule, _ := a.elb.DefaultRule(r, l.ARN)
	return renderListener(l, rule.Actions)
}

func (a *API) describeListeners(_ context.Context, c *wire.Call, in *elbv2.DescribeListenersInput) (*elbv2.DescribeListenersOutput, error) {
	snap := a.store.Snapshot()
	var found []elb.Listener
	var next *string
	var err error
	switch {
	case len(in.ListenerArns) > 0 && in.LoadBalancerArn != nil:
		err = invalid("Listener ARNs and a load balancer ARN cannot be specified at the same time")
	case len(in.ListenerArns) > 0:
		found, err = named(in.ListenerArns, func(arn string) (elb.Listener, error) { return a.elb.Listener(snap, c.Account, c.Region, arn) })
	case in.LoadBalancerArn != nil:
		if _, err = a.elb.LoadBalancer(snap, c.Account, c.Region, *in.LoadBalancerArn); err == nil {
			found, next, err = pageOf(in.Marker, in.PageSize, func(from string) iter.Seq2[string, elb.Listener] {
				return a.elb.Listeners(snap, *in.LoadBalancerArn, from)
			})
		}
	default:
		err = invalid("You must specify either listener ARNs or a load balancer ARN")
	}
	if err != nil {
		return nil, err
	}
	out := &elbv2.DescribeListenersOutput{Listeners: []elbv2.Listener{}, NextMarker: next}
	for _, l := range found {
		out.Listeners = append(out.Listeners, a.renderListenerAt(snap, l))
	}
	return out, nil
}

func (a *API) deleteListener(ctx context.Context, c *wire.Call, in *elbv2.DeleteListenerInput) (*elbv2.DeleteListenerOutput, error) {
	return &elbv2.DeleteListenerOutput{}, a.elb.DeleteListener(ctx, c.Account, c.Region, *in.ListenerArn)
}
