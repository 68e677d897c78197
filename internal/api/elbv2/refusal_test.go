package elbv2_test

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fairlead/fairlead/internal/api/elbv2"
	"github.com/fairlead/fairlead/internal/elb"
)

const (
	anyBalancer = "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/app/none/0123456789abcdef"
	anyListener = "arn:aws:elasticloadbalancing:us-east-1:111122223333:listener/app/none/0123456789abcdef/0123456789abcdef"
	anyRule     = "arn:aws:elasticloadbalancing:us-east-1:111122223333:listener-rule/app/none/0123456789abcdef/0123456789abcdef/0123456789abcdef"
	anyGroup    = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/none/0123456789abcdef"
)

// I10: bad input gets the service's code and text, and changes nothing. Texts
// are those that have been observed of the service, where any has; codes are what
// clients decide on.
func TestRefusals(t *testing.T) {
	quotas := elb.DefaultQuotas
	quotas.TargetGroups, quotas.ListenersPerBalancer = 6, 2
	w := newWorld(t, quotas)
	ctx := context.Background()

	lb, other := *w.balancer(shop()).LoadBalancerArn, *w.balancer(&sdk.CreateLoadBalancerInput{Name: new("other"), Subnets: []string{"subnet-a", "subnet-b"}}).LoadBalancerArn
	tg, foreign, free := w.group("in-use"), w.group("elsewhere"), w.group("free")
	apart := web()
	apart.Name, apart.VpcId = new("apart"), new("vpc-3")
	out, err := w.CreateTargetGroup(ctx, apart)
	if err != nil {
		t.Fatal(err)
	}
	inOtherVPC := *out.TargetGroups[0].TargetGroupArn
	w.listener(on(lb, 80, to(tg)))
	w.listener(on(other, 80, to(foreign)))
	if _, err := w.AddTags(ctx, &sdk.AddTagsInput{ResourceArns: []string{tg}, Tags: manyTags(50)}); err != nil {
		t.Fatal(err)
	}

	type call = func() error
	balancer := func(change func(*sdk.CreateLoadBalancerInput)) call {
		return func() error {
			in := shop()
			in.Name = new("new")
			change(in)
			_, err := w.CreateLoadBalancer(ctx, in)
			return err
		}
	}
	group := func(change func(*sdk.CreateTargetGroupInput)) call {
		return func() error {
			in := web()
			change(in)
			_, err := w.CreateTargetGroup(ctx, in)
			return err
		}
	}
	listener := func(change func(*sdk.CreateListenerInput)) call {
		return func() error {
			in := on(lb, 81, to(tg))
			change(in)
			_, err := w.CreateListener(ctx, in)
			return err
		}
	}
	action := func(a types.Action) call {
		return listener(func(in *sdk.CreateListenerInput) { in.DefaultActions = []types.Action{a} })
	}
	forward := func(f *types.ForwardActionConfig) call {
		return action(types.Action{Type: types.ActionTypeEnumForward, ForwardConfig: f})
	}
	fixed := func(f *types.FixedResponseActionConfig) call {
		return action(types.Action{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: f})
	}
	register := func(arn string, targets ...types.TargetDescription) call {
		return func() error {
			_, err := w.RegisterTargets(ctx, &sdk.RegisterTargetsInput{TargetGroupArn: &arn, Targets: targets})
			return err
		}
	}
	target := func(id string) types.TargetDescription { return types.TargetDescription{Id: &id} }
	addTags := func(arn string, tg ...types.Tag) call {
		return func() error {
			_, err := w.AddTags(ctx, &sdk.AddTagsInput{ResourceArns: []string{arn}, Tags: tg})
			return err
		}
	}
	long := strings.Repeat("x", 33)

	for _, c := range []struct {
		name string
		call call
		code string
		text string // the whole, or what it begins with if it ends in …
	}{
		// Load balancers.
		{"one zone", balancer(func(in *sdk.CreateLoadBalancerInput) { in.Subnets = []string{"subnet-a"} }),
			"ValidationError", "At least two subnets in two different Availability Zones must be specified"},
		{"no subnets", balancer(func(in *sdk.CreateLoadBalancerInput) { in.Subnets = nil }),
			"ValidationError", "At least two subnets in two different Availability Zones must be specified"},
		{"two subnets in a zone", balancer(func(in *sdk.CreateLoadBalancerInput) { in.Subnets = []string{"subnet-a", "subnet-a2"} }),
			"InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same Availability Zone"},
		{"one subnet twice", balancer(func(in *sdk.CreateLoadBalancerInput) { in.Subnets = []string{"subnet-a", "subnet-a"} }),
			"InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same Availability Zone"},
		{"no internet gateway", balancer(func(in *sdk.CreateLoadBalancerInput) { in.Subnets = []string{"subnet-noigw", "subnet-b"} }),
			"InvalidSubnet", "VPC vpc-2 has no internet gateway"},
		{"a full subnet", balancer(func(in *sdk.CreateLoadBalancerInput) { in.Subnets = []string{"subnet-a", "subnet-full"} }),
			"InvalidSubnet", "Not enough IP space available in subnet-full. ELB requires at least 8 free IP addresses in each subnet."},
		{"subnets of two VPCs", balancer(func(in *sdk.CreateLoadBalancerInput) { in.Subnets = []string{"subnet-a", "subnet-other"} }),
			"InvalidConfigurationRequest", "All subnets must belong to the same VPC: 'vpc-1'"},
		{"an unknown subnet", balancer(func(in *sdk.CreateLoadBalancerInput) { in.Subnets = []string{"subnet-a", "subnet-none"} }),
			"SubnetNotFound", "The subnet ID 'subnet-none' does not exist"},
		{"subnets in both forms", balancer(func(in *sdk.CreateLoadBalancerInput) {
			in.SubnetMappings = []types.SubnetMapping{{SubnetId: new("subnet-a")}}
		}),
			"ValidationError", "Only one of 'Subnets' and 'SubnetMappings' can be specified"},
		{"an elastic IP for a subnet", balancer(func(in *sdk.CreateLoadBalancerInput) {
			in.Subnets, in.SubnetMappings = nil, []types.SubnetMapping{{SubnetId: new("subnet-a"), AllocationId: new("eipalloc-1")}, {SubnetId: new("subnet-b")}}
		}), "ValidationError", "You can specify only the subnet ID in a subnet mapping of an application load balancer"},
		{"an unknown security group", balancer(func(in *sdk.CreateLoadBalancerInput) { in.SecurityGroups = []string{"sg-1", "sg-none"} }),
			"InvalidSecurityGroup", "Security group 'sg-none' does not exist"},
		{"another VPC's security group", balancer(func(in *sdk.CreateLoadBalancerInput) { in.SecurityGroups = []string{"sg-other"} }),
			"InvalidConfigurationRequest", "Security group 'sg-other' does not belong to VPC 'vpc-1'"},
		{"six security groups", balancer(func(in *sdk.CreateLoadBalancerInput) {
			in.SecurityGroups = []string{"sg-1", "sg-2", "sg-3", "sg-4", "sg-5", "sg-6"}
		}), "InvalidConfigurationRequest", "A load balancer can have 5 security groups at most; 6 were specified"},
		{"a long name", balancer(func(in *sdk.CreateLoadBalancerInput) { in.Name = &long }),
			"ValidationError", "Load balancer name '" + long + "' cannot be longer than '32' characters"},
		{"an underscore in the name", balancer(func(in *sdk.CreateLoadBalancerInput) { in.Name = new("a_b") }),
			"ValidationError", "Load balancer name 'a_b' can only contain characters that are alphanumeric characters or hyphens(-)"},
		{"a hyphen at an edge of the name", balancer(func(in *sdk.CreateLoadBalancerInput) { in.Name = new("shop-") }),
			"ValidationError", "Load balancer name 'shop-' cannot begin or end with '-'"},
		{"an internal- name", balancer(func(in *sdk.CreateLoadBalancerInput) { in.Name = new("internal-shop") }),
			"ValidationError", "Load balancer name 'internal-shop' cannot begin with 'internal-'"},
		{"an empty name", balancer(func(in *sdk.CreateLoadBalancerInput) { in.Name = new("") }), "ValidationError", "Load balancer name cannot be empty"},
		{"a scheme that isn't one", balancer(func(in *sdk.CreateLoadBalancerInput) { in.Scheme = "outside" }),
			"ValidationError", "1 validation error detected: Value 'outside' at 'scheme' failed to satisfy constraint: Member must satisfy enum value set: […"},
		{"a network load balancer", balancer(func(in *sdk.CreateLoadBalancerInput) { in.Type = types.LoadBalancerTypeEnumNetwork }),
			"ValidationError", "Load balancer type 'network' is not supported by this installation; use 'application'"},
		{"dual stack", balancer(func(in *sdk.CreateLoadBalancerInput) { in.IpAddressType = types.IpAddressTypeDualstack }),
			"InvalidSubnet", "The subnet 'subnet-a' has no associated IPv6 CIDR block, which the IP address type 'dualstack' requires"},
		{"a malformed pool", balancer(pooled("pool-1")),
			"ValidationError", "1 validation error detected: Value 'pool-1' at 'ipamPools.ipv4IpamPoolId' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(ipam-pool-)[a-zA-Z0-9]+$"},
		{"an unknown pool", balancer(pooled("ipam-pool-0")), "InvalidConfigurationRequest", "The IPAM pool 'ipam-pool-0' does not exist"},
		{"a pool of another region", balancer(pooled("ipam-pool-far")), "InvalidConfigurationRequest", "The IPAM pool 'ipam-pool-far' has the locale 'eu-central-1'; it must be 'us-east-1'"},
		{"a private pool", balancer(pooled("ipam-pool-private")), "InvalidConfigurationRequest", "The IPAM pool 'ipam-pool-private' must be in a public scope"},
		{"an IPv6 pool", balancer(pooled("ipam-pool-six")), "InvalidConfigurationRequest", "The IPAM pool 'ipam-pool-six' must have the address family ipv4"},
		{"a pool for no service", balancer(pooled("ipam-pool-none")), "InvalidConfigurationRequest", "The IPAM pool 'ipam-pool-none' must have the AWS service ec2"},
		{"a pool for an internal one", balancer(func(in *sdk.CreateLoadBalancerInput) {
			pooled(pool)(in)
			in.Scheme = types.LoadBalancerSchemeEnumInternal
		}), "InvalidConfigurationRequest", "An IPAM pool can be specified only for internet-facing load balancers"},
		{"the same name, other settings", balancer(func(in *sdk.CreateLoadBalancerInput) {
			in.Name, in.Subnets = new("shop"), []string{"subnet-a", "subnet-c"}
		}),
			"DuplicateLoadBalancerName", "A load balancer with the same name 'shop' exists, but with different settings"},
		{"a tag key twice", balancer(func(in *sdk.CreateLoadBalancerInput) { in.Tags = []types.Tag{tag("k", "1"), tag("k", "2")} }),
			"DuplicateTagKeys", "Tag key was specified more than once: k"},
		{"51 tags", balancer(func(in *sdk.CreateLoadBalancerInput) { in.Tags = manyTags(51) }), "TooManyTags", "The maximum number of tags on a resource is 50"},
		{"an unknown load balancer", func() error {
			_, err := w.DescribeLoadBalancers(ctx, &sdk.DescribeLoadBalancersInput{LoadBalancerArns: []string{lb, anyBalancer}})
			return err
		}, "LoadBalancerNotFound", "One or more load balancers not found"},
		{"an unknown load balancer by name", func() error {
			_, err := w.DescribeLoadBalancers(ctx, &sdk.DescribeLoadBalancersInput{Names: []string{"shop", "none"}})
			return err
		}, "LoadBalancerNotFound", "Load balancers '[none]' not found"},
		{"by ARN and name", func() error {
			_, err := w.DescribeLoadBalancers(ctx, &sdk.DescribeLoadBalancersInput{Names: []string{"shop"}, LoadBalancerArns: []string{lb}})
			return err
		}, "ValidationError", "Load balancer names and load balancer ARNs cannot be specified at the same time"},
		{"21 ARNs", func() error {
			_, err := w.DescribeLoadBalancers(ctx, &sdk.DescribeLoadBalancersInput{LoadBalancerArns: repeated(lb, 21)})
			return err
		}, "ValidationError", "1 validation error detected: Value '[arn:…"},
		{"a page of nothing", func() error {
			_, err := w.DescribeLoadBalancers(ctx, &sdk.DescribeLoadBalancersInput{PageSize: new(int32(0))})
			return err
		}, "ValidationError", "1 validation error detected: Value '0' at 'pageSize' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"a page that is too large", func() error {
			_, err := w.DescribeTargetGroups(ctx, &sdk.DescribeTargetGroupsInput{PageSize: new(int32(401))})
			return err
		}, "ValidationError", "1 validation error detected: Value '401' at 'pageSize' failed to satisfy constraint: Member must have value less than or equal to 400"},
		{"a marker of somebody else's", func() error {
			_, err := w.DescribeLoadBalancers(ctx, &sdk.DescribeLoadBalancersInput{Marker: new("next")})
			return err
		}, "ValidationError", "The pagination token is not one that this service gave"},
		{"deleting what is no load balancer", func() error {
			_, err := w.DeleteLoadBalancer(ctx, &sdk.DeleteLoadBalancerInput{LoadBalancerArn: &tg})
			return err
		}, "ValidationError", "'" + tg + "' is not a valid load balancer ARN"},
		{"attributes of an unknown one", func() error {
			_, err := w.DescribeLoadBalancerAttributes(ctx, &sdk.DescribeLoadBalancerAttributesInput{LoadBalancerArn: new(anyBalancer)})
			return err
		}, "LoadBalancerNotFound", "One or more load balancers not found"},

		// Target groups.
		{"a long target group name", group(func(in *sdk.CreateTargetGroupInput) { in.Name = &long }),
			"ValidationError", "Target group name '" + long + "' cannot be longer than '32' characters"},
		{"a dot in the target group name", group(func(in *sdk.CreateTargetGroupInput) { in.Name = new("a.b") }),
			"ValidationError", "Target group name 'a.b' can only contain characters that are alphanumeric characters or hyphens(-)"},
		{"a hyphen at an edge of the target group name", group(func(in *sdk.CreateTargetGroupInput) { in.Name = new("-a") }),
			"ValidationError", "Target group name '-a' cannot begin or end with '-'"},
		{"no protocol", group(func(in *sdk.CreateTargetGroupInput) { in.Protocol = "" }), "ValidationError", "A protocol must be specified"},
		{"no port", group(func(in *sdk.CreateTargetGroupInput) { in.Port = nil }), "ValidationError", "A port must be specified"},
		{"an impossible port", group(func(in *sdk.CreateTargetGroupInput) { in.Port = new(int32(65536)) }),
			"ValidationError", "1 validation error detected: Value '65536' at 'port' failed to satisfy constraint: Member must have value less than or equal to 65535"},
		{"no VPC", group(func(in *sdk.CreateTargetGroupInput) { in.VpcId = nil }), "ValidationError", "A VPC ID must be specified"},
		{"an unknown VPC", group(func(in *sdk.CreateTargetGroupInput) { in.VpcId = new("vpc-none") }), "ValidationError", "The VPC ID 'vpc-none' is not found"},
		{"functions", group(func(in *sdk.CreateTargetGroupInput) { in.TargetType = types.TargetTypeEnumLambda }),
			"InvalidConfigurationRequest", "Target type 'lambda' is not supported by this installation; use 'instance' or 'ip'"},
		{"load balancers as targets", group(func(in *sdk.CreateTargetGroupInput) { in.TargetType = types.TargetTypeEnumAlb }),
			"InvalidConfigurationRequest", "Target type 'alb' is not supported by this installation; use 'instance' or 'ip'"},
		{"TCP targets", group(func(in *sdk.CreateTargetGroupInput) { in.Protocol = types.ProtocolEnumTcp }),
			"InvalidConfigurationRequest", "Target group protocol 'TCP' is of network or gateway load balancers, which this installation does not support; use 'HTTP' or 'HTTPS'"},
		{"an unknown protocol version", group(func(in *sdk.CreateTargetGroupInput) { in.ProtocolVersion = new("HTTP3") }),
			"ValidationError", "Protocol version 'HTTP3' must be one of 'HTTP1, HTTP2, GRPC'"},
		{"a target control port", group(func(in *sdk.CreateTargetGroupInput) { in.TargetControlPort = new(int32(3000)) }),
			"ValidationError", "TargetControlPort is not supported by this installation"},
		{"a timeout as long as the interval", group(func(in *sdk.CreateTargetGroupInput) {
			in.HealthCheckTimeoutSeconds, in.HealthCheckIntervalSeconds = new(int32(10)), new(int32(10))
		}), "ValidationError", "Health check timeout '10' must be smaller than the interval '10'"},
		{"an interval that is too short", group(func(in *sdk.CreateTargetGroupInput) { in.HealthCheckIntervalSeconds = new(int32(4)) }),
			"ValidationError", "1 validation error detected: Value '4' at 'healthCheckIntervalSeconds' failed to satisfy constraint: Member must have value greater than or equal to 5"},
		{"a threshold that is too high", group(func(in *sdk.CreateTargetGroupInput) { in.HealthyThresholdCount = new(int32(11)) }),
			"ValidationError", "1 validation error detected: Value '11' at 'healthyThresholdCount' failed to satisfy constraint: Member must have value less than or equal to 10"},
		{"a matcher that is none", group(matching("2xx")), "InvalidParameterValue", "HttpCode must be like 200 | 200-399 | 200,201 ..."},
		{"a matcher that runs backwards", group(matching("299-200")), "InvalidParameterValue", "HttpCode must be like 200 | 200-399 | 200,201 ..."},
		{"a matcher beyond 499", group(matching("200,500")), "ValidationError", "Health check matcher HTTP code '200,500' must be within '200-499' inclusive"},
		{"a gRPC matcher", group(func(in *sdk.CreateTargetGroupInput) { in.Matcher = &types.Matcher{GrpcCode: new("0")} }),
			"ValidationError", "A gRPC matcher can be specified only for target groups with the protocol version GRPC"},
		{"a TCP health check", group(func(in *sdk.CreateTargetGroupInput) { in.HealthCheckProtocol = types.ProtocolEnumTcp }),
			"ValidationError", "Health check protocol 'TCP' must be one of 'HTTP, HTTPS'"},
		{"two matchers", group(func(in *sdk.CreateTargetGroupInput) {
			in.Matcher = &types.Matcher{HttpCode: new("200"), GrpcCode: new("0")}
		}), "ValidationError", "A health check matcher can have either an 'HttpCode' or a 'GrpcCode'"},
		{"an HTTP matcher of gRPC targets", group(func(in *sdk.CreateTargetGroupInput) {
			in.ProtocolVersion, in.Matcher = new("GRPC"), &types.Matcher{HttpCode: new("200")}
		}), "ValidationError", "An HTTP matcher cannot be specified for target groups with the protocol version GRPC; specify a gRPC matcher"},
		{"a gRPC matcher beyond 99", group(func(in *sdk.CreateTargetGroupInput) {
			in.ProtocolVersion, in.Matcher = new("GRPC"), &types.Matcher{GrpcCode: new("0-100")}
		}), "InvalidParameterValue", "GrpcCode must be like 0 | 0-99 | 0,12 ..."},
		{"a gRPC matcher that is backwards", group(func(in *sdk.CreateTargetGroupInput) {
			in.ProtocolVersion, in.Matcher = new("GRPC"), &types.Matcher{GrpcCode: new("12-9")}
		}), "InvalidParameterValue", "GrpcCode must be like 0 | 0-99 | 0,12 ..."},
		{"a health check path that is none", group(func(in *sdk.CreateTargetGroupInput) { in.HealthCheckPath = new("up") }),
			"ValidationError", "Health check path 'up' must begin with a '/', be of visible ASCII characters, and not be longer than '1024'"},
		{"a health check port that is none", group(func(in *sdk.CreateTargetGroupInput) { in.HealthCheckPort = new("http") }),
			"ValidationError", "Health check port 'http' must be 'traffic-port' or a number between '1-65535'"},
		{"health checks off", group(func(in *sdk.CreateTargetGroupInput) { in.HealthCheckEnabled = new(false) }),
			"ValidationError", "Health check enabled must be true for target groups with target type 'ip'"},
		{"the same target group name, other settings", group(func(in *sdk.CreateTargetGroupInput) { in.Name, in.Port = new("free"), new(int32(81)) }),
			"DuplicateTargetGroupName", "A target group with the same name 'free' exists, but with different settings"},
		{"several filters of target groups", func() error {
			_, err := w.DescribeTargetGroups(ctx, &sdk.DescribeTargetGroupsInput{Names: []string{"free"}, LoadBalancerArn: &lb})
			return err
		}, "ValidationError", "Target group names, target group ARNs, and a load balancer ARN cannot be specified at the same time"},
		{"an unknown target group", func() error {
			_, err := w.DescribeTargetGroups(ctx, &sdk.DescribeTargetGroupsInput{Names: []string{"free", "none"}})
			return err
		}, "TargetGroupNotFound", "One or more target groups not found"},
		{"target groups of an unknown load balancer", func() error {
			_, err := w.DescribeTargetGroups(ctx, &sdk.DescribeTargetGroupsInput{LoadBalancerArn: new(anyBalancer)})
			return err
		}, "LoadBalancerNotFound", "One or more load balancers not found"},
		{"deleting a target group in use", func() error {
			_, err := w.DeleteTargetGroup(ctx, &sdk.DeleteTargetGroupInput{TargetGroupArn: &tg})
			return err
		}, "ResourceInUse", "Target group '" + tg + "' is currently in use by a listener or a rule"},
		{"deleting what is no target group", func() error {
			_, err := w.DeleteTargetGroup(ctx, &sdk.DeleteTargetGroupInput{TargetGroupArn: new("web")})
			return err
		}, "ValidationError", "'web' is not a valid target group ARN"},

		// Targets.
		{"a target for an unknown group", register(anyGroup, target("10.0.0.1")), "TargetGroupNotFound", "One or more target groups not found"},
		{"an instance as a target", register(free, target("i-0123456789abcdef0")), "ValidationError", "The IP address 'i-0123456789abcdef0' is not a valid IPv4 address"},
		{"an IPv6 target", register(free, target("2001:db8::1")), "ValidationError", "The IP address '2001:db8::1' is not a valid IPv4 address"},
		{"a loopback target", register(free, target("10.0.0.1"), target("127.0.0.1")),
			"InvalidTarget", "The IP address '127.0.0.1' is a loopback address; targets must be reachable from every node"},
		{"an address that nobody has", register(free, target("224.0.0.1")), "InvalidTarget", "The IP address '224.0.0.1' cannot be a target"},
		{"an impossible target port", register(free, types.TargetDescription{Id: new("10.0.0.1"), Port: new(int32(65536))}),
			"ValidationError", "1 validation error detected: Value '65536' at 'targets.1.member.port' failed to satisfy constraint: Member must have value less than or equal to 65535"},
		{"more targets than there may be", register(free, addresses(1001)...), "TooManyTargets", "A target group can have 1000 targets at most"},
		{"no targets", register(free, []types.TargetDescription{}...), "ValidationError", "…"},
		{"deregistering one that is no address", func() error {
			_, err := w.DeregisterTargets(ctx, &sdk.DeregisterTargetsInput{TargetGroupArn: &free, Targets: []types.TargetDescription{target("10.0.0.1"), target("x")}})
			return err
		}, "ValidationError", "The IP address 'x' is not a valid IPv4 address"},
		{"health of an unknown group", func() error {
			_, err := w.DescribeTargetHealth(ctx, &sdk.DescribeTargetHealthInput{TargetGroupArn: new(anyGroup)})
			return err
		}, "TargetGroupNotFound", "One or more target groups not found"},

		// Listeners.
		{"a listener without a port", listener(func(in *sdk.CreateListenerInput) { in.Port = nil }), "ValidationError", "A listener port must be specified"},
		{"a listener without a protocol", listener(func(in *sdk.CreateListenerInput) { in.Protocol = "" }), "ValidationError", "A listener protocol must be specified"},
		{"an impossible listener port", listener(func(in *sdk.CreateListenerInput) { in.Port = new(int32(65536)) }),
			"ValidationError", "1 validation error detected: Value '65536' at 'port' failed to satisfy constraint: Member must have value less than or equal to 65535"},
		{"a TCP listener", listener(func(in *sdk.CreateListenerInput) { in.Protocol = types.ProtocolEnumTcp }),
			"ValidationError", "Listener protocol 'TCP' must be one of 'HTTP, HTTPS'"},
		{"an HTTPS listener", listener(func(in *sdk.CreateListenerInput) { in.Protocol = types.ProtocolEnumHttps }),
			"ValidationError", "A certificate must be specified for HTTPS listeners"},
		{"a certificate for HTTP", listener(func(in *sdk.CreateListenerInput) {
			in.Certificates = []types.Certificate{{CertificateArn: new("arn:x")}}
		}),
			"ValidationError", "Certificates, SSL policies and mutual authentication can be specified only for HTTPS listeners"},
		{"a port that is taken", listener(func(in *sdk.CreateListenerInput) { in.Port, in.DefaultActions = new(int32(80)), to(free) }),
			"DuplicateListener", "A listener already exists on this port for this load balancer '" + lb + "'"},
		{"a listener of an unknown load balancer", listener(func(in *sdk.CreateListenerInput) { in.LoadBalancerArn = new(anyBalancer) }),
			"LoadBalancerNotFound", "One or more load balancers not found"},
		{"no action", listener(func(in *sdk.CreateListenerInput) { in.DefaultActions = []types.Action{} }), "ValidationError", "…"},
		{"two routing actions", listener(func(in *sdk.CreateListenerInput) { in.DefaultActions = append(to(tg), to(free)...) }),
			"InvalidLoadBalancerAction", "You can specify only one forward, redirect or fixed-response action, and it must be the last one"},
		{"an action that isn't one", action(types.Action{Type: "teleport"}),
			"ValidationError", "1 validation error detected: Value 'teleport' at 'defaultActions.1.member.type' failed to satisfy constraint: Member must satisfy enum value set: […"},
		{"a redirect to itself", action(types.Action{Type: types.ActionTypeEnumRedirect, RedirectConfig: &types.RedirectActionConfig{StatusCode: types.RedirectActionStatusCodeEnumHttp301}}),
			"InvalidLoadBalancerAction", "The redirect must change at least one of protocol, host, port and path, or it leads back to itself"},
		{"a redirect with half a keyword", action(types.Action{Type: types.ActionTypeEnumRedirect, RedirectConfig: &types.RedirectActionConfig{StatusCode: types.RedirectActionStatusCodeEnumHttp301, Host: new("#{host")}}),
			"ValidationError", "The redirect host '#{host' has a keyword without an end"},
		{"a redirect with a keyword in the wrong place", action(types.Action{Type: types.ActionTypeEnumRedirect, RedirectConfig: &types.RedirectActionConfig{StatusCode: types.RedirectActionStatusCodeEnumHttp301, Host: new("#{path}")}}),
			"ValidationError", "The keyword '#{path}' is not valid in the redirect host"},
		{"a forward to nowhere", action(types.Action{Type: types.ActionTypeEnumForward}),
			"ValidationError", "A target group ARN must be specified for an action of type 'forward'"},
		{"an empty forward configuration", forward(&types.ForwardActionConfig{}), "ValidationError", "A target group ARN must be specified for an action of type 'forward'"},
		{"a forward to an unknown group", listener(func(in *sdk.CreateListenerInput) { in.DefaultActions = to(anyGroup) }),
			"TargetGroupNotFound", "Target group '" + anyGroup + "' not found"},
		{"a forward to another load balancer's group", listener(func(in *sdk.CreateListenerInput) { in.DefaultActions = to(foreign) }),
			"TargetGroupAssociationLimit", "The following target groups cannot be associated with more than one load balancer: " + foreign},
		{"a forward into another VPC", listener(func(in *sdk.CreateListenerInput) { in.DefaultActions = to(inOtherVPC) }),
			"InvalidConfigurationRequest", "Target group '" + inOtherVPC + "' is in VPC 'vpc-3', the load balancer in 'vpc-1'"},
		{"both forms of a forward, which differ", action(types.Action{Type: types.ActionTypeEnumForward, TargetGroupArn: &tg, ForwardConfig: &types.ForwardActionConfig{
			TargetGroups: []types.TargetGroupTuple{{TargetGroupArn: &free}}}}),
			"ValidationError", "The target group ARN and the forward configuration of an action must name the same single target group"},
		{"a weight out of range", forward(&types.ForwardActionConfig{TargetGroups: []types.TargetGroupTuple{{TargetGroupArn: &tg, Weight: new(int32(1000))}}}),
			"ValidationError", "Target group weight '1000' must be between '0-999' inclusive"},
		{"one group twice", forward(&types.ForwardActionConfig{TargetGroups: []types.TargetGroupTuple{{TargetGroupArn: &tg, Weight: new(int32(1))}, {TargetGroupArn: &tg, Weight: new(int32(1))}}}),
			"ValidationError", "Target group '" + tg + "' was specified more than once in an action"},
		{"six groups in an action", forward(&types.ForwardActionConfig{TargetGroups: make6(tg)}),
			"TooManyTargetGroups", "An action can have 5 target groups at most; 6 were specified"},
		{"sticky target groups", forward(&types.ForwardActionConfig{TargetGroups: []types.TargetGroupTuple{{TargetGroupArn: &tg}},
			TargetGroupStickinessConfig: &types.TargetGroupStickinessConfig{Enabled: new(true)}}), "ValidationError", "A duration must be specified for target group stickiness"},
		{"a stickiness that lasts too long", forward(&types.ForwardActionConfig{TargetGroups: []types.TargetGroupTuple{{TargetGroupArn: &tg}},
			TargetGroupStickinessConfig: &types.TargetGroupStickinessConfig{DurationSeconds: new(int32(604801))}}),
			"ValidationError", "Target group stickiness duration '604801' must be between '1-604800' inclusive"},
		{"a fixed redirect", fixed(&types.FixedResponseActionConfig{StatusCode: new("301")}),
			"ValidationError", `1 validation error detected: Value '301' at 'defaultActions.1.member.fixedResponseConfig.statusCode' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(2|4|5)\d\d$`},
		{"a fixed status with a sign", fixed(&types.FixedResponseActionConfig{StatusCode: new("+20")}), "ValidationError", "1 validation error detected: Value '+20'…"},
		{"an image as a fixed response", fixed(&types.FixedResponseActionConfig{StatusCode: new("200"), ContentType: new("image/png")}),
			"InvalidLoadBalancerAction", "The ContentType must be one of:'text/html', 'application/json', 'application/javascript', 'text/css', 'text/plain'"},
		{"a fixed response that is too long", fixed(&types.FixedResponseActionConfig{StatusCode: new("200"), MessageBody: new(strings.Repeat("x", 1025))}),
			"ValidationError", "1 validation error detected: Value 'xxx…"},
		{"a fixed response without its configuration", fixed(nil),
			"ValidationError", "A 'FixedResponseConfig' with a status code must be specified for an action of type 'fixed-response'"},
		{"listeners of nothing", func() error {
			_, err := w.DescribeListeners(ctx, &sdk.DescribeListenersInput{})
			return err
		}, "ValidationError", "You must specify either listener ARNs or a load balancer ARN"},
		{"an unknown listener", func() error {
			_, err := w.DescribeListeners(ctx, &sdk.DescribeListenersInput{ListenerArns: []string{anyListener}})
			return err
		}, "ListenerNotFound", "One or more listeners not found"},
		{"deleting an unknown listener", func() error {
			_, err := w.DeleteListener(ctx, &sdk.DeleteListenerInput{ListenerArn: new(anyListener)})
			return err
		}, "ListenerNotFound", "One or more listeners not found"},
		{"rules of nothing", func() error {
			_, err := w.DescribeRules(ctx, &sdk.DescribeRulesInput{})
			return err
		}, "ValidationError", "You must specify either listener rule ARNs or a listener ARN"},
		{"rules of both", func() error {
			_, err := w.DescribeRules(ctx, &sdk.DescribeRulesInput{ListenerArn: new(anyListener), RuleArns: []string{anyRule}})
			return err
		}, "ValidationError", "Listener rule ARNs and a listener ARN cannot be specified at the same time"},
		{"an unknown rule", func() error {
			_, err := w.DescribeRules(ctx, &sdk.DescribeRulesInput{RuleArns: []string{anyRule}})
			return err
		}, "RuleNotFound", "One or more rules not found"},

		// The network.
		{"security groups that are none", func() error {
			_, err := w.SetSecurityGroups(ctx, &sdk.SetSecurityGroupsInput{LoadBalancerArn: &lb, SecurityGroups: []string{"sg-gone"}})
			return err
		}, "InvalidSecurityGroup", "Security group 'sg-gone' does not exist"},
		{"a setting of network load balancers", func() error {
			_, err := w.SetSecurityGroups(ctx, &sdk.SetSecurityGroupsInput{LoadBalancerArn: &lb, SecurityGroups: []string{"sg-1"},
				EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic: types.EnforceSecurityGroupInboundRulesOnPrivateLinkTrafficEnumOn})
			return err
		}, "ValidationError", "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic is not supported for application load balancers"},

		// Tags.
		{"a tag for an unknown load balancer", addTags(anyBalancer, tag("k", "v")), "LoadBalancerNotFound", "Load balancers '[" + anyBalancer + "]' not found"},
		{"a tag for an unknown target group", addTags(anyGroup, tag("k", "v")), "TargetGroupNotFound", "Target groups '[" + anyGroup + "]' not found"},
		{"a tag for an unknown listener", addTags(anyListener, tag("k", "v")), "ListenerNotFound", "Listeners '[" + anyListener + "]' not found"},
		{"a tag for an unknown rule", addTags(anyRule, tag("k", "v")), "RuleNotFound", "Rules '[" + anyRule + "]' not found"},
		{"a reserved tag", addTags(lb, tag("AWS:k", "v")), "ValidationError", "The tag key 'AWS:k' begins with 'aws:', which is reserved"},
		{"a tag with a strange key", addTags(lb, tag("k*", "v")), "ValidationError", "1 validation error detected: Value 'k*' at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: …"},
		{"a tag with a long value", addTags(lb, tag("k", strings.Repeat("v", 257))), "ValidationError", "1 validation error detected: Value 'vvv…"},
		{"no tags", addTags(lb, []types.Tag{}...), "ValidationError", "…"},
		{"one tag more than there may be", addTags(tg, tag("one more", "")), "TooManyTags", "The maximum number of tags on a resource is 50"},
		{"tags of 21 resources", func() error {
			_, err := w.DescribeTags(ctx, &sdk.DescribeTagsInput{ResourceArns: repeated(lb, 21)})
			return err
		}, "ValidationError", "1 validation error detected: Value '[arn:…"},
		{"tags of one that isn't there", func() error {
			_, err := w.DescribeTags(ctx, &sdk.DescribeTagsInput{ResourceArns: []string{lb, anyGroup}})
			return err
		}, "TargetGroupNotFound", "Target groups '[" + anyGroup + "]' not found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.unchanged(t, func() {
				code, text := refusal(t, c.call())
				if want, open := strings.CutSuffix(c.text, "…"); code != c.code || text != c.text && !(open && strings.HasPrefix(text, want)) {
					t.Errorf("got  %s: %s\nwant %s: %s", code, text, c.code, c.text)
				}
			})
		})
	}

	// What fills the quotas comes last.
	w.listener(on(lb, 81, to(tg)))
	w.group("fifth")
	w.group("sixth")
	for _, c := range []struct {
		name string
		call call
		code string
		text string
	}{
		{"one listener more than there may be", listener(func(in *sdk.CreateListenerInput) { in.Port = new(int32(82)) }),
			"TooManyListeners", "You have reached the maximum number of listeners on load balancer '" + lb + "': 2"},
		{"one target group more than there may be", group(func(in *sdk.CreateTargetGroupInput) { in.Name = new("seventh") }),
			"TooManyTargetGroups", "You have reached the maximum number of target groups: 6"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.unchanged(t, func() {
				if code, text := refusal(t, c.call()); code != c.code || text != c.text {
					t.Errorf("got  %s: %s\nwant %s: %s", code, text, c.code, c.text)
				}
			})
		})
	}
}

// What the SDK doesn't send, but others do.
func TestRefusalsOfForms(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	for name, c := range map[string]struct {
		action string
		params []string
		want   string
	}{
		"a required member is missing": {"CreateLoadBalancer", []string{"Subnets.member.1", "subnet-a"},
			"<Code>ValidationError</Code><Message>1 validation error detected: Value null at &#39;name&#39; failed to satisfy constraint: Member must not be null"},
		"a nested required member is missing": {"RegisterTargets", []string{"TargetGroupArn", anyGroup, "Targets.member.1.Port", "80"}, "<Code>ValidationError</Code>"},
		"a parameter that isn't one":          {"DeleteLoadBalancer", []string{"LoadBalancerArn", anyBalancer, "Force", "true"}, "<Code>ValidationError</Code>"},
		"an action that isn't one":            {"ModifyLoadBalancerColour", []string{"LoadBalancerArn", anyBalancer}, "<Code>InvalidAction</Code>"},
		"an empty list of targets":            {"RegisterTargets", []string{"TargetGroupArn", anyGroup, "Targets", ""}, "<Message>At least one target must be specified</Message>"},
		"an empty list of tags":               {"AddTags", []string{"ResourceArns.member.1", anyGroup, "Tags", ""}, "<Code>ValidationError</Code>"},
		"an empty list of actions": {"CreateListener", []string{"LoadBalancerArn", *w.balancer(shop()).LoadBalancerArn, "Protocol", "HTTP", "Port", "80", "DefaultActions", ""},
			"<Message>An action must be specified</Message>"},
	} {
		t.Run(name, func(t *testing.T) {
			w.unchanged(t, func() {
				status, body := w.send(t, c.action, c.params...)
				if status != 400 || !strings.Contains(body, c.want) {
					t.Errorf("got %d %s, want 400 and %s", status, body, c.want)
				}
			})
		})
	}
}

func tag(k, v string) types.Tag { return types.Tag{Key: &k, Value: &v} }

func manyTags(n int) (out []types.Tag) {
	for i := range n {
		out = append(out, tag(fmt.Sprint(i), "v"))
	}
	return out
}

func repeated(s string, n int) (out []string) {
	for range n {
		out = append(out, s)
	}
	return out
}

func make6(arn string) (out []types.TargetGroupTuple) {
	for range 6 {
		out = append(out, types.TargetGroupTuple{TargetGroupArn: &arn, Weight: new(int32(1))})
	}
	return out
}

func addresses(n int) (out []types.TargetDescription) {
	for i := range n {
		out = append(out, types.TargetDescription{Id: new(fmt.Sprintf("10.1.%d.%d", i/250, i%250+1))})
	}
	return out
}

func pooled(id string) func(*sdk.CreateLoadBalancerInput) {
	return func(in *sdk.CreateLoadBalancerInput) { in.IpamPools = &types.IpamPools{Ipv4IpamPoolId: &id} }
}

func matching(codes string) func(*sdk.CreateTargetGroupInput) {
	return func(in *sdk.CreateTargetGroupInput) { in.Matcher = &types.Matcher{HttpCode: &codes} }
}

// Every kind of the room's errors has a code: one that has none would be answered
// with an empty one, which no client knows what to do with.
func TestEveryKindOfErrorHasACode(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../elb/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	kinds := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Type == nil {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); ok && id.Name == "Kind" {
			kinds++
			value := strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`)
			if elbv2.CodeOf(elb.Kind(value)) == "" {
				t.Errorf("%s has no code", spec.Names[0].Name)
			}
		}
		return true
	})
	if kinds < 20 {
		t.Errorf("only %d kinds were found: the test doesn't see them", kinds)
	}
}
