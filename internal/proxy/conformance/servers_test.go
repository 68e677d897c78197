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
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/testkit"
)

// server is one that somebody else wrote. Its log has a line for each request: the
// method and the target, as far as it could read them.
type server struct {
	name string
	addr netip.AddrPort
	log  func() string
}

// starters start the servers that are installed.
var starters = []struct {
	program string
	start   func(t *testing.T, program, dir, addr string) func() string
}{
	{"nginx", startNginx},
	{"haproxy", startHAProxy},
	{"apache2", startApache},
	{"h2o", startH2O},
}

func startServers(t *testing.T) (out []server) {
	for _, s := range starters {
		program, err := exec.LookPath(s.program)
		if err != nil {
			t.Logf("%s isn't installed: it isn't compared", s.program)
			continue
		}
		addr := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), testkit.FreePort(t))
		log := s.start(t, program, t.TempDir(), addr.String())
		testkit.Eventually(t, s.program+" listens", func() error {
			conn, err := net.Dial("tcp", addr.String())
			if err == nil {
				err = conn.Close()
			}
			return err
		})
		out = append(out, server{s.program, addr, log})
	}
	return out
}

// run starts a program that ends with the test.
func run(t *testing.T, stdout io.Writer, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	var complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = stdout, &complaints
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

// reading returns a file's content, each time.
func reading(t *testing.T, at string) func() string {
	return func() string {
		b, err := os.ReadFile(at)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
}

func startNginx(t *testing.T, program, dir, addr string) func() string {
	log := filepath.Join(dir, "access")
	conf := file(t, dir, "nginx.conf", fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error; worker_processes 1;
events { worker_connections 512; }
http {
  log_format line '$request_method $request_uri'; access_log %[2]s line;
  client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  underscores_in_headers on; keepalive_requests 1000000; large_client_header_buffers 8 64k; client_max_body_size 0;
  server { listen %[3]s; location / { return 200 ok; } }
}
`, dir, log, addr))
	run(t, nil, program, "-c", conf, "-e", filepath.Join(dir, "start"))
	return reading(t, log)
}

func startHAProxy(t *testing.T, program, dir, addr string) func() string {
	log := filepath.Join(dir, "access")
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close() })
	conf := file(t, dir, "haproxy.cfg", fmt.Sprintf(`global
  log stdout format raw local0
  tune.bufsize 131072
defaults
  mode http
  log global
  option dontlognull
  option http-ignore-probes
  log-format "%%HM %%HPO"
  timeout client 60s
  timeout server 60s
  timeout connect 5s
frontend f
  bind %s
  http-request return status 200 content-type text/plain string ok
`, addr))
	run(t, out, program, "-db", "-f", conf)
	return reading(t, log)
}

func startApache(t *testing.T, program, dir, addr string) func() string {
	log := filepath.Join(dir, "access")
	if err := os.Mkdir(filepath.Join(dir, "www"), 0o700); err != nil {
		t.Fatal(err)
	}
	const modules = "/usr/lib/apache2/modules/"
	var load strings.Builder
	for _, m := range []string{"mpm_event", "authz_core", "rewrite"} {
		fmt.Fprintf(&load, "LoadModule %s_module %smod_%s.so\n", m, modules, m)
	}
	conf := file(t, dir, "apache.conf", fmt.Sprintf(`ServerRoot %[1]s
PidFile %[1]s/pid
ErrorLog %[1]s/error
Mutex file:%[1]s default
%[4]sListen %[3]s
ServerName a.test
DocumentRoot %[1]s/www
LogFormat "%%m %%{THE_URI}e %%U%%q" line
CustomLog %[2]s line
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 60
LimitRequestFieldSize 65535
LimitRequestLine 65535
AllowEncodedSlashes NoDecode
`, dir, log, addr, load.String()))
	run(t, nil, program, "-X", "-f", conf)
	return reading(t, log)
}

func startH2O(t *testing.T, program, dir, addr string) func() string {
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
hosts: { default: { paths: { "/": { file.dir: %s } } } }
`, host, port, dir, dir, log, dir))
	run(t, nil, program, "-m", "worker", "-c", conf)
	return reading(t, log)
}
