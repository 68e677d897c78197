package elb

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

func (s *Service) putTags(tx *store.Tx, account, region, arn, kind string, tg []tags.Tag) error {
	if len(tg) == 0 {
		return nil
	}
	err := s.tags.Put(tx, tags.Set{Account: account, Region: region, Resource: arn, Type: kind, Tags: tg})
	if errors.Is(err, tags.ErrTooMany) {
		return fail(TooManyTags, "The maximum number of tags on a resource is %d", tags.Max)
	}
	return err
}

// kindOf says what an ARN names, if it is there for the caller. In a Tx it reads
// what it must: one or two records.
func (s *Service) kindOf(r store.Reader, account, region, arn string) (kind string, err error) {
	kind = resourceType(arn)
	switch kind {
	case "targetgroup":
		if _, err := s.TargetGroup(r, account, region, arn); err != nil {
			return "", fail(TargetGroupNotFound, "Target groups '[%s]' not found", arn)
		}
	case "listener":
		if _, err := s.Listener(r, account, region, arn); err != nil {
			return "", fail(ListenerNotFound, "Listeners '[%s]' not found", arn)
		}
	case "listener-rule":
		if _, err := s.Rule(r, account, region, arn); err != nil {
			return "", fail(RuleNotFound, "Rules '[%s]' not found", arn)
		}
	case "truststore":
		if s.opts.TrustStores == nil || !s.opts.TrustStores.Has(r, account, region, arn) {
			return "", fail(TrustStoreNotFound, "Trust stores '[%s]' not found", arn)
		}
	default:
		if _, err := s.LoadBalancer(r, account, region, arn); err != nil {
			return "", fail(LoadBalancerNotFound, "Load balancers '[%s]' not found", arn)
		}
	}
	return kind, nil
}

// AddTags sets tags on all the resources, or on none.
func (s *Service) AddTags(ctx context.Context, account, region string, arns []string, tg []tags.Tag) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		for _, arn := range arns {
			kind, err := s.kindOf(tx, account, region, arn)
			if err != nil {
				return err
			}
			if err := s.putTags(tx, account, region, arn, kind, tg); err != nil {
				return err
			}
		}
		return nil
	})
}

// RemoveTags removes the tags with the keys; those that aren't there are no error.
func (s *Service) RemoveTags(ctx context.Context, account, region string, arns, keys []string) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		for _, arn := range arns {
			if _, err := s.kindOf(tx, account, region, arn); err != nil {
				return err
			}
			s.tags.Remove(tx, arn, func(t tags.Tag) bool { return slices.Contains(keys, t.Key) })
		}
		return nil
	})
}

// TagsOf returns a resource's tags, by key.
func (s *Service) TagsOf(r store.Reader, account, region, arn string) ([]tags.Tag, error) {
	if _, err := s.kindOf(r, account, region, arn); err != nil {
		return nil, err
	}
	return s.tags.Of(r, arn), nil
}

// resourceType returns the kind that an ARN of this service names: what follows
// the account, up to the first slash.
func resourceType(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	kind, _, _ := strings.Cut(parts[5], "/")
	return kind
}
