package testkit

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/config"
)

// program builds the program once for all tests of a package.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fairlead-test-*")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "fairlead")
	out, err := exec.Command("go", "build", "-o", path, "github.com/fairlead/fairlead/cmd/fairlead").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, nil
})

// Program returns the path of the built program.
func Program(t testing.TB) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Process is a server that runs as a program of its own, and can be killed.
type Process struct {
	*Server
	cmd   *exec.Cmd     // nil once it has ended
	ended chan struct{} // closed when it has
	err   error         // how; valid then
}

// startPatience is how long a program may take until it is ready: a million
// allocations on a busy machine take half of it.
const startPatience = time.Minute

var readyLine = regexp.MustCompile(`msg=ready api=(\S+) dns=(\S+) ops=(\S+)`)

// StartProcess starts the program on a data directory, with free ports, until
// the test ends. env is added to its environment.
func StartProcess(t testing.TB, dir string, env ...string) *Process {
	t.Helper()
	return StartProcessWith(t, dir, "dns: {ttl: 1s}\n", env...)
}

// StartProcessWith is StartProcess with a configuration file of that content.
func StartProcessWith(t testing.TB, dir, configuration string, env ...string) *Process {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "fairlead.yaml")
	if err := os.WriteFile(conf, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(Program(t), "server", "--config", conf, "--data-dir", dir,
		"--api-addr", "127.0.0.1:0", "--dns-addr", "127.0.0.1:0", "--ops-addr", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &Process{cmd: cmd, ended: make(chan struct{})}
	ready := make(chan []string, 1)
	var last strings.Builder
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if m := readyLine.FindStringSubmatch(lines.Text()); m != nil {
				ready <- m
			} else if last.Len() < 4096 {
				last.WriteString(lines.Text() + "\n")
			}
		}
		p.err = cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(p.Kill)
	select {
	case m := <-ready:
		t.Cleanup(func() { p.checkRecords(t, p.cmd != nil) })
		p.Server = &Server{API: m[1], DNS: m[2], Ops: m[3], Dir: dir, Region: config.Default().Regions[0].Name, Key: rootKey(t, dir)}
	case <-p.ended:
		p.cmd = nil
		t.Fatalf("the program ended before it was ready: %v\n%s", p.err, last.String())
	case <-time.After(startPatience):
		t.Fatalf("the program isn't ready after %v\n%s", startPatience, last.String())
	}
	return p
}

// Kill ends the process as kill -9 does, and waits for its end.
func (p *Process) Kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.ended
	p.cmd = nil
}

// Wait waits for the process to end by itself.
func (p *Process) Wait(t testing.TB) {
	t.Helper()
	select {
	case <-p.ended:
		p.cmd = nil
	case <-time.After(20 * time.Second):
		t.Fatal("the process doesn't end")
	}
}

// Terminate asks the process to end (SIGTERM) and returns how it did.
func (p *Process) Terminate(t testing.TB) error {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
		p.cmd = nil
		return p.err
	case <-time.After(10 * time.Second):
		return errors.New("it still runs 10 s after SIGTERM")
	}
}

// Ready says whether the ops address answers that the server is ready.
func (s *Server) Ready() bool {
	resp, err := http.Get(s.Ops + "/readyz")
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// PID returns the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }
