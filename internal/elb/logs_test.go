package elb_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// tries are the test files that were written. The bucket "closed" takes none.
type tries struct {
	made      []elb.LogDelivery
	meanwhile func() // called once, during a try
}

func (t *tries) try(_ context.Context, to elb.LogDelivery) error {
	t.made = append(t.made, to)
	if f := t.meanwhile; f != nil {
		t.meanwhile = nil
		f()
	}
	if to.Bucket == "closed" {
		return errors.New("no")
	}
	return nil
}

// take returns the tries since it was last called.
func (t *tries) take() []elb.LogDelivery {
	made := t.made
	t.made = nil
	return made
}

// ELBv2 ModifyLoadBalancerAttributes: a log is turned on once its bucket has taken
// a test file, and a host is told of it, and of its end.
func TestALogIsTurnedOnOnceItsBucketTakesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 2)
		defer w.stop()
		b := w.create(shop("subnet-a", "subnet-b"))
		set := func(changes ...string) error {
			m := map[string]string{}
			for i := 0; i < len(changes); i += 2 {
				m[changes[i]] = changes[i+1]
			}
			_, err := w.svc.ModifyLoadBalancerAttributes(t.Context(), account, region, b.ARN, m, time.Now())
			return err
		}
		to := func(k elb.LogKind, bucket, prefix string) elb.LogDelivery {
			return elb.LogDelivery{Kind: k, Account: account, Region: region, LoadBalancer: b.ID, Bucket: bucket, Prefix: prefix}
		}
		check := func(when string, logs snapshot.Logs, tried ...elb.LogDelivery) {
			t.Helper()
			synctest.Wait()
			if diff := cmp.Diff(logs, w.newest().LoadBalancers[0].Logs); diff != "" {
				t.Errorf("%s, the host knows (-want +got):\n%s", when, diff)
			}
			if diff := cmp.Diff(tried, w.tries.take()); diff != "" {
				t.Errorf("%s, tried (-want +got):\n%s", when, diff)
			}
		}
		done := func(err error) {
			t.Helper()
			if err != nil {
				t.Error(err)
			}
		}

		synctest.Wait()
		done(set("access_logs.s3.bucket", "mine", "access_logs.s3.prefix", "alb"))
		check("with a bucket for a log that is off", snapshot.Logs{})
		done(set("access_logs.s3.enabled", "true", "connection_logs.s3.enabled", "true", "connection_logs.s3.bucket", "yours"))
		on := snapshot.Logs{Access: snapshot.Bucket{Name: "mine", Prefix: "alb"}, Connections: snapshot.Bucket{Name: "yours"}}
		check("turned on", on, to(elb.AccessLogs, "mine", "alb"), to(elb.ConnectionLogs, "yours", ""))
		done(set("access_logs.s3.enabled", "true", "idle_timeout.timeout_seconds", "61"))
		check("with other attributes changed", on)

		err := set("health_check_logs.s3.enabled", "true", "health_check_logs.s3.bucket", "closed", "health_check_logs.s3.prefix", "hc", "idle_timeout.timeout_seconds", "62")
		if kind(t, err) != elb.InvalidConfiguration || !strings.Contains(err.Error(), "bucket: closed") {
			t.Errorf("a bucket that takes nothing: %v", err)
		}
		check("refused", on, to(elb.HealthCheckLogs, "closed", "hc"))
		if got, _ := w.svc.LoadBalancer(w.st.Snapshot(), account, region, b.ARN); got.AllAttributes()["idle_timeout.timeout_seconds"] != "61" {
			t.Error("what was refused was done in part")
		}

		// Somebody else turns a log on elsewhere, after this call has found it off.
		done(set("access_logs.s3.enabled", "false"))
		check("turned off", snapshot.Logs{Connections: on.Connections})
		w.tries.meanwhile = func() { done(set("access_logs.s3.bucket", "other")) }
		done(set("access_logs.s3.enabled", "true"))
		on.Access.Name = "other"
		check("turned on while its bucket was changed", on, to(elb.AccessLogs, "mine", "alb"), to(elb.AccessLogs, "other", "alb"))
		w.tries.meanwhile = func() { done(set("access_logs.s3.prefix", "x")) }
		if err := set("access_logs.s3.bucket", "closed"); kind(t, err) != elb.InvalidConfiguration {
			t.Errorf("a bucket that takes nothing, while the prefix was changed: %v", err)
		}
		on.Access.Prefix = "x"
		check("refused again", on, to(elb.AccessLogs, "closed", "alb"), to(elb.AccessLogs, "other", "x"))

		ctx, cancel := context.WithCancel(t.Context())
		w.tries.meanwhile = cancel
		_, err = w.svc.ModifyLoadBalancerAttributes(ctx, account, region, b.ARN, map[string]string{"access_logs.s3.bucket": "closed"}, time.Now())
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who went away: %v", err)
		}
	})
}

// ELBv2 ModifyLoadBalancerAttributes: a log goes to a bucket, under a prefix that
// doesn't look like what the load balancer puts under it.
func TestALogNeedsABucketAndAPrefixOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 2)
		defer w.stop()
		b := w.create(shop("subnet-a", "subnet-b"))
		for name, changes := range map[string]map[string]string{
			"no bucket":                    {"access_logs.s3.enabled": "true"},
			"a bucket for another log":     {"connection_logs.s3.enabled": "true", "access_logs.s3.bucket": "mine"},
			"a prefix with AWSLogs":        {"access_logs.s3.bucket": "mine", "access_logs.s3.prefix": "my/AWSLogs"},
			"a path in place of a bucket":  {"access_logs.s3.bucket": "../mine"},
			"a bucket that is a directory": {"access_logs.s3.bucket": ".."},
			"a prefix that leads out":      {"health_check_logs.s3.prefix": "a/../.."},
			"a prefix with a line's end":   {"health_check_logs.s3.prefix": "a\nb"},
		} {
			if _, err := w.svc.ModifyLoadBalancerAttributes(t.Context(), account, region, b.ARN, changes, time.Now()); kind(t, err) != elb.InvalidConfiguration {
				t.Errorf("%s: got %v, want it refused", name, err)
			}
		}
		if tried := w.tries.take(); tried != nil {
			t.Errorf("tried %v", tried)
		}
	})
}
