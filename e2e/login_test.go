package e2e

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"html"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/testkit/idp"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// loginWorld is a load balancer whose rules have clients log in.
type loginWorld struct {
	*world
	cfg      config.Config
	site     *issuer.Issuer // of the listener's certificate
	provider []byte         // who vouches for the provider, PEM
	lb       elbtypes.LoadBalancer
	port     uint16
	listener string
	forward  elbtypes.Action
	at       netip.Addr
}

// newLoginWorld starts a server whose hosts may ask the provider, with a listener at
// https://shop.example:PORT. Its target tells what it is told of users, a line each.
func newLoginWorld(t *testing.T, pool string, port uint16, provider []byte, cognito config.Cognito) *loginWorld {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "providers.pem")
	if err := os.WriteFile(ca, provider, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := testkit.Config(t)
	cfg.Providers = config.Providers{CA: ca, Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
	cfg.Cognito = cognito
	w := &loginWorld{world: clients(t, testkit.Start(t, cfg)), cfg: cfg, site: issuer.New(t, "Root"), provider: provider, port: port}
	w.network()
	group := w.targetGroup("web", testkit.StartTarget(t, "web", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"X-Amzn-Oidc-Identity", "X-Amzn-Oidc-Accesstoken", "X-Amzn-Oidc-Data"} {
			fmt.Fprintln(rw, r.Header.Get(name))
		}
		fmt.Fprintln(rw, r.URL)
	})))
	w.forward = elbtypes.Action{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: &group, Order: new(int32(2))}
	w.lb = w.balancer("shop", w.pool(pool))
	pair := w.site.Issue("shop.example")
	certificates := acm.New(acm.Options{Region: w.Region, BaseEndpoint: &w.API, Credentials: credentials.NewStaticCredentialsProvider(w.Key.ID, w.Key.Secret, "")})
	certificate, err := certificates.ImportCertificate(t.Context(), &acm.ImportCertificateInput{Certificate: pair.Certificate, PrivateKey: pair.Key})
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.elb.CreateListener(t.Context(), &elb.CreateListenerInput{
		LoadBalancerArn: w.lb.LoadBalancerArn, Protocol: elbtypes.ProtocolEnumHttps, Port: aws.Int32(int32(port)),
		Certificates: []elbtypes.Certificate{{CertificateArn: certificate.CertificateArn}}, DefaultActions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: &group}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.listener = *out.Listeners[0].ListenerArn
	w.at = w.Resolve(t, *w.lb.DNSName)[0]
	return w
}

// rule has clients log in that ask for a path, and returns the rule's ARN.
func (w *loginWorld) rule(priority int32, path string, a elbtypes.Action) string {
	w.Helper()
	a.Order = new(int32(1))
	out, err := w.elb.CreateRule(w.Context(), &elb.CreateRuleInput{
		ListenerArn: &w.listener, Priority: &priority, Conditions: []elbtypes.RuleCondition{{Field: new("path-pattern"), Values: []string{path + "*"}}},
		Actions: []elbtypes.Action{a, w.forward},
	})
	if err != nil {
		w.Fatal(err)
	}
	return *out.Rules[0].RuleArn
}

func (w *loginWorld) url(path string) string {
	return fmt.Sprintf("https://shop.example:%d%s", w.port, path)
}

// browser returns a client with a cookie jar that finds the load balancer.
func (w *loginWorld) browser() *http.Client {
	w.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.Fatal(err)
	}
	roots := w.site.Pool()
	roots.AppendCertsFromPEM(w.provider)
	tr := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots}, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "shop.example:") {
			address = netip.AddrPortFrom(w.at, w.port).String()
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	w.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Jar: jar, Timeout: 20 * time.Second}
}

// told is what the target says that it is told of a user.
type told struct {
	subject, token string
	claims         map[string]any
	asked          string
}

// ask gets a page of the target's, and holds what it is told to the key that the
// server has for it.
func (w *loginWorld) ask(b *http.Client, path string) (told, error) {
	resp, err := b.Get(w.url(path))
	if err != nil {
		return told{}, err
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		return told{}, err
	}
	lines := strings.Split(string(page), "\n")
	if resp.StatusCode != 200 || len(lines) < 4 {
		return told{}, fmt.Errorf("%s: got %s %.300q", path, resp.Status, page)
	}
	out := told{subject: lines[0], token: lines[1], asked: lines[3]}
	if lines[2] == "" {
		return out, nil
	}
	out.claims, err = w.verify(lines[2])
	return out, err
}

// verify returns the claims of a token, as an application written for ELB does: with
// the key that is found by its ID, at the host that AWS has for it.
func (w *loginWorld) verify(token string) (claims map[string]any, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("token %q", token)
	}
	var texts [3][]byte
	for i, part := range parts {
		if texts[i], err = base64.URLEncoding.DecodeString(part); err != nil {
			return nil, err
		}
	}
	var header struct{ Kid, Alg, Signer string }
	if err := json.Unmarshal(texts[0], &header); err != nil {
		return nil, err
	}
	if header.Alg != "ES256" || header.Signer != *w.lb.LoadBalancerArn {
		return nil, fmt.Errorf("header %s", texts[0])
	}
	for host, path := range map[string]string{"public-keys.auth.elb." + w.Region + ".amazonaws.com": "/", "": "/public-keys/"} {
		req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, w.API+path+header.Kid, nil)
		if err != nil {
			return nil, err
		}
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close() // it has been read
		block, _ := pem.Decode(text)
		if err != nil || block == nil {
			return nil, fmt.Errorf("key %s at %q: %s %q, %v", header.Kid, host, resp.Status, text, err)
		}
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		if len(texts[2]) != 64 || !ecdsa.Verify(key.(*ecdsa.PublicKey), sum[:], new(big.Int).SetBytes(texts[2][:32]), new(big.Int).SetBytes(texts[2][32:])) {
			return nil, fmt.Errorf("the signature of %q doesn't hold", token)
		}
	}
	return claims, json.Unmarshal(texts[1], &claims)
}

// A rule that is made with the SDK has clients log in; they stay so when the server
// starts again (I7), and the rule's secret when the rule is changed without it.
func TestClientsLogIn(t *testing.T) {
	p := idp.New(t)
	w := newLoginWorld(t, "127.192.52.0/28", testkit.FreePort(t), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate()}), config.Cognito{})
	action := elbtypes.Action{Type: elbtypes.ActionTypeEnumAuthenticateOidc, AuthenticateOidcConfig: &elbtypes.AuthenticateOidcActionConfig{
		Issuer: &p.Issuer, AuthorizationEndpoint: new(p.Authorize()), TokenEndpoint: new(p.TokenEndpoint()), UserInfoEndpoint: new(p.UserInfoEndpoint()),
		ClientId: &p.ClientID, ClientSecret: &p.ClientSecret,
	}}
	rule := w.rule(10, "/private", action)
	b := w.browser()
	testkit.Eventually(t, "a login", func() error {
		got, err := w.ask(b, "/private/cart?id=7")
		if err == nil && (got.subject != "alice" || got.claims["email"] != "alice@example.test" || got.token == "" || got.asked != "/private/cart?id=7") {
			err = fmt.Errorf("got %+v", got)
		}
		return err
	})
	if got, err := w.ask(w.browser(), "/public"); err != nil || got.subject != "" {
		t.Errorf("where nobody logs in: %+v, %v", got, err)
	}
	logins := p.Asked("authorize")
	action.Order = new(int32(1))

	action.AuthenticateOidcConfig.ClientSecret, action.AuthenticateOidcConfig.UseExistingClientSecret = nil, new(true)
	action.AuthenticateOidcConfig.OnUnauthenticatedRequest = elbtypes.AuthenticateOidcActionConditionalBehaviorEnumDeny
	if _, err := w.elb.ModifyRule(t.Context(), &elb.ModifyRuleInput{RuleArn: &rule, Actions: []elbtypes.Action{action, w.forward}}); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "strangers are denied", func() error {
		if got, err := w.ask(w.browser(), "/private"); err == nil || !strings.Contains(err.Error(), "401") {
			return fmt.Errorf("got %+v, %v", got, err)
		}
		return nil
	})
	w.Stop(t)
	w.world = clients(t, testkit.Start(t, w.cfg))
	testkit.Eventually(t, "who has logged in is known", func() error {
		got, err := w.ask(b, "/private")
		if err == nil && got.subject != "alice" {
			err = fmt.Errorf("got %+v", got)
		}
		return err
	})
	if n := p.Asked("authorize"); n != logins {
		t.Errorf("%d logins more", n-logins)
	}
}

var (
	formAction = regexp.MustCompile(`<form[^>]* action="([^"]+)"`)
	formPrompt = regexp.MustCompile(`name="prompt" value="([^"]+)"`)
)

// logIn asks for a page, as a person who meets the provider's forms on the way.
func (w *loginWorld) logIn(b *http.Client, path, name string) error {
	resp, err := b.Get(w.url(path))
	for range 4 {
		if err != nil {
			return err
		}
		var page []byte
		page, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close() // it has been read
		if err != nil {
			return err
		}
		if resp.Request.URL.Hostname() == "shop.example" {
			if resp.StatusCode != 200 {
				return fmt.Errorf("back at %s: %s", resp.Request.URL.Path, resp.Status)
			}
			return nil
		}
		action, prompt := formAction.FindSubmatch(page), formPrompt.FindSubmatch(page)
		if action == nil || prompt == nil {
			return fmt.Errorf("no form at %s: %s %.500s", resp.Request.URL, resp.Status, page)
		}
		to, perr := resp.Request.URL.Parse(html.UnescapeString(string(action[1])))
		if perr != nil {
			return perr
		}
		resp, err = b.PostForm(to.String(), url.Values{"prompt": {string(prompt[1])}, "login": {name}, "password": {"x"}})
	}
	return fmt.Errorf("the provider's forms don't end: %w", err)
}

// A provider of others, by npm: with the client's secret in a header, in the body, and
// as a user pool whose client has none. Its access tokens live for two seconds, and its
// refresh tokens count once.
func TestClientsLogInWithAForeignProvider(t *testing.T) {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: %s is not installed, so the foreign provider can't run", tool)
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/oidc-provider")); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), "npm", "install", "--no-audit", "--no-fund", "--loglevel=error")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: the foreign provider can't be installed: %v\n%s", err, out)
	}
	port, providerPort := testkit.FreePort(t), testkit.FreePort(t)
	root := issuer.New(t, "Provider")
	pair := root.Issue("localhost")
	for name, text := range map[string][]byte{"cert.pem": pair.Certificate, "key.pem": pair.Key} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := fmt.Sprintf("https://localhost:%d", providerPort)
	w := newLoginWorld(t, "127.192.53.0/28", port, root.PEM, config.Cognito{Endpoint: at, Issuer: at})
	node := exec.CommandContext(t.Context(), "node", "provider.mjs")
	node.Dir = dir
	node.Env = append(os.Environ(), fmt.Sprintf("PORT=%d", providerPort), "CERT=cert.pem", "KEY=key.pem", "CALLBACK="+w.url("/oauth2/idpresponse"))
	node.Stderr = t.Output()
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Process.Kill(); _ = node.Wait() }) // it ends with the test
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
	}
	if lines.Err() != nil || lines.Text() != "ready" {
		t.Fatalf("the provider doesn't run: %v", lines.Err())
	}

	extra := map[string]string{"prompt": "consent"} // for refresh tokens (OpenID Connect Core §11)
	oidc := func(client, secret string) elbtypes.Action {
		return elbtypes.Action{Type: elbtypes.ActionTypeEnumAuthenticateOidc, AuthenticateOidcConfig: &elbtypes.AuthenticateOidcActionConfig{
			Issuer: &at, AuthorizationEndpoint: new(at + "/oauth2/authorize"), TokenEndpoint: new(at + "/oauth2/token"), UserInfoEndpoint: new(at + "/oauth2/userInfo"),
			ClientId: &client, ClientSecret: &secret, SessionCookieName: &client, Scope: new("openid email offline_access"), AuthenticationRequestExtraParams: extra,
		}}
	}
	w.rule(10, "/header", oidc("header", "a secret/with:odd+characters"))
	w.rule(20, "/body", oidc("body", "another one, of at least 32 characters"))
	w.rule(30, "/pool", elbtypes.Action{Type: elbtypes.ActionTypeEnumAuthenticateCognito, AuthenticateCognitoConfig: &elbtypes.AuthenticateCognitoActionConfig{
		UserPoolArn: new("arn:aws:cognito-idp:local-1:000000000000:userpool/local-1_abc"), UserPoolClientId: new("pool-client"), UserPoolDomain: new("shop"),
		SessionCookieName: new("pool"), Scope: new("openid email offline_access"), AuthenticationRequestExtraParams: extra,
	}})
	b := w.browser()
	for _, path := range []string{"/header", "/body", "/pool"} {
		testkit.Eventually(t, "the rule for "+path, func() error { return w.logIn(b, path, "bob") })
		first, err := w.ask(b, path)
		if err != nil || first.subject != "bob" || first.claims["email"] != "bob@example.test" {
			t.Errorf("%s: %+v, %v", path, first, err)
			continue
		}
		testkit.Eventually(t, "another access token", func() error {
			got, err := w.ask(b, path)
			if err == nil && (got.subject != "bob" || got.token == first.token) {
				err = fmt.Errorf("got %+v", got)
			}
			return err
		})
	}
}
