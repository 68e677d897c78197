package conformance_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/testkit"
)

// server is one that somebody else wrote. It passes what it is sent on to a recorder
// of its own, in its own words: that is how it has understood it.
type server struct {
	name   string
	addr   netip.AddrPort
	origin *recorder
	count  func() int // of the requests that it has seen, also those that it refuses
}

// starters start the servers that are installed, on an address, before an origin.
var starters = []struct {
	program string
	start   func(t *testing.T, program, dir, addr, origin string) (count func() int)
}{
	{"nginx", startNginx},
	{"haproxy", startHAProxy},
	{"apache2", startApache},
	{"h2o", startH2O},
	{"varnishd", startVarnish},
}

func startServers(t *testing.T) (out []server) {
	t.Helper()
	for _, s := range starters {
		program, err := exec.LookPath(s.program)
		if err != nil {
			t.Logf("%s isn't installed: it isn't compared", s.program)
			continue
		}
		origin := startRecorder(t, false)
		addr := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), testkit.FreePort(t))
		count := s.start(t, program, t.TempDir(), addr.String(), origin.addr.String())
		testkit.Eventually(t, s.program+" listens", func() error {
			conn, err := net.Dial("tcp", addr.String())
			if err == nil {
				err = conn.Close()
			}
			return err
		})
		out = append(out, server{s.program, addr, origin, count})
	}
	return out
}

// run starts a program that ends with the test.
func run(t *testing.T, stdout io.Writer, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	var complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = stdout, &complaints
	cmd.WaitDelay = time.Second // a child of it may outlive it, with our end of its output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // some wait for connections that nobody closes
		if err := cmd.Wait(); t.Failed() {
			t.Logf("%s: %v\n%.2000s", program, err, complaints.String())
		}
	})
}

// file writes a file in a directory.
func file(t *testing.T, dir, name, text string) string {
	t.Helper()
	at := filepath.Join(dir, name)
	if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return at
}

// lines counts those of a log, each time.
func lines(t *testing.T, log string) func() int {
	return func() int {
		b, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(b, []byte("\n"))
	}
}

func startNginx(t *testing.T, program, dir, addr, origin string) func() int {
	log := filepath.Join(dir, "access")
	conf := file(t, dir, "nginx.conf", fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error; worker_processes 1;
events { worker_connections 512; }
http {
  log_format line '$request_method $request_uri'; access_log %[2]s line;
  client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  underscores_in_headers on; ignore_invalid_headers off;
  keepalive_requests 1000000; large_client_header_buffers 8 64k; client_max_body_size 0;
  upstream origin { server %[4]s; keepalive 16; keepalive_requests 1000000; }
  server {
    listen %[3]s;
    location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_set_header Connection ""; }
  }
}
`, dir, log, addr, origin))
	run(t, nil, program, "-c", conf, "-e", filepath.Join(dir, "start"))
	return lines(t, log)
}

func startHAProxy(t *testing.T, program, dir, addr, origin string) func() int {
	out, err := os.Create(filepath.Join(dir, "access"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close() })
	conf := file(t, dir, "haproxy.cfg", fmt.Sprintf(`global
  log stdout format raw local0
  tune.bufsize 131072
defaults
  mode http
  option dontlognull
  option http-ignore-probes
  log-format "%%HM %%HPO %%ST %%B"
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  http-reuse always
frontend f
  log global
  bind %s
  default_backend b
backend b
  server origin %s
`, addr, origin))
	run(t, out, program, "-db", "-f", conf)
	return lines(t, out.Name())
}

func startApache(t *testing.T, program, dir, addr, origin string) func() int {
	log := filepath.Join(dir, "access")
	const modules = "/usr/lib/apache2/modules/"
	var load strings.Builder
	for _, m := range []string{"mpm_event", "authz_core", "proxy", "proxy_http"} {
		fmt.Fprintf(&load, "LoadModule %s_module %smod_%s.so\n", m, modules, m)
	}
	conf := file(t, dir, "apache.conf", fmt.Sprintf(`ServerRoot %[1]s
PidFile %[1]s/pid
ErrorLog %[1]s/error
Mutex file:%[1]s default
%[4]sListen %[3]s
ServerName a.test
LogFormat "%%m %%U%%q" line
CustomLog %[2]s line
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 60
LimitRequestFieldSize 65535
LimitRequestLine 65535
AllowEncodedSlashes NoDecode
ProxyPreserveHost On
ProxyAddHeaders Off
ProxyPass / http://%[5]s/ nocanon
`, dir, log, addr, load.String(), origin))
	run(t, nil, program, "-X", "-f", conf)
	return lines(t, log)
}

func startH2O(t *testing.T, program, dir, addr, origin string) func() int {
	log := filepath.Join(dir, "access")
	host, port, _ := net.SplitHostPort(addr)
	conf := file(t, dir, "h2o.conf", fmt.Sprintf(`listen: { host: %s, port: %s }
pid-file: %s/pid
error-log: %s/error
num-threads: 1
user: root
http1-request-timeout: 60
limit-request-body: 1048576
access-log: { path: %s, format: "%%m %%U%%q" }
proxy.preserve-host: ON
proxy.preserve-x-forwarded-proto: ON
proxy.timeout.keepalive: 60000
hosts: { default: { paths: { "/": { proxy.reverse.url: "http://%s/" } } } }
`, host, port, dir, dir, log, origin))
	run(t, nil, program, "-m", "worker", "-c", conf)
	return lines(t, log)
}

func startVarnish(t *testing.T, program, dir, addr, origin string) func() int {
	host, port, _ := net.SplitHostPort(origin)
	vcl := file(t, dir, "pass.vcl", fmt.Sprintf(`vcl 4.1;
backend origin { .host = "%s"; .port = "%s"; }
sub vcl_recv { return (pass); }
sub vcl_backend_fetch { return (fetch); } # with the bodies of GET, too
`, host, port))
	run(t, nil, program, "-j", "none", "-F", "-n", dir, "-a", addr, "-f", vcl, "-s", "malloc,32m",
		"-p", "http_req_size=131072", "-p", "http_req_hdr_len=65536", "-p", "http_max_hdr=256", "-p", "workspace_client=512k", "-p", "workspace_backend=512k", "-p", "timeout_idle=60")
	return func() (n int) {
		t.Helper()
		out, err := exec.Command("varnishstat", "-n", dir, "-1", "-f", "MAIN.client_req", "-f", "MAIN.client_req_400", "-f", "MAIN.client_req_417").Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			if f := strings.Fields(line); len(f) > 1 {
				m, _ := strconv.Atoi(f[1])
				n += m
			}
		}
		return n
	}
}
