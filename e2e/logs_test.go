package e2e

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"

	"github.com/fairlead/fairlead/internal/testkit"
)

// Logs go to a directory and to moto's S3, which wants signatures, and those that
// were written before a kill -9 are there after the next start.
func TestLogsReachTheirBuckets(t *testing.T) {
	remote := startS3(t)
	dir, local := filepath.Join(t.TempDir(), "data"), t.TempDir()
	keys := filepath.Join(t.TempDir(), "keys.yaml")
	if err := os.WriteFile(keys, fmt.Appendf(nil, "keys:\n- access-key-id: %s\n  secret-access-key: %s\n", remote.id, remote.secret), 0o600); err != nil {
		t.Fatal(err)
	}
	configuration := fmt.Sprintf("dns: {ttl: 1s}\nlogs: {dir: %s}\ns3: {keys-file: %s}\nbuckets:\n  remote: %s/remote\n  missing: %s/missing\n", local, keys, remote.url, remote.url)
	p := testkit.StartProcessWith(t, dir, configuration)
	w := clients(t, p.Server)
	w.network()
	target := testkit.StartTarget(t, "shop", nil)
	group := w.targetGroup("shop", target)
	lb := w.balancer("shop", "")
	port := testkit.FreePort(t)
	w.listener(lb, port, group)

	set := func(pairs ...string) error {
		in := &elb.ModifyLoadBalancerAttributesInput{LoadBalancerArn: lb.LoadBalancerArn}
		for i := 0; i < len(pairs); i += 2 {
			in.Attributes = append(in.Attributes, elbtypes.LoadBalancerAttribute{Key: &pairs[i], Value: &pairs[i+1]})
		}
		_, err := w.elb.ModifyLoadBalancerAttributes(t.Context(), in)
		return err
	}
	var refused smithy.APIError
	if err := set("access_logs.s3.enabled", "true", "access_logs.s3.bucket", "missing"); !errors.As(err, &refused) || refused.ErrorCode() != "InvalidConfigurationRequest" {
		t.Errorf("a bucket that isn't there: %v", err)
	}
	if err := set("access_logs.s3.enabled", "true", "access_logs.s3.bucket", "remote", "access_logs.s3.prefix", "alb",
		"connection_logs.s3.enabled", "true", "connection_logs.s3.bucket", "mine",
		"health_check_logs.s3.enabled", "true", "health_check_logs.s3.bucket", "mine"); err != nil {
		t.Fatal(err)
	}
	account := strings.Split(*lb.LoadBalancerArn, ":")[4]
	if got := remote.keys(t); len(got) != 1 || got[0] != "alb/AWSLogs/"+account+"/ELBAccessLogTestFile" {
		t.Errorf("in the bucket there is %q, want the test file", got)
	}
	for _, name := range []string{"ELBConnectionLogTestFile", "ELBHealthCheckLogTestFile"} {
		if _, err := os.Stat(filepath.Join(local, "mine", "AWSLogs", account, name)); err != nil {
			t.Errorf("the test file: %v", err)
		}
	}

	// Requests until one is in the spool: the host knows of the log by then.
	at := w.Resolve(t, *lb.DNSName)[0]
	ask := func(path string) {
		w.raw(at, port, "GET "+path+" HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
	}
	inSpool := func(text string) error {
		found := errors.New("no line has it")
		_ = filepath.WalkDir(filepath.Join(dir, "node", "logs"), func(path string, _ os.DirEntry, _ error) error {
			if b, _ := os.ReadFile(path); bytes.Contains(b, []byte(text)) {
				found = nil
			}
			return nil
		})
		return found
	}
	testkit.Eventually(t, "a request is in the spool", func() error { ask("/early"); return inSpool("/early") })
	ask("/before-the-kill")
	testkit.Eventually(t, "the last request is in the spool", func() error { return inSpool("/before-the-kill") })
	p.Kill()

	p = testkit.StartProcessWith(t, dir, configuration)
	testkit.Eventually(t, "what was spooled is in the bucket", func() error {
		if log := remote.log(t); strings.Count(log, "/before-the-kill ") != 1 {
			return fmt.Errorf("the logs in it:\n%s", log)
		}
		return nil
	})
	w.Server = p.Server
	testkit.Eventually(t, "the node serves again", func() error {
		c, err := net.Dial("tcp", net.JoinHostPort(at.String(), strconv.Itoa(int(port))))
		if err == nil {
			err = c.Close()
		}
		return err
	})
	ask("/before-the-end")
	if err := p.Terminate(t); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	log := remote.log(t)
	for line := range strings.Lines(log) {
		if !strings.HasPrefix(line, "http 20") || !strings.HasSuffix(line, " "+at.String()+"\n") {
			t.Errorf("a line is %q", line)
		}
	}
	if strings.Count(log, `"GET http://shop.test:`+strconv.Itoa(int(port))+`/before-the-end HTTP/1.1"`) != 1 {
		t.Errorf("the last request isn't in the log:\n%s", log)
	}
	var kept strings.Builder
	err := filepath.WalkDir(filepath.Join(local, "mine"), func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, ".log.gz") {
			var b []byte
			if b, err = os.ReadFile(path); err == nil {
				kept.WriteString(unpack(t, b))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for what, part := range map[string]string{"a connection": " 127.0.0.1 ", "a health check": "http 20", "its target": " " + target.Addr.String() + " shop PASS 200 - app/shop/"} {
		if !strings.Contains(kept.String(), part) {
			t.Errorf("%s is in no log:\n%s", what, kept.String())
		}
	}
}

// s3 is moto's S3, with the bucket "remote", and a user who may use it.
type s3 struct{ url, id, secret string }

func startS3(t *testing.T) *s3 {
	t.Helper()
	program, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("moto_server isn't installed")
	}
	port := testkit.FreePort(t)
	cmd := exec.Command(program, "-H", "127.0.0.1", "-p", strconv.Itoa(int(port)))
	cmd.Env = append(os.Environ(), "INITIAL_NO_AUTH_ACTION_COUNT=4") // then it asks who one is
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}            // it starts another process of itself
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port)))
	testkit.Eventually(t, "moto answers", func() error {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			err = conn.Close()
		}
		return err
	})
	s := &s3{url: "http://" + addr}
	iam := func(action string, more ...string) []byte {
		form := url.Values{"Action": {action}, "Version": {"2010-05-08"}, "UserName": {"fairlead"}}
		for i := 0; i < len(more); i += 2 {
			form.Set(more[i], more[i+1])
		}
		return s.do(t, "iam", http.MethodPost, "/", form.Encode())
	}
	iam("CreateUser")
	var made struct {
		ID     string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
		Secret string `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
	}
	if err := xml.Unmarshal(iam("CreateAccessKey"), &made); err != nil {
		t.Fatal(err)
	}
	s.id, s.secret = made.ID, made.Secret
	iam("PutUserPolicy", "PolicyName", "all", "PolicyDocument", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)
	s.do(t, "s3", http.MethodPut, "/remote", "")
	return s
}

// do sends a request, which is signed once there is a user. It returns the body of
// the answer.
func (s *s3) do(t *testing.T, service, method, path, body string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if service == "iam" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(body)))
	req.Header.Set("X-Amz-Content-Sha256", hash)
	creds := aws.Credentials{AccessKeyID: cmp.Or(s.id, "nobody"), SecretAccessKey: cmp.Or(s.secret, "none")}
	if err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" }).SignHTTP(t.Context(), creds, req, hash, service, "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s, %v\n%s", method, path, resp.Status, err, b)
	}
	return b
}

// keys returns those of the bucket's objects.
func (s *s3) keys(t *testing.T) []string {
	t.Helper()
	var list struct {
		Keys []string `xml:"Contents>Key"`
	}
	if err := xml.Unmarshal(s.do(t, "s3", http.MethodGet, "/remote?list-type=2", ""), &list); err != nil {
		t.Fatal(err)
	}
	return list.Keys
}

// log returns the lines of all the bucket's objects.
func (s *s3) log(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, key := range s.keys(t) {
		if strings.HasSuffix(key, ".log.gz") {
			all.WriteString(unpack(t, s.do(t, "s3", http.MethodGet, "/remote/"+key, "")))
		}
	}
	return all.String()
}

func unpack(t *testing.T, packed []byte) string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
