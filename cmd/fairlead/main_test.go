package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/demo"
	"github.com/fairlead/fairlead/internal/status"
)

// envAsCommand makes the test binary behave as fairlead itself.
const envAsCommand = "FAIRLEAD_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(envAsCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// invoke runs a command line in this process.
func invoke(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, streams{&out, &errs})
	return code, out.String(), errs.String()
}

func TestMistakesOnTheCommandLineAreOneLineAndCodeOne(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.yaml")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no command":             {nil, `expected one of "server", "demo", "status", `},
		"an unknown command":     {[]string{"serve"}, "unexpected argument serve"},
		"a misspelt flag":        {[]string{"server", "--api-adr=x"}, `did you mean "--api-addr"?`},
		"an unknown output":      {[]string{"status", "--output=xml"}, "--output must be one of"},
		"a port out of range":    {[]string{"demo", "--port=70000"}, "--port"},
		"demo has no dev mode":   {[]string{"demo", "--dev"}, "unknown flag --dev"},
		"a missing file":         {[]string{"server", "--config", missing}, "none.yaml: no such file"},
		"a level that isn't one": {[]string{"server", "--log-level=loud"}, `log-level: "loud" is not one of debug, info, warn, error`},
		"two mistakes at once":   {[]string{"server", "--log-level=loud", "--log-format=xml"}, "; log-format"},
		"dev beyond loopback":    {[]string{"server", "--dev", "--ops-addr=0.0.0.0:1"}, "not a loopback address"},
		"a demo's mistake":       {[]string{"demo", "--log-format=xml"}, `log-format: "xml"`},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := invoke(t, c.args...)
			if code != 1 || stdout != "" {
				t.Errorf("%v: got code %d and output %q, want 1 and none", c.args, code, stdout)
			}
			if !strings.HasPrefix(stderr, "fairlead: ") || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.want) {
				t.Errorf("%v:\ngot  %q\nwant one line with %q", c.args, stderr, c.want)
			}
		})
	}
}

func TestFlagsGoBeforeTheFileAndTheFileBeforeDefaults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "fairlead.yaml")
	if err := os.WriteFile(file, []byte("api-addr: 127.0.0.1:1111\ndns-addr: 127.0.0.1:2222\nlog-level: error\ndev: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want func(*config.Config)
	}{
		"nothing is said": {[]string{"server"}, func(*config.Config) {}},
		"flags alone": {
			[]string{"server", "--data-dir=d", "--api-addr=127.0.0.1:1", "--dns-addr=127.0.0.1:2", "--ops-addr=127.0.0.1:3", "--log-level=warn", "--log-format=json", "--dev"},
			func(c *config.Config) {
				c.DataDir, c.APIAddr, c.DNSAddr, c.OpsAddr = "d", "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"
				c.LogLevel, c.LogFormat, c.Dev = "warn", "json", true
			},
		},
		"the file alone": {[]string{"server", "--config", file}, func(c *config.Config) {
			c.APIAddr, c.DNSAddr, c.LogLevel, c.Dev = "127.0.0.1:1111", "127.0.0.1:2222", "error", true
		}},
		"both": {[]string{"server", "--no-dev", "--config", file, "--dns-addr=127.0.0.1:3333"}, func(c *config.Config) {
			c.APIAddr, c.DNSAddr, c.LogLevel = "127.0.0.1:1111", "127.0.0.1:3333", "error"
		}},
		"a flag that says the default still goes before the file": {[]string{"server", "--config", file, "--log-level=info", "--no-dev"}, func(c *config.Config) {
			c.APIAddr, c.DNSAddr = "127.0.0.1:1111", "127.0.0.1:2222"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var cmds commands
			if _, err := parse(&cmds, c.args, streams{io.Discard, io.Discard}); err != nil {
				t.Fatal(err)
			}
			got, err := cmds.Server.config()
			if err != nil {
				t.Fatal(err)
			}
			want := config.Default()
			c.want(&want)
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b []config.Region) bool { return fmt.Sprint(a) == fmt.Sprint(b) })); diff != "" {
				t.Errorf("%v (-want +got):\n%s", c.args, diff)
			}
		})
	}
}

func TestTheDemoIsQuietAndKeepsNothingUnlessTold(t *testing.T) {
	for name, c := range map[string]struct {
		args           []string
		dataDir, level string
		port           uint16
	}{
		"nothing is said":  {[]string{"demo"}, "", "warn", 8080},
		"all of it is set": {[]string{"demo", "--data-dir=d", "--log-level=debug", "--port=9090"}, "d", "debug", 9090},
	} {
		t.Run(name, func(t *testing.T) {
			var cmds commands
			if _, err := parse(&cmds, c.args, streams{io.Discard, io.Discard}); err != nil {
				t.Fatal(err)
			}
			got, err := cmds.Demo.config()
			if err != nil || got.DataDir != c.dataDir || got.LogLevel != c.level || cmds.Demo.Port != c.port {
				t.Errorf("%v: got directory %q, level %s, port %d (%v), want %q, %s, %d", c.args, got.DataDir, got.LogLevel, cmds.Demo.Port, err, c.dataDir, c.level, c.port)
			}
		})
	}
}

func TestHelpAndVersionAreForTheOutput(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"help":               {[]string{"--help"}, []string{"server", "demo", "status", "pools", "map", "import", "export", "version"}},
		"help of the server": {[]string{"server", "--help"}, []string{"--config=FILE", "127.0.0.1:7480", "--[no-]dev", "./fairlead-data"}},
		"help of the demo":   {[]string{"demo", "-h"}, []string{"removed at the end", "8080", "default warn"}},
		"version":            {[]string{"version"}, []string{"fairlead dev (go1."}},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := invoke(t, c.args...)
			if code != 0 || stderr != "" {
				t.Errorf("%v: got code %d and %q, want 0 and no error", c.args, code, stderr)
			}
			for _, want := range c.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("%v: %q is not in\n%s", c.args, want, stdout)
				}
			}
		})
	}
}

func TestStatusShowsWhatTheServerSays(t *testing.T) {
	report := status.Report{Version: "v9", Ready: true, LoadBalancers: []status.LoadBalancer{{Name: "web", State: "active", DNSName: "web.test"}}}
	ops := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/status" {
			http.NotFound(w, r)
			return
		}
		b, _ := json.Marshal(report)
		_, _ = w.Write(bytes.Replace(b, []byte("{"), []byte(`{"newer":1,`), 1))
	}))
	defer ops.Close()
	addr := strings.TrimPrefix(ops.URL, "http://")

	code, text, stderr := invoke(t, "status", "--ops-addr", addr)
	if code != 0 || stderr != "" || !strings.Contains(text, "web active  web.test") || strings.Contains(text, "\x1b") {
		t.Errorf("text: got code %d, %q and\n%q\nwant the load balancer without colours, as this is no terminal", code, stderr, text)
	}
	code, text, stderr = invoke(t, "status", "--ops-addr", addr, "--output=json")
	var got map[string]any
	if err := json.Unmarshal([]byte(text), &got); code != 0 || stderr != "" || err != nil || got["version"] != "v9" || got["newer"] != 1.0 {
		t.Errorf("json: got code %d, %q, %v and\n%s\nwant the reply as it was", code, stderr, err, text)
	}
	code, _, stderr = invoke(t, "status", "--ops-addr", addr+"/elsewhere")
	if code != 1 || !strings.Contains(stderr, "404") {
		t.Errorf("not a status: got code %d and %q, want 1 and the reply's status", code, stderr)
	}
	ops.Close()
	code, _, stderr = invoke(t, "status", "--ops-addr", addr)
	if want := "fairlead: no server answers on " + addr + "; choose its address with --ops-addr\n"; code != 1 || stderr != want {
		t.Errorf("stopped: got code %d and %q, want 1 and %q", code, stderr, want)
	}
}

func TestMapAsksForThePartThatIsNamed(t *testing.T) {
	var asked []string
	ops := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		if strings.Contains(r.URL.Path, "gone") {
			http.Error(w, `there is no pool "gone"`, http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(status.Map{Pool: "ipam-pool-1", Account: "111122223333"})
	}))
	defer ops.Close()
	addr := strings.TrimPrefix(ops.URL, "http://")

	code, text, stderr := invoke(t, "map", "ipam-pool-1", "--ops-addr", addr)
	if code != 0 || stderr != "" || !strings.Contains(text, "no CIDR is provisioned") {
		t.Errorf("got code %d, %q and\n%s\nwant a pool without CIDRs", code, stderr, text)
	}
	code, _, stderr = invoke(t, "map", "ipam-pool-1", "2001:db8::/32", "--ops-addr", addr)
	if code != 0 || stderr != "" {
		t.Errorf("a part: got code %d and %q", code, stderr)
	}
	code, _, stderr = invoke(t, "map", "gone", "--ops-addr", addr)
	if code != 1 || !strings.Contains(stderr, `there is no pool "gone"`) {
		t.Errorf("no such pool: got code %d and %q, want 1 and the server's words", code, stderr)
	}
	want := []string{"/pools/ipam-pool-1/map", "/pools/ipam-pool-1/map?within=2001%3Adb8%3A%3A%2F32", "/pools/gone/map"}
	if !slices.Equal(asked, want) {
		t.Errorf("got the requests %q, want %q", asked, want)
	}
}

func TestAnAddressInUseIsNamedWithItsFlag(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	for _, flag := range []string{"--api-addr", "--dns-addr", "--ops-addr"} {
		t.Run(flag, func(t *testing.T) {
			args := []string{"server", "--data-dir", t.TempDir(), "--log-level=error"}
			for _, f := range []string{"--api-addr", "--dns-addr", "--ops-addr"} {
				addr := "127.0.0.1:0"
				if f == flag {
					addr = other.Addr().String()
				}
				args = append(args, f, addr)
			}
			code, _, stderr := invoke(t, args...)
			want := fmt.Sprintf("fairlead: address %s is in use; choose another with %s\n", other.Addr(), flag)
			if code != 1 || stderr != want {
				t.Errorf("got code %d and %q, want 1 and %q", code, stderr, want)
			}
		})
	}
}

// anywhere is flags that have the system choose the ports.
var anywhere = []string{"--api-addr=127.0.0.1:0", "--dns-addr=127.0.0.1:0", "--ops-addr=127.0.0.1:0"}

// process is fairlead in a process of its own.
type process struct {
	*exec.Cmd
	t     *testing.T
	lines *bufio.Scanner // of output and errors
	late  context.Context
}

func start(t *testing.T, env string, args ...string) *process {
	t.Helper()
	late, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	c := exec.CommandContext(late, os.Args[0], args...)
	c.Env = append(os.Environ(), envAsCommand+"=1", env)
	pipe, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout = c.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return &process{c, t, bufio.NewScanner(pipe), late}
}

// waitFor reads until a line has the text.
func (p *process) waitFor(text string) {
	p.t.Helper()
	var said strings.Builder
	for p.lines.Scan() {
		fmt.Fprintln(&said, p.lines.Text())
		if strings.Contains(p.lines.Text(), text) {
			return
		}
	}
	p.t.Fatalf("the process ended before it said %q; it said\n%s", text, said.String())
}

// end returns what the process ended with, and what it said since.
func (p *process) end() (said string, err error) {
	p.t.Helper()
	var text strings.Builder
	for p.lines.Scan() {
		fmt.Fprintln(&text, p.lines.Text())
	}
	err = p.Wait()
	if p.late.Err() != nil {
		p.t.Fatalf("the process doesn't end; it said\n%s", text.String())
	}
	return text.String(), err
}

func TestASignalEndsTheServerInOrder(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			p := start(t, "", append([]string{"server", "--log-format=json", "--data-dir", t.TempDir()}, anywhere...)...)
			p.waitFor(`"msg":"ready"`)
			if err := p.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if said, err := p.end(); err != nil {
				t.Errorf("got %v, want code 0; it said\n%s", err, said)
			}
		})
	}
}

// I5: a process that dies between two steps leaves nothing that its successor
// can't complete.
func TestAFailpointKillsTheProcessAndTheNextOneGoesOn(t *testing.T) {
	l, err := net.Listen("tcp4", netip.AddrPortFrom(demo.DefaultCIDR.Addr(), 0).String())
	if err != nil {
		t.Skipf("this system doesn't serve all of its loopback interface: %v", err)
	}
	_ = l.Close()
	args := append([]string{"demo", "--data-dir", t.TempDir(), "--port", strconv.Itoa(l.Addr().(*net.TCPAddr).Port)}, anywhere...)

	said, err := start(t, envFailpoint+"=vpc.interface-created:2", args...).end()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("got %v, want a process that was killed; it said\n%s", err, said)
	}
	p := start(t, envFailpoint+"=no.such.point", args...)
	p.waitFor("127.192.2.146 ") // the third of the pool: the dead process lost none of the two before
	p.waitFor("Ctrl-C ends the demo")
	if err := p.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if said, err := p.end(); err != nil {
		t.Errorf("got %v, want code 0; it said\n%s", err, said)
	}
}

func TestAFailpointThatMeansNothingIsRefused(t *testing.T) {
	for _, value := range []string{"ipam.commit:", "ipam.commit:0", "ipam.commit:-1", "ipam.commit:x"} {
		t.Setenv(envFailpoint, value)
		code, _, stderr := invoke(t, "server", "--data-dir", t.TempDir())
		if code != 1 || !strings.Contains(stderr, envFailpoint) {
			t.Errorf("%s: got code %d and %q, want 1 and the variable's name", value, code, stderr)
		}
	}
}
