package elbv2

import (
	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/shapes/elbv2"
)

// configs are a condition's members, one of which its field names.
func configs(c elbv2.RuleCondition) map[string]bool {
	return map[string]bool{
		elb.FieldHost: c.HostHeaderConfig != nil, elb.FieldPath: c.PathPatternConfig != nil, elb.FieldHeader: c.HttpHeaderConfig != nil,
		elb.FieldMethod: c.HttpRequestMethodConfig != nil, elb.FieldQuery: c.QueryStringConfig != nil, elb.FieldSource: c.SourceIpConfig != nil,
	}
}

var configNames = map[string]string{
	elb.FieldHost: "HostHeaderConfig", elb.FieldPath: "PathPatternConfig", elb.FieldHeader: "HttpHeaderConfig",
	elb.FieldMethod: "HttpRequestMethodConfig", elb.FieldQuery: "QueryStringConfig", elb.FieldSource: "SourceIpConfig",
}

// readConditions reads conditions in either of the forms that the service
// accepts: host and path also as plain values beside the field.
func readConditions(in []elbv2.RuleCondition) ([]elb.Condition, error) {
	out := make([]elb.Condition, 0, len(in))
	for _, c := range in {
		read, err := readCondition(c)
		if err != nil {
			return nil, err
		}
		out = append(out, read)
	}
	return out, nil
}

func readCondition(c elbv2.RuleCondition) (elb.Condition, error) {
	field := value(c.Field)
	out := elb.Condition{Field: field}
	for other, given := range configs(c) {
		if given && other != field && configNames[field] != "" {
			return out, invalid("The '%s' is not compatible with a condition of type '%s'", configNames[other], field)
		}
	}
	plain := len(c.Values)+len(c.RegexValues) > 0
	switch field {
	case elb.FieldHost, elb.FieldPath:
		switch {
		case plain && configs(c)[field]:
			return out, invalid("You cannot provide both Values and '%s' for a condition of type '%s'", configNames[field], field)
		case len(c.Values) > 1:
			return out, invalid("The '%s' field contains too many values; the limit is '1'", field)
		}
		out.Values, out.Regex = c.Values, c.RegexValues
		if h := c.HostHeaderConfig; h != nil {
			out.Values, out.Regex = h.Values, h.RegexValues
		}
		if p := c.PathPatternConfig; p != nil {
			out.Values, out.Regex = p.Values, p.RegexValues
		}
		return out, nil
	case elb.FieldHeader, elb.FieldMethod, elb.FieldQuery, elb.FieldSource:
		switch {
		case len(c.Values) > 0:
			return out, invalid("The 'Values' field is not compatible with '%s'", field)
		case len(c.RegexValues) > 0 && field != elb.FieldHeader:
			return out, invalid("The 'RegexValues' field is not compatible with '%s'", field)
		case !configs(c)[field]:
			return out, invalid("A '%s' must be specified with '%s'", configNames[field], field)
		}
	}
	switch field {
	case elb.FieldHeader:
		out.Header, out.Values, out.Regex = value(c.HttpHeaderConfig.HttpHeaderName), c.HttpHeaderConfig.Values, c.HttpHeaderConfig.RegexValues
		if len(c.RegexValues) > 0 {
			out.Regex = c.RegexValues
		}
	case elb.FieldMethod:
		out.Values = c.HttpRequestMethodConfig.Values
	case elb.FieldQuery:
		for _, pair := range c.QueryStringConfig.Values {
			if value(pair.Value) == "" {
				return out, invalid("A 'Value' must be specified in 'QueryStringKeyValuePair'")
			}
			out.Keys = append(out.Keys, value(pair.Key))
			out.Values = append(out.Values, *pair.Value)
		}
	case elb.FieldSource:
		if c.SourceIpConfig.IpAddressType != "" {
			return out, invalid("The 'IpAddressType' is not supported for application load balancers")
		}
		out.Values = c.SourceIpConfig.Values
	}
	return out, nil
}

// renderCondition writes a condition in the service's normal form: host and path
// in both of their forms.
func renderCondition(c elb.Condition) elbv2.RuleCondition {
	out := elbv2.RuleCondition{Field: &c.Field}
	switch c.Field {
	case elb.FieldHost:
		out.Values, out.RegexValues = c.Values, c.Regex
		out.HostHeaderConfig = &elbv2.HostHeaderConditionConfig{Values: c.Values, RegexValues: c.Regex}
	case elb.FieldPath:
		out.Values, out.RegexValues = c.Values, c.Regex
		out.PathPatternConfig = &elbv2.PathPatternConditionConfig{Values: c.Values, RegexValues: c.Regex}
	case elb.FieldHeader:
		out.HttpHeaderConfig = &elbv2.HttpHeaderConditionConfig{HttpHeaderName: &c.Header, Values: c.Values, RegexValues: c.Regex}
	case elb.FieldMethod:
		out.HttpRequestMethodConfig = &elbv2.HttpRequestMethodConditionConfig{Values: c.Values}
	case elb.FieldQuery:
		out.QueryStringConfig = &elbv2.QueryStringConditionConfig{}
		for i, v := range c.Values {
			pair := elbv2.QueryStringKeyValuePair{Value: &v}
			if c.Keys[i] != "" {
				pair.Key = &c.Keys[i]
			}
			out.QueryStringConfig.Values = append(out.QueryStringConfig.Values, pair)
		}
	case elb.FieldSource:
		out.SourceIpConfig = &elbv2.SourceIpConditionConfig{Values: c.Values}
	}
	return out
}
