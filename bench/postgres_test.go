package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// postgres is a PostgreSQL server that has allocations in a table where the
// database itself forbids that two of them overlap. It listens on a socket in its
// directory alone.
type postgres struct {
	b   *testing.B
	dir string
	pid int
}

// nobody is who it runs as where we are root, whom it refuses to.
const nobody = 65534

// schema is the table, and a sequence that tells where the next block is: unlike
// the lowest free one, which would have to be looked for.
const schema = `
create sequence next minvalue 0;
create table allocation (
	id bigserial primary key, pool int not null, cidr inet not null, owner text not null, created timestamptz not null default now(),
	exclude using gist (cidr inet_ops with &&));
`

// allocateSQL is one allocation, which pgbench commits by itself.
const allocateSQL = `insert into allocation (pool, cidr, owner) values (1, set_masklen('10.0.0.0'::inet + nextval('next') * 16, 28), 'eipalloc-0123456789abcdef0');`

func startPostgres(b *testing.B, filled int) *postgres {
	b.Helper()
	for _, program := range []string{"initdb", "postgres", "pgbench", "psql"} {
		if _, err := exec.LookPath(program); err != nil {
			b.Skipf("%s isn't installed", program)
		}
	}
	p := &postgres{b: b, dir: b.TempDir()}
	for dir := p.dir; strings.HasPrefix(dir, os.TempDir()) && dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // whom it runs as must get there
			b.Fatal(err)
		}
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(p.dir, nobody, nobody); err != nil {
			b.Fatal(err)
		}
	}
	data := filepath.Join(p.dir, "data")
	p.run(p.command("initdb", "-D", data, "-A", "trust", "-U", "postgres"))
	server := p.command("postgres", "-D", data, "-k", p.dir, "-c", "listen_addresses=", "-c", "max_connections=100")
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	p.pid = server.Process.Pid
	b.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGINT) // its fast shutdown
		_ = server.Wait()
	})
	p.run(exec.Command("bash", "-c", "for i in {1..100}; do psql -h "+p.dir+" -U postgres -c '' && exit; sleep 0.1; done; exit 1"))
	p.sql(schema)
	p.sql(fmt.Sprintf("do $$ begin for i in 1..%d loop %s end loop; end $$; checkpoint", filled, allocateSQL))
	return p
}

func (p *postgres) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	if os.Geteuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	c.Dir = p.dir
	return c
}

func (p *postgres) run(c *exec.Cmd) string {
	p.b.Helper()
	out, err := c.CombinedOutput()
	if err != nil {
		p.b.Fatalf("%v: %v\n%s", c.Args, err, out)
	}
	return string(out)
}

func (p *postgres) sql(text string) string {
	p.b.Helper()
	return p.run(exec.Command("psql", "-q", "-t", "-v", "ON_ERROR_STOP=1", "-h", p.dir, "-U", "postgres", "-c", text))
}

var processed = regexp.MustCompile(`number of transactions actually processed: (\d+)`)

// allocate has clients allocate for so many seconds, and returns how many
// allocations were committed.
func (p *postgres) allocate(clients, seconds int) int {
	p.b.Helper()
	script := filepath.Join(p.dir, "allocate.sql")
	if err := os.WriteFile(script, []byte(allocateSQL), 0o600); err != nil {
		p.b.Fatal(err)
	}
	out := p.run(exec.Command("pgbench", "-n", "-h", p.dir, "-U", "postgres", "-M", "prepared", "-c", strconv.Itoa(clients), "-j", "2",
		"-T", strconv.Itoa(seconds), "-f", script, "postgres"))
	m := processed.FindStringSubmatch(out)
	if m == nil {
		p.b.Fatalf("pgbench says:\n%s", out)
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

// cpuTicks returns the CPU time of the server and of all its processes, those
// that have ended too. A process that ends while we count is counted by its
// parent, but not at once: then we count again.
func (p *postgres) cpuTicks() int {
	for {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", p.pid, p.pid))
		if err != nil {
			p.b.Fatal(err)
		}
		total, ended := 0, false
		for _, child := range strings.Fields(string(children)) {
			pid, _ := strconv.Atoi(child)
			n, err := ticksOf(pid, 2)
			total += n
			ended = ended || err != nil
		}
		own, err := ticksOf(p.pid, 4) // user, system, and both of children that have ended
		if err != nil {
			p.b.Fatal(err)
		}
		if !ended {
			return total + own
		}
	}
}
