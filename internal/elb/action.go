package elb

import (
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/store"
)

// Action types of ELBv2 that have a meaning here.
const (
	actionForward       = "forward"
	actionFixedResponse = "fixed-response"
	actionRedirect      = "redirect"
	actionOIDC          = "authenticate-oidc"
	actionCognito       = "authenticate-cognito"
	actionJWT           = "jwt-validation"
)

// maxOrder is the highest place of an action among others.
const maxOrder = 50000

// routes says whether the action decides where a request goes. The others come
// before it, and let the request pass or not.
func (a Action) routes() bool { return a.OIDC == nil && a.Cognito == nil && a.JWT == nil }

// checkActions checks the actions of a rule of load balancer b, on a listener of the
// protocol, and returns their normal form; was are those that the rule had. The
// target groups that they name are written anew, unchanged, so that a deletion of
// one conflicts.
func (s *Service) checkActions(tx *store.Tx, b LoadBalancer, protocol string, actions, was []Action) ([]Action, error) {
	if len(actions) == 0 {
		return nil, fail(Invalid, "An action must be specified")
	}
	checked := make([]Action, 0, len(actions))
	for _, a := range actions {
		var err error
		switch a.Type {
		case actionForward:
			a, err = s.checkForward(tx, b, protocol, a)
		case actionFixedResponse:
			err = checkFixedResponse(a)
		case actionRedirect:
			err = checkRedirect(protocol, a.Redirect)
		case actionOIDC:
			a.OIDC, err = s.checkOIDC(b, a.OIDC, was)
		case actionCognito:
			err = checkCognito(a.Cognito)
		case actionJWT:
			err = checkJWT(a.JWT)
		default:
			err = fail(InvalidAction, "Action type '%s' is not known", a.Type)
		}
		if err != nil {
			return nil, err
		}
		checked = append(checked, a)
	}
	return checked, checkOrder(protocol, checked)
}

// checkOrder holds actions, in order, to what they must be together: one that
// authenticates at most, then one that routes.
func checkOrder(protocol string, actions []Action) error {
	for n, a := range actions {
		last := n == len(actions)-1
		switch {
		case a.Order < 0 || a.Order > maxOrder:
			return fail(Invalid, "The action order '%d' must be between '1-%d' inclusive", a.Order, maxOrder)
		case a.routes() != last:
			return fail(InvalidAction, "You can specify only one forward, redirect or fixed-response action, and it must be the last one")
		case len(actions) > 1 && a.Order == 0:
			return fail(InvalidAction, "You must specify an order for each action when you specify several actions")
		case n > 0 && a.Order == actions[n-1].Order:
			return fail(InvalidAction, "The action order '%d' was specified more than once", a.Order)
		case n > 0 && !last:
			return fail(InvalidAction, "You can specify only one action that authenticates")
		case !a.routes() && protocol != "HTTPS":
			return fail(InvalidAction, "Actions of type '%s' are supported only on HTTPS listeners", a.Type)
		}
	}
	return nil
}

func (s *Service) checkForward(tx *store.Tx, b LoadBalancer, protocol string, a Action) (Action, error) {
	if a.Forward == nil || len(a.Forward.TargetGroups) == 0 {
		return a, fail(Invalid, "A target group ARN must be specified for an action of type 'forward'")
	}
	if n := len(a.Forward.TargetGroups); n > s.opts.Quotas.GroupsPerAction {
		return a, fail(TooManyTargetGroups, "An action can have %d target groups at most; %d were specified", s.opts.Quotas.GroupsPerAction, n)
	}
	var elsewhere []string
	var groups []TargetGroup
	for i, g := range a.Forward.TargetGroups {
		if slices.ContainsFunc(a.Forward.TargetGroups[:i], func(o WeightedTargetGroup) bool { return o.ARN == g.ARN }) {
			return a, fail(Invalid, "Target group '%s' was specified more than once in an action", g.ARN)
		}
		if g.Weight < 0 || g.Weight > 999 {
			return a, fail(Invalid, "Target group weight '%d' must be between '0-999' inclusive", g.Weight)
		}
		group, ok := s.groups.Get(tx, g.ARN)
		if !ok || !ownedBy(g.ARN, b.Account, b.Region) {
			return a, fail(TargetGroupNotFound, "Target group '%s' not found", g.ARN)
		}
		if group.VPCID != b.VPCID {
			return a, fail(InvalidConfiguration, "Target group '%s' is in VPC '%s', the load balancer in '%s'", g.ARN, group.VPCID, b.VPCID)
		}
		if group.AddressType == "ipv6" && b.AddressType == "ipv4" {
			return a, fail(InvalidConfiguration, "Target group '%s' has the IP address type 'ipv6', which a load balancer of the type 'ipv4' cannot forward to", g.ARN)
		}
		if slices.ContainsFunc(s.balancersOfGroup(tx, g.ARN), func(arn string) bool { return arn != b.ARN }) {
			elsewhere = append(elsewhere, g.ARN)
		}
		s.groups.Put(tx, g.ARN, group)
		groups = append(groups, group)
	}
	if elsewhere != nil {
		return a, fail(TargetGroupAssociationLimit, "The following target groups cannot be associated with more than one load balancer: %s", strings.Join(elsewhere, ", "))
	}
	return a, checkTogether(protocol, a.Forward, groups)
}

// balancersOfGroup returns the ARNs of the load balancers whose rules forward to
// the target group, what is deleted left out.
func (s *Service) balancersOfGroup(r store.Reader, group string) []string {
	var arns []string
	for _, rule := range s.rulesByGroup.Each(r, group) {
		l, _ := s.listeners.Get(r, rule.ListenerARN)
		b, ok := s.balancers.Get(r, rule.LoadBalancerARN)
		if ok && !b.Deleted && !l.Deleted && !slices.Contains(arns, b.ARN) {
			arns = append(arns, b.ARN)
		}
	}
	return arns
}

var fixedResponseTypes = []string{"text/html", "application/json", "application/javascript", "text/css", "text/plain"}

func checkFixedResponse(a Action) error {
	f := a.FixedResponse
	switch {
	case f == nil || f.StatusCode == 0:
		return fail(Invalid, "A 'FixedResponseConfig' with a status code must be specified for an action of type 'fixed-response'")
	case f.StatusCode < 200 || f.StatusCode > 599 || f.StatusCode/100 == 3:
		return fail(Invalid, "The fixed response's status code '%d' must be one of 2XX, 4XX or 5XX", f.StatusCode)
	case f.ContentType != "" && !slices.Contains(fixedResponseTypes, f.ContentType):
		return fail(InvalidAction, "The ContentType must be one of:'%s'", strings.Join(fixedResponseTypes, "', '"))
	case len(f.Body) > 1024:
		return fail(Invalid, "The fixed response's message body is too long; the limit is '1024'")
	}
	return nil
}
