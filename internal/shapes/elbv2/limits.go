package elbv2

import "reflect"

// The limits that the model (ELBv2 2015-12-01) puts on members of what is served.
// Where the service words a refusal in its own way, like that of a name, it has
// none here.

type limits = map[string]reflect.StructTag

const (
	pageSize     reflect.StructTag = `min:"1" max:"400"`
	port         reflect.StructTag = `min:"1" max:"65535"`
	priority     reflect.StructTag = `min:"1" max:"50000"`
	threshold    reflect.StructTag = `min:"2" max:"10"`
	atLeastOne   reflect.StructTag = `min:"1"`
	atMostTwenty reflect.StructTag = `max:"20"`
	attributeKey reflect.StructTag = `max:"256" pattern:"^[a-zA-Z0-9._]+$"`
)

var onePage = limits{"PageSize": pageSize}

func (DescribeAccountLimitsInput) Limits() limits          { return onePage }
func (DescribeListenerCertificatesInput) Limits() limits   { return onePage }
func (DescribeListenersInput) Limits() limits              { return onePage }
func (DescribeRulesInput) Limits() limits                  { return onePage }
func (DescribeSSLPoliciesInput) Limits() limits            { return onePage }
func (DescribeTargetGroupsInput) Limits() limits           { return onePage }
func (DescribeTrustStoreAssociationsInput) Limits() limits { return onePage }
func (DescribeTrustStoreRevocationsInput) Limits() limits  { return onePage }
func (DescribeTrustStoresInput) Limits() limits            { return onePage }
func (DescribeLoadBalancersInput) Limits() limits {
	return limits{"PageSize": pageSize, "LoadBalancerArns": atMostTwenty}
}

func (Action) Limits() limits { return limits{"Order": `min:"1" max:"50000"`} }
func (FixedResponseActionConfig) Limits() limits {
	return limits{"StatusCode": `pattern:"^(2|4|5)\\d\\d$"`, "ContentType": `max:"32"`, "MessageBody": `max:"1024"`}
}
func (RedirectActionConfig) Limits() limits {
	return limits{"Protocol": `pattern:"^(HTTPS?|#\\{protocol\\})$"`, "Host": `min:"1" max:"128"`, "Path": `min:"1" max:"128"`, "Query": `max:"128"`}
}
func (RuleCondition) Limits() limits    { return limits{"Field": `max:"64"`} }
func (CreateRuleInput) Limits() limits  { return limits{"Priority": priority, "Tags": atLeastOne} }
func (RulePriorityPair) Limits() limits { return limits{"Priority": priority} }

func (CreateListenerInput) Limits() limits { return limits{"Port": port, "Tags": atLeastOne} }
func (ModifyListenerInput) Limits() limits { return limits{"Port": port} }
func (ListenerAttribute) Limits() limits   { return limits{"Key": attributeKey} }

func (CreateLoadBalancerInput) Limits() limits { return limits{"Tags": atLeastOne} }
func (IpamPools) Limits() limits {
	return limits{"Ipv4IpamPoolId": `max:"1000" pattern:"^(ipam-pool-)[a-zA-Z0-9]+$"`}
}
func (LoadBalancerAttribute) Limits() limits {
	return limits{"Key": attributeKey, "Value": `max:"1024"`}
}
func (ModifyLoadBalancerAttributesInput) Limits() limits { return limits{"Attributes": atMostTwenty} }

func (ModifyTargetGroupInput) Limits() limits {
	return limits{
		"HealthCheckIntervalSeconds": `min:"5" max:"300"`, "HealthCheckTimeoutSeconds": `min:"2" max:"120"`,
		"HealthyThresholdCount": threshold, "UnhealthyThresholdCount": threshold, "HealthCheckPath": `min:"1" max:"1024"`,
	}
}
func (CreateTargetGroupInput) Limits() limits {
	all := ModifyTargetGroupInput{}.Limits()
	all["Port"], all["TargetControlPort"], all["Tags"] = port, port, atLeastOne
	return all
}
func (TargetGroupAttribute) Limits() limits { return limits{"Key": attributeKey} }
func (TargetDescription) Limits() limits    { return limits{"Port": port} }

func (CreateTrustStoreInput) Limits() limits {
	return limits{"Name": `min:"1" max:"32" pattern:"^([a-zA-Z0-9]+-)*[a-zA-Z0-9]+$"`, "Tags": atLeastOne}
}

func (Tag) Limits() limits {
	const chars = `pattern:"^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$"`
	return limits{"Key": `min:"1" max:"128" ` + chars, "Value": `min:"0" max:"256" ` + chars}
}
func (AddTagsInput) Limits() limits {
	return limits{"ResourceArns": atMostTwenty, "Tags": atLeastOne}
}
func (RemoveTagsInput) Limits() limits   { return limits{"ResourceArns": atMostTwenty} }
func (DescribeTagsInput) Limits() limits { return limits{"ResourceArns": atMostTwenty} }
