package certs_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/certs"
	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

const stranger = "444455556666"

// authority issues what it is told to.
type authority struct {
	root *issuer.Issuer

	mu     sync.Mutex // guards the following
	proven bool
	looks  int
	orders []time.Time // when one came
	err    error       // of the next orders
	during func(o certs.Order)
	key    crypto.Signer // of the last order
}

func (a *authority) Proven(context.Context, []certs.Domain) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.looks++
	return a.proven, nil
}

// life is for how long it issues.
const life = 90 * 24 * time.Hour

func (a *authority) Issue(ctx context.Context, o certs.Order) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.orders, a.key = append(a.orders, time.Now()), o.Key
	for _, d := range o.Domains {
		if err := o.Show(ctx, d.Name, "answer for "+d.Name); err != nil {
			return nil, err
		}
	}
	if a.during != nil {
		a.during(o)
	}
	for _, d := range o.Domains {
		if err := o.Hide(ctx, d.Name, "answer for "+d.Name); err != nil {
			return nil, err
		}
	}
	if a.err != nil {
		return nil, a.err
	}
	pair := a.root.IssueFor(o.Key, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now(), time.Now().Add(life)
		c.DNSNames = slices.Sorted(slices.Values(o.Names)) // as authorities do
	})
	return slices.Concat(pair.Certificate, a.root.PEM), nil
}

// placed is when an order came, of those that are remembered.
func (a *authority) placed() []time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.orders)
}

func (a *authority) looked() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.looks
}

func (a *authority) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

// site is a service with its controller, in a bubble of time.
type site struct {
	*world
	ca   *authority
	used sync.Map // ARNs of certificates that something uses
	stop func()
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{world: &world{t: t, engine: memstore.New()}, ca: &authority{root: issuer.New(t, "Root")}}
	s.sealer = sealer(t, filepath.Join(t.TempDir(), "certificates.key"))
	s.start()
	return s
}

// start starts the service over what the engine has, until stop.
func (s *site) start() {
	s.t.Helper()
	s.st = store.New(s.engine, "/test", slog.New(slog.DiscardHandler))
	s.Service = certs.New(s.st, tags.New(s.st), certs.Options{
		Sealer: s.sealer, Quota: 10, InUseBy: s.inUseBy,
		Tokens: idempotency.New(s.st), Authority: s.ca, Zone: "elb.example",
		OwnsName: func(_ store.Reader, account, name string) bool {
			return account == "111122223333" && name == "shop-1.local-1.elb.example"
		},
	})
	if err := s.st.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.NewController(slog.New(slog.DiscardHandler)).Run(ctx) })
	s.stop = sync.OnceFunc(func() { cancel(); running.Wait(); s.st.Close() })
	s.t.Cleanup(s.stop)
}

func requested(names ...string) certs.Request {
	return certs.Request{Account: account, Region: region, ID: rand.Text(), Names: names, KeyAlgorithm: "EC_prime256v1", Time: time.Now().UTC().Round(0)}
}

func (s *site) requests(in certs.Request) certs.Certificate {
	s.t.Helper()
	c, err := s.Request(s.t.Context(), in)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// now is a certificate as it is once everybody has done what is due.
func (s *site) now(arn string) certs.Certificate {
	s.t.Helper()
	synctest.Wait()
	c, ok := s.ByARN(s.st.Snapshot(), arn)
	if !ok {
		s.t.Fatalf("%s is gone", arn)
	}
	return c
}

// texts is all that our zone says, as "NAME TEXT".
func (s *site) texts() []string {
	synctest.Wait()
	var out []string
	r := s.st.Snapshot()
	for key := range s.AllTexts(r) {
		names, texts := s.Texts(r, key)
		for _, name := range names {
			for _, text := range texts {
				out = append(out, name+" "+text)
			}
		}
	}
	return out
}

func (s *site) inUseBy(_ store.Reader, arn string) []string {
	if _, used := s.used.Load(arn); used {
		return []string{"arn:lb"}
	}
	return nil
}

func (s *site) use(arn string) {
	s.t.Helper()
	err := s.st.Update(s.t.Context(), func(tx *store.Tx) error {
		s.used.Store(arn, true)
		s.Use(tx, []string{arn})
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestARequestWaitsForItsRecordsAndIsIssued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		c := s.requests(requested("Shop.example", "*.shop.example", "api.shop.example", "shop.example"))
		if c.Status(time.Now()) != certs.PendingValidation || c.Domain != "shop.example" || !slices.Equal(c.Names, []string{"shop.example", "*.shop.example", "api.shop.example"}) || c.Type != certs.AmazonIssued {
			t.Errorf("got %+v", c)
		}
		record, target := s.Delegation(c, "*.shop.example")
		if record != "_acme-challenge.shop.example." || !strings.HasPrefix(target, "_") || !strings.HasSuffix(target, ".acm-validations.elb.example.") {
			t.Errorf("got %s CNAME %s", record, target)
		}
		waiting := s.texts()
		if len(waiting) != 2 || !slices.ContainsFunc(waiting, func(x string) bool {
			return strings.HasPrefix(x, strings.TrimSuffix(target, ".")+" fairlead-validation=")
		}) {
			t.Errorf("our zone says %q, want a marker for each of two domains", waiting)
		}
		time.Sleep(time.Hour)
		if got := s.now(c.ARN); got.Status(time.Now()) != certs.PendingValidation || len(s.ca.placed()) != 0 || s.ca.looked() < 20 || s.ca.looked() > 80 {
			t.Errorf("after an hour without the records: got %s after %d orders and %d looks", got.Status(time.Now()), len(s.ca.placed()), s.ca.looked())
		}

		var shown []string
		s.ca.set(func() {
			s.ca.proven = true
			s.ca.during = func(certs.Order) {
				r := s.st.Snapshot()
				for key := range s.AllTexts(r) {
					_, texts := s.Texts(r, key)
					shown = append(shown, texts[1:]...)
				}
			}
		})
		time.Sleep(6 * time.Minute)
		got := s.now(c.ARN)
		if got.Status(time.Now()) != certs.Issued || !slices.Equal(got.Names, c.Names) || got.Domain != "shop.example" || got.Chain != string(s.ca.root.PEM) || got.KeyAlgorithm != "EC_prime256v1" || got.Issuance.IssuedAt.IsZero() {
			t.Errorf("got %+v, %+v", got, got.Issuance)
		}
		if slices.Sort(shown); !slices.Equal(shown, []string{"answer for api.shop.example", "answer for shop.example"}) {
			t.Errorf("during the order our zone said %q", shown)
		}
		if after := s.texts(); !slices.Equal(after, waiting) {
			t.Errorf("after it %q, want what was there before, for the renewal", after)
		}
		der, err := s.sealer.Open(got.Key, got.ARN)
		if err != nil {
			t.Fatal(err)
		}
		if key, err := x509.ParsePKCS8PrivateKey(der); err != nil || !s.ca.key.(*ecdsa.PrivateKey).Equal(key) {
			t.Errorf("the sealed key isn't the one that was ordered for: %v", err)
		}
		if err := s.Delete(t.Context(), account, region, c.ARN); err != nil || len(s.texts()) != 0 {
			t.Errorf("after the deletion: %v, our zone says %q", err, s.texts())
		}
	})
}

func TestARequestTimesOutAfterThreeDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		c := s.requests(requested("shop.example"))
		time.Sleep(72*time.Hour - time.Second)
		if got := s.now(c.ARN).Status(time.Now()); got != certs.PendingValidation {
			t.Errorf("a second before: got %s", got)
		}
		time.Sleep(time.Second)
		if got := s.now(c.ARN).Status(time.Now()); got != certs.ValidationTimedOut || len(s.texts()) != 0 {
			t.Errorf("after 72 hours: got %s, our zone says %q", got, s.texts())
		}
		s.ca.set(func() { s.ca.proven = true })
		time.Sleep(time.Hour)
		if s.now(c.ARN); len(s.ca.placed()) != 0 {
			t.Error("it was ordered after its end")
		}
	})
}

func TestWhatTheAuthorityRefusesHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.ca.proven, s.ca.err = true, &certs.Refusal{Reason: certs.CAAError, Err: errors.New("CAA says no")}
		c := s.requests(requested("shop.example"))
		got := s.now(c.ARN)
		if got.Status(time.Now()) != certs.Failed || got.Issuance.Reason != certs.CAAError || len(s.texts()) != 0 {
			t.Errorf("got %+v, our zone says %q", got.Issuance, s.texts())
		}
		s.refused(t, func() error { return s.Renew(t.Context(), account, region, c.ARN, time.Now()) }, certs.Invalid, "never issued")
		if err := s.Delete(t.Context(), account, region, c.ARN); err != nil {
			t.Error(err)
		}
	})
}

// An authority that is out of order is asked again, ever more seldom.
func TestAFailedOrderIsPlacedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.ca.proven, s.ca.err = true, errors.New("out of order")
		begun := time.Now()
		c := s.requests(requested("shop.example"))
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		var got []time.Duration
		for _, at := range s.ca.placed() {
			got = append(got, at.Sub(begun))
		}
		m := time.Minute
		if want := []time.Duration{0, 2 * m, 6 * m, 14 * m, 30 * m, 62 * m, 122 * m}; !slices.Equal(got, want) {
			t.Errorf("got orders after %v, want %v", got, want)
		}
		s.stop() // and a server that is started anew begins at once
		s.ca.set(func() { s.ca.err = nil })
		s.start()
		if got := s.now(c.ARN).Status(time.Now()); got != certs.Issued {
			t.Errorf("after a restart: got %s", got)
		}
	})
}

func TestACertificateInUseIsRenewedAMonthBeforeItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.ca.proven = true
		used, unused := s.requests(requested("shop.example")), s.requests(requested("api.example"))
		first, other := s.now(used.ARN), s.now(unused.ARN)
		s.use(used.ARN)
		s.ca.set(func() { s.ca.orders = nil })
		due := first.NotAfter.Add(-30 * 24 * time.Hour)
		time.Sleep(time.Until(due) - time.Second)
		if s.now(used.ARN); len(s.ca.placed()) != 0 {
			t.Errorf("it was renewed %v before it is due", time.Until(due))
		}
		time.Sleep(time.Second)
		second := s.now(used.ARN)
		if second.Body == first.Body || !second.NotAfter.Equal(due.Add(life)) || second.Issuance.Renewal.Status != certs.RenewalSuccess || !second.Issuance.IssuedAt.Equal(first.Issuance.IssuedAt) {
			t.Errorf("got %+v, %+v", second.Facts, second.Issuance.Renewal)
		}
		time.Sleep(20 * 24 * time.Hour)
		if got := s.now(unused.ARN); got.Body != other.Body || got.Issuance.Renewal != nil || len(s.ca.placed()) != 1 {
			t.Errorf("one that nothing uses was renewed: %d orders", len(s.ca.placed()))
		}
		s.use(unused.ARN)
		if got := s.now(unused.ARN); got.Body == other.Body {
			t.Error("one that is used when it is due isn't renewed")
		}
	})
}

// A renewal that fails leaves what is served alone, says why, and is tried again.
func TestARenewalThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.ca.proven = true
		c := s.requests(requested("shop.example"))
		first := s.now(c.ARN)
		s.use(c.ARN)
		status := func(when string, want certs.Renewal) {
			t.Helper()
			got := s.now(c.ARN)
			if r := got.Issuance.Renewal; r == nil || r.Status != want.Status || r.Reason != want.Reason || got.Body != first.Body || got.Status(time.Now()) != certs.Issued {
				t.Errorf("%s: got %+v, body changed: %v", when, r, got.Body != first.Body)
			}
		}
		s.ca.set(func() { s.ca.proven = false })
		time.Sleep(time.Until(first.NotAfter.Add(-30 * 24 * time.Hour)))
		status("the CNAME is gone", certs.Renewal{Status: certs.RenewalPendingValidation})
		s.refused(t, func() error { return s.Renew(t.Context(), account, region, c.ARN, time.Now()) }, certs.InProgress, "in progress")
		s.ca.set(func() {
			s.ca.proven, s.ca.err = true, &certs.Refusal{Reason: certs.DomainNotAllowed, Err: errors.New("no")}
		})
		time.Sleep(6 * time.Minute)
		status("it is refused", certs.Renewal{Status: certs.RenewalFailed, Reason: certs.DomainNotAllowed})
		s.ca.set(func() { s.ca.err = nil })
		time.Sleep(2 * time.Hour)
		if got := s.now(c.ARN); got.Body == first.Body || got.Issuance.Renewal.Status != certs.RenewalSuccess {
			t.Errorf("at last: got %+v", got.Issuance.Renewal)
		}
	})
}

func TestRenewalOnDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		c := s.requests(requested("shop.example"))
		renew := func(account, arn string) error {
			return s.Renew(t.Context(), account, region, arn, time.Now().UTC().Round(0))
		}
		s.refused(t, func() error { return renew(account, c.ARN) }, certs.InProgress, "in progress")
		s.ca.set(func() { s.ca.proven = true })
		time.Sleep(time.Minute)
		first := s.now(c.ARN)
		if err := renew(account, c.ARN); err != nil {
			t.Fatal(err)
		}
		if got := s.now(c.ARN); got.Body == first.Body || got.Issuance.Renewal.Status != certs.RenewalSuccess {
			t.Errorf("got %+v", got.Issuance)
		}
		s.refused(t, func() error { return renew(stranger, c.ARN) }, certs.NotFound, c.ARN)
		foreign := s.imports(imported(s.ca.root.Issue("shop.example")))
		s.refused(t, func() error { return renew(account, foreign.ARN) }, certs.Invalid, "imported")
		again := imported(s.ca.root.Issue("shop.example"))
		again.ARN = c.ARN
		s.refused(t, func() error { _, err := s.Import(t.Context(), again); return err }, certs.Invalid, "not imported")
	})
}

// A deletion while the order is under way stays one.
func TestACertificateIsDeletedWhileItIsOrdered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.ca.proven = true
		s.ca.during = func(o certs.Order) {
			if err := s.Delete(t.Context(), account, region, o.ARN); err != nil {
				t.Error(err)
			}
		}
		s.requests(requested("shop.example"))
		time.Sleep(time.Hour)
		synctest.Wait()
		for key, value := range s.records() {
			if strings.Contains(key, "certs.certificate") || strings.Contains(key, "certs.validation") {
				t.Errorf("%s is left: %s", key, value)
			}
		}
		if len(s.ca.placed()) != 1 {
			t.Errorf("%d orders, want one", len(s.ca.placed()))
		}
	})
}
