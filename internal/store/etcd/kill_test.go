package etcd_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/etcd"
)

// victimDir, in the environment, makes the test binary a process to be killed.
const victimDir = "FAIRLEAD_TEST_VICTIM_DIR"

const (
	victimCallers = 4
	victimRecords = 5 // that each transaction writes, all with one number
)

// numbers declares the victim's collection.
func numbers(e store.Engine) (*store.Store, *store.Collection[int]) {
	s := store.New(e, "/test", slog.Default())
	return s, store.NewCollection[int](s, "numbers", 1)
}

func numberKey(caller, record int) string { return fmt.Sprintf("%d/%d", caller, record) }

// victim writes for ever, and says on stdout what was acknowledged.
func victim(dir string) error {
	ctx := context.Background()
	e, err := etcd.Open(ctx, etcd.Options{Dir: dir})
	if err != nil {
		return err
	}
	s, c := numbers(e)
	if err := s.Start(ctx); err != nil {
		return err
	}
	var wg sync.WaitGroup
	for caller := range victimCallers {
		wg.Go(func() {
			for {
				n := 0
				err := s.Update(ctx, func(tx *store.Tx) error {
					last, _ := c.Get(tx, numberKey(caller, 0))
					n = last + 1
					for r := range victimRecords {
						c.Put(tx, numberKey(caller, r), n)
					}
					return nil
				})
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				fmt.Printf("%d %d\n", caller, n)
			}
		})
	}
	wg.Wait()
	return nil
}

// I5: after a kill -9 at any instant what was acknowledged is there, and what
// wasn't is wholly there or wholly absent.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	var acknowledged [victimCallers]int
	for round, lines := range []int{1, 40, 400, 1500} {
		runAndKill(t, dir, lines, &acknowledged)

		e, err := etcd.Open(t.Context(), etcd.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		s, c := numbers(e)
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for caller := range victimCallers {
			first, _ := c.Get(s.Snapshot(), numberKey(caller, 0))
			if first < acknowledged[caller] || first > acknowledged[caller]+1 {
				t.Errorf("round %d, caller %d: stored %d, acknowledged %d", round, caller, first, acknowledged[caller])
			}
			for r := range victimRecords {
				if got, _ := c.Get(s.Snapshot(), numberKey(caller, r)); got != first {
					t.Errorf("round %d, caller %d: record %d has %d, record 0 has %d", round, caller, r, got, first)
				}
			}
			acknowledged[caller] = first
		}
		s.Close()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func victimCommand(dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimDir+"="+dir)
	return cmd
}

// A kill during the first start leaves a directory that starts. The moments
// are those at which etcd has just made one of its files.
func TestKillDuringTheFirstStart(t *testing.T) {
	for _, made := range []string{"etcd*", "etcd*/member/snap/db", "etcd*/member/wal*", "etcd*/member/wal/0*.wal", "etcd/member/wal/0*.wal"} {
		for range 3 {
			dir := t.TempDir()
			cmd := victimCommand(dir)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			for found := []string(nil); len(found) == 0; found, _ = filepath.Glob(filepath.Join(dir, made)) {
				if time.Since(begin) > 20*time.Second {
					t.Errorf("%s was never made", made)
					break
				}
			}
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			e, err := etcd.Open(ctx, etcd.Options{Dir: dir})
			cancel()
			if err != nil {
				t.Fatalf("killed when there was %s: %v", made, err)
			}
			if _, err := e.Commit(t.Context(), store.Txn{Ops: []store.Op{{Key: "k"}}}); err != nil {
				t.Errorf("killed when there was %s: %v", made, err)
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// runAndKill starts a victim, kills it once it has acknowledged as many commits
// as lines, and notes each caller's last.
func runAndKill(t *testing.T, dir string, lines int, acknowledged *[victimCallers]int) {
	t.Helper()
	cmd := victimCommand(dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	scanner := bufio.NewScanner(out)
	n := 0
	for ; scanner.Scan(); n++ {
		if n == lines {
			_ = cmd.Process.Kill()
		}
		var caller, number int
		if _, err := fmt.Sscan(scanner.Text(), &caller, &number); err != nil {
			continue // cut off by the kill
		}
		acknowledged[caller] = max(acknowledged[caller], number)
	}
	_ = cmd.Wait() // "signal: killed"
	if n < lines {
		t.Fatalf("the process ended by itself after %d lines: %s", n, stderr.String())
	}
}
