package elbv2_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/elb"
)

// named are calls of each operation that takes an ARN, one for each kind that it
// takes; the names stand for resources. Operations that take none have none.
var named = map[string][]string{
	"CreateLoadBalancer":  nil,
	"CreateTargetGroup":   nil,
	"CreateTrustStore":    nil,
	"DescribeSSLPolicies": nil, "DescribeAccountLimits": nil,

	"DescribeLoadBalancers":          {"LoadBalancerArns.member.1=$balancer"},
	"DeleteLoadBalancer":             {"LoadBalancerArn=$balancer"},
	"ModifyIpPools":                  {"LoadBalancerArn=$balancer IpamPools.Ipv4IpamPoolId=" + pool},
	"SetSubnets":                     {"LoadBalancerArn=$balancer Subnets.member.1=subnet-b Subnets.member.2=subnet-c"},
	"SetSecurityGroups":              {"LoadBalancerArn=$balancer SecurityGroups.member.1=sg-1"},
	"SetIpAddressType":               {"LoadBalancerArn=$balancer IpAddressType=dualstack"},
	"ModifyCapacityReservation":      {"LoadBalancerArn=$balancer MinimumLoadBalancerCapacity.CapacityUnits=100"},
	"DescribeCapacityReservation":    {"LoadBalancerArn=$balancer"},
	"DescribeLoadBalancerAttributes": {"LoadBalancerArn=$balancer"},
	"ModifyLoadBalancerAttributes":   {"LoadBalancerArn=$balancer Attributes.member.1.Key=idle_timeout.timeout_seconds Attributes.member.1.Value=7"},

	"CreateListener":               {"LoadBalancerArn=$balancer Protocol=HTTP Port=81 DefaultActions.member.1.Type=fixed-response DefaultActions.member.1.FixedResponseConfig.StatusCode=200"},
	"ModifyListener":               {"ListenerArn=$listener Port=81"},
	"DescribeListeners":            {"ListenerArns.member.1=$listener", "LoadBalancerArn=$balancer"},
	"DeleteListener":               {"ListenerArn=$listener"},
	"AddListenerCertificates":      {"ListenerArn=$listener Certificates.member.1.CertificateArn=" + certificate + "more"},
	"RemoveListenerCertificates":   {"ListenerArn=$listener Certificates.member.1.CertificateArn=" + certificate + "more"},
	"DescribeListenerCertificates": {"ListenerArn=$listener"},
	"DescribeListenerAttributes":   {"ListenerArn=$listener"},
	"ModifyListenerAttributes":     {"ListenerArn=$listener Attributes.member.1.Key=routing.http.response.server.enabled Attributes.member.1.Value=false"},

	"CreateRule":        {"ListenerArn=$listener Priority=9 Conditions.member.1.Field=path-pattern Conditions.member.1.Values.member.1=/b Actions.member.1.Type=fixed-response Actions.member.1.FixedResponseConfig.StatusCode=200"},
	"ModifyRule":        {"RuleArn=$rule Conditions.member.1.Field=path-pattern Conditions.member.1.Values.member.1=/b"},
	"DeleteRule":        {"RuleArn=$rule"},
	"SetRulePriorities": {"RulePriorities.member.1.RuleArn=$rule RulePriorities.member.1.Priority=9"},
	"DescribeRules":     {"RuleArns.member.1=$rule", "ListenerArn=$listener"},

	"ModifyTargetGroup":             {"TargetGroupArn=$group HealthCheckPath=/up"},
	"DescribeTargetGroups":          {"TargetGroupArns.member.1=$group", "LoadBalancerArn=$balancer"},
	"DeleteTargetGroup":             {"TargetGroupArn=$group"},
	"DescribeTargetGroupAttributes": {"TargetGroupArn=$group"},
	"ModifyTargetGroupAttributes":   {"TargetGroupArn=$group Attributes.member.1.Key=stickiness.enabled Attributes.member.1.Value=true"},
	"RegisterTargets":               {"TargetGroupArn=$group Targets.member.1.Id=10.0.0.10"},
	"DeregisterTargets":             {"TargetGroupArn=$group Targets.member.1.Id=10.0.0.9"},
	"DescribeTargetHealth":          {"TargetGroupArn=$group"},

	"ModifyTrustStore":                  {"TrustStoreArn=$store CaCertificatesBundleS3Bucket=cas CaCertificatesBundleS3Key=two.pem"},
	"DescribeTrustStores":               {"TrustStoreArns.member.1=$store"},
	"DeleteTrustStore":                  {"TrustStoreArn=$store"},
	"AddTrustStoreRevocations":          {"TrustStoreArn=$store RevocationContents.member.1.S3Bucket=cas RevocationContents.member.1.S3Key=revoked.crl"},
	"RemoveTrustStoreRevocations":       {"TrustStoreArn=$store RevocationIds.member.1=1"},
	"DescribeTrustStoreRevocations":     {"TrustStoreArn=$store"},
	"DeleteSharedTrustStoreAssociation": {"TrustStoreArn=$store ResourceArn=$balancer"},
	"GetResourcePolicy":                 {"ResourceArn=$store"},
	"DescribeTrustStoreAssociations":    {"TrustStoreArn=$store"},
	"GetTrustStoreCaCertificatesBundle": {"TrustStoreArn=$store"},
	"GetTrustStoreRevocationContent":    {"TrustStoreArn=$store RevocationId=1"},

	"AddTags":      ofEach("ResourceArns.member.1=$kind Tags.member.1.Key=k"),
	"RemoveTags":   ofEach("ResourceArns.member.1=$kind TagKeys.member.1=k"),
	"DescribeTags": ofEach("ResourceArns.member.1=$kind"),
}

func ofEach(call string) (calls []string) {
	for _, kind := range []string{"balancer", "listener", "rule", "group", "store"} {
		calls = append(calls, strings.ReplaceAll(call, "$kind", "$"+kind))
	}
	return calls
}

// actions returns the operations that the API registers.
func actions(t *testing.T) (all []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\bhandle\(svc, "(\w+)"`).FindAllStringSubmatch(string(text), -1) {
			all = append(all, m[1])
		}
	}
	if len(all) < 40 {
		t.Fatalf("only %d operations were found: the test doesn't see them", len(all))
	}
	return all
}

// I8: to another account, and in another region, a resource is as if it were not
// there: every operation answers to the letter what it answers for an ARN of nothing,
// and changes nothing.
func TestForeignARNsLookNonexistent(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	fill(t, w.objects)
	there := map[string]string{"balancer": *w.balancer(shop()).LoadBalancerArn, "group": w.group("free")}
	made := func(element, action, params string) string {
		t.Helper()
		_, body := w.send(t, action, spread(params, there)...)
		_, after, ok := strings.Cut(body, "<"+element+">")
		if !ok {
			t.Fatalf("%s: %s", action, body)
		}
		arn, _, _ := strings.Cut(after, "<")
		return arn
	}
	there["web"] = w.group("web")
	there["listener"] = made("ListenerArn", "CreateListener", "LoadBalancerArn=$balancer Protocol=HTTPS Port=443 Certificates.member.1.CertificateArn="+certificate+"shop DefaultActions.member.1.Type=forward DefaultActions.member.1.TargetGroupArn=$web")
	there["rule"] = made("RuleArn", "CreateRule", named["CreateRule"][0])
	there["store"] = made("TrustStoreArn", "CreateTrustStore", "Name=clients CaCertificatesBundleS3Bucket=cas CaCertificatesBundleS3Key=root.pem")
	made("RevocationId", "AddTrustStoreRevocations", named["AddTrustStoreRevocations"][0])
	nothing := map[string]string{"balancer": anyBalancer, "listener": anyListener, "rule": anyRule, "group": anyGroup, "store": anyTrustStore}

	for _, action := range actions(t) {
		calls, ok := named[action]
		if !ok {
			t.Errorf("%s: the table doesn't say what ARNs it takes", action)
		}
		for _, call := range calls {
			wantStatus, want := w.send(t, action, spread(call, nothing)...)
			if wantStatus != 200 && !strings.Contains(want, "NotFound</Code>") {
				t.Errorf("%s %s: for nothing got %d %s, want that nothing is found", action, call, wantStatus, want)
			}
			for who, from := range map[string][2]string{"another account": {stranger, region}, "another region": {account, "eu-central-1"}} {
				w.unchanged(t, func() {
					status, got := w.sendFrom(t, from[0], from[1], action, spread(call, there)...)
					for kind, arn := range nothing {
						got = strings.ReplaceAll(got, there[kind], arn)
					}
					if diff := cmp.Diff(withoutID(want), withoutID(got)); status != wantStatus || diff != "" {
						t.Errorf("%s %s, %s: got %d, want %d (-want +got):\n%s", action, call, who, status, wantStatus, diff)
					}
				})
			}
		}
	}
}

// spread takes parameters apart, and puts what they name in.
func spread(call string, names map[string]string) (params []string) {
	for param := range strings.FieldsSeq(call) {
		name, value, _ := strings.Cut(param, "=")
		if kind, ok := strings.CutPrefix(value, "$"); ok {
			value = names[kind]
		}
		params = append(params, name, value)
	}
	return params
}

var requestID = regexp.MustCompile(`<RequestId>[^<]*`)

func withoutID(body string) string { return requestID.ReplaceAllString(body, "<RequestId>") }
