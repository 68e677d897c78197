package acm_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/api/acm"
	"github.com/fairlead/fairlead/internal/certs"
	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
	"github.com/fairlead/fairlead/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account  = "111122223333"
	stranger = "444455556666"
	region   = "us-east-1"
)

// keys are those of accounts, which are their ids too.
type keys struct{}

func (keys) Lookup(id string) (string, string, string, bool) {
	return "secret", id, "arn:aws:iam::" + id + ":root", id == account || id == stranger
}

// world is the API served over HTTP, with clients of the SDK, whose signatures
// are verified.
type world struct {
	*sdk.Client
	t        *testing.T
	engine   store.Engine
	users    map[string][]string // certificate ARN → ARNs of what uses it
	http     *http.Client
	endpoint string
	root     *issuer.Issuer
}

func newWorld(t *testing.T) *world { return newWorldOf(t, nil) }

// newWorldOf is a world with an authority, if there is one.
func newWorldOf(t *testing.T, ca certs.Authority) *world {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	w := &world{t: t, engine: memstore.New(), users: map[string][]string{}, http: &http.Client{Transport: &http.Transport{}}, root: issuer.New(t, "Root")}
	sealer, err := certs.OpenKeyFile(filepath.Join(t.TempDir(), "certificates.key"))
	if err != nil {
		t.Fatal(err)
	}
	st := store.New(w.engine, "/test", log)
	svc := certs.New(st, tags.New(st), certs.Options{
		Sealer: sealer, Quota: 10, InUseBy: func(_ store.Reader, arn string) []string { return w.users[arn] },
		Tokens: idempotency.New(st), Authority: ca, Zone: "elb.example",
	})
	if err := st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	if ca != nil {
		running.Go(func() { svc.NewController(log).Run(ctx) })
	}
	srv := httptest.NewServer(wire.NewServer(wire.Config{Keys: keys{}, Log: log}, acm.New(st, svc).Service()))
	w.endpoint = srv.URL
	t.Cleanup(func() {
		w.http.CloseIdleConnections()
		srv.Close()
		cancel()
		running.Wait()
		st.Close()
	})
	w.Client = w.as(account)
	return w
}

// as is a client of an account.
func (w *world) as(account string) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: region, BaseEndpoint: &w.endpoint, HTTPClient: w.http, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(account, "secret", ""),
	})
}

// imports brings a certificate and returns its ARN.
func (w *world) imports(p issuer.Pair) string {
	w.t.Helper()
	out, err := w.ImportCertificate(w.t.Context(), &sdk.ImportCertificateInput{Certificate: p.Certificate, PrivateKey: p.Key})
	if err != nil {
		w.t.Fatal(err)
	}
	return *out.CertificateArn
}

// refused checks an error's code and text, and that nothing was written (I10).
func (w *world) refused(t *testing.T, do func() error, code, text string) {
	t.Helper()
	before := w.records()
	err := do()
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), text) {
		t.Errorf("got %v, want %s with %q", err, code, text)
	}
	if after := w.records(); !maps.Equal(before, after) {
		t.Errorf("records were %d and are %d, want none written", len(before), len(after))
	}
}

// records is all that the store holds.
func (w *world) records() map[string]string {
	w.t.Helper()
	all := map[string]string{}
	if _, err := w.engine.Load(w.t.Context(), "", func(kv store.KV) error { all[kv.Key] = string(kv.Value); return nil }); err != nil {
		w.t.Fatal(err)
	}
	return all
}
