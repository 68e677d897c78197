package elbv2

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/shapes/elbv2"
)

// readActions reads actions in either of the forms that the service accepts.
func readActions(in []elbv2.Action) ([]elb.Action, error) {
	actions := make([]elb.Action, 0, len(in))
	for _, a := range in {
		out := elb.Action{Type: string(a.Type), Order: int(value(a.Order))}
		if err := checkConfigs(a); err != nil {
			return nil, err
		}
		var err error
		switch a.Type {
		case elbv2.ActionTypeEnumForward:
			out.Forward, err = readForward(a)
		case elbv2.ActionTypeEnumFixedResponse:
			out.FixedResponse = readFixedResponse(a.FixedResponseConfig)
		case elbv2.ActionTypeEnumRedirect:
			out.Redirect = readRedirect(a.RedirectConfig)
		case elbv2.ActionTypeEnumAuthenticateOidc:
			out.OIDC = readOIDC(a.AuthenticateOidcConfig)
		case elbv2.ActionTypeEnumAuthenticateCognito:
			out.Cognito = readCognito(a.AuthenticateCognitoConfig)
		case elbv2.ActionTypeEnumJwtValidation:
			out.JWT = readJWT(a.JwtValidationConfig)
		}
		if err != nil {
			return nil, err
		}
		actions = append(actions, out)
	}
	slices.SortStableFunc(actions, func(a, b elb.Action) int { return cmp.Compare(a.Order, b.Order) })
	return actions, nil
}

// checkConfigs refuses an action with the configuration of another type, which
// would be ignored.
func checkConfigs(a elbv2.Action) error {
	for _, c := range []struct {
		of    elbv2.ActionTypeEnum
		name  string
		given bool
	}{
		{elbv2.ActionTypeEnumForward, "TargetGroupArn", a.TargetGroupArn != nil},
		{elbv2.ActionTypeEnumForward, "ForwardConfig", a.ForwardConfig != nil},
		{elbv2.ActionTypeEnumRedirect, "RedirectConfig", a.RedirectConfig != nil},
		{elbv2.ActionTypeEnumFixedResponse, "FixedResponseConfig", a.FixedResponseConfig != nil},
		{elbv2.ActionTypeEnumAuthenticateOidc, "AuthenticateOidcConfig", a.AuthenticateOidcConfig != nil},
		{elbv2.ActionTypeEnumAuthenticateCognito, "AuthenticateCognitoConfig", a.AuthenticateCognitoConfig != nil},
		{elbv2.ActionTypeEnumJwtValidation, "JwtValidationConfig", a.JwtValidationConfig != nil},
	} {
		if c.given && a.Type != c.of {
			return invalid("The '%s' is not compatible with an action of type '%s'", c.name, a.Type)
		}
	}
	return nil
}

func readForward(a elbv2.Action) (*elb.Forward, error) {
	f := new(elb.Forward)
	if cfg := a.ForwardConfig; cfg != nil {
		for _, g := range cfg.TargetGroups {
			if g.TargetGroupArn == nil {
				return nil, invalid("A target group ARN must be specified")
			}
			weight := 1
			switch {
			case g.Weight != nil:
				weight = int(*g.Weight)
			case len(cfg.TargetGroups) > 1:
				return nil, invalid("A weight must be specified for each target group when an action has several")
			}
			f.TargetGroups = append(f.TargetGroups, elb.WeightedTargetGroup{ARN: *g.TargetGroupArn, Weight: weight})
		}
		if s := cfg.TargetGroupStickinessConfig; s != nil {
			if f.StickinessEnabled = value(s.Enabled); f.StickinessEnabled && s.DurationSeconds == nil {
				return nil, invalid("A duration must be specified for target group stickiness")
			}
			if d := s.DurationSeconds; d != nil && (*d < 1 || *d > 604800) {
				return nil, invalid("Target group stickiness duration '%d' must be between '1-604800' inclusive", *d)
			}
			f.StickinessDuration = time.Duration(value(s.DurationSeconds)) * time.Second
		}
	}
	if a.TargetGroupArn == nil {
		return f, nil
	}
	if f.TargetGroups == nil {
		f.TargetGroups = []elb.WeightedTargetGroup{{ARN: *a.TargetGroupArn, Weight: 1}}
	}
	if len(f.TargetGroups) != 1 || f.TargetGroups[0].ARN != *a.TargetGroupArn {
		return nil, invalid("The target group ARN and the forward configuration of an action must name the same single target group")
	}
	return f, nil
}

func readFixedResponse(cfg *elbv2.FixedResponseActionConfig) *elb.FixedResponse {
	if cfg == nil {
		return nil
	}
	code, _ := strconv.Atoi(*cfg.StatusCode) // three digits, by the model
	return &elb.FixedResponse{StatusCode: code, ContentType: value(cfg.ContentType), Body: value(cfg.MessageBody)}
}

// readRedirect fills in what a redirect doesn't say.
func readRedirect(cfg *elbv2.RedirectActionConfig) *elb.Redirect {
	if cfg == nil {
		return nil
	}
	r := elb.NoRedirect
	switch cfg.StatusCode {
	case elbv2.RedirectActionStatusCodeEnumHttp301:
		r.StatusCode = 301
	case elbv2.RedirectActionStatusCodeEnumHttp302:
		r.StatusCode = 302
	}
	for _, part := range []struct {
		to   *string
		from *string
	}{{&r.Protocol, cfg.Protocol}, {&r.Host, cfg.Host}, {&r.Port, cfg.Port}, {&r.Path, cfg.Path}, {&r.Query, cfg.Query}} {
		if part.from != nil {
			*part.to = *part.from
		}
	}
	return &r
}

// renderActions writes actions in the service's normal form: a forward to one
// target group in both of its forms, an order for each of several.
func renderActions(actions []elb.Action) []elbv2.Action {
	out := []elbv2.Action{}
	for i, a := range actions {
		r := elbv2.Action{Type: elbv2.ActionTypeEnum(a.Type)}
		switch {
		case a.Order != 0:
			r.Order = new(int32(a.Order))
		case len(actions) > 1:
			r.Order = new(int32(i + 1))
		}
		if f := a.Forward; f != nil {
			r.ForwardConfig = &elbv2.ForwardActionConfig{
				TargetGroups:                []elbv2.TargetGroupTuple{},
				TargetGroupStickinessConfig: &elbv2.TargetGroupStickinessConfig{Enabled: new(f.StickinessEnabled)},
			}
			if f.StickinessDuration > 0 {
				r.ForwardConfig.TargetGroupStickinessConfig.DurationSeconds = new(int32(f.StickinessDuration / time.Second))
			}
			for _, g := range f.TargetGroups {
				r.ForwardConfig.TargetGroups = append(r.ForwardConfig.TargetGroups, elbv2.TargetGroupTuple{TargetGroupArn: new(g.ARN), Weight: new(int32(g.Weight))})
			}
			if len(f.TargetGroups) == 1 {
				r.TargetGroupArn = new(f.TargetGroups[0].ARN)
			}
		}
		if o := a.OIDC; o != nil {
			r.AuthenticateOidcConfig = renderOIDC(o)
		}
		if o := a.Cognito; o != nil {
			r.AuthenticateCognitoConfig = renderCognito(o)
		}
		if o := a.JWT; o != nil {
			r.JwtValidationConfig = renderJWT(o)
		}
		if d := a.Redirect; d != nil {
			r.RedirectConfig = &elbv2.RedirectActionConfig{
				StatusCode: elbv2.RedirectActionStatusCodeEnum(fmt.Sprintf("HTTP_%d", d.StatusCode)),
				Protocol:   &d.Protocol, Host: &d.Host, Port: &d.Port, Path: &d.Path, Query: &d.Query,
			}
		}
		if f := a.FixedResponse; f != nil {
			r.FixedResponseConfig = &elbv2.FixedResponseActionConfig{StatusCode: new(strconv.Itoa(f.StatusCode))}
			if f.ContentType != "" {
				r.FixedResponseConfig.ContentType = new(f.ContentType)
			}
			if f.Body != "" {
				r.FixedResponseConfig.MessageBody = new(f.Body)
			}
		}
		out = append(out, r)
	}
	return out
}
