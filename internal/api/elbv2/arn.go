package elbv2

import (
	"reflect"
	"strings"
)

// noun is a kind of resource: as it stands in ARNs, and as the service calls it.
type noun struct{ kind, name string }

// arnMembers are the members that hold an ARN, or a list of them.
var arnMembers = map[string]noun{
	"LoadBalancerArn": {"loadbalancer", "load balancer"}, "LoadBalancerArns": {"loadbalancer", "load balancer"},
	"ListenerArn": {"listener", "listener"}, "ListenerArns": {"listener", "listener"},
	"RuleArn": {"listener-rule", "listener rule"}, "RuleArns": {"listener-rule", "listener rule"},
	"TargetGroupArn": {"targetgroup", "target group"}, "TargetGroupArns": {"targetgroup", "target group"},
}

// checkARNs refuses a request with what is no ARN of its member's noun at all. One
// that is may name nothing, or another account's: that is not found.
func checkARNs(in any) error {
	v := reflect.ValueOf(in).Elem()
	for i := range v.NumField() {
		n, ok := arnMembers[v.Type().Field(i).Name]
		if !ok {
			continue
		}
		var given []string
		switch member := v.Field(i).Interface().(type) {
		case *string:
			if member != nil {
				given = []string{*member}
			}
		case []string:
			given = member
		}
		for _, arn := range given {
			if !n.named(arn) {
				return invalid("'%s' is not a valid %s ARN", arn, n.name)
			}
		}
	}
	return nil
}

func (n noun) named(arn string) bool {
	parts := strings.SplitN(arn, ":", 6)
	return len(parts) == 6 && parts[0] == "arn" && parts[2] == "elasticloadbalancing" && strings.HasPrefix(parts[5], n.kind+"/")
}
